package limit

import (
	"math/rand/v2"
	"time"
)

// account is what a limit's record says.
type account struct {
	tat     time.Time     // when the next task is due, by GCRA
	back    time.Time     // when the last of those sent away comes again
	each    time.Duration // a task takes, about
	holders map[string]holder
	waiting map[string]holder // tasks that wait in their workers, for people
	terms   Terms             // of the worker that wrote last, for people
}

// holder is a worker that has places.
type holder struct {
	n     int
	until time.Time
}

// noteFor is how long it is believed how many tasks wait in a worker.
const noteFor = 2*lookMax + time.Second

// maxHolders is how many workers may have places of one limit.
const maxHolders = 1000

// ask is what a worker wants of a limit.
type ask struct {
	worker  string
	held    int           // places it has and uses
	want    int           // more, for tasks that wait
	patient int           // of these that may go on waiting for a place
	each    time.Duration // its tasks take; 0: not known
}

// grant is what it gets, for its tasks in their order.
type grant struct {
	at   []time.Time     // permits, each from then on
	away []time.Duration // pauses of those to be sent away, which are the last
}

// settle gives a worker what there is for it, and changes the account.
func (a *account) settle(t Terms, q ask, now time.Time) grant {
	free := a.free(t, q, now)
	var g grant
	for len(g.at) < min(q.want, free) {
		at := a.next(t, now)
		if at.Sub(now) > Ahead {
			break
		}
		g.at = append(g.at, at)
	}
	n := q.held + len(g.at)
	if n > 0 && t.Concurrency > 0 {
		if a.holders == nil {
			a.holders = map[string]holder{}
		}
		a.holders[q.worker] = holder{n, now.Add(Lease)}
	} else {
		delete(a.holders, q.worker)
	}
	if q.each > 0 {
		a.each = min(q.each, MaxPer)
	}
	denied := q.want - len(g.at)
	if len(g.at) == free { // what is missing is a place, which may come at any moment
		denied -= min(denied, q.patient)
	}
	for range denied {
		g.away = append(g.away, a.away(t, now))
	}
	a.terms = t
	a.note(q.worker, q.want-len(g.at)-len(g.away), now)
	return g
}

// note notes how many tasks go on waiting in a worker, and forgets those of
// workers that said nothing since: whose tasks wait writes once a second.
func (a *account) note(worker string, n int, now time.Time) {
	for w, h := range a.waiting {
		if w == worker || now.After(h.until) {
			delete(a.waiting, w)
		}
	}
	if n < 1 || len(a.waiting) >= maxHolders {
		return
	}
	if a.waiting == nil {
		a.waiting = map[string]holder{}
	}
	a.waiting[worker] = holder{min(n, MaxConcurrency), now.Add(noteFor)}
}

// free is how many places the worker may have beside those it has.
func (a *account) free(t Terms, q ask, now time.Time) int {
	if t.Concurrency == 0 {
		return q.want
	}
	used := q.held
	for worker, h := range a.holders {
		switch {
		case worker == q.worker:
		case now.After(h.until):
			delete(a.holders, worker) // it died, or is cut off
		default:
			used += h.n
		}
	}
	if _, known := a.holders[q.worker]; !known && len(a.holders) >= maxHolders {
		return 0
	}
	return max(0, t.Concurrency-used)
}

// next takes a permit, if it is not too far ahead: GCRA as a virtual scheduler.
func (a *account) next(t Terms, now time.Time) time.Time {
	every := t.interval()
	if every == 0 {
		return now
	}
	tolerance := every * time.Duration(t.Burst-1)
	// No clock that is right puts it further ahead; one that was wrong must not
	// close the limit for long.
	if limit := now.Add(tolerance + every + 2*Ahead + Lease); a.tat.After(limit) {
		a.tat = limit
	}
	due := a.tat
	if due.Before(now) {
		due = now
	}
	at := due.Add(-tolerance)
	if at.Before(now) {
		at = now
	}
	if at.Sub(now) <= Ahead {
		a.tat = due.Add(every)
	}
	return at
}

// away is the pause of a task that is sent away: those who are come back one
// after the other, as fast as they can be served, as far as a pause reaches.
// Beyond that they are spread over the second half of the longest, so that there
// are always some.
func (a *account) away(t Terms, now time.Time) time.Duration {
	every := t.interval()
	if t.Concurrency > 0 {
		each := a.each
		if each == 0 {
			each = 100 * time.Millisecond
		}
		every = max(every, each/time.Duration(t.Concurrency))
	}
	if first := now.Add(minPause); a.back.Before(first) {
		a.back = first
	}
	if last := now.Add(MaxPause); a.back.After(last) {
		a.back = last
	}
	pause := a.back.Sub(now)
	a.back = a.back.Add(every)
	if pause >= MaxPause {
		return MaxPause/2 + rand.N(MaxPause/2)
	}
	return pause
}
