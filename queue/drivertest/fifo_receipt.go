package drivertest

import (
	"errors"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
)

// wantDeleteErr deletes by one receipt, which must fail; nil: must not.
func (e *env) wantDeleteErr(q *queue.Queue, receipt string, want error) {
	e.Helper()
	errs, err := q.Delete(e.ctx, receipt)
	if err != nil {
		e.Fatal(err)
	}
	if !errors.Is(errs[0], want) {
		e.Errorf("delete: error is %v, want %v", errs[0], want)
	}
}

var fifoReceiptTests = map[string]func(*env){
	// "You can't delete a message of a FIFO queue after its visibility timeout":
	// the service answers that the receipt handle has expired.
	"ExpiresWithItsVisibility": func(e *env) {
		q := e.fifo(e.shortly)
		e.sendTo(q, "g", "x")
		old := e.take(q)
		e.past()
		e.wantDeleteErr(q, old.Receipt, queue.ErrReceiptExpired)
		e.wantCounts(q, 1, 0, 0)
		m := e.takeWith(q, queue.ReceiveOptions{Max: 1, Visibility: time.Minute, Wait: 2 * time.Second})
		e.wantDeleteErr(q, old.Receipt, queue.ErrReceiptExpired)
		e.wantCounts(q, 0, 0, 1)
		e.delete(q, m.Receipt)
		e.wantCounts(q, 0, 0, 0)
		e.delete(q, m.Receipt) // gone already
		e.delete(q, old.Receipt)
	},
	"GivenBackExpires": func(e *env) {
		q := e.fifo()
		e.sendTo(q, "g", "x")
		m := e.take(q)
		e.giveBack(q, m)
		e.wantDeleteErr(q, m.Receipt, queue.ErrReceiptExpired)
		e.wantReceived(q, 1, "x")
		e.wantDeleteErr(q, m.Receipt, queue.ErrReceiptExpired)
	},
	"ExtendedStaysGood": func(e *env) {
		q := e.fifo(e.shortly)
		e.sendTo(q, "g", "x", "y")
		m := e.take(q)
		if err := e.change(q, m.Receipt, 10*time.Minute); err != nil {
			e.Fatal(err)
		}
		e.past()
		e.none(q)
		e.delete(q, m.Receipt)
		e.wantReceived(q, 1, "y")
	},
	"BatchReportsEach": func(e *env) {
		q := e.fifo()
		e.sendTo(q, "g", "1", "2", "3")
		m := e.wantReceived(q, 10, "1", "2", "3")
		e.giveBack(q, m[1])
		errs, err := q.Delete(e.ctx, m[0].Receipt, m[1].Receipt, "not-a-receipt", m[2].Receipt)
		if err != nil {
			e.Fatal(err)
		}
		for i, want := range []error{nil, queue.ErrReceiptExpired, queue.ErrReceiptInvalid, nil} {
			if !errors.Is(errs[i], want) {
				e.Errorf("%d: error is %v, want %v", i, errs[i], want)
			}
		}
		e.wantReceived(q, 10, "2")
	},
	// Which of the two errors, nobody documents.
	"ChangeAfterItsVisibility": func(e *env) {
		q := e.fifo(e.shortly)
		e.sendTo(q, "g", "x")
		m := e.take(q)
		e.past()
		err := e.change(q, m.Receipt, time.Minute)
		if !errors.Is(err, queue.ErrNotInFlight) && !errors.Is(err, queue.ErrReceiptExpired) {
			e.Errorf("error is %v, want %v or %v", err, queue.ErrNotInFlight, queue.ErrReceiptExpired)
		}
		e.wantReceived(q, 1, "x")
	},
	"WaiterWokenByDelete": func(e *env) {
		q := e.fifo()
		e.sendTo(q, "g", "1", "2")
		m := e.take(q)
		done := e.poll(e.ctx, q, pollWait)
		e.delete(q, m.Receipt)
		if m := e.wantWoken(done, pollBegins); m.Body != "2" {
			e.Errorf("woken with %q, want 2", m.Body)
		}
	},
	"WaiterWokenByChangeToZero": func(e *env) {
		q := e.fifo()
		e.sendTo(q, "g", "1", "2")
		m := e.take(q)
		done := e.poll(e.ctx, q, pollWait)
		e.giveBack(q, m)
		if m := e.wantWoken(done, pollBegins); m.Body != "1" || m.Receives != 2 {
			e.Errorf("woken with %q for the %d. time, want 1 for the second", m.Body, m.Receives)
		}
	},
	"WaiterWokenByVisibilityEnding": func(e *env) {
		q := e.fifo(e.shortly)
		e.sendTo(q, "g", "1", "2")
		begun := time.Now()
		e.take(q)
		if m := e.wantWoken(e.poll(e.ctx, q, pollWait), e.brief()); m.Body != "1" {
			e.Errorf("woken with %q, want 1", m.Body)
		}
		e.wantElapsed(begun, e.brief())
	},
	// Many wait, one group: it goes to one of them, the next to another when the
	// first is deleted.
	"WaitersTakeTurns": func(e *env) {
		q := e.fifo()
		const n = 3
		got := make(chan outcome, n)
		for range n {
			go func() { got <- <-e.poll(e.ctx, q, pollWait) }()
		}
		e.sleep(400 * time.Millisecond)
		e.sendOut(q, inGroup("g", "0"), inGroup("g", "1"), inGroup("g", "2"))
		for i := range n {
			o := <-got
			if o.err != nil || len(o.m) != 1 || o.m[0].Body != numbered("", n)[i] {
				e.Fatalf("the %d. waiter got %v, error %v", i, bodies(o.m), o.err)
			}
			e.sleep(50 * time.Millisecond)
			select {
			case o := <-got:
				e.Fatalf("another waiter got %v while the group was in flight", bodies(o.m))
			default:
			}
			e.delete(q, o.m[0].Receipt)
		}
	},
}
