package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
)

const (
	sweepEvery = 50 // ticks this process fired
	maxSpecs   = 10 // times of a schedule that stay recorded
	maxListed  = 20_000
)

// history is what the store has on record of a schedule.
type history struct {
	tick   time.Time
	claims []int
	done   bool
}

// spec is the body of the record of when a schedule was first seen with its
// present times: ticks before were not missed, there was nothing to miss.
type spec struct {
	Version int       `json:"version"`
	Times   string    `json:"times"`
	Since   time.Time `json:"since"`
	Owner   string    `json:"owner"`
	Nonce   string    `json:"nonce"`
}

// recover reads what was done before, by any process: from when on ticks
// count, which of them were claimed and not fired, and which are recorded no
// more.
func (e *entry) recover(ctx context.Context) error {
	now := e.o.now()
	since, err := e.since(ctx)
	if err != nil {
		return err
	}
	past, err := e.history(ctx)
	if err != nil {
		return err
	}
	e.known, e.floor = earliest(since, now), time.Time{}
	if len(past) > 0 {
		e.floor = earliest(past[0].tick, now)
	}
	for _, h := range past {
		switch {
		case h.done:
			e.done(h.tick)
		case e.handled[h.tick] == nil && now.Sub(h.tick) <= e.o.Window:
			// Its owner may be at work on it, or dead.
			e.handled[h.tick] = &claim{tick: h.tick, seen: slices.Max(h.claims),
				at: now.Add(min(peek, e.o.Lease)), theirs: now.Add(e.o.Lease)}
		}
	}
	return nil
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// history lists the recorded ticks, oldest first.
func (e *entry) history(ctx context.Context) ([]*history, error) {
	keys, err := e.o.Ticks.List(ctx, e.prefix(), e.prefix(), maxListed)
	if err != nil {
		return nil, err
	}
	var all []*history
	for _, key := range keys {
		tick, part, ok := e.parse(key)
		if !ok {
			continue
		}
		if len(all) == 0 || !all[len(all)-1].tick.Equal(tick) {
			all = append(all, &history{tick: tick})
		}
		h := all[len(all)-1]
		if part == markDone {
			h.done = true
		} else if n, err := strconv.Atoi(part); err == nil && n > 0 {
			h.claims = append(h.claims, n)
		}
	}
	return slices.DeleteFunc(all, func(h *history) bool { return !h.done && len(h.claims) == 0 }), nil
}

// sweep deletes the records of all but the newest ticks: claims before the
// mark, so that what is left never looks like a tick that was not fired.
func (e *entry) sweep(ctx context.Context) {
	past, err := e.history(ctx)
	if err != nil || len(past) <= e.o.Keep {
		return
	}
	for _, h := range past[:len(past)-e.o.Keep] {
		keys := make([]string, 0, len(h.claims)+1)
		for _, n := range h.claims {
			keys = append(keys, e.key(h.tick, strconv.Itoa(n)))
		}
		if h.done {
			keys = append(keys, e.key(h.tick, markDone))
		}
		for _, key := range keys {
			if err := e.o.Ticks.Delete(ctx, key); err != nil {
				e.log.Warn("cannot delete the record of an old tick", "key", key, "error", err)
				return
			}
		}
	}
}

// signature of the times of a schedule.
func (e *entry) signature() string {
	if e.Cron != "" {
		return "cron " + e.Cron + " in " + e.Timezone
	}
	return "every " + e.Every.String()
}

// since returns when the schedule was first seen with its present times, and
// records that it is now if it was not.
func (e *entry) since(ctx context.Context) (time.Time, error) {
	prefix := e.prefix() + "spec-"
	for range 10 { // others may be at the same
		keys, err := e.o.Ticks.List(ctx, prefix, prefix, maxListed)
		if err != nil {
			return time.Time{}, err
		}
		last := 0
		if n := len(keys); n > 0 {
			if last, err = strconv.Atoi(keys[n-1][len(prefix):]); err != nil {
				return time.Time{}, fmt.Errorf("schedule: record %s is none of ours", keys[n-1])
			}
			var s spec
			body, err := e.o.Ticks.Read(ctx, keys[n-1])
			if err == nil {
				err = json.Unmarshal(body, &s)
			}
			if err != nil {
				return time.Time{}, fmt.Errorf("schedule: record %s: %w", keys[n-1], err)
			}
			if s.Version == 1 && s.Times == e.signature() {
				return s.Since, nil
			}
		}
		now := e.o.now().UTC().Round(0)
		body, err := json.Marshal(spec{Version: 1, Times: e.signature(), Since: now, Owner: e.o.Owner, Nonce: uuid.NewString()})
		if err != nil {
			return time.Time{}, err
		}
		created, err := e.o.Ticks.Create(ctx, fmt.Sprintf("%s%06d", prefix, last+1), body)
		if err != nil {
			return time.Time{}, err
		}
		if created {
			for _, old := range keys[:max(0, len(keys)+1-maxSpecs)] {
				if err := e.o.Ticks.Delete(ctx, old); err != nil {
					break // at the next change, then
				}
			}
			return now, nil
		}
	}
	return time.Time{}, errors.New("schedule: other processes keep changing the times of " + e.Name)
}
