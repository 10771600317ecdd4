package drivertest

import (
	"errors"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

func (e *env) needReplacer() {
	e.Helper()
	e.needBrowser()
	if _, ok := e.store.Service.(driver.Replacer); !ok {
		e.Skip("the driver has no message begin before its time")
	}
}

// browsed is what the queue shows of the message with that body.
func (e *env) browsed(q *queue.Queue, body string) queue.Browsed {
	e.Helper()
	all, err := e.s.Browse(e.ctx, q.Name(), "", 100)
	if err != nil {
		e.Fatal(err)
	}
	for _, b := range all {
		if b.Body == body {
			return b
		}
	}
	e.Fatalf("%q is not there", body)
	return queue.Browsed{}
}

// replaced tries to put a message with another body in the place of one.
func (e *env) replaced(q *queue.Queue, old queue.Browsed, body string, want error) {
	e.Helper()
	if _, err := e.s.Replace(e.ctx, q.Name(), old, queue.Outgoing{Body: body, Delay: time.Hour}); !errors.Is(err, want) {
		e.Errorf("replace %q: %v, want %v", old.Body, err, want)
	}
}

var replaceTests = map[string]func(*env){
	"Delayed": func(e *env) {
		e.needReplacer()
		q := e.queue()
		if _, err := q.Send(e.ctx, queue.Outgoing{Body: "later", Delay: 15 * time.Minute}); err != nil {
			e.Fatal(err)
		}
		old := e.browsed(q, "later")
		if !old.Waits {
			e.Errorf("a delayed message does not wait: %+v", old)
		}
		m := queue.Outgoing{Body: "now", Attributes: map[string]queue.Attribute{"a": {DataType: "String", String: "b"}}}
		sent, err := e.s.Replace(e.ctx, q.Name(), old, m)
		if err != nil {
			e.Fatal(err)
		}
		e.wantCounts(q, 1, 0, 0)
		got := e.take(q)
		if got.Body != "now" || got.ID != sent.ID || got.ID == old.ID || got.Receives != 1 || !cmp.Equal(got.Attributes, m.Attributes) {
			e.Errorf("received %+v, which was sent as %+v for %s", got, sent, old.ID)
		}
		e.replaced(q, old, "again", queue.ErrMessageNotFound)
		e.delete(q, got.Receipt)
		e.wantCounts(q, 0, 0, 0)
	},
	"GivenBack": func(e *env) {
		e.needReplacer()
		q := e.queue()
		e.send(q, "m")
		m := e.take(q)
		e.replaced(q, e.browsed(q, "m"), "x", queue.ErrNotWaiting) // it is being worked on
		give := func(back bool) {
			e.Helper()
			errs, err := q.ChangeVisibility(e.ctx, queue.VisibilityChange{Receipt: m.Receipt, Visibility: time.Hour, GivenBack: back})
			if err != nil || errs[0] != nil {
				e.Fatal(err, errs)
			}
		}
		give(true)
		if b := e.browsed(q, "m"); !b.Waits || b.State != queue.StateInFlight || b.Receives != 1 {
			e.Errorf("given back: %+v", b)
		}
		give(false) // a heartbeat: it is being worked on after all
		e.replaced(q, e.browsed(q, "m"), "x", queue.ErrNotWaiting)
		give(true)
		old := e.browsed(q, "m")
		stale := old
		stale.Receives--
		e.replaced(q, stale, "x", queue.ErrNotWaiting) // it was received since it was looked at
		e.replaced(q, old, "again", nil)
		if errs, err := q.Delete(e.ctx, m.Receipt); err != nil || errs[0] != nil { // it takes nothing
			e.Error(err, errs)
		}
		got := e.take(q)
		if got.Body != "again" || got.Receives != 1 {
			e.Errorf("received %+v", got)
		}
		e.wantCounts(q, 0, 0, 1)
	},
	"Visible": func(e *env) {
		e.needReplacer()
		q := e.queue()
		e.send(q, "m")
		e.replaced(q, e.browsed(q, "m"), "x", queue.ErrNotWaiting)
		e.replaced(q, queue.Browsed{Message: queue.Message{ID: "x"}}, "x", queue.ErrMessageNotFound)
		e.wantCounts(q, 1, 0, 0)
	},
	"OlderReceipt": func(e *env) { // who lost its message cannot say that nobody has it
		e.needReplacer()
		q := e.queue()
		e.send(q, "m")
		first := e.take(q)
		if _, err := q.ChangeVisibility(e.ctx, queue.VisibilityChange{Receipt: first.Receipt}); err != nil {
			e.Fatal(err)
		}
		e.take(q)
		if _, err := q.ChangeVisibility(e.ctx, queue.VisibilityChange{Receipt: first.Receipt, Visibility: time.Hour, GivenBack: true}); err != nil {
			e.Fatal(err)
		}
		e.replaced(q, e.browsed(q, "m"), "x", queue.ErrNotWaiting)
	},
	"Wakes": func(e *env) { // who waits for a message gets it
		e.needReplacer()
		q := e.queue()
		if _, err := q.Send(e.ctx, queue.Outgoing{Body: "later", Delay: 15 * time.Minute}); err != nil {
			e.Fatal(err)
		}
		got := make(chan string, 1)
		go func() {
			body := "nothing"
			if m, err := q.Receive(e.ctx, queue.ReceiveOptions{Max: 1, Visibility: -1, Wait: 20 * time.Second}); err == nil && len(m) == 1 {
				body = m[0].Body
			}
			got <- body
		}()
		e.replaced(q, e.browsed(q, "later"), "now", nil)
		if body := <-got; body != "now" {
			e.Errorf("received %s", body)
		}
	},
	"FIFO": func(e *env) {
		e.needReplacer()
		q := e.fifo(func(a *queue.Attributes) { a.Delay = time.Minute })
		if _, err := q.Send(e.ctx, queue.Outgoing{Body: "m", Delay: -1, GroupID: "g", DedupID: "d"}); err != nil {
			e.Fatal(err)
		}
		old := e.browsed(q, "m")
		if old.Waits {
			e.Error("a message of a FIFO queue waits for its time alone")
		}
		if _, err := e.s.Replace(e.ctx, q.Name(), old, queue.Outgoing{Body: "x", GroupID: "g", DedupID: "e"}); !errors.Is(err, queue.ErrUnsupported) {
			e.Error(err)
		}
	},
}
