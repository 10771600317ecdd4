package drivertest

import (
	"errors"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
)

var purgeTests = map[string]func(*env){
	"RemovesAll": func(e *env) {
		q := e.queue(e.shortly)
		e.send(q, "in flight", "visible", "visible too")
		if _, err := q.Send(e.ctx, queue.Outgoing{Body: "delayed", Delay: e.brief()}); err != nil {
			e.Fatal(err)
		}
		m := e.take(q)
		if err := e.s.Purge(e.ctx, q.Name()); err != nil {
			e.Fatal(err)
		}
		e.wantCounts(q, 0, 0, 0)
		e.past()
		e.none(q)
		e.delete(q, m.Receipt) // gone already
		e.send(q, "after")
		if m := e.take(q); m.Body != "after" {
			e.Errorf("received %q, want after", m.Body)
		}
	},
	"TwiceIn60Seconds": func(e *env) {
		q := e.queue()
		begun := time.Now()
		if err := e.s.Purge(e.ctx, q.Name()); err != nil {
			e.Fatal(err)
		}
		if err := e.s.Purge(e.ctx, q.Name()); !errors.Is(err, queue.ErrPurgeInProgress) {
			// A service goes by the wall clock, which may have been set meanwhile.
			e.Errorf("error is %v after %v, by the wall clock %v; want %v", err, time.Since(begun),
				time.Now().Round(0).Sub(begun.Round(0)), queue.ErrPurgeInProgress)
		}
		if !e.h.Virtual {
			return
		}
		e.sleep(60 * time.Second)
		if err := e.s.Purge(e.ctx, q.Name()); err != nil {
			e.Errorf("after 60 s: %v", err)
		}
	},
}

var retentionTests = map[string]func(*env){
	"Expires": func(e *env) {
		e.needVirtual()
		q := e.queue(func(a *queue.Attributes) { a.Retention = time.Minute })
		e.send(q, "visible", "in flight")
		if _, err := q.Send(e.ctx, queue.Outgoing{Body: "delayed", Delay: 15 * time.Minute}); err != nil {
			e.Fatal(err)
		}
		e.take(q)
		e.sleep(59 * time.Second)
		e.wantCounts(q, 2, 1, 0) // the visibility of 30 s is over
		e.sleep(3 * time.Second)
		e.none(q)
		e.sleep(2 * time.Minute)
		e.wantCounts(q, 0, 0, 0)
	},
	"ShortenedLater": func(e *env) {
		e.needVirtual()
		q := e.queue()
		e.send(q, "old")
		e.sleep(10 * time.Minute)
		e.send(q, "new")
		short := e.attributes(func(a *queue.Attributes) { a.Retention = 5 * time.Minute })
		if err := e.s.SetAttributes(e.ctx, q.Name(), short); err != nil {
			e.Fatal(err)
		}
		if m := e.take(q); m.Body != "new" {
			e.Errorf("received %q, want new", m.Body)
		}
		e.none(q)
	},
	// The time of sending counts, also in the dead-letter queue of a standard queue.
	"InDeadLetterQueue": func(e *env) {
		e.needVirtual()
		q, dead := e.pair(1)
		e.send(q, "poison")
		e.sleep(50 * time.Minute)
		e.fail(q)
		e.none(q)
		e.wantCounts(dead, 1, 0, 0)
		e.sleep(11 * time.Minute)
		e.none(dead)
	},
}
