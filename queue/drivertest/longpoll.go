package drivertest

import (
	"context"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
)

func contextWithCancel(e *env) (context.Context, context.CancelFunc) {
	return context.WithCancel(e.ctx)
}

// outcome of a receive that waits in another goroutine.
type outcome struct {
	m    []queue.Message
	err  error
	took time.Duration
}

// poll starts a receive that waits and gives it time to begin waiting.
func (e *env) poll(ctx context.Context, q *queue.Queue, wait time.Duration) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		begun := time.Now()
		m, err := q.Receive(ctx, queue.ReceiveOptions{Max: 1, Visibility: -1, Wait: wait})
		done <- outcome{m, err, time.Since(begun)}
	}()
	e.sleep(pollBegins)
	return done
}

// Of a receive that waits in a test.
const (
	pollWait   = 20 * time.Second       // until when: what wakes it comes sooner, by more than a busy machine is late
	pollBegins = 300 * time.Millisecond // a test goes on that long after its begin
)

// wantWoken checks that a poll ended with one message after about so long. What
// a test does before and after the poll's begin takes its time on the clock, so
// that there wantElapsed checks that it was not too soon.
func (e *env) wantWoken(done <-chan outcome, after time.Duration) queue.Message {
	e.Helper()
	o := <-done
	if o.err != nil || len(o.m) != 1 {
		e.Fatalf("woken with %d messages, error %v; want one message", len(o.m), o.err)
	}
	if e.h.Virtual && o.took < after-e.early() || o.took > after+e.slack() {
		e.Errorf("woken after %v, want %v", o.took, after)
	}
	return o.m[0]
}

var longPollTests = map[string]func(*env){
	"ReturnsAtOnce": func(e *env) {
		q := e.queue()
		e.send(q, "there")
		begun := time.Now()
		e.takeWith(q, queue.ReceiveOptions{Max: 10, Visibility: -1, Wait: 20 * time.Second})
		e.wantElapsed(begun, 0)
	},
	"WaitOver": func(e *env) {
		q := e.queue()
		begun := time.Now()
		m, err := q.Receive(e.ctx, queue.ReceiveOptions{Max: 1, Visibility: -1, Wait: time.Second})
		if m != nil || err != nil {
			e.Errorf("got %v, %v; want nil, nil", m, err)
		}
		e.wantElapsed(begun, time.Second)
	},
	"WaitOfQueue": func(e *env) {
		q := e.queue(func(a *queue.Attributes) { a.ReceiveWait = time.Second })
		begun := time.Now()
		if _, err := q.Receive(e.ctx, queue.ReceiveOptions{Max: 1, Visibility: -1, Wait: -1}); err != nil {
			e.Fatal(err)
		}
		e.wantElapsed(begun, time.Second)
	},
	"WokenBySend": func(e *env) {
		q := e.queue()
		done := e.poll(e.ctx, q, pollWait)
		e.send(q, "hello")
		e.wantWoken(done, pollBegins)
	},
	"WokenByDelayEnding": func(e *env) {
		q := e.queue()
		begun := time.Now()
		if _, err := q.Send(e.ctx, queue.Outgoing{Body: "later", Delay: e.brief()}); err != nil {
			e.Fatal(err)
		}
		e.wantWoken(e.poll(e.ctx, q, pollWait), e.brief())
		e.wantElapsed(begun, e.brief())
	},
	"WokenByVisibilityEnding": func(e *env) {
		q := e.queue(e.shortly)
		e.send(q, "again")
		begun := time.Now()
		e.take(q)
		if m := e.wantWoken(e.poll(e.ctx, q, pollWait), e.brief()); m.Receives != 2 {
			e.Errorf("receives is %d, want 2", m.Receives)
		}
		e.wantElapsed(begun, e.brief())
	},
	"WokenByChangeToZero": func(e *env) {
		q := e.queue()
		e.send(q, "given back")
		m := e.take(q)
		done := e.poll(e.ctx, q, pollWait)
		if err := e.change(q, m.Receipt, 0); err != nil {
			e.Fatal(err)
		}
		e.wantWoken(done, pollBegins)
	},
	"WokenByChangeToSooner": func(e *env) {
		q := e.queue()
		e.send(q, "sooner")
		m := e.take(q)
		done := e.poll(e.ctx, q, pollWait)
		begun := time.Now()
		if err := e.change(q, m.Receipt, e.brief()); err != nil {
			e.Fatal(err)
		}
		e.wantWoken(done, pollBegins+e.brief())
		e.wantElapsed(begun, e.brief())
	},
	"EachOfManyIsWoken": func(e *env) {
		q := e.queue()
		const n = 8
		var polls []<-chan outcome
		for range n {
			polls = append(polls, e.poll(e.ctx, q, pollWait))
		}
		var out []queue.Outgoing
		for range n {
			out = append(out, text("x"))
		}
		if _, err := q.Send(e.ctx, out...); err != nil {
			e.Fatal(err)
		}
		for _, p := range polls {
			if o := <-p; o.err != nil || len(o.m) != 1 {
				e.Errorf("woken with %d messages, error %v", len(o.m), o.err)
			}
		}
	},
	// A waiter that goes away must not take a wake-up with it.
	"CanceledWaiterPassesOn": func(e *env) {
		q := e.queue()
		ctx, cancel := contextWithCancel(e)
		gone := e.poll(ctx, q, pollWait)
		stays := e.poll(e.ctx, q, pollWait)
		var wg sync.WaitGroup
		wg.Go(cancel)
		wg.Go(func() { e.send(q, "for whoever is there") })
		wg.Wait()
		if o := <-gone; len(o.m) == 0 {
			if o := <-stays; len(o.m) != 1 {
				e.Errorf("nobody got the message: %v", o.err)
			}
			return
		}
		e.send(q, "for the other")
		<-stays
	},
	"CanceledContextEndsWaiting": func(e *env) {
		q := e.queue()
		ctx, cancel := contextWithCancel(e)
		done := e.poll(ctx, q, pollWait)
		cancel()
		if o := <-done; o.err == nil || len(o.m) != 0 || o.took > pollBegins+e.slack() {
			e.Errorf("ended with %d messages, error %v after %v", len(o.m), o.err, o.took)
		}
	},
	"CloseEndsWaiting": func(e *env) {
		if e.store.Reopen == nil {
			e.Skip("closing this driver does not close the service")
		}
		q := e.queue()
		done := e.poll(e.ctx, q, pollWait)
		if err := e.s.Close(); err != nil {
			e.Fatal(err)
		}
		o := <-done
		e.wantErr(o.err, queue.ErrClosed)
		_, err := q.Send(e.ctx, text("x"))
		e.wantErr(err, queue.ErrClosed)
	},
	"DeletedQueueEndsWaiting": func(e *env) {
		if e.h.Remote {
			e.Skip("the service lets it wait")
		}
		q := e.queue()
		done := e.poll(e.ctx, q, pollWait)
		if err := e.s.DeleteQueue(e.ctx, q.Name()); err != nil {
			e.Fatal(err)
		}
		o := <-done
		e.wantErr(o.err, queue.ErrQueueNotFound)
	},
}
