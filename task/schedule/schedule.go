// Package schedule puts tasks into their queues at times, once a tick however
// many processes do so from the same store.
//
// A tick is one instant at which a schedule is due. All processes that share
// a tick store (a folder, or a bucket) compute the same ticks; the first to
// create the tick's claim enqueues its task and then marks the tick done. A
// process that dies in between leaves a claim without a mark, and when the
// claim's lease is over another takes the tick over: no tick is lost, and at
// worst the task is enqueued twice, both times under the id <schedule>@<tick>.
// doc/formats/schedule-tick.md is the page of the store.
//
// Ticks that passed while no process ran are missed ticks; see Missed.
package schedule

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/dayfly-dev/dayfly/task"
)

// MaxName is the longest name of a schedule in bytes.
const MaxName = 64

// Schedule says when which task goes into which queue. Either Cron or Every is
// set.
type Schedule struct {
	// Name is 1–64 characters of [A-Za-z0-9_-], the same in all processes.
	Name string
	// Cron is five fields as in crontab(5), minute hour day-of-month month
	// day-of-week, with names (MON, JAN), lists, ranges and steps, or one of
	// @hourly @daily @midnight @weekly @monthly @yearly @annually. When day of
	// month and day of week are both restricted, either is enough.
	Cron string
	// Every is a fixed period of whole seconds, 1 s–366 days. Its ticks are the
	// multiples of the period since 1970-01-01T00:00:00Z, so that they do not
	// depend on when a process started.
	Every time.Duration
	// Timezone is the IANA name of the zone Cron is in; default UTC. Where the
	// clocks of the zone change, see CronTimes.
	Timezone string

	Task  string          // name of the task
	Args  json.RawMessage // its arguments as JSON; nil: none
	Queue string          // name of the queue

	// Missed is the policy for missed ticks; default Options.Missed.
	Missed Missed
	// Overlap is what becomes of a tick that comes while the task of one before
	// is neither done nor dead; default OverlapAllow.
	Overlap Overlap
}

// Overlap is what is done about a schedule that fires more often than its task
// finishes.
type Overlap string

// Policies for overlapping ticks.
const (
	OverlapAllow Overlap = "allow" // each tick is fired; default
	OverlapSkip  Overlap = "skip"  // the tick is skipped; see OverlapWindow
)

// OverlapWindow is how long a task keeps later ticks of a schedule with
// OverlapSkip from being fired, at most: one that was lost, or runs where no
// records are to be had, blocks its schedule no longer than this.
const OverlapWindow = 24 * time.Hour

// maxEvery is a leap year: a longer period is a calendar's business.
const maxEvery = 366 * 24 * time.Hour

// Times is a sequence of instants.
type Times interface {
	// Next returns the first instant after t, in UTC; zero if there is none.
	Next(t time.Time) time.Time
}

// Times returns when the schedule is due, after checking all of it.
func (s *Schedule) Times() (Times, error) {
	if err := checkName(s.Name); err != nil {
		return nil, err
	}
	fail := func(err error) error { return fmt.Errorf("schedule %s: %w", s.Name, err) }
	if err := task.CheckName(s.Task); err != nil {
		return nil, fail(err)
	}
	if s.Args != nil && !json.Valid(s.Args) {
		return nil, fail(errors.New("args are not JSON"))
	}
	if err := s.policies(); err != nil {
		return nil, fail(err)
	}
	times, err := s.times()
	if err != nil {
		return nil, fail(err)
	}
	return times, nil
}

func (s *Schedule) policies() error {
	switch s.Missed {
	case "", MissedLatest, MissedAll, MissedNone:
	default:
		return fmt.Errorf("missed is %q, not latest, all or none", s.Missed)
	}
	switch s.Overlap {
	case "", OverlapAllow, OverlapSkip:
		return nil
	}
	return fmt.Errorf("overlap is %q, not allow or skip", s.Overlap)
}

func (s *Schedule) times() (Times, error) {
	switch {
	case s.Cron != "" && s.Every != 0:
		return nil, errors.New("has both cron and every; take one")
	case s.Cron != "":
		return CronTimes(s.Cron, s.Timezone)
	case s.Every == 0:
		return nil, errors.New("has neither cron nor every")
	case s.Every < time.Second || s.Every > maxEvery || s.Every%time.Second != 0:
		return nil, fmt.Errorf("every %v is not whole seconds of 1s–8784h", s.Every)
	case s.Timezone != "" && s.Timezone != "UTC":
		return nil, errors.New("has a timezone, which every does not depend on; remove it, or use cron")
	}
	return period(s.Every), nil
}

func checkName(name string) error {
	if name == "" || len(name) > MaxName {
		return fmt.Errorf("schedule name %.80q has %d bytes, not 1–%d", name, len(name), MaxName)
	}
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return fmt.Errorf("schedule name %q has %q, which is not one of A-Z a-z 0-9 _ -", name, c)
		}
	}
	return nil
}

// period is a fixed number of nanoseconds, anchored at the Unix epoch.
type period time.Duration

func (p period) Next(t time.Time) time.Time {
	s, sec := int64(time.Duration(p)/time.Second), t.Unix()
	n := sec / s
	if sec%s < 0 { // before 1970
		n--
	}
	return time.Unix((n+1)*s, 0).UTC()
}
