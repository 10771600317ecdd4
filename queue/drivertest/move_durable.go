package drivertest

import (
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// moveAcross starts a slow move and opens the store again some times meanwhile.
// Each message is moved once, also by what a loss of power interrupts.
func (e *env) moveAcross(open ...func() (driver.Service, error)) {
	e.Helper()
	e.needMover()
	e.needVirtual()
	q, dead := e.pair(1)
	want := numbered("m", 40)
	e.bury(q, want...)
	handle := e.start(queue.Move{Source: dead.Name(), Rate: 4})
	for _, again := range open {
		e.sleep(2 * time.Second)
		e.again(again)
		q, dead = e.s.Queue(q.Name()), e.s.Queue(dead.Name())
		e.wantTogether(40, dead, q)
		list := e.moves(dead, 10)
		if len(list) != 1 || list[0].Status != queue.MoveRunning || list[0].Handle != handle || list[0].ToMove != 40 {
			e.Fatalf("moves are %+v, want the one with handle %s", list, handle)
		}
	}
	task := e.waitMove(dead, queue.MoveCompleted)
	if task.Moved < 30 || task.Moved > 50 {
		e.Errorf("moved about %d of 40", task.Moved)
	}
	got := sorted(bodies(e.drain(q)))
	if diff := cmp.Diff(sorted(want), got); diff != "" {
		e.Errorf("moved (-want +got):\n%s", diff)
	}
	e.wantBodies(dead)
}

var moveDurableTests = map[string]func(*env){
	"GoesOnAfterReopen": func(e *env) { e.moveAcross(e.store.Reopen, e.store.Reopen) },
	"GoesOnAfterCrash":  func(e *env) { e.moveAcross(e.store.Crash, e.store.Crash, e.store.Reopen) },
	"ReopenKeepsTheList": func(e *env) {
		e.needMover()
		q, dead := e.pair(1)
		e.bury(q, "1", "2", "3")
		e.start(queue.Move{Source: dead.Name(), Rate: 500})
		e.waitMove(dead, queue.MoveCompleted)
		e.start(queue.Move{Source: dead.Name(), Destination: q.Name()})
		e.waitMove(dead, queue.MoveCompleted)
		before := e.moves(dead, 10)
		e.again(e.store.Reopen)
		if diff := cmp.Diff(before, e.moves(e.s.Queue(dead.Name()), 10)); diff != "" {
			e.Errorf("moves (-before +after):\n%s", diff)
		}
	},
	"CancelledStaysSo": func(e *env) {
		e.needMover()
		e.needVirtual()
		q, dead := e.pair(1)
		e.bury(q, numbered("m", 10)...)
		handle := e.slowly(dead)
		e.sleep(3 * time.Second)
		if _, err := e.s.CancelMove(e.ctx, handle); err != nil {
			e.Fatal(err)
		}
		e.wantCancelled(dead)
		e.again(e.store.Crash)
		dead = e.s.Queue(dead.Name())
		e.sleep(time.Minute)
		if task := e.moves(dead, 1)[0]; task.Status != queue.MoveCancelled {
			e.Errorf("after the crash it is %+v", task)
		}
		e.wantTogether(10, dead, e.s.Queue(q.Name()))
		if d, err := dead.Describe(e.ctx); err != nil || d.Visible < 5 {
			e.Errorf("%d are left, %v", d.Visible, err)
		}
	},
	// A FIFO queue's dead letters go back in order, each group's apart, and are
	// no duplicates of what they were.
	"FIFO": func(e *env) {
		q, dead := e.fifoPair(1, contentDedup)
		e.needMover()
		e.kill(q, "g", "1", "2", "3")
		e.kill(q, "h", "1", "2", "3")
		e.start(queue.Move{Source: dead.Name()})
		e.waitMove(dead, queue.MoveCompleted)
		for _, m := range [][]queue.Message{e.wantReceived(q, 3, "1", "2", "3"), e.wantReceived(q, 3, "1", "2", "3")} {
			for i := range m {
				if m[i].Receives != 1 || m[i].Source != "" || m[i].GroupID != m[0].GroupID {
					e.Errorf("moved %+v", m[i])
				}
				if i > 0 && m[i].Sequence <= m[i-1].Sequence {
					e.Errorf("sequence %s after %s", m[i].Sequence, m[i-1].Sequence)
				}
			}
		}
		e.none(q)
		e.none(dead)
	},
	// A held group stays, with what is behind the held.
	"FIFOOnlyWhatMayBeReceived": func(e *env) {
		q, dead := e.fifoPair(1)
		e.needMover()
		e.kill(q, "g", "1", "2")
		e.kill(q, "h", "3", "4")
		held := e.wantReceived(dead, 1, "1")
		e.start(queue.Move{Source: dead.Name()})
		e.waitMove(dead, queue.MoveCompleted)
		e.wantReceived(q, 10, "3", "4")
		e.giveBack(dead, held[0])
		e.wantReceived(dead, 10, "1", "2")
	},
	"FIFOAfterACrash": func(e *env) {
		e.needVirtual()
		q, dead := e.fifoPair(1)
		e.needMover()
		want := numbered("m", 8)
		e.kill(q, "g", want...)
		e.start(queue.Move{Source: dead.Name(), Rate: 1})
		e.sleep(3500 * time.Millisecond)
		e.again(e.store.Crash)
		q, dead = e.s.Queue(q.Name()), e.s.Queue(dead.Name())
		e.waitMove(dead, queue.MoveCompleted)
		if diff := cmp.Diff(want, slices.Compact(bodies(e.drain(q)))); diff != "" {
			e.Errorf("moved (-want +got):\n%s", diff)
		}
		e.none(dead)
	},
}
