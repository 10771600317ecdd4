package edge

import (
	"container/list"
	"context"
	"errors"
	"time"
)

var (
	errLineFull = errors.New("every target has as many requests as it may, and too many wait")
	errLineOver = errors.New("every target has as many requests as it may, for longer than a request waits")
)

// A line is the requests that wait while every available target has
// Balance.PerTarget of them. Who waits is served first come, first served, as
// people expect, as long as the line empties now and then: that is a burst.
// Where it does not, nobody would be served before waiting the whole timeout,
// and most would have left by then; so the newest is served first, and the
// others learn early that they are not (adaptive LIFO with controlled delay:
// Maurer, "Fail at Scale", ACM Queue 13(8), 2015). Guarded by Edge.mu.
type line struct {
	waiting list.List // of *waiter, the newest last
	patient list.List // of *waiter: dayfly's own, served when no visitor waits
	busy    time.Time // since when waiting has not been empty
	shed    uint64    // requests turned away
}

// A waiter is one request in the line.
type waiter struct {
	want  *want
	since time.Time
	got   chan grant // holds one
}

// A grant ends a wait: by a target on which the request is counted, by an
// error, or, with neither, to look again.
type grant struct {
	t   *target
	err error
}

// lineFull turns a request away before anything is done for it.
func (e *Edge) lineFull() bool {
	if e.setup().Balance.PerTarget == 0 {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.line.waiting.Len() == 0 {
		return false
	}
	e.dropStale(time.Now())
	if e.line.waiting.Len() < e.setup().Balance.Queue {
		return false
	}
	e.line.shed++
	return true
}

// waitInLine waits for a place at a target. With neither target nor error the
// caller looks again. It is called, and returns, with Edge.mu held.
func (e *Edge) waitInLine(ctx context.Context, w *want, patient bool) (*target, error) {
	l, now := &e.line, time.Now()
	at, timeout := &l.waiting, (<-chan time.Time)(nil)
	if patient {
		at = &l.patient
	} else {
		e.dropStale(now)
		if l.waiting.Len() >= e.setup().Balance.Queue {
			l.shed++
			return nil, errLineFull
		}
		if l.waiting.Len() == 0 {
			l.busy = now
		}
		timer := time.NewTimer(e.setup().Balance.QueueTimeout)
		defer timer.Stop()
		timeout = timer.C
	}
	me := &waiter{want: w, since: now, got: make(chan grant, 1)}
	place := at.PushBack(me)
	e.mu.Unlock()
	var g grant
	select {
	case g = <-me.got:
		e.mu.Lock()
		return g.t, g.err
	case <-timeout:
		g.err = errLineOver
	case <-ctx.Done():
		g.err = ctx.Err()
	}
	e.mu.Lock()
	select {
	case late := <-me.got: // granted meanwhile
		if late.t != nil && ctx.Err() != nil {
			e.free(late.t)
			late = grant{err: ctx.Err()}
		}
		return late.t, late.err
	default:
	}
	at.Remove(place)
	if errors.Is(g.err, errLineOver) {
		l.shed++
	}
	return nil, g.err
}

// serveLine gives free places to those that wait. It is called with Edge.mu
// held.
func (e *Edge) serveLine() {
	l := &e.line
	if l.waiting.Len() == 0 && l.patient.Len() == 0 {
		return
	}
	now := time.Now()
	e.dropStale(now)
	for l.waiting.Len() > 0 {
		next := l.waiting.Front()
		if e.overloaded(now) {
			next = l.waiting.Back()
		}
		if !e.serve(&l.waiting, next) {
			return
		}
	}
	for l.patient.Len() > 0 && e.serve(&l.patient, l.patient.Front()) {
	}
}

func (e *Edge) serve(l *list.List, next *list.Element) bool {
	me := next.Value.(*waiter)
	t := e.pick(me.want)
	if t == nil {
		return false
	}
	l.Remove(next)
	me.got <- grant{t: t}
	return true
}

func (e *Edge) overloaded(now time.Time) bool {
	return now.Sub(e.line.busy) > e.setup().Balance.QueueTimeout
}

// dropStale turns those away that have waited too long for times of overload.
func (e *Edge) dropStale(now time.Time) {
	l := &e.line
	for l.waiting.Len() > 0 && e.overloaded(now) {
		oldest := l.waiting.Front()
		me := oldest.Value.(*waiter)
		if now.Sub(me.since) <= e.setup().Balance.QueueTimeout/10 {
			return
		}
		l.waiting.Remove(oldest)
		l.shed++
		me.got <- grant{err: errLineOver}
	}
}

// lookAgain has all that wait in line look again if no target is available any
// more: they are then held like others. It is called with Edge.mu held.
func (e *Edge) lookAgain() {
	if e.line.waiting.Len()+e.line.patient.Len() == 0 || e.anyAvailable() {
		return
	}
	for _, l := range []*list.List{&e.line.waiting, &e.line.patient} {
		for l.Len() > 0 {
			l.Remove(l.Front()).(*waiter).got <- grant{}
		}
	}
}

func (e *Edge) anyAvailable() bool {
	for _, t := range e.targets {
		if t.available() {
			return true
		}
	}
	return false
}
