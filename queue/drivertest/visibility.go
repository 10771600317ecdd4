package drivertest

import (
	"time"

	"github.com/dayfly-dev/dayfly/queue"
)

var visibilityTests = map[string]func(*env){
	"Ends": func(e *env) {
		q := e.queue()
		e.send(q, "again")
		begun := time.Now()
		m := e.takeWith(q, queue.ReceiveOptions{Max: 1, Visibility: e.brief(), Wait: time.Second})
		e.none(q)
		again := e.takeWith(q, queue.ReceiveOptions{Max: 1, Visibility: -1, Wait: 20 * time.Second})
		e.wantElapsed(begun, e.brief())
		if again.ID != m.ID {
			e.Errorf("received %s, want %s", again.ID, m.ID)
		}
	},
	"ZeroOnReceive": func(e *env) {
		q := e.queue()
		e.send(q, "peeked")
		o := queue.ReceiveOptions{Max: 1, Visibility: 0, Wait: time.Second}
		if a, b := e.takeWith(q, o), e.takeWith(q, o); a.ID != b.ID || b.Receives != 2 {
			e.Errorf("ids %s, %s, receives %d", a.ID, b.ID, b.Receives)
		}
	},
	"Extended": func(e *env) {
		q := e.queue(e.shortly)
		e.send(q, "long work")
		m := e.take(q)
		if err := e.change(q, m.Receipt, 10*time.Minute); err != nil {
			e.Fatal(err)
		}
		e.past()
		e.none(q)
		e.delete(q, m.Receipt)
	},
	"Deleted": func(e *env) {
		q := e.queue()
		e.send(q, "x")
		m := e.take(q)
		e.delete(q, m.Receipt)
		e.wantErr(e.change(q, m.Receipt, time.Minute), queue.ErrNotInFlight)
	},
	// SQS takes a receipt of a standard queue as long as the message is there:
	// recorded of it in 2024, LocalStack's parity tests.
	"AfterItEnded": func(e *env) {
		q := e.queue(e.shortly)
		e.send(q, "slow work")
		m := e.take(q)
		e.past()
		if err := e.change(q, m.Receipt, time.Minute); err != nil {
			e.Fatal(err)
		}
		e.wantCounts(q, 0, 0, 1)
		e.none(q)
		if err := e.change(q, m.Receipt, 0); err != nil {
			e.Fatal(err)
		}
		e.delete(q, e.take(q).Receipt)
		e.wantCounts(q, 0, 0, 0)
	},
	"OlderReceipt": func(e *env) {
		q := e.queue()
		e.send(q, "x")
		old := e.take(q)
		if err := e.change(q, old.Receipt, 0); err != nil {
			e.Fatal(err)
		}
		m := e.take(q)
		if err := e.change(q, old.Receipt, 0); err != nil {
			e.Fatal(err)
		}
		if again := e.take(q); again.ID != m.ID || again.Receives != 3 {
			e.Errorf("received %s for the %d. time, want %s for the third", again.ID, again.Receives, m.ID)
		}
	},
	"InvalidReceipt": func(e *env) {
		q := e.queue()
		e.wantErr(e.change(q, "not-a-receipt", time.Second), queue.ErrReceiptInvalid)
	},
	"BatchReportsEach": func(e *env) {
		q := e.queue()
		e.send(q, "x")
		m := e.take(q)
		errs, err := q.ChangeVisibility(e.ctx,
			queue.VisibilityChange{Receipt: "not-a-receipt"},
			queue.VisibilityChange{Receipt: m.Receipt})
		if err != nil {
			e.Fatal(err)
		}
		e.wantErr(errs[0], queue.ErrReceiptInvalid)
		if errs[1] != nil {
			e.Error(errs[1])
		}
		e.take(q)
	},
	"TwelveHours": func(e *env) {
		e.needVirtual()
		q := e.queue(func(a *queue.Attributes) { a.Retention = 14 * 24 * time.Hour })
		e.send(q, "x")
		m := e.take(q)
		if err := e.change(q, m.Receipt, 12*time.Hour); err != nil {
			e.Fatal(err)
		}
		e.sleep(12*time.Hour - time.Second)
		e.none(q)
		e.sleep(time.Second + time.Millisecond)
		e.take(q)
	},
}
