package drivertest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// needMover skips what a driver without move tasks cannot do.
func (e *env) needMover() {
	e.Helper()
	if _, ok := e.store.Service.(driver.Mover); !ok {
		e.Skip("the driver has no move tasks")
	}
}

// start starts a move.
func (e *env) start(m queue.Move) (handle string) {
	e.Helper()
	handle, err := e.s.StartMove(e.ctx, m)
	if errors.Is(err, queue.ErrUnsupported) {
		e.Skip("the driver has no move tasks")
	}
	if err != nil {
		e.Fatal(err)
	}
	if handle == "" {
		e.Fatal("the move has no handle")
	}
	return handle
}

// moves lists what was moved out of a queue.
func (e *env) moves(q *queue.Queue, max int) []queue.MoveTask {
	e.Helper()
	list, err := e.s.ListMoves(e.ctx, q.Name(), max)
	if err != nil {
		e.Fatal(err)
	}
	return list
}

// waitMove waits until the last move of a queue has a status. Minutes are
// allowed for: what a move had received when its service ended may be hidden.
func (e *env) waitMove(q *queue.Queue, want queue.MoveStatus) queue.MoveTask {
	e.Helper()
	for begun := time.Now(); ; e.sleep(20 * time.Millisecond) {
		list := e.moves(q, 1)
		if len(list) != 1 {
			e.Fatalf("%d moves listed, want one", len(list))
		}
		if list[0].Status == want {
			return list[0]
		}
		if over := list[0].Status != queue.MoveRunning && list[0].Status != queue.MoveCancelling; over || time.Since(begun) > 10*time.Minute {
			e.Fatalf("the move is %+v, want it %s", list[0], want)
		}
	}
}

// bury makes dead letters: messages of q that are in its dead-letter queue.
func (e *env) bury(q *queue.Queue, bodies ...string) {
	e.Helper()
	for _, body := range bodies {
		e.send(q, body)
	}
	for _, m := range e.takeN(q, len(bodies)) {
		e.giveBack(q, m)
	}
	for range 1 + len(bodies)/10 {
		e.none(q)
	}
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}

func (e *env) wantBodies(q *queue.Queue, want ...string) (all []queue.Message) {
	e.Helper()
	all = e.drain(q)
	if diff := cmp.Diff(sorted(want), sorted(bodies(all)), cmpopts.EquateEmpty()); diff != "" {
		e.Errorf("messages of %s (-want +got):\n%s", q.Name(), diff)
	}
	return all
}

var moveTests = map[string]func(*env){
	"ToTheDestination": func(e *env) {
		e.needMover()
		q, dead := e.pair(1)
		to := e.queue()
		out := text("poison")
		out.GroupID, out.Attributes = "tenant", map[string]queue.Attribute{"a": {DataType: "Binary", Binary: []byte{0, 1}}}
		sent := e.sendOut(q, out)
		e.giveBack(q, e.take(q))
		e.none(q)
		e.sleep(1100 * time.Millisecond)
		before := time.Now()
		e.start(queue.Move{Source: dead.Name(), Destination: to.Name()})
		task := e.waitMove(dead, queue.MoveCompleted)
		want := queue.MoveTask{Move: queue.Move{Source: dead.Name(), Destination: to.Name()}, Status: queue.MoveCompleted, Moved: 1, ToMove: 1}
		if diff := cmp.Diff(want, task, cmpopts.IgnoreFields(queue.MoveTask{}, "Started")); diff != "" {
			e.Errorf("task (-want +got):\n%s", diff)
		}
		if task.Started.Before(before.Add(-time.Second)) || task.Started.After(time.Now().Add(time.Second)) {
			e.Errorf("started at %v, which is not now", task.Started)
		}
		// It is a new message: id, time of sending and count are.
		m := e.take(to)
		if m.ID == sent[0].ID || m.Receives != 1 || m.Source != "" || m.Sent.Before(before.Add(-e.early())) {
			e.Errorf("moved %+v is not as new; it was sent as %s", m, sent[0].ID)
		}
		if m.Body != "poison" || m.GroupID != "tenant" || !cmp.Equal(m.Attributes, out.Attributes) {
			e.Errorf("moved %+v, sent %+v", m, out)
		}
		e.wantCounts(dead, 0, 0, 0)
	},
	"ToTheOriginalSources": func(e *env) {
		e.needMover()
		a, dead := e.pair(1)
		b := e.queue(func(at *queue.Attributes) { at.DeadLetter = &queue.DeadLetter{Queue: dead.Name(), MaxReceives: 1} })
		e.bury(a, "a0", "a1", "a2")
		e.bury(b, "b0", "b1")
		e.bury(a, "a3")
		e.start(queue.Move{Source: dead.Name()})
		if task := e.waitMove(dead, queue.MoveCompleted); task.Destination != "" || task.Moved != 6 || task.ToMove != 6 {
			e.Errorf("task is %+v", task)
		}
		// As new messages they are received once more before they are dead again.
		e.giveBack(a, e.take(a))
		e.wantBodies(b, "b0", "b1")
		e.wantBodies(dead)
		if m := append(e.drain(a), e.drain(dead)...); len(m) != 4 {
			e.Errorf("of four messages %v are there", bodies(m))
		}
	},
	"OnlyTheVisible": func(e *env) {
		e.needMover()
		q, dead := e.pair(1)
		e.bury(q, "held", "visible")
		held := e.take(dead)
		later := text("delayed")
		later.Delay = 15 * time.Minute
		e.sendOut(dead, later)
		e.start(queue.Move{Source: dead.Name()})
		e.waitMove(dead, queue.MoveCompleted)
		e.wantCounts(dead, 0, 1, 1)
		e.delete(dead, held.Receipt)
		if m := e.drain(q); len(m) != 1 || m[0].Body == held.Body {
			e.Errorf("moved %v beside the one held, %s", bodies(m), held.Body)
		}
	},
	"WakesWaiter": func(e *env) {
		e.needMover()
		q, dead := e.pair(1)
		e.bury(q, "poison")
		done := e.poll(e.ctx, q, pollWait)
		e.start(queue.Move{Source: dead.Name()})
		e.wantWoken(done, pollBegins)
	},
	// At any time each message is in one of the queues.
	"Rate": func(e *env) {
		e.needMover()
		q, dead := e.pair(1)
		n, rate := 100, 10
		if !e.h.Virtual {
			n, rate = 8, 5
		}
		e.bury(q, numbered("m", n)...)
		begun := time.Now()
		e.start(queue.Move{Source: dead.Name(), Rate: rate})
		for {
			task := e.moves(dead, 1)[0]
			if task.Status == queue.MoveCompleted {
				break
			}
			// A second's worth more, for the one just begun.
			if most := int64(rate) * int64(time.Since(begun)/time.Second+2); task.Moved > most || task.Rate != rate {
				e.Fatalf("%d moved after %v at %d a second", task.Moved, time.Since(begun), task.Rate)
			}
			e.sleep(170 * time.Millisecond)
			if e.h.Virtual {
				e.wantTogether(int64(n), dead, q)
			}
		}
		whole := time.Duration(n) * time.Second / time.Duration(rate)
		if took := time.Since(begun); took < whole-time.Second-e.early() || took > whole+time.Second+e.slack() {
			e.Errorf("took %v, want %v", took, whole)
		}
		e.wantBodies(q, numbered("m", n)...)
	},
	"NothingToMove": func(e *env) {
		e.needMover()
		_, dead := e.pair(1)
		e.start(queue.Move{Source: dead.Name()})
		if task := e.waitMove(dead, queue.MoveCompleted); task.Moved != 0 || task.ToMove != 0 {
			e.Errorf("task is %+v", task)
		}
	},
	"Many": func(e *env) {
		e.needMover()
		q, dead := e.pair(1)
		n := 1500
		if !e.h.Virtual {
			n = 120
		}
		e.bury(q, numbered("m", n)...)
		e.start(queue.Move{Source: dead.Name()})
		if task := e.waitMove(dead, queue.MoveCompleted); task.Moved != int64(n) {
			e.Errorf("moved %d of %d", task.Moved, n)
		}
		e.wantBodies(q, numbered("m", n)...)
	},
	"LargeMessages": func(e *env) {
		e.needMover()
		q, dead := e.pair(1)
		var want []string
		for i := range 12 {
			want = append(want, strings.Repeat(string(rune('a'+i)), 1<<20))
		}
		e.bury(q, want...)
		e.start(queue.Move{Source: dead.Name()})
		e.waitMove(dead, queue.MoveCompleted)
		if got := sorted(bodies(e.drain(q))); !slices.Equal(got, want) {
			e.Errorf("%d of 12 messages of 1 MiB were moved", len(got))
		}
	},
	"SourcePurged": func(e *env) {
		e.needMover()
		q, dead := e.pair(1)
		e.bury(q, numbered("m", 20)...)
		e.start(queue.Move{Source: dead.Name(), Rate: 10})
		e.takeWith(q, queue.ReceiveOptions{Max: 1, Visibility: -1, Wait: 5 * time.Second})
		e.purge(dead)
		e.sleep(1100 * time.Millisecond)
		task := e.waitMove(dead, queue.MoveCompleted)
		if there := int64(1 + len(e.drain(q))); there != task.Moved || there == 20 && e.h.Virtual {
			e.Errorf("%d arrived of %d moved before the purge", there, task.Moved)
		}
		e.wantBodies(dead)
	},
	"BackAndForth": func(e *env) {
		e.needMover()
		q, dead := e.pair(1)
		e.bury(q, "x")
		for i := range 5 {
			e.start(queue.Move{Source: dead.Name()})
			e.waitMove(dead, queue.MoveCompleted)
			m := e.take(q)
			if m.Receives != 1 {
				e.Errorf("the %d. time received with count %d", i, m.Receives)
			}
			e.giveBack(q, m)
			e.none(q)
		}
		if list := e.moves(dead, 10); len(list) != 5 {
			e.Errorf("%d moves listed, want 5: %v", len(list), fmt.Sprint(list))
		}
		e.wantBodies(dead, "x")
	},
}

// wantTogether checks that several queues have n messages between them, asked
// in the direction of a move: one that moves meanwhile is counted twice.
func (e *env) wantTogether(n int64, from ...*queue.Queue) {
	e.Helper()
	var sum int64
	for _, q := range from {
		d, err := q.Describe(e.ctx)
		if err != nil {
			e.Fatal(err)
		}
		sum += d.Visible + d.Delayed + d.InFlight
	}
	if sum < n {
		e.Errorf("%d messages are there together, want %d", sum, n)
	}
}
