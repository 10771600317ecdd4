package drivertest

import (
	"slices"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
)

// attempt receives up to ten with an attempt id and the queue's visibility.
func (e *env) attempt(q *queue.Queue, id string) ([]queue.Message, error) {
	o := queue.ReceiveOptions{Max: 10, Visibility: -1, AttemptID: id}
	if e.h.Remote {
		o.Wait = time.Second
	}
	return q.Receive(e.ctx, o)
}

// firstAttempt is one that must get these.
func (e *env) firstAttempt(q *queue.Queue, id string, want ...string) []queue.Message {
	e.Helper()
	m, err := e.attempt(q, id)
	if err != nil || !slices.Equal(bodies(m), want) {
		e.Fatalf("received %v, %v; want %v", bodies(m), err, want)
	}
	return m
}

// wantSame makes an attempt again, which must get the same messages.
func (e *env) wantSame(q *queue.Queue, id string, first []queue.Message) {
	e.Helper()
	m := e.firstAttempt(q, id, bodies(first)...)
	for i := range m {
		if m[i].ID != first[i].ID || m[i].Receipt != first[i].Receipt {
			e.Errorf("%q has id %s, receipt %s; at first %s, %s", m[i].Body, m[i].ID, m[i].Receipt, first[i].ID, first[i].Receipt)
		}
	}
}

// wantOver makes an attempt again, which must not get what the first got: it
// fails, or receives as if it had no id.
func (e *env) wantOver(q *queue.Queue, id string, first []queue.Message) []queue.Message {
	e.Helper()
	m, err := e.attempt(q, id)
	if err != nil {
		return nil
	}
	for i := range m {
		for j := range first {
			if m[i].Receipt == first[j].Receipt {
				e.Errorf("%q came again with the same receipt", m[i].Body)
			}
		}
	}
	return m
}

// From the API reference of ReceiveMessage, ReceiveRequestAttemptId.
var fifoAttemptTests = map[string]func(*env){
	"RepeatedGetsTheSame": func(e *env) {
		q := e.fifo()
		e.sendTo(q, "g", "1", "2")
		e.sendTo(q, "h", "3")
		m := e.firstAttempt(q, "a", "1", "2", "3")
		e.sendTo(q, "i", "4")
		e.wantSame(q, "a", m)
		e.wantSame(q, "a", m)
		e.firstAttempt(q, "b", "4")
		e.none(q)
		e.deleteAll(q, m)
		e.wantCounts(q, 0, 0, 1)
	},
	"RepeatedHidesAnew": func(e *env) {
		e.needVirtual()
		q := e.fifo()
		e.sendTo(q, "g", "1")
		m := e.firstAttempt(q, "a", "1")
		for range 3 {
			e.sleep(20 * time.Second)
			e.wantSame(q, "a", m)
		}
		e.sleep(29 * time.Second)
		e.none(q)
		e.sleep(2 * time.Second)
		e.wantReceived(q, 1, "1")
	},
	"RepeatedReceiptDeletes": func(e *env) {
		e.needVirtual()
		q := e.fifo()
		e.sendTo(q, "g", "1")
		m := e.firstAttempt(q, "a", "1")
		e.sleep(20 * time.Second)
		e.wantSame(q, "a", m)
		e.sleep(20 * time.Second)
		e.delete(q, m[0].Receipt)
		e.wantCounts(q, 0, 0, 0)
	},
	"ForgottenAfter5Minutes": func(e *env) {
		e.needVirtual()
		q := e.fifo(func(a *queue.Attributes) { a.Visibility = time.Hour })
		e.sendTo(q, "g", "1")
		m := e.firstAttempt(q, "a", "1")
		e.sleep(4*time.Minute + 59*time.Second)
		e.wantSame(q, "a", m)
		e.sleep(5*time.Minute + time.Second) // since the repetition
		if got := e.wantOver(q, "a", m); len(got) != 0 {
			e.Errorf("received %v while it is in flight", bodies(got))
		}
	},
	"OverAfterDelete": func(e *env) {
		q := e.fifo()
		e.sendTo(q, "g", "1", "2")
		m := e.firstAttempt(q, "a", "1", "2")
		e.delete(q, m[0].Receipt)
		if got := e.wantOver(q, "a", m); len(got) != 0 {
			e.Errorf("received %v while its group is in flight", bodies(got))
		}
		e.delete(q, m[1].Receipt)
	},
	"OverAfterVisibilityChange": func(e *env) {
		q := e.fifo()
		e.sendTo(q, "g", "1", "2")
		m := e.firstAttempt(q, "a", "1", "2")
		if err := e.change(q, m[1].Receipt, 5*time.Minute); err != nil {
			e.Fatal(err)
		}
		if got := e.wantOver(q, "a", m); len(got) != 0 {
			e.Errorf("received %v while its group is in flight", bodies(got))
		}
		e.delete(q, m[0].Receipt)
		e.delete(q, m[1].Receipt)
	},
	"OverWhenReceivedByAnother": func(e *env) {
		q := e.fifo(e.shortly)
		e.sendTo(q, "g", "1")
		m := e.firstAttempt(q, "a", "1")
		e.past()
		other := e.takeWith(q, queue.ReceiveOptions{Max: 1, Visibility: 10 * time.Minute, Wait: 2 * time.Second})
		if got := e.wantOver(q, "a", m); len(got) != 0 {
			e.Errorf("received %v, which another holds", bodies(got))
		}
		e.delete(q, other.Receipt)
	},
	// One that got nothing is not worth repeating.
	"EmptyIsNotKept": func(e *env) {
		q := e.fifo()
		if m, err := e.attempt(q, "a"); len(m) != 0 || err != nil {
			e.Fatalf("received %v, %v from an empty queue", bodies(m), err)
		}
		e.sendTo(q, "g", "1")
		e.firstAttempt(q, "a", "1")
	},
}
