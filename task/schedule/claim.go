package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// claim is what this process knows of a tick that it has not seen done.
type claim struct {
	tick time.Time
	at   time.Time // when to look into it
	// seen is the number of the latest claim that is on record; 0: none known.
	seen int
	// ours is set while claim number seen is this process's.
	ours     bool
	until    time.Time // end of our lease
	theirs   time.Time // end of another's, by our clock; zero: none is known
	enqueued bool      // only the mark is missing
	skipped  bool      // nothing was, as an earlier task is there
	failures int
	err      error
}

// record is the body of a claim and of a mark.
type record struct {
	Version  int       `json:"version"`
	Schedule string    `json:"schedule"`
	Tick     time.Time `json:"tick"`
	Claim    int       `json:"claim"`
	Owner    string    `json:"owner"`
	At       time.Time `json:"at"`
	Lease    string    `json:"lease,omitempty"`
	ID       string    `json:"id"` // of the task
	// Nonce is random, so that no two writes of a record are the same: see
	// bucketTicks.Create.
	Nonce string `json:"nonce"`
}

const (
	markDone  = "done"
	maxClaims = 1000 // by as many processes that died
	// peek is when a tick that another claimed is looked at: it is done by then,
	// as a rule, and this process can say so. If not, its lease is waited for.
	peek = 2 * time.Second
)

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func (e *entry) prefix() string { return "schedule/" + e.Name + "/" }

func (e *entry) key(tick time.Time, part string) string {
	return e.prefix() + stamp(tick) + "." + part
}

// parse splits a key made by key; ok is false for other keys.
func (e *entry) parse(key string) (tick time.Time, part string, ok bool) {
	when, part, _ := strings.Cut(strings.TrimPrefix(key, e.prefix()), ".")
	tick, err := time.Parse(time.RFC3339, when)
	return tick.UTC(), part, err == nil && part != ""
}

// attempt looks into a tick once: claims it, or sees that it is done, or that
// another has claimed it; and if it is this process's, fires it.
func (e *entry) attempt(ctx context.Context, c *claim) {
	// A firing under way is finished when ctx ends: it would otherwise have to
	// wait for the lease.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.o.Lease)
	defer cancel()
	if err := e.step(ctx, c); err != nil {
		c.failures++
		c.err = err
		pause := min(retryMin<<min(c.failures-1, 20), retryMax)
		c.at = e.o.now().Add(pause)
		e.report(err)
		e.log.Warn("tick not fired yet", "tick", c.tick, "error", err, "pause", pause)
	}
}

func (e *entry) step(ctx context.Context, c *claim) error {
	if !c.ours || !e.o.now().Before(c.until) {
		won, err := e.claim(ctx, c)
		if err != nil || !won {
			return err
		}
	}
	if !c.enqueued {
		// The lease is what makes once of it: who cannot finish within
		// leaves the tick to the next.
		left, cancel := context.WithTimeout(ctx, c.until.Sub(e.o.now()))
		defer cancel()
		switch err := e.o.Enqueue(left, e.firing(c.tick)); {
		case errors.Is(err, ErrOverlap):
			e.skipped(c, err)
		case err != nil:
			return fmt.Errorf("enqueue: %w", err)
		default:
			c.enqueued = true
			e.log.Info("tick fired", "tick", c.tick, "id", e.firing(c.tick).ID, "claim", c.seen)
		}
	}
	if _, err := e.o.Ticks.Create(ctx, e.key(c.tick, markDone), e.record(c)); err != nil {
		return err
	}
	if c.skipped {
		delete(e.handled, c.tick)
		e.report(nil)
	} else {
		e.done(c.tick)
	}
	e.wins++
	if e.wins >= sweepEvery {
		e.wins = 0
		e.sweep(ctx)
	}
	return nil
}

// claim tries to make this process the owner of the tick. If another is, the
// tick is looked into again when that one's lease must be over: a lease is
// counted from when it was seen, on the own clock, since clocks differ.
func (e *entry) claim(ctx context.Context, c *claim) (won bool, err error) {
	now := e.o.now()
	c.ours = false
	if c.seen > 0 || now.Sub(c.tick) > e.o.Lease {
		_, err := e.o.Ticks.Read(ctx, e.key(c.tick, markDone))
		if err == nil {
			e.done(c.tick)
			return false, nil
		}
		if !errors.Is(err, ErrNoRecord) {
			return false, err
		}
	}
	if left := c.theirs.Sub(now); left > 0 && left <= e.o.Lease { // else the clock was set back
		c.at = c.theirs
		return false, nil
	}
	if c.seen >= maxClaims {
		delete(e.handled, c.tick)
		return false, fmt.Errorf("tick %s was claimed %d times and never fired", stamp(c.tick), c.seen)
	}
	next := *c
	next.seen++
	created, err := e.o.Ticks.Create(ctx, e.key(c.tick, strconv.Itoa(next.seen)), e.record(&next))
	if err != nil {
		return false, err
	}
	c.seen = next.seen
	if !created {
		c.theirs = now.Add(e.o.Lease)
		c.at = now.Add(min(peek, e.o.Lease))
		return false, nil
	}
	if c.seen > 1 && !c.enqueued {
		e.log.Warn("tick taken over: its owner did not fire it", "tick", c.tick, "claim", c.seen)
	}
	c.ours, c.until = true, now.Add(e.o.Lease)
	return true, nil
}

func (e *entry) record(c *claim) []byte {
	b, err := json.Marshal(record{
		Version: 1, Schedule: e.Name, Tick: c.tick, Claim: c.seen, Owner: e.o.Owner,
		At: e.o.now().UTC(), Lease: e.o.Lease.String(), ID: e.firing(c.tick).ID,
		Nonce: uuid.NewString(),
	})
	if err != nil {
		panic(err) // it has strings and times only
	}
	return b
}
