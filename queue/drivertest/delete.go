package drivertest

import (
	"time"

	"github.com/dayfly-dev/dayfly/queue"
)

var deleteTests = map[string]func(*env){
	"Deletes": func(e *env) {
		q := e.queue()
		e.send(q, "x")
		e.delete(q, e.takeWith(q, queue.ReceiveOptions{Max: 1, Visibility: e.brief(), Wait: time.Second}).Receipt)
		e.wantCounts(q, 0, 0, 0)
		e.past()
		e.none(q)
	},
	"TwiceSucceeds": func(e *env) {
		q := e.queue()
		e.send(q, "x")
		m := e.take(q)
		e.delete(q, m.Receipt)
		e.delete(q, m.Receipt)
	},
	// "You must provide the most recently received ReceiptHandle for the message
	// (otherwise, the request succeeds, but the message will not be deleted)":
	// API reference of DeleteMessage.
	"StaleReceiptSucceedsAndDeletesNothing": func(e *env) {
		if e.h.Remote {
			e.Skip("the service promises neither")
		}
		q := e.queue()
		e.send(q, "x")
		old := e.take(q)
		if err := e.change(q, old.Receipt, 0); err != nil {
			e.Fatal(err)
		}
		m := e.take(q)
		e.delete(q, old.Receipt)
		e.wantCounts(q, 0, 0, 1)
		e.delete(q, m.Receipt)
		e.wantCounts(q, 0, 0, 0)
	},
	"AfterVisibilityEnded": func(e *env) {
		q := e.queue()
		e.send(q, "slow work")
		m := e.takeWith(q, queue.ReceiveOptions{Max: 1, Visibility: e.brief(), Wait: time.Second})
		e.past()
		e.delete(q, m.Receipt)
		e.none(q)
		e.wantCounts(q, 0, 0, 0)
	},
	"InvalidReceipt": func(e *env) {
		q := e.queue()
		e.send(q, "x")
		m := e.take(q)
		flipped := []byte(m.Receipt)
		flipped[len(flipped)/2] ^= 1
		wrong := []string{"x", "AQEB", m.Receipt + "A", m.Receipt[1:]}
		if !e.h.Remote {
			wrong = append(wrong, string(flipped))
		}
		for _, receipt := range wrong {
			errs, err := q.Delete(e.ctx, receipt)
			if err != nil {
				e.Fatal(err)
			}
			e.wantErr(errs[0], queue.ErrReceiptInvalid)
		}
		e.delete(q, m.Receipt)
	},
	"ReceiptOfAnotherQueue": func(e *env) {
		if e.h.Remote {
			e.Skip("not documented")
		}
		a, b := e.queue(), e.queue()
		e.send(a, "x")
		m := e.take(a)
		errs, err := b.Delete(e.ctx, m.Receipt)
		if err != nil {
			e.Fatal(err)
		}
		e.wantErr(errs[0], queue.ErrReceiptInvalid)
		e.wantCounts(a, 0, 0, 1)
	},
	"BatchReportsEach": func(e *env) {
		q := e.queue()
		e.send(q, "a", "b")
		m := e.takeN(q, 2)
		errs, err := q.Delete(e.ctx, m[0].Receipt, "not-a-receipt", m[1].Receipt)
		if err != nil {
			e.Fatal(err)
		}
		if len(errs) != 3 || errs[0] != nil || errs[2] != nil {
			e.Errorf("errors are %v, want only the second", errs)
		}
		e.wantErr(errs[1], queue.ErrReceiptInvalid)
		e.wantCounts(q, 0, 0, 0)
	},
}
