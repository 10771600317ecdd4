package drivertest

import (
	"slices"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
)

// setDelay changes the delay of a FIFO queue.
func (e *env) setDelay(q *queue.Queue, d time.Duration) {
	e.Helper()
	a := e.attributes(func(a *queue.Attributes) { a.FIFO, a.Delay = true, d })
	if err := e.s.SetAttributes(e.ctx, q.Name(), a); err != nil {
		e.Fatal(err)
	}
}

func delayed(d time.Duration) func(*queue.Attributes) {
	return func(a *queue.Attributes) { a.Delay = d }
}

var fifoDelayTests = map[string]func(*env){
	// A FIFO queue has one delay for all its messages; that of a message may only
	// be left out or zero, and means the queue's.
	"OfTheQueue": func(e *env) {
		q := e.fifo(delayed(e.brief()))
		begun := time.Now()
		zero := inGroup("g", "2")
		zero.Delay = 0
		e.sendOut(q, inGroup("g", "1"), zero, inGroup("h", "3"))
		e.none(q)
		e.wantCounts(q, 0, 3, 0)
		m, err := q.Receive(e.ctx, queue.ReceiveOptions{Max: 1, Visibility: -1, Wait: 20 * time.Second})
		if err != nil || len(m) != 1 || m[0].Body != "1" {
			e.Fatalf("received %v, %v; want 1", bodies(m), err)
		}
		e.wantElapsed(begun, e.brief())
		e.sleep(300 * time.Millisecond)
		e.delete(q, m[0].Receipt)
		got := bodies(e.takeN(q, 2)) // groups come in any order
		slices.Sort(got)
		if !slices.Equal(got, []string{"2", "3"}) {
			e.Errorf("received %v, want 2 and 3", got)
		}
	},
	"IsOfTheFirstTimeOnly": func(e *env) {
		q := e.fifo(delayed(e.brief()))
		e.sendTo(q, "g", "x")
		m := e.takeWith(q, queue.ReceiveOptions{Max: 1, Visibility: -1, Wait: 20 * time.Second})
		e.giveBack(q, m)
		e.wantReceived(q, 1, "x")
	},
	// "For FIFO queues, the per-queue delay setting is retroactive": developer
	// guide, delay queues.
	"MadeShorter": func(e *env) {
		e.needVirtual()
		q := e.fifo(delayed(10 * time.Minute))
		begun := time.Now()
		e.sendTo(q, "g", "1", "2")
		e.sleep(20 * time.Second)
		e.setDelay(q, time.Minute)
		e.sleep(39 * time.Second)
		e.none(q)
		e.wantCounts(q, 0, 2, 0)
		m, err := q.Receive(e.ctx, queue.ReceiveOptions{Max: 10, Visibility: -1, Wait: 20 * time.Second})
		if err != nil || len(m) != 2 || m[0].Body != "1" || m[1].Body != "2" {
			e.Fatalf("received %v, %v; want 1, 2", bodies(m), err)
		}
		e.wantElapsed(begun, time.Minute)
	},
	"MadeLonger": func(e *env) {
		e.needVirtual()
		q := e.fifo(delayed(time.Minute))
		e.sendTo(q, "g", "1")
		e.sleep(20 * time.Second)
		e.setDelay(q, 10*time.Minute)
		e.sleep(9 * time.Minute)
		e.none(q)
		e.wantCounts(q, 0, 1, 0)
		e.sleep(41 * time.Second)
		e.wantReceived(q, 10, "1")
	},
	"EndedWakesWaiter": func(e *env) {
		q := e.fifo(delayed(10 * time.Minute))
		e.sendTo(q, "g", "1")
		done := e.poll(e.ctx, q, pollWait)
		e.setDelay(q, 0)
		e.wantWoken(done, pollBegins)
	},
	"SurvivesReopen": func(e *env) {
		e.needVirtual()
		q := e.fifo(delayed(time.Minute))
		e.sendTo(q, "g", "1")
		e.again(e.store.Reopen)
		q = e.s.Queue(q.Name())
		e.wantCounts(q, 0, 1, 0)
		e.setDelay(q, 2*time.Minute)
		e.again(e.store.Reopen)
		q = e.s.Queue(q.Name())
		e.sleep(119 * time.Second)
		e.none(q)
		e.sleep(2 * time.Second)
		e.wantReceived(q, 10, "1")
	},
}
