// Package limit lets only so many tasks run at once, and only so many begin in
// a time, over all workers that share a store of records. Package task does it
// for a program (task.Limit); the records' page is doc/formats/task-records.md.
//
// A limit has one record, written by compare-and-swap, which says how many
// places each worker has, until when, and when the next task may begin: the
// generic cell rate algorithm (ITU-T I.371, GCRA), of which one moment is all
// that has to be kept. A worker asks for all of its tasks that wait in one
// write, takes permits up to two seconds ahead, and passes places that become
// free on to its own tasks without a write; so the record is written at most
// some ten times a second by each worker, however many tasks there are.
//
// Places are leases, renewed by the worker: those of one that died come back
// after 30 s. A worker that cannot reach the store begins nothing that is
// limited, but what it runs goes on; if that is longer than the lease the others
// may exceed the limit by as much. Clocks that differ by d let at most what
// belongs to d begin too early, once, and end leases by as much too early.
package limit

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/records"
)

const (
	// Lease of a worker's places.
	Lease = 30 * time.Second
	// Ahead is how far permits are taken ahead of their time, and how long a
	// task waits at most for one.
	Ahead = 2 * time.Second
	// MaxPause is the longest that a task is sent away for: what a queue delays
	// a message by.
	MaxPause = 15 * time.Minute
	minPause = 2 * time.Second
)

// Bounds of Terms.
const (
	MaxConcurrency = 10_000
	MaxRate        = 1_000_000
	MaxBurst       = 1_000_000
	MaxPer         = 24 * time.Hour
	// MaxName is the longest name of a limit in bytes.
	MaxName = 480
)

// Terms of a limit. The workers of one limit should have the same.
type Terms struct {
	Concurrency int           // tasks at once; 0: any number
	Rate        int           // tasks that begin in each Per; 0: any number
	Per         time.Duration // of Rate
	Burst       int           // tasks that may begin at once after a rest, at least 1
}

// Check reports what is wrong with terms.
func (t Terms) Check() error {
	switch {
	case t.Concurrency < 0 || t.Concurrency > MaxConcurrency:
		return fmt.Errorf("concurrency %d is not in 0–%d", t.Concurrency, MaxConcurrency)
	case t.Rate < 0 || t.Rate > MaxRate:
		return fmt.Errorf("rate %d is not in 0–%d", t.Rate, MaxRate)
	case t.Concurrency == 0 && t.Rate == 0:
		return fmt.Errorf("neither a concurrency nor a rate is given, so nothing is limited")
	case t.Rate == 0:
		return nil
	case t.Per < time.Millisecond || t.Per > MaxPer:
		return fmt.Errorf("per %v is not in 1ms–24h", t.Per)
	case t.Burst < 1 || t.Burst > MaxBurst:
		return fmt.Errorf("burst %d is not in 1–%d", t.Burst, MaxBurst)
	case t.interval() > 366*24*time.Hour/time.Duration(t.Burst):
		return fmt.Errorf("a burst of %d takes %v each to come back, together more than a year", t.Burst, t.interval())
	}
	return nil
}

// interval between two tasks; 0: there is no rate.
func (t Terms) interval() time.Duration {
	if t.Rate == 0 {
		return 0
	}
	return t.Per / time.Duration(t.Rate)
}

// BusyError: a task may not begin now.
type BusyError struct {
	Name  string
	Pause time.Duration // after which it should ask again
	Err   error         // of the store; nil: the limit is reached
}

func (e *BusyError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("limit %s: its record cannot be had, and nothing is begun: %v", e.Name, e.Err)
	}
	return fmt.Sprintf("limit %s is reached", e.Name)
}

// Unwrap returns Err.
func (e *BusyError) Unwrap() error { return e.Err }

// Book is one worker's part in all of its limits.
type Book struct {
	store  *records.Store // nil: of this process alone
	worker string
	now    func() time.Time

	mu      sync.Mutex
	pools   map[string]*pool
	closed  bool
	keepers sync.WaitGroup
}

// NewBook makes a worker's book. Without a store limits are the process's own.
func NewBook(store *records.Store) *Book {
	return &Book{store: store, worker: rand.Text(), now: time.Now, pools: map[string]*pool{}}
}

// Take asks for a place under a limit, and for a permit if it has a rate. It
// waits some two seconds at most and then returns a *BusyError that says when to
// ask again; or the cause of ctx.
func (b *Book) Take(ctx context.Context, name string, t Terms) (*Place, error) {
	w := &waiter{answer: make(chan answer, 1), since: b.now()}
	p := b.wait(name, t, w)
	var a answer
	select {
	case a = <-w.answer:
	case <-ctx.Done():
		if p.leave(w) {
			return nil, context.Cause(ctx)
		}
		a = <-w.answer // it came at the same time
	}
	if a.err != nil || !a.granted {
		return nil, &BusyError{Name: name, Pause: a.pause, Err: a.err}
	}
	place := &Place{pool: p}
	if d := a.at.Sub(b.now()); d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			place.Release()
			return nil, context.Cause(ctx)
		}
	}
	place.begun = b.now()
	return place, nil
}

// wait adds a waiter to a limit's pool.
func (b *Book) wait(name string, t Terms, w *waiter) *pool {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.pools[name]
	if p == nil {
		p = &pool{book: b, name: name, terms: t, wake: make(chan struct{}, 1)}
		b.pools[name] = p
		b.keepers.Go(p.keep)
	}
	p.mu.Lock()
	p.waiting = append(p.waiting, w)
	p.fresh = true
	p.mu.Unlock()
	p.stir()
	return p
}

// Close waits until all places that were released are given back. No Take may
// be under way, or come after.
func (b *Book) Close() {
	b.mu.Lock()
	b.closed = true
	for _, p := range b.pools {
		p.stir()
	}
	b.mu.Unlock()
	b.keepers.Wait()
}

// Place of a task that may run.
type Place struct {
	pool  *pool
	begun time.Time
	once  sync.Once
}

// Release gives the place back.
func (p *Place) Release() { p.once.Do(func() { p.pool.release(p.begun) }) }
