package limit

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/records"
)

const (
	// Writes of one worker to one record are at least so far apart, and if the
	// last brought nothing the longer.
	spacing     = 20 * time.Millisecond
	spacingFull = 200 * time.Millisecond
	// A worker that waits for a place of another looks after pauses from lookMin
	// to lookMax.
	lookMin = 100 * time.Millisecond
	lookMax = time.Second
	// linger is how long a worker keeps a place that it does not use.
	linger   = 100 * time.Millisecond
	callTime = 10 * time.Second
	prefix   = "limit/"
	mark     = "task-limit" // of all of them, by which they are listed
)

// waiter is a task that wants to begin.
type waiter struct {
	answer chan answer // of one place
	since  time.Time
}

type answer struct {
	granted bool
	at      time.Time     // when it may begin
	pause   time.Duration // else: when to ask again
	err     error
}

// pool is what one worker has of one limit. Its keeper, a goroutine, is there
// as long as something waits or is held.
type pool struct {
	book  *Book
	name  string
	terms Terms
	wake  chan struct{} // of one place

	mu      sync.Mutex
	waiting []*waiter // oldest first
	fresh   bool      // some came since the keeper last asked
	running int       // places in use
	booked  int       // places the record may say are ours
	until   time.Time // end of our lease of them
	each    time.Duration

	last time.Time // the keeper's last write
	full bool      // it was not given all it asked for
	// failed: the record was not to be had.
	failed bool
	looks  int       // in vain, in a row
	spare  time.Time // since when booked > running
	own    account   // without a store
}

func (p *pool) stir() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// leave takes a waiter away; false if it was answered.
func (p *pool) leave(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, x := range p.waiting {
		if x == w {
			p.waiting = append(p.waiting[:i:i], p.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// release gives a place to the next that waits here, or back.
func (p *pool) release(begun time.Time) {
	now := p.book.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if took := now.Sub(begun); !begun.IsZero() {
		if p.each == 0 {
			p.each = took
		}
		p.each += (took - p.each) / 4
	}
	if len(p.waiting) > 0 && p.terms.Rate == 0 && (p.book.store == nil || now.Before(p.until)) {
		w := p.waiting[0]
		p.waiting = p.waiting[1:]
		w.answer <- answer{granted: true, at: now}
		return
	}
	p.running--
	p.spare = now
	if len(p.waiting) > 0 {
		p.fresh = true
	}
	p.stir()
}

// keep sees to the pool until there is nothing to see to.
func (p *pool) keep() {
	for {
		due, more := p.due()
		if !more {
			return
		}
		if d := due.Sub(p.book.now()); d > 0 {
			t := time.NewTimer(d)
			select {
			case <-p.wake:
			case <-t.C:
			}
			t.Stop()
			continue
		}
		p.round()
	}
}

// due is when the record is to be written next; more is false, and the pool is
// no more, when there is no need.
func (p *pool) due() (at time.Time, more bool) {
	p.book.mu.Lock()
	defer p.book.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.book.now()
	if p.terms.Concurrency == 0 {
		p.booked = p.running // a permit is no place: nothing to renew or give back
	}
	switch {
	case p.fresh && p.full:
		at = p.last.Add(spacingFull)
	case p.fresh:
		at = p.last.Add(spacing)
	case len(p.waiting) > 0:
		at = p.last.Add(min(lookMax, lookMin<<min(p.looks, 10)))
	case p.booked > p.running && p.running == 0 && p.failed && p.book.closed:
		delete(p.book.pools, p.name)
		return now, false // the lease ends by itself
	case p.booked > p.running:
		at = later(p.spare.Add(linger), p.last.Add(spacing))
	case p.running > 0 && p.terms.Concurrency > 0 && p.book.store != nil:
		at = p.last.Add(Lease / 3)
	case p.running > 0:
		return now.Add(Lease), true // until something comes, or is released
	case p.book.store == nil && !p.book.closed && later(p.own.tat, p.own.back).After(now):
		return later(p.own.tat, p.own.back), true // what is known is known here alone
	default:
		delete(p.book.pools, p.name)
		return now, false
	}
	if p.failed {
		at = later(at, p.last.Add(time.Second))
	}
	if renew := p.last.Add(Lease / 3); p.booked > 0 && renew.Before(at) {
		at = renew
	}
	return at, true
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// round asks the record for what the pool wants, and deals it out.
func (p *pool) round() {
	now := p.book.now()
	p.mu.Lock()
	q := ask{worker: p.book.worker, held: p.running, want: len(p.waiting), each: p.each}
	waiters := p.waiting[:len(p.waiting):len(p.waiting)]
	for _, w := range waiters {
		if now.Sub(w.since) < Ahead && q.patient < p.list() {
			q.patient++
		}
	}
	p.fresh = false
	p.mu.Unlock()
	g, err := p.write(q, now)
	p.deal(q, g, err, now)
}

// list is how many tasks may wait here for a place: those that are likely to get
// one in time, and not so many of one limit that there is no room for others'.
func (p *pool) list() int {
	most := max(48, 2*p.terms.Concurrency)
	if p.each <= 0 {
		return most
	}
	served := float64(Ahead) / float64(p.each) * float64(p.terms.Concurrency)
	return max(8, int(min(served, float64(most))))
}

// write has the account changed, the record's or the pool's own.
func (p *pool) write(q ask, now time.Time) (g grant, err error) {
	if p.book.store == nil {
		return p.own.settle(p.terms, q, now), nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	_, err = p.book.store.Update(ctx, prefix+p.name, func(old *records.Record) (records.Record, error) {
		var a account
		if old != nil {
			var err error
			if a, err = decode(old.Value); err != nil {
				return records.Record{}, err
			}
		}
		now := p.book.now() // an attempt may come long after the first
		g = a.settle(p.terms, q, now)
		value, err := a.encode()
		return records.Record{Value: value, Expires: now.Add(p.keepFor()), Mark: mark}, err
	})
	return g, err
}

// keepFor is how long a record that nobody writes says anything.
func (p *pool) keepFor() time.Duration {
	return time.Hour + p.terms.interval()*time.Duration(p.terms.Burst)
}

// deal gives the waiters what was got for them. Some may have left, and some
// places come free meanwhile: what is too much is given back.
func (p *pool) deal(q ask, g grant, err error, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = p.book.now()
	if err != nil {
		p.refuse(q, err)
		return
	}
	p.until, p.failed = now.Add(Lease), false
	p.booked = q.held + len(g.at)
	p.full = len(g.at) < q.want
	if len(g.at) > 0 || !p.full {
		p.looks = 0
	} else {
		p.looks++
	}
	for i := 0; i < len(g.at) && len(p.waiting) > 0; i++ {
		p.running++
		p.waiting[0].answer <- answer{granted: true, at: g.at[i]}
		p.waiting = p.waiting[1:]
	}
	if p.booked > p.running {
		p.spare = p.last
	}
	for _, pause := range g.away {
		if len(p.waiting) == 0 {
			break
		}
		i := len(p.waiting) - 1 // the newest, unless the oldest has waited enough
		if now.Sub(p.waiting[0].since) >= Ahead {
			i = 0
		}
		p.waiting[i].answer <- answer{pause: pause}
		p.waiting = append(p.waiting[:i:i], p.waiting[i+1:]...)
	}
}

// refuse sends all away that wait, as the store does not answer.
func (p *pool) refuse(q ask, err error) {
	if records.Ambiguous(err) || errors.Is(err, context.DeadlineExceeded) {
		p.booked = max(p.booked, q.held+q.want) // perhaps
	}
	p.full, p.failed = true, true
	for _, w := range p.waiting {
		w.answer <- answer{pause: minPause + rand.N(4*minPause), err: err}
	}
	p.waiting = nil
	p.fresh = false
}
