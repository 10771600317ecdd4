package drivertest

import (
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dayfly-dev/dayfly/queue"
)

// pair makes a queue and its dead-letter queue.
func (e *env) pair(maxReceives int) (q, dead *queue.Queue) {
	e.Helper()
	dead = e.queue()
	q = e.queue(func(a *queue.Attributes) {
		a.DeadLetter = &queue.DeadLetter{Queue: dead.Name(), MaxReceives: maxReceives}
	})
	return q, dead
}

// fail receives a message and gives it back.
func (e *env) fail(q *queue.Queue) queue.Message {
	e.Helper()
	m := e.take(q)
	if err := e.change(q, m.Receipt, 0); err != nil {
		e.Fatal(err)
	}
	return m
}

var deadLetterTests = map[string]func(*env){
	"WhenCountExceeds": func(e *env) {
		q, dead := e.pair(2)
		out := text("poison")
		out.Attributes = map[string]queue.Attribute{"why": {DataType: "String", String: "kept"}}
		sent, err := q.Send(e.ctx, out)
		if err != nil {
			e.Fatal(err)
		}
		first := e.fail(q)
		e.none(dead)
		e.fail(q)
		e.none(q) // the third receive moves it
		got := e.take(dead)
		want := queue.Message{ID: sent[0].ID, Body: "poison", Attributes: out.Attributes, Source: q.Name(),
			Sent: first.Sent, FirstReceived: first.FirstReceived, Receives: 3}
		ignore := cmpopts.IgnoreFields(queue.Message{}, "Receipt", "Sequence")
		if e.h.Remote {
			ignore = cmpopts.IgnoreFields(queue.Message{}, "Receipt", "Sequence", "FirstReceived", "Receives")
		}
		if diff := cmp.Diff(want, got, ignore, cmpopts.EquateEmpty()); diff != "" {
			e.Errorf("in the dead-letter queue (-want +got):\n%s", diff)
		}
		e.wantCounts(q, 0, 0, 0)
		e.wantCounts(dead, 0, 0, 1)
		e.delete(dead, got.Receipt)
		e.wantCounts(dead, 0, 0, 0)
	},
	"OthersAreNotHeldUp": func(e *env) {
		q, dead := e.pair(1)
		e.send(q, "poison")
		e.fail(q)
		e.send(q, "healthy")
		if m := e.take(q); m.Body != "healthy" {
			e.Errorf("received %q, want healthy", m.Body)
		}
		// Whether the poison was moved by that receive or is by the next.
		e.none(q)
		if m := e.take(dead); m.Body != "poison" {
			e.Errorf("dead letter is %q, want poison", m.Body)
		}
	},
	"WakesWaiter": func(e *env) {
		q, dead := e.pair(1)
		e.send(q, "poison")
		e.fail(q)
		done := e.poll(e.ctx, dead, pollWait)
		e.none(q)
		e.wantWoken(done, pollBegins)
	},
	"MovesOnAfterItsOwnCount": func(e *env) {
		if e.h.Remote {
			e.Skip("not documented")
		}
		last := e.queue()
		middle := e.queue(func(a *queue.Attributes) {
			a.DeadLetter = &queue.DeadLetter{Queue: last.Name(), MaxReceives: 2}
		})
		q := e.queue(func(a *queue.Attributes) {
			a.DeadLetter = &queue.DeadLetter{Queue: middle.Name(), MaxReceives: 1}
		})
		e.send(q, "poison")
		e.fail(q)
		e.none(q)
		e.fail(middle)
		e.fail(middle)
		e.none(middle)
		if m := e.take(last); m.Source != middle.Name() || m.Receives != 4 {
			e.Errorf("from %s with %d receives, want %s, 4", m.Source, m.Receives, middle.Name())
		}
	},
	"ManyAtOnce": func(e *env) {
		q, dead := e.pair(1)
		n := e.much(100, 30)
		for range n {
			e.send(q, "poison")
		}
		for _, m := range e.takeN(q, n) {
			if err := e.change(q, m.Receipt, 0); err != nil {
				e.Fatal(err)
			}
		}
		e.none(q)
		e.none(q)
		seen := map[string]bool{}
		for _, m := range e.takeN(dead, n) {
			seen[m.ID] = true
		}
		if len(seen) != n {
			e.Errorf("%d different dead letters, want %d", len(seen), n)
		}
	},
	"MissingQueueKeepsMessages": func(e *env) {
		if e.h.Remote {
			e.Skip("the service refuses such a policy")
		}
		q, dead := e.pair(1)
		if err := e.s.DeleteQueue(e.ctx, dead.Name()); err != nil {
			e.Fatal(err)
		}
		e.send(q, "poison")
		for range 3 {
			e.fail(q)
		}
	},
}
