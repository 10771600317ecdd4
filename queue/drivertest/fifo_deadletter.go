package drivertest

import (
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
)

// fifoPair makes a FIFO queue and its dead-letter queue.
func (e *env) fifoPair(maxReceives int, change ...func(*queue.Attributes)) (q, dead *queue.Queue) {
	e.Helper()
	dead = e.fifo(change...)
	q = e.fifo(append(change, func(a *queue.Attributes) {
		a.DeadLetter = &queue.DeadLetter{Queue: dead.Name(), MaxReceives: maxReceives}
	})...)
	return q, dead
}

// drain receives and deletes until nothing is left.
func (e *env) drain(q *queue.Queue) (all []queue.Message) {
	e.Helper()
	for {
		m := e.receive(q, 10)
		if len(m) == 0 {
			return all
		}
		all = append(all, m...)
		e.deleteAll(q, m)
	}
}

// kill sends messages of one group and gives them back until they are dead
// letters; they were received once before.
func (e *env) kill(q *queue.Queue, group string, bodies ...string) []queue.Sent {
	e.Helper()
	sent := e.sendTo(q, group, bodies...)
	m := e.wantReceived(q, 10, bodies...)
	for i := range m {
		e.giveBack(q, m[i])
	}
	e.none(q)
	return sent
}

var fifoDeadLetterTests = map[string]func(*env){
	"KeepsOrderAndIDs": func(e *env) {
		q, dead := e.fifoPair(1)
		want := numbered("m", 5)
		sent := e.kill(q, "g", want...)
		e.wantCounts(q, 0, 0, 0)
		e.wantCounts(dead, 5, 0, 0)
		m := e.wantReceived(dead, 10, want...)
		for i := range m {
			if m[i].ID != sent[i].ID || m[i].GroupID != "g" || m[i].Source != q.Name() || !e.h.Remote && m[i].Receives != 2 {
				e.Errorf("%s is a dead letter as %+v, was sent as %+v", want[i], m[i], sent[i])
			}
			if i > 0 && m[i-1].Sequence >= m[i].Sequence {
				e.Errorf("sequence %s after %s", m[i].Sequence, m[i-1].Sequence)
			}
		}
		e.none(dead)
		e.deleteAll(dead, m)
	},
	// More of them than one receive gets: each moves ten and gets the next ten.
	"KeepsOrderOfMany": func(e *env) {
		q, dead := e.fifoPair(1)
		want := numbered("m", e.much(60, 30))
		for i := 0; i < len(want); i += 10 {
			var out []queue.Outgoing
			for _, body := range want[i : i+10] {
				out = append(out, inGroup("g", body))
			}
			e.sendOut(q, out...)
		}
		for range 2 * len(want) / 10 {
			m := e.receive(q, 10)
			for i := range m {
				e.giveBack(q, m[i])
			}
		}
		e.wantCounts(q, 0, 0, 0)
		if diff := cmp.Diff(want, bodies(e.drain(dead))); diff != "" {
			e.Errorf("dead letters (-want +got):\n%s", diff)
		}
	},
	"GroupGoesOn": func(e *env) {
		q, dead := e.fifoPair(2)
		e.sendTo(q, "g", "poison", "healthy")
		for range 2 {
			e.giveBack(q, e.wantReceived(q, 1, "poison")[0])
		}
		// Whether the poison was moved by that receive or is by the next.
		m := e.receive(q, 1)
		if len(m) == 0 {
			m = e.receive(q, 1)
		}
		if diff := cmp.Diff([]string{"healthy"}, bodies(m)); diff != "" {
			e.Errorf("after the poison (-want +got):\n%s", diff)
		}
		e.wantReceived(dead, 10, "poison")
	},
	// A message in flight behind the one that moves keeps the group blocked.
	"MovedWhileLaterIsHeld": func(e *env) {
		q, dead := e.fifoPair(1)
		e.sendTo(q, "g", "1", "2", "3")
		m := e.wantReceived(q, 2, "1", "2")
		e.giveBack(q, m[0])
		e.none(q)
		e.wantReceived(dead, 10, "1")
		e.delete(q, m[1].Receipt)
		e.wantReceived(q, 10, "3")
	},
	// "The original message's deduplication ID will be replaced with the original
	// message's ID": developer guide, dead-letter queue redrive.
	"DedupIDIsTheMessageID": func(e *env) {
		if e.h.Remote {
			e.Skip("emulators differ")
		}
		byContent := func(a *queue.Attributes) { a.ContentDedup = true }
		q, dead := e.fifoPair(1, byContent)
		sent := e.kill(q, "g", "same", "same")
		m := e.wantReceived(dead, 10, "same", "same")
		for i := range m {
			if m[i].ID != sent[i].ID || m[i].DedupID != m[i].ID {
				e.Errorf("dead letter has id %s and deduplication id %s; want %s for both", m[i].ID, m[i].DedupID, sent[i].ID)
			}
		}
	},
	// In the queue it came from the message stays known.
	"StaysADuplicate": func(e *env) {
		q, dead := e.fifoPair(1)
		out := inGroup("g", "poison")
		sent := e.sendOut(q, out)
		e.giveBack(q, e.take(q))
		e.none(q)
		if again := e.sendOut(q, out); again[0] != sent[0] {
			e.Errorf("sent again as %+v, first as %+v", again[0], sent[0])
		}
		e.none(q)
		e.wantReceived(dead, 10, "poison")
	},
	"WakesWaiter": func(e *env) {
		q, dead := e.fifoPair(1)
		e.sendTo(q, "g", "poison")
		e.giveBack(q, e.take(q))
		done := e.poll(e.ctx, dead, pollWait)
		e.none(q)
		e.wantWoken(done, pollBegins)
	},
	// The time of a FIFO dead letter counts from its move (developer guide,
	// dead-letter queue retention), other than that of a standard one.
	"RetentionFromTheMove": func(e *env) {
		e.needVirtual()
		q, dead := e.fifoPair(1)
		e.sendTo(q, "g", "poison")
		e.sleep(50 * time.Minute)
		e.giveBack(q, e.take(q))
		e.none(q)
		e.sleep(50 * time.Minute)
		e.wantReceived(dead, 10, "poison")
		e.sleep(13 * time.Minute)
		e.none(dead)
	},
	"BrowsedAndDeletedByID": func(e *env) {
		q, dead := e.fifoPair(1)
		e.needBrowser()
		sent := e.kill(q, "g", "1", "2")
		e.sleep(1100 * time.Millisecond)
		list, err := e.s.Browse(e.ctx, dead.Name(), "", 10)
		if err != nil || len(list) != 2 || list[0].ID != sent[0].ID || list[0].DedupID != sent[0].ID || list[0].Source != q.Name() {
			e.Errorf("browsed %+v, %v; sent as %+v", list, err, sent)
		}
		if ok, err := e.s.DeleteID(e.ctx, dead.Name(), sent[0].ID); !ok || err != nil {
			e.Errorf("delete by id: %v, %v", ok, err)
		}
		e.wantReceived(dead, 10, "2")
	},
	"GroupsApart": func(e *env) {
		q, dead := e.fifoPair(1)
		for i := range 3 {
			e.kill(q, fmt.Sprint("g", i), fmt.Sprint(i, "a"), fmt.Sprint(i, "b"))
		}
		for i := range 3 {
			e.wantReceived(dead, 2, fmt.Sprint(i, "a"), fmt.Sprint(i, "b"))
		}
	},
}
