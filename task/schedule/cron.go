package schedule

import (
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // zones by name on machines without /usr/share/zoneinfo

	cron "github.com/netresearch/go-cron"
)

// parser reads five fields. go-cron is the maintained fork of robfig/cron.
// Only its parsing and its calendar are used: at changes of the clock version
// 0.9.1 runs "30 3 * * *" twice on the day 03:30 comes twice (its page says
// once), and on a day that has no midnight runs "0 0 * * *" not at all.
var parser = cron.MustNewParser(
	cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor | cron.DowOrDom)

const maxCron = 256 // bytes of an expression

// CronTimes returns the instants of a cron expression in a time zone ("" is
// UTC). Where the zone's clocks change, it does as Debian's cron does:
//
//   - A schedule of every hour (hour field *) follows time as it passes: its
//     minutes that do not exist on that day are not made up for, and those that
//     come twice come twice.
//   - Any other follows the clock on the wall: if its time does not exist (the
//     clock went from 03:00 to 04:00 and it is set for 03:30), it is due at the
//     moment of the change, once, whatever number of times fell into the gap;
//     if its time comes twice, it is due the first time only.
//
// An expression that is never due, as of 31 February, is an error.
func CronTimes(expression, timezone string) (Times, error) {
	if len(expression) > maxCron {
		return nil, fmt.Errorf("cron has %d bytes, more than %d", len(expression), maxCron)
	}
	e := strings.TrimSpace(expression)
	if strings.Contains(e, "TZ=") {
		return nil, fmt.Errorf("cron %q: the time zone belongs into timezone", expression)
	}
	if strings.HasPrefix(e, "@every") {
		return nil, fmt.Errorf("cron %q: a period belongs into every", expression)
	}
	zone, err := time.LoadLocation(timezone)
	if err != nil || timezone == "Local" {
		return nil, fmt.Errorf("timezone %q is not known; it is a name such as Europe/Sofia", timezone)
	}
	parsed, err := parser.Parse(e)
	if err != nil {
		return nil, fmt.Errorf("cron %q: %w", expression, err)
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, fmt.Errorf("cron %q is not five fields", expression)
	}
	const hours = 1<<24 - 1
	c := &calendar{spec: spec, zone: zone, hourly: spec.Hour&hours == hours}
	if c.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, fmt.Errorf("cron %q is never due", expression)
	}
	return c, nil
}

// calendar is a cron expression in a zone.
type calendar struct {
	spec   *cron.SpecSchedule
	zone   *time.Location
	hourly bool // every hour
}

// Next walks from one change of the clock to the next. Between two changes the
// clock is a fixed offset from UTC, where the calendar is plain.
func (c *calendar) Next(t time.Time) time.Time {
	t = t.In(c.zone)
	at := t // whose offset is that of the stretch looked at
	for range 1000 {
		_, offset := at.Zone()
		start, end := at.ZoneBounds()
		if !end.IsZero() && !end.After(at) {
			// Beyond its tables (2037) Go ends the last stretch of a year
			// after 365 days, so in leap years before its last day.
			end = at.Add(24 * time.Hour)
		}
		from := t
		if repeated := c.repeated(start, offset); !c.hourly && from.Before(repeated) {
			from = repeated.Add(-time.Nanosecond)
		}
		due := c.in(from, offset)
		if due.IsZero() {
			return due
		}
		if end.IsZero() || due.Before(end) {
			return due.UTC()
		}
		// due is past the change at end, or in the gap there.
		_, after := end.Zone()
		gap := time.Duration(after-offset) * time.Second
		if !c.hourly && gap > 0 && due.Before(end.Add(gap)) {
			return end.UTC()
		}
		t, at = end.Add(-time.Nanosecond), end
	}
	return time.Time{} // a calendar looks five years ahead; no zone changes so often
}

// repeated returns until when, after the change at start, the wall shows times
// it has shown before; start itself if it does not.
func (c *calendar) repeated(start time.Time, offset int) time.Time {
	if start.IsZero() {
		return start
	}
	_, before := start.Add(-time.Nanosecond).Zone()
	return start.Add(time.Duration(max(0, before-offset)) * time.Second)
}

// in returns the first time after t with the clock at a fixed offset.
func (c *calendar) in(t time.Time, offset int) time.Time {
	return c.spec.Next(t.In(time.FixedZone("", offset)))
}
