package drivertest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dayfly-dev/dayfly/queue"
)

// fifo makes a FIFO queue.
func (e *env) fifo(change ...func(*queue.Attributes)) *queue.Queue {
	e.Helper()
	a := e.attributes(append([]func(*queue.Attributes){func(a *queue.Attributes) { a.FIFO = true }}, change...)...)
	name := e.name("f") + ".fifo"
	err := e.s.CreateQueue(e.ctx, name, a, nil)
	if errors.Is(err, queue.ErrUnsupported) {
		e.Skip("the driver has no FIFO queues")
	}
	if err != nil {
		e.Fatal(err)
	}
	e.made = append(e.made, name)
	return e.s.Queue(name)
}

// inGroup is a message of a group, with a deduplication id of its own.
func inGroup(group, body string) queue.Outgoing {
	return queue.Outgoing{Body: body, Delay: -1, GroupID: group, DedupID: rand.Text()}
}

// sendTo sends messages of one group, one call each.
func (e *env) sendTo(q *queue.Queue, group string, bodies ...string) (all []queue.Sent) {
	e.Helper()
	for _, body := range bodies {
		all = append(all, e.sendOut(q, inGroup(group, body))...)
	}
	return all
}

func (e *env) sendOut(q *queue.Queue, out ...queue.Outgoing) []queue.Sent {
	e.Helper()
	sent, err := q.Send(e.ctx, out...)
	if err != nil {
		e.Fatal(err)
	}
	if len(sent) != len(out) {
		e.Fatalf("%d results for %d messages", len(sent), len(out))
	}
	return sent
}

// receive takes what one call gets of up to max, with the queue's visibility.
func (e *env) receive(q *queue.Queue, max int) []queue.Message {
	e.Helper()
	o := queue.ReceiveOptions{Max: max, Visibility: -1}
	if e.h.Remote {
		o.Wait = time.Second
	}
	m, err := q.Receive(e.ctx, o)
	if err != nil {
		e.Fatal(err)
	}
	return m
}

// wantReceived takes up to max in one call and compares the bodies.
func (e *env) wantReceived(q *queue.Queue, max int, want ...string) []queue.Message {
	e.Helper()
	m := e.receive(q, max)
	if diff := cmp.Diff(want, bodies(m)); diff != "" {
		e.Fatalf("received (-want +got):\n%s", diff)
	}
	return m
}

func (e *env) deleteAll(q *queue.Queue, m []queue.Message) {
	e.Helper()
	for i := range m {
		e.delete(q, m[i].Receipt)
	}
}

// giveBack makes a message visible at once.
func (e *env) giveBack(q *queue.Queue, m queue.Message) {
	e.Helper()
	if err := e.change(q, m.Receipt, 0); err != nil {
		e.Fatal(err)
	}
}

func numbered(stem string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprint(stem, i))
	}
	return all
}

var fifoTests = map[string]func(*env){
	"OrderInGroup": func(e *env) {
		q := e.fifo()
		want := numbered("m", 24)
		e.sendTo(q, "g", want[:8]...)
		var out []queue.Outgoing
		for _, body := range want[8:16] {
			out = append(out, inGroup("g", body))
		}
		e.sendOut(q, out...)
		e.sendTo(q, "g", want[16:]...)
		var got []string
		for _, max := range []int{1, 3, 10, 10} {
			m := e.receive(q, max)
			got = append(got, bodies(m)...)
			e.deleteAll(q, m)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			e.Errorf("order (-want +got):\n%s", diff)
		}
	},
	"HeldMessageBlocksItsGroup": func(e *env) {
		q := e.fifo()
		e.sendTo(q, "a", "a1", "a2")
		e.sendTo(q, "b", "b1")
		a1 := e.wantReceived(q, 1, "a1")
		e.wantReceived(q, 10, "b1")
		e.none(q)
		e.sendTo(q, "a", "a3")
		e.none(q)
		e.wantCounts(q, 2, 0, 2) // those that wait behind another are visible
		e.deleteAll(q, a1)
		e.wantReceived(q, 10, "a2", "a3")
	},
	// As many of one group as there are, then of others: developer guide, FIFO
	// queue delivery logic.
	"SeveralOfAGroupAtOnce": func(e *env) {
		q := e.fifo()
		for _, body := range []string{"a1", "b1", "a2", "b2", "a3"} {
			e.sendTo(q, body[:1], body)
		}
		m := e.wantReceived(q, 4, "a1", "a2", "a3", "b1")
		e.none(q)
		e.delete(q, m[3].Receipt)
		e.wantReceived(q, 10, "b2")
	},
	// Some of a group deleted is not all: the rest is in flight still.
	"HeldUntilTheLastIsDone": func(e *env) {
		q := e.fifo()
		e.sendTo(q, "g", "1", "2", "3")
		m := e.wantReceived(q, 2, "1", "2")
		e.delete(q, m[1].Receipt)
		e.none(q)
		e.delete(q, m[0].Receipt)
		e.wantReceived(q, 10, "3")
	},
	"HeldFirstBlocksTheGivenBack": func(e *env) {
		q := e.fifo()
		e.sendTo(q, "g", "1", "2", "3")
		m := e.wantReceived(q, 2, "1", "2")
		e.giveBack(q, m[1])
		e.none(q)
		e.delete(q, m[0].Receipt)
		e.wantReceived(q, 10, "2", "3")
	},
	// What is given back comes again though a later one of its group is in
	// flight: the order is that of the first not deleted. So does the service
	// (measured on it by localstack's test of change_message_visibility).
	"GivenBackComesBeforeTheHeld": func(e *env) {
		q := e.fifo()
		e.sendTo(q, "g", "1", "2", "3")
		m := e.wantReceived(q, 2, "1", "2")
		e.giveBack(q, m[0])
		again := e.wantReceived(q, 10, "1")
		e.delete(q, again[0].Receipt)
		e.none(q)
		e.delete(q, m[1].Receipt)
		e.wantReceived(q, 10, "3")
	},
	"OrderWhateverTheOrderGivenBack": func(e *env) {
		q := e.fifo()
		want := numbered("m", 5)
		e.sendTo(q, "g", want...)
		m := e.wantReceived(q, 10, want...)
		for _, i := range []int{3, 0, 4, 2, 1} {
			e.giveBack(q, m[i])
		}
		again := e.wantReceived(q, 10, want...)
		for i := range again {
			if again[i].Receives != 2 || again[i].ID != m[i].ID || again[i].Sequence != m[i].Sequence {
				e.Errorf("came again as %+v, first as %+v", again[i], m[i])
			}
		}
	},
	"OrderAfterVisibilityEnds": func(e *env) {
		q := e.fifo(e.shortly)
		e.sendTo(q, "g", "1", "2", "3")
		m := e.wantReceived(q, 2, "1", "2")
		if err := e.change(q, m[1].Receipt, 10*time.Minute); err != nil {
			e.Fatal(err)
		}
		e.past()
		again := e.wantReceived(q, 10, "1") // the second is hidden still, and the third behind it
		e.delete(q, again[0].Receipt)
		e.none(q)
		e.delete(q, m[1].Receipt)
		e.wantReceived(q, 10, "3")
	},
	"ZeroVisibilityHoldsNothing": func(e *env) {
		q := e.fifo()
		e.sendTo(q, "g", "1", "2")
		for n := range 3 {
			m, err := q.Receive(e.ctx, queue.ReceiveOptions{Max: 10, Visibility: 0, Wait: time.Second})
			if err != nil || !slices.Equal(bodies(m), []string{"1", "2"}) || m[1].Receives != n+1 {
				e.Fatalf("received %v, %v; want 1, 2 for the %d. time", bodies(m), err, n+1)
			}
		}
	},
	"RoundTrip": func(e *env) {
		q := e.fifo()
		out := queue.Outgoing{Body: "b", Delay: -1, GroupID: "!group~", DedupID: "~dedup!",
			Attributes: map[string]queue.Attribute{"a": {DataType: "String", String: "v"}}}
		sent := e.sendOut(q, out)
		m := e.take(q)
		if m.GroupID != out.GroupID || m.DedupID != out.DedupID || m.Sequence != sent[0].Sequence || m.ID != sent[0].ID ||
			m.Attributes["a"].String != "v" || m.Receives != 1 {
			e.Errorf("sent %+v as %+v, received %+v", out, sent[0], m)
		}
	},
	// 20 digits that grow in the order of sending, over all groups.
	"SequenceGrows": func(e *env) {
		q := e.fifo()
		var all []queue.Sent
		for i := range 3 {
			all = append(all, e.sendTo(q, fmt.Sprint("g", i), "x")...)
			all = append(all, e.sendOut(q, inGroup("h", "y"), inGroup(fmt.Sprint("i", i), "z"))...)
			e.deleteAll(q, e.receive(q, 2))
		}
		for i := range all {
			if len(all[i].Sequence) != 20 || slices.ContainsFunc([]byte(all[i].Sequence), func(c byte) bool { return c < '0' || c > '9' }) {
				e.Errorf("sequence %q, want 20 digits", all[i].Sequence)
			}
			if i > 0 && all[i-1].Sequence >= all[i].Sequence {
				e.Errorf("sequence %s after %s", all[i].Sequence, all[i-1].Sequence)
			}
		}
		if sent := e.sendOut(e.queue(), text("standard")); sent[0].Sequence != "" {
			e.Errorf("standard queues have no sequence, got %q", sent[0].Sequence)
		}
	},
	"Attributes": func(e *env) {
		for _, c := range []struct{ content, group bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
			change := func(a *queue.Attributes) { a.FIFO, a.ContentDedup, a.GroupDedup = true, c.content, c.group }
			q := e.fifo(change)
			e.wantAttributes(q, e.attributes(change))
			if err := e.s.CreateQueue(e.ctx, q.Name(), e.attributes(change), nil); err != nil {
				e.Errorf("created again with equal attributes: %v", err)
			}
			other := e.attributes(change)
			other.GroupDedup = !c.group
			e.wantErr(e.s.CreateQueue(e.ctx, q.Name(), other, nil), queue.ErrQueueExists)
			other.ContentDedup = !c.content
			if err := e.s.SetAttributes(e.ctx, q.Name(), other); err != nil {
				e.Fatal(err)
			}
			e.wantAttributes(q, other)
		}
	},
}

func (e *env) wantAttributes(q *queue.Queue, want queue.Attributes) {
	e.Helper()
	d, err := q.Describe(e.ctx)
	if err != nil {
		e.Fatal(err)
	}
	if diff := cmp.Diff(want, known(d.Attributes), cmpopts.EquateEmpty()); diff != "" {
		e.Errorf("attributes (-want +got):\n%s", diff)
	}
}
