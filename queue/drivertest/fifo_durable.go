package drivertest

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

var fifoDurableTests = map[string]func(*env){
	"ReopenKeepsOrderAndBlocks": func(e *env) {
		q := e.fifo()
		e.sendTo(q, "a", "a1", "a2", "a3", "a4")
		e.sendTo(q, "b", "b1", "b2")
		m := e.wantReceived(q, 2, "a1", "a2")
		e.delete(q, m[0].Receipt)
		for range 2 {
			e.again(e.store.Reopen)
			q = e.s.Queue(q.Name())
			e.wantCounts(q, 4, 0, 1)
		}
		b := e.wantReceived(q, 10, "b1", "b2")
		e.none(q)
		e.delete(q, m[1].Receipt)
		e.wantReceived(q, 10, "a3", "a4")
		e.giveBack(q, b[0])
		e.again(e.store.Reopen)
		e.wantReceived(e.s.Queue(q.Name()), 10, "b1")
	},
	// What was received may be visible again, and then in its place.
	"CrashKeepsOrder": func(e *env) {
		q := e.fifo(e.shortly)
		want := numbered("m", 12)
		sent := e.sendTo(q, "g", want...)
		m := e.wantReceived(q, 3, "m0", "m1", "m2")
		e.delete(q, m[0].Receipt)
		e.again(e.store.Crash)
		q = e.s.Queue(q.Name())
		e.past()
		var got []string
		for _, max := range []int{1, 10} {
			m := e.receive(q, max)
			for i := range m {
				if n := slices.IndexFunc(sent, func(s queue.Sent) bool { return s.ID == m[i].ID }); n < 0 || sent[n].Sequence != m[i].Sequence {
					e.Errorf("%q has id %s and sequence %s", m[i].Body, m[i].ID, m[i].Sequence)
				}
			}
			got = append(got, bodies(m)...)
			e.deleteAll(q, m)
		}
		if diff := cmp.Diff(want[1:], got); diff != "" {
			e.Errorf("after the crash (-want +got):\n%s", diff)
		}
	},
	"SequenceGrowsOn": func(e *env) {
		q := e.fifo()
		last := e.sendTo(q, "g", "x")[0].Sequence
		for _, open := range []func() (driver.Service, error){e.store.Reopen, e.store.Crash, e.store.Reopen} {
			e.again(open)
			next := e.sendTo(e.s.Queue(q.Name()), "g", "x")[0].Sequence
			if next <= last {
				e.Errorf("sequence %s after %s", next, last)
			}
			last = next
		}
	},
	"ReopenKeepsDuplicates": func(e *env) { e.duplicateAfter(func() { e.again(e.store.Reopen) }) },
	// A duplicate that was acknowledged is as good as the first: both are there.
	"CrashKeepsDuplicates": func(e *env) { e.duplicateAfter(func() { e.again(e.store.Crash) }) },
	"CrashAfterDuplicate": func(e *env) {
		q := e.fifo()
		out := inGroup("g", "once")
		e.sendOut(q, out)
		e.sendOut(q, out)
		e.again(e.store.Crash)
		q = e.s.Queue(q.Name())
		e.wantReceived(q, 10, "once")
		e.none(q)
	},
	"ReopenKeepsTheWindow": func(e *env) {
		e.needVirtual()
		q := e.fifo()
		out := inGroup("g", "x")
		first := e.sendOut(q, out)
		e.sleep(3 * time.Minute)
		e.again(e.store.Reopen)
		q = e.s.Queue(q.Name())
		e.sleep(time.Minute + 59*time.Second)
		if again := e.sendOut(q, out); again[0] != first[0] {
			e.Errorf("within 5 minutes sent as %+v, first as %+v", again[0], first[0])
		}
		e.sleep(2 * time.Second)
		e.again(e.store.Reopen)
		q = e.s.Queue(q.Name())
		if again := e.sendOut(q, out); again[0].ID == first[0].ID {
			e.Error("a duplicate still after 5 minutes")
		}
	},
	"ReopenKeepsDeadLetters": func(e *env) {
		q, dead := e.fifoPair(1)
		e.kill(q, "g", "1", "2", "3")
		e.again(e.store.Reopen)
		q, dead = e.s.Queue(q.Name()), e.s.Queue(dead.Name())
		e.wantReceived(q, 10)
		m := e.wantReceived(dead, 10, "1", "2", "3")
		e.again(e.store.Reopen)
		dead = e.s.Queue(dead.Name())
		e.none(dead)
		e.deleteAll(dead, m)
		e.wantCounts(dead, 0, 0, 0)
	},
	"ReopenKeepsAttributes": func(e *env) {
		change := func(a *queue.Attributes) { a.FIFO, a.ContentDedup, a.GroupDedup = true, true, true }
		q := e.fifo(change)
		e.again(e.store.Reopen)
		e.wantAttributes(e.s.Queue(q.Name()), e.attributes(change))
	},
}

// duplicateAfter sends messages, some deleted already, and again after something.
func (e *env) duplicateAfter(something func()) {
	e.Helper()
	q := e.fifo(func(a *queue.Attributes) { a.GroupDedup = true })
	var out []queue.Outgoing
	for i := range 6 {
		out = append(out, inGroup(fmt.Sprint("g", i%2), fmt.Sprint("m", i)))
	}
	sent := e.sendOut(q, out...)
	m := e.wantReceived(q, 2, "m0", "m2")
	e.deleteAll(q, m)
	something()
	q = e.s.Queue(q.Name())
	if diff := cmp.Diff(sent, e.sendOut(q, out...)); diff != "" {
		e.Errorf("sent again (-first +again):\n%s", diff)
	}
	var got []string
	for _, m := range e.drain(q) {
		got = append(got, m.Body)
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"m1", "m3", "m4", "m5"}, got); diff != "" {
		e.Errorf("received (-want +got):\n%s", diff)
	}
}
