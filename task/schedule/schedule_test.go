package schedule

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// at returns the first n instants after from, in the zone, as the wall shows
// them with the offset.
func at(t *testing.T, expression, zone, from string, n int) []string {
	t.Helper()
	times, err := CronTimes(expression, zone)
	if err != nil {
		t.Fatal(err)
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	x, err := time.Parse(time.RFC3339, from)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for range n {
		x = times.Next(x)
		got = append(got, x.In(loc).Format("01-02 15:04 -0700"))
	}
	return got
}

// TestClockChanges: Sofia goes from 03:00 to 04:00 on 29 March 2026 and from
// 04:00 back to 03:00 on 25 October; São Paulo had no midnight on 4 November
// 2018; Lord Howe changes by half an hour.
func TestClockChanges(t *testing.T) {
	const sofia, paulo, howe = "Europe/Sofia", "America/Sao_Paulo", "Australia/Lord_Howe"
	for _, c := range []struct {
		what, cron, zone, from string
		want                   []string
	}{
		{"a time that does not exist is due at the change", "30 3 * * *", sofia, "2026-03-28T12:00:00Z",
			[]string{"03-29 04:00 +0300", "03-30 03:30 +0300"}},
		{"several in the gap are due once", "*/10 3 * * *", sofia, "2026-03-28T12:00:00Z",
			[]string{"03-29 04:00 +0300", "03-30 03:00 +0300", "03-30 03:10 +0300"}},
		{"one at the change itself is due once", "0 3,4 * * *", sofia, "2026-03-28T12:00:00Z",
			[]string{"03-29 04:00 +0300", "03-30 03:00 +0300"}},
		{"hourly: a minute that does not exist is not made up for", "30 * * * *", sofia, "2026-03-29T00:00:00Z",
			[]string{"03-29 02:30 +0200", "03-29 04:30 +0300", "03-29 05:30 +0300"}},
		{"a time that comes twice is due the first time", "30 3 * * *", sofia, "2026-10-24T12:00:00Z",
			[]string{"10-25 03:30 +0300", "10-26 03:30 +0200"}},
		{"also when asked between the two", "30 3 * * *", sofia, "2026-10-25T00:45:00Z",
			[]string{"10-26 03:30 +0200"}},
		{"also when asked in the second hour", "50 3 * * *", sofia, "2026-10-25T01:30:00Z",
			[]string{"10-26 03:50 +0200"}},
		{"the hour after is not repeated", "0 4 * * *", sofia, "2026-10-24T12:00:00Z",
			[]string{"10-25 04:00 +0200", "10-26 04:00 +0200"}},
		{"hourly: what comes twice is due twice", "30 * * * *", sofia, "2026-10-24T23:45:00Z",
			[]string{"10-25 03:30 +0300", "10-25 03:30 +0200", "10-25 04:30 +0200"}},
		{"a day without midnight has its daily tick", "0 0 * * *", paulo, "2018-11-03T12:00:00Z",
			[]string{"11-04 01:00 -0200", "11-05 00:00 -0200"}},
		{"@daily is no different", "@daily", paulo, "2018-11-03T12:00:00Z",
			[]string{"11-04 01:00 -0200", "11-05 00:00 -0200"}},
		{"half an hour forward", "15 2 * * *", howe, "2026-10-03T00:00:00Z",
			[]string{"10-04 02:30 +1100", "10-05 02:15 +1100"}},
		{"half an hour back", "45 1 * * *", howe, "2026-04-04T00:00:00Z",
			[]string{"04-05 01:45 +1100", "04-06 01:45 +1030"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			if d := cmp.Diff(c.want, at(t, c.cron, c.zone, c.from, len(c.want))); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestCron(t *testing.T) {
	for _, c := range []struct {
		cron, from string
		want       []string
	}{
		{"30 4 * * *", "2026-11-21T04:30:00Z", []string{"11-22 04:30 +0000"}}, // strictly after
		{"30 4 * * MON", "2026-11-21T00:00:00Z", []string{"11-23 04:30 +0000", "11-30 04:30 +0000"}},
		{"0 0 * JAN,feb 1-5", "2026-11-21T00:00:00Z", []string{"01-01 00:00 +0000", "01-04 00:00 +0000"}},
		{"*/45 * * * *", "2026-11-21T00:00:00Z", []string{"11-21 00:45 +0000", "11-21 01:00 +0000"}},
		{"0 0 13 * FRI", "2026-11-21T00:00:00Z", []string{"11-27 00:00 +0000", "12-04 00:00 +0000", "12-11 00:00 +0000", "12-13 00:00 +0000"}},
		{"0 0 * * 7", "2026-11-21T00:00:00Z", []string{"11-22 00:00 +0000"}},
		{"0 0 29 2 *", "2026-11-21T00:00:00Z", []string{"02-29 00:00 +0000"}},
		{"@hourly", "2026-11-21T00:00:00.5Z", []string{"11-21 01:00 +0000"}},
		{"@weekly", "2026-11-21T00:00:00Z", []string{"11-22 00:00 +0000"}},
		{"@monthly", "2026-11-21T00:00:00Z", []string{"12-01 00:00 +0000"}},
	} {
		if d := cmp.Diff(c.want, at(t, c.cron, "UTC", c.from, len(c.want))); d != "" {
			t.Errorf("%s: %s", c.cron, d)
		}
	}
}

// TestCronBrute compares Next with a walk over every minute of the days around
// a change of the clock, whose rules are written down anew here.
func TestCronBrute(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	zones := []struct{ name, from string }{
		{"Europe/Sofia", "2026-03-28T00:00:00Z"}, {"Europe/Sofia", "2026-10-24T00:00:00Z"},
		{"America/Sao_Paulo", "2018-11-03T00:00:00Z"}, {"America/Sao_Paulo", "2018-02-17T00:00:00Z"},
		{"Australia/Lord_Howe", "2026-10-03T00:00:00Z"}, {"Australia/Lord_Howe", "2026-04-04T00:00:00Z"},
		{"UTC", "2026-03-28T00:00:00Z"},
	}
	for range 300 {
		z := zones[r.IntN(len(zones))]
		minutes, hours := map[int]bool{}, map[int]bool{}
		for range 1 + r.IntN(3) {
			minutes[r.IntN(60)] = true
		}
		hour := "*"
		if r.IntN(4) > 0 {
			for range 1 + r.IntN(4) {
				hours[r.IntN(6)+23*r.IntN(2)] = true // mostly where changes are
			}
			for h := range hours {
				if h > 23 {
					delete(hours, h)
				}
			}
			if len(hours) == 0 {
				hours[3] = true
			}
			hour = list(hours)
		}
		expression := fmt.Sprintf("%s %s * * *", list(minutes), hour)
		loc, err := time.LoadLocation(z.name)
		if err != nil {
			t.Fatal(err)
		}
		from, _ := time.Parse(time.RFC3339, z.from)
		want := brute(minutes, hours, loc, from, 72*60)
		times, err := CronTimes(expression, z.name)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for x := times.Next(from.Add(-time.Second)); x.Before(from.Add(72 * time.Hour)); x = times.Next(x) {
			got = append(got, stamp(x))
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("%s in %s from %s: %s", expression, z.name, z.from, d)
		}
	}
}

func list(set map[int]bool) string {
	var s []string
	for v := range set {
		s = append(s, fmt.Sprint(v))
	}
	return strings.Join(s, ",")
}

func brute(minutes, hours map[int]bool, loc *time.Location, from time.Time, n int) []string {
	matches := func(hour, minute int) bool { return minutes[minute] && (len(hours) == 0 || hours[hour]) }
	var due []string
	seen := map[string]bool{} // walls, from a day before on
	for i := -24 * 60; i < n; i++ {
		x := from.Add(time.Duration(i) * time.Minute)
		wall, before := x.In(loc), x.Add(-time.Minute).In(loc)
		is := matches(wall.Hour(), wall.Minute())
		if len(hours) > 0 {
			key := wall.Format("2006-01-02 15:04")
			is = is && !seen[key]
			seen[key] = true
			_, o1 := before.Zone()
			_, o2 := wall.Zone()
			for gap := 0; gap < (o2-o1)/60; gap++ { // minutes the wall skipped
				skipped := before.Add(time.Minute).In(time.FixedZone("", o1)).Add(time.Duration(gap) * time.Minute)
				is = is || matches(skipped.Hour(), skipped.Minute())
			}
		}
		if is && i >= 0 {
			due = append(due, stamp(x))
		}
	}
	return due
}

// TestCronCentury: a leap day is found in every leap year a calendar can reach,
// also beyond the tables of zones.
func TestCronCentury(t *testing.T) {
	times, err := CronTimes("30 4 29 2 *", "Europe/Sofia")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for year := 2028; year <= 2096; year += 4 {
		at = times.Next(at)
		if want := time.Date(year, 2, 29, 2, 30, 0, 0, time.UTC); !at.Equal(want) {
			t.Fatalf("%v, not %v", at, want)
		}
	}
	if at = times.Next(at); !at.IsZero() && at.Year() != 2104 {
		t.Errorf("after 2096: %v", at)
	}
}

func TestEvery(t *testing.T) {
	s := Schedule{Name: "x", Task: "x", Every: 45 * time.Minute}
	times, err := s.Times()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, want int64 }{
		{0, 2700}, {-1, 0}, {-2700, 0}, {-2701, -2700}, {2699, 2700}, {2700, 5400},
	} {
		if got := times.Next(time.Unix(c.from, 0)); got.Unix() != c.want {
			t.Errorf("after %d: %d, not %d", c.from, got.Unix(), c.want)
		}
	}
	if got := times.Next(time.Unix(2699, 999_999_999)); got.Unix() != 2700 {
		t.Errorf("after a fraction: %v", got)
	}
}

func TestWrongSchedules(t *testing.T) {
	for _, c := range []struct {
		s    Schedule
		want string
	}{
		{Schedule{Name: "", Task: "t", Cron: "* * * * *"}, "0 bytes"},
		{Schedule{Name: "a b", Task: "t", Cron: "* * * * *"}, "' '"},
		{Schedule{Name: "a/../b", Task: "t", Cron: "* * * * *"}, "'/'"},
		{Schedule{Name: "a", Cron: "* * * * *"}, "task name"},
		{Schedule{Name: "a", Task: "t"}, "neither cron nor every"},
		{Schedule{Name: "a", Task: "t", Cron: "* * * * *", Every: time.Second}, "both"},
		{Schedule{Name: "a", Task: "t", Every: time.Millisecond}, "not whole seconds"},
		{Schedule{Name: "a", Task: "t", Every: -time.Second}, "not whole seconds"},
		{Schedule{Name: "a", Task: "t", Every: 367 * 24 * time.Hour}, "not whole seconds"},
		{Schedule{Name: "a", Task: "t", Every: time.Hour, Timezone: "Europe/Sofia"}, "timezone"},
		{Schedule{Name: "a", Task: "t", Cron: "* * * *"}, "5 fields"},
		{Schedule{Name: "a", Task: "t", Cron: "60 * * * *"}, "maximum"},
		{Schedule{Name: "a", Task: "t", Cron: "* * * * * *"}, "5 fields"},
		{Schedule{Name: "a", Task: "t", Cron: "@every 5m"}, "belongs into every"},
		{Schedule{Name: "a", Task: "t", Cron: "@reboot"}, "@reboot"},
		{Schedule{Name: "a", Task: "t", Cron: "TZ=UTC * * * * *"}, "belongs into timezone"},
		{Schedule{Name: "a", Task: "t", Cron: "0 0 31 2 *"}, "never due"},
		{Schedule{Name: "a", Task: "t", Cron: "* * * * *", Timezone: "Europe/Sofja"}, "Europe/Sofja"},
		{Schedule{Name: "a", Task: "t", Cron: "* * * * *", Timezone: "Local"}, "Local"},
		{Schedule{Name: "a", Task: "t", Cron: "* * * * *", Args: json.RawMessage(`{`)}, "not JSON"},
		{Schedule{Name: "a", Task: "t", Cron: strings.Repeat("1,", 1000)}, "256"},
	} {
		if _, err := c.s.Times(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want …%s…", c.s, err, c.want)
		}
	}
}

// FuzzCron: what is taken has ticks that ascend, and nothing panics.
func FuzzCron(f *testing.F) {
	for _, s := range []string{"30 4 * * *", "*/5 0-23/2 1,15 JAN-MAR MON", "@daily", "0 0 ? * 7", "22-2 * * * *", "5/15 * * * *", "TZ=x", "@every 1h", "0 0 31 * *"} {
		f.Add(s, "Europe/Sofia")
	}
	f.Fuzz(func(t *testing.T, expression, zone string) {
		times, err := CronTimes(expression, zone)
		if err != nil {
			return
		}
		at := time.Date(2026, 10, 24, 0, 0, 0, 0, time.UTC)
		for range 20 {
			next := times.Next(at)
			if next.IsZero() {
				return
			}
			if !next.After(at) {
				t.Fatalf("%q in %q: %v after %v", expression, zone, next, at)
			}
			at = next
		}
	})
}
