package drivertest

import (
	"errors"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
)

var limitTests = map[string]func(*env){
	"InFlight": func(e *env) {
		e.needVirtual()
		const limit = 120_000
		q := e.queue(func(a *queue.Attributes) { a.Visibility = time.Minute })
		var out []queue.Outgoing
		for range 500 {
			out = append(out, text("x"))
		}
		for range limit/len(out) + 1 {
			if _, err := q.Send(e.ctx, out...); err != nil {
				e.Fatal(err)
			}
		}
		held := e.takeN(q, limit)
		_, err := q.Receive(e.ctx, defaultReceive)
		e.wantErr(err, queue.ErrOverLimit)
		// One that waits is told nothing, and served as soon as there is room.
		done := e.poll(e.ctx, q, pollWait)
		e.delete(q, held[0].Receipt)
		e.wantWoken(done, pollBegins)
		e.sleep(time.Minute)
		e.take(q)
	},
	// Checks made before the driver hold whatever the driver.
	"Arguments": func(e *env) {
		q := e.queue()
		_, emptyBody := q.Send(e.ctx, text(""))
		_, control := q.Send(e.ctx, text("\x00"))
		_, twice := q.Send(e.ctx, text(string(make([]byte, 1<<20))), text("x"))
		_, max := q.Receive(e.ctx, queue.ReceiveOptions{Max: 11})
		_, wait := q.Receive(e.ctx, queue.ReceiveOptions{Max: 1, Wait: 21 * time.Second})
		for what, err := range map[string]error{
			"empty body": emptyBody, "control character": control, "2 MiB": twice, "max 11": max, "wait 21 s": wait,
			"name": e.s.CreateQueue(e.ctx, "no spaces", e.attributes(), nil),
		} {
			var wrong *queue.InvalidError
			if !errors.As(err, &wrong) {
				e.Errorf("%s: error is %v, want an InvalidError", what, err)
			}
		}
	},
}
