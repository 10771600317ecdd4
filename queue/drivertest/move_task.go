package drivertest

import (
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
)

// slowly starts a move that takes a while: one message a second.
func (e *env) slowly(dead *queue.Queue) (handle string) {
	e.Helper()
	return e.start(queue.Move{Source: dead.Name(), Rate: 1})
}

// wantCancelled waits until a cancelled move is over; it must not be over
// otherwise.
func (e *env) wantCancelled(dead *queue.Queue) queue.MoveTask {
	e.Helper()
	task := e.waitMove(dead, queue.MoveCancelled)
	if task.Handle != "" {
		e.Errorf("a move that is over has the handle %q", task.Handle)
	}
	return task
}

var moveTaskTests = map[string]func(*env){
	"Running": func(e *env) {
		e.needMover()
		q, dead := e.pair(1)
		e.bury(q, numbered("m", 10)...)
		handle := e.slowly(dead)
		list := e.moves(dead, 10)
		if len(list) != 1 || list[0].Handle != handle || list[0].Status != queue.MoveRunning || list[0].Rate != 1 ||
			list[0].Source != dead.Name() || list[0].Destination != "" || list[0].ToMove != 10 || list[0].Failure != "" {
			e.Errorf("listed %+v, want one running with handle %s", list, handle)
		}
	},
	"Cancel": func(e *env) {
		e.needMover()
		q, dead := e.pair(1)
		e.bury(q, numbered("m", 10)...)
		begun := time.Now()
		handle := e.slowly(dead)
		e.sleep(1500 * time.Millisecond)
		moved, err := e.s.CancelMove(e.ctx, handle)
		// One a second, and one more for the second just begun.
		if most := int64(time.Since(begun)/time.Second + 2); err != nil || moved < 1 || moved > most {
			e.Errorf("cancelled after %d messages, %v; want about 2", moved, err)
		}
		task := e.wantCancelled(dead)
		if task.Moved < moved || task.Moved > moved+1 || task.ToMove != 10 {
			e.Errorf("cancelled after %d messages, listed as %+v", moved, task)
		}
		e.sleep(1100 * time.Millisecond)
		there := e.drain(q)
		if int64(len(there)) != task.Moved {
			e.Errorf("%d messages arrived, %d were moved", len(there), task.Moved)
		}
		if rest := e.drain(dead); len(rest)+len(there) != 10 {
			e.Errorf("%d arrived and %d are left of 10", len(there), len(rest))
		}
	},
	"CancelOnlyOnce": func(e *env) {
		e.needMover()
		q, dead := e.pair(1)
		e.bury(q, numbered("m", 3)...)
		handle := e.slowly(dead)
		if _, err := e.s.CancelMove(e.ctx, handle); err != nil {
			e.Fatal(err)
		}
		e.wantCancelled(dead)
		_, err := e.s.CancelMove(e.ctx, handle)
		e.wantErr(err, queue.ErrMoveNotFound)
		// The queue is free for another.
		e.drain(q)
		e.start(queue.Move{Source: dead.Name()})
		e.waitMove(dead, queue.MoveCompleted)
	},
	"CancelWhatIsOver": func(e *env) {
		e.needMover()
		_, dead := e.pair(1)
		handle := e.start(queue.Move{Source: dead.Name()})
		e.waitMove(dead, queue.MoveCompleted)
		_, err := e.s.CancelMove(e.ctx, handle)
		e.wantErr(err, queue.ErrMoveNotFound)
	},
	"CancelWhatNeverWas": func(e *env) {
		e.needMover()
		for _, handle := range []string{"x", "bm9uZQ==", "eyJ0YXNrSWQiOiJ4In0="} {
			_, err := e.s.CancelMove(e.ctx, handle)
			e.wantErr(err, queue.ErrMoveNotFound)
		}
	},
	"OneAQueue": func(e *env) {
		e.needMover()
		q, dead := e.pair(1)
		e.bury(q, numbered("m", 5)...)
		e.slowly(dead)
		_, err := e.s.StartMove(e.ctx, queue.Move{Source: dead.Name()})
		e.wantErr(err, queue.ErrMoveActive)
		if list := e.moves(dead, 10); len(list) != 1 {
			e.Errorf("%d moves listed, want the one", len(list))
		}
	},
	"HundredAService": func(e *env) {
		e.needMover()
		e.needVirtual()
		var dead []*queue.Queue
		for range 101 {
			q, d := e.pair(1)
			e.bury(q, "1", "2", "3")
			dead = append(dead, d)
		}
		var handle string
		for _, d := range dead[:100] {
			handle = e.slowly(d)
		}
		_, err := e.s.StartMove(e.ctx, queue.Move{Source: dead[100].Name()})
		e.wantErr(err, queue.ErrMoveActive)
		if _, err := e.s.CancelMove(e.ctx, handle); err != nil {
			e.Fatal(err)
		}
		e.wantCancelled(dead[99])
		e.slowly(dead[100])
	},
	"NoSuchQueue": func(e *env) {
		e.needMover()
		q, dead := e.pair(1)
		none := e.name("none")
		_, from := e.s.StartMove(e.ctx, queue.Move{Source: none})
		_, to := e.s.StartMove(e.ctx, queue.Move{Source: dead.Name(), Destination: none})
		_, list := e.s.ListMoves(e.ctx, none, 1)
		for _, err := range []error{from, to, list} {
			e.wantErr(err, queue.ErrQueueNotFound)
		}
		e.bury(q, "x")
		if list := e.moves(dead, 10); len(list) != 0 {
			e.Errorf("listed %+v, and none was started", list)
		}
	},
	"ListsTheLastTen": func(e *env) {
		e.needMover()
		_, dead := e.pair(1)
		to := []*queue.Queue{e.queue(), e.queue()}
		var want []string
		for i := range 12 {
			e.start(queue.Move{Source: dead.Name(), Destination: to[i%3%2].Name(), Rate: i + 1})
			e.waitMove(dead, queue.MoveCompleted)
			e.sleep(2 * time.Millisecond)
			want = append([]string{fmt.Sprint(to[i%3%2].Name(), i+1)}, want...)
		}
		for _, max := range []int{1, 3, 10} {
			var got []string
			var last time.Time
			for _, task := range e.moves(dead, max) {
				got = append(got, fmt.Sprint(task.Destination, task.Rate))
				if !last.IsZero() && task.Started.After(last) {
					e.Errorf("started at %v, which is after the one before in the list, %v", task.Started, last)
				}
				last = task.Started
				if task.Handle != "" || task.Source != dead.Name() {
					e.Errorf("listed %+v", task)
				}
			}
			if diff := cmp.Diff(want[:max], got); diff != "" {
				e.Errorf("the last %d (-want +got):\n%s", max, diff)
			}
		}
	},
	"DestinationDeleted": func(e *env) {
		e.needMover()
		q, dead := e.pair(1)
		to := e.queue()
		e.bury(q, numbered("m", 4)...)
		e.start(queue.Move{Source: dead.Name(), Destination: to.Name(), Rate: 1})
		arrived := e.takeWith(to, queue.ReceiveOptions{Max: 1, Visibility: -1, Wait: 5 * time.Second})
		if err := e.s.DeleteQueue(e.ctx, to.Name()); err != nil {
			e.Fatal(err)
		}
		task := e.waitMove(dead, queue.MoveFailed)
		if task.Failure == "" || task.Handle != "" {
			e.Errorf("failed as %+v, want a reason and no handle", task)
		}
		// What had not arrived is still there.
		if rest := e.drain(dead); int64(len(rest)) != 4-task.Moved {
			e.Errorf("%d of 4 moved, %s among them; %v are left", task.Moved, arrived.Body, bodies(rest))
		}
	},
	// A message that came from nowhere stays where it is.
	"NoOriginalSource": func(e *env) {
		e.needMover()
		q, dead := e.pair(1)
		e.send(dead, "sent to it")
		e.start(queue.Move{Source: dead.Name()})
		e.sleep(300 * time.Millisecond)
		for begun := time.Now(); e.moves(dead, 1)[0].Status == queue.MoveRunning && time.Since(begun) < 10*time.Second; {
			e.sleep(20 * time.Millisecond)
		}
		e.wantBodies(dead, "sent to it")
		e.wantBodies(q)
	},
	"OriginalSourceDeleted": func(e *env) {
		e.needMover()
		q, dead := e.pair(1)
		e.bury(q, "orphan")
		other := e.queue(func(a *queue.Attributes) { a.DeadLetter = &queue.DeadLetter{Queue: dead.Name(), MaxReceives: 1} })
		if err := e.s.DeleteQueue(e.ctx, q.Name()); err != nil {
			e.Fatal(err)
		}
		e.start(queue.Move{Source: dead.Name()})
		e.waitMove(dead, queue.MoveFailed)
		e.wantBodies(dead, "orphan")
		e.wantBodies(other)
	},
}
