package schedule

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// longestNap bounds the time after which the wall clock is looked at
	// again: a timer does not notice that the clock was set.
	longestNap = 10 * time.Second
	// jump is how far back the clock has to go to count as set.
	jump = time.Second
	// maxMissed bounds MissedAll.
	maxMissed = 100
	retryMin  = 500 * time.Millisecond
	retryMax  = 30 * time.Second
)

// entry is one schedule at work. Its goroutine alone touches it, except state.
type entry struct {
	Schedule
	o     *Options
	times Times
	log   *slog.Logger

	known   time.Time            // every tick up to here was looked into
	floor   time.Time            // ticks before it were, by any process, and may be no more on record
	clock   time.Time            // what the wall clock said last
	wins    int                  // ticks fired since the last sweep
	handled map[time.Time]*claim // ticks not yet known to be done

	mu    sync.Mutex
	state Status
}

func (e *entry) status() Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.state
	s.Schedule = e.Schedule
	s.Next = e.times.Next(e.o.now())
	return s
}

func (e *entry) firing(tick time.Time) Firing {
	return Firing{
		ID: e.Name + "@" + stamp(tick), Schedule: e.Name,
		Task: e.Task, Queue: e.Queue, Args: e.Args, Tick: tick, Overlap: e.Overlap,
	}
}

// run looks into ticks as they come, until ctx ends.
func (e *entry) run(ctx context.Context) {
	pause := retryMin
	for ctx.Err() == nil {
		err := e.recover(ctx)
		e.report(err)
		if err == nil {
			break
		}
		e.log.Warn("cannot read the tick store", "error", err, "pause", pause)
		sleep(ctx, pause)
		pause = min(2*pause, retryMax)
	}
	for ctx.Err() == nil {
		e.turn(ctx)
		sleep(ctx, e.nap())
	}
}

// turn looks into the ticks that have come due and those left from before.
func (e *entry) turn(ctx context.Context) {
	now := e.o.now()
	if now.Before(e.clock.Add(-jump)) { // no monotonic reading in e.clock
		e.log.Warn("the clock was set back", "from", e.clock, "to", now)
		// Ticks between now and then may have been fired when the clock was
		// ahead; their records say so, as far back as there are any.
		if err := e.recover(ctx); err != nil {
			e.report(err)
			return
		}
		e.known = now
	}
	e.clock = now.Round(0)
	for _, tick := range e.due(now) {
		if e.handled[tick] == nil {
			e.handled[tick] = &claim{tick: tick, at: now}
		}
	}
	for _, tick := range slices.SortedFunc(maps.Keys(e.handled), time.Time.Compare) {
		c := e.handled[tick]
		switch {
		case ctx.Err() != nil:
			return
		case now.Sub(tick) > e.o.Window && now.Sub(tick) > 2*e.o.Lease:
			e.log.Error("tick given up: it could not be fired within the window", "tick", tick, "error", c.err)
			delete(e.handled, tick)
		case !c.at.After(now) || c.at.Sub(now) > max(e.o.Lease, retryMax): // the latter: the clock was set back
			e.attempt(ctx, c)
		}
	}
}

// due returns the ticks after known to look into, and moves known.
func (e *entry) due(now time.Time) []time.Time {
	var ticks []time.Time
	from := e.known
	if oldest := now.Add(-e.o.Window); from.Before(oldest) {
		from = oldest
	}
	for t := e.times.Next(from); !t.IsZero() && !t.After(now); t = e.times.Next(t) {
		if !t.Before(e.floor) {
			ticks = append(ticks, t)
		}
		if len(ticks) > maxMissed {
			ticks = ticks[1:]
		}
	}
	e.known = now
	kept := e.keep(ticks, now)
	if n := len(ticks) - len(kept); n > 0 {
		e.log.Warn("ticks were missed and are not made up for", "ticks", n, "policy", e.missed())
	}
	return kept
}

// keep applies the policy for missed ticks to those that are due.
func (e *entry) keep(ticks []time.Time, now time.Time) []time.Time {
	if e.missed() == MissedAll {
		return ticks
	}
	for i, t := range ticks {
		if now.Sub(t) <= e.late() {
			return ticks[i:]
		}
	}
	if e.missed() == MissedLatest && len(ticks) > 0 {
		return ticks[len(ticks)-1:]
	}
	return nil
}

// missed is the schedule's own policy, or that of all.
func (e *entry) missed() Missed { return cmp.Or(e.Missed, e.o.Missed) }

// late is the age from which a tick counts as missed.
func (e *entry) late() time.Duration { return max(e.o.Lease, 2*longestNap) }

// nap is how long nothing has to be done.
func (e *entry) nap() time.Duration {
	now := e.o.now()
	d := longestNap
	if next := e.times.Next(e.known); !next.IsZero() {
		d = min(d, next.Sub(now))
	}
	for _, c := range e.handled {
		d = min(d, c.at.Sub(now))
	}
	return max(d, time.Millisecond)
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

func (e *entry) report(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.state.Err = err
}

// skipped notes that a tick came while the task of one before was there.
func (e *entry) skipped(c *claim, why error) {
	c.enqueued, c.skipped = true, true
	e.log.Warn("tick skipped: the task of an earlier one has not ended", "tick", c.tick, "reason", why)
}

// done notes that a tick was fired, by whomever.
func (e *entry) done(tick time.Time) {
	delete(e.handled, tick)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.state.Err = nil
	if tick.After(e.state.Last) {
		e.state.Last, e.state.LastID = tick, e.firing(tick).ID
	}
}
