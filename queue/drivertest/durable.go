package drivertest

import (
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// again opens the store again by one of its ways.
func (e *env) again(open func() (driver.Service, error)) {
	e.Helper()
	if open == nil {
		e.Skip("the driver has no such thing")
	}
	d, err := open()
	if err != nil {
		e.Fatal(err)
	}
	e.store.Service, e.s = d, queue.New(d)
}

var durableTests = map[string]func(*env){
	"ReopenKeepsEverything": func(e *env) {
		dead := e.queue()
		q := e.queue(func(a *queue.Attributes) {
			a.DeadLetter = &queue.DeadLetter{Queue: dead.Name(), MaxReceives: 1}
			a.Extra = map[string]string{"RedriveAllowPolicy": `{"redrivePermission":"denyAll"}`}
		})
		if err := e.s.SetTags(e.ctx, q.Name(), map[string]string{"k": "v"}); err != nil {
			e.Fatal(err)
		}
		e.send(q, "poison")
		poison := e.fail(q)
		e.none(q)
		e.send(q, "in flight")
		held := e.take(q)
		e.send(q, "deleted")
		e.delete(q, e.take(q).Receipt)
		ids := e.send(q, "visible")
		if _, err := q.Send(e.ctx, queue.Outgoing{Body: "delayed", Delay: 15 * time.Minute}); err != nil {
			e.Fatal(err)
		}
		before, err := q.Describe(e.ctx)
		if err != nil {
			e.Fatal(err)
		}
		for range 2 {
			e.again(e.store.Reopen)
			q, dead = e.s.Queue(q.Name()), e.s.Queue(dead.Name())
			after, err := q.Describe(e.ctx)
			if err != nil {
				e.Fatal(err)
			}
			if diff := cmp.Diff(before, after, cmpopts.IgnoreFields(queue.Description{}, "OldestAge")); diff != "" {
				e.Errorf("description (-before +after):\n%s", diff)
			}
		}
		e.delete(q, held.Receipt)
		if m := e.take(q); m.ID != ids[0] {
			e.Errorf("received %q, want the visible one", m.Body)
		}
		m := e.take(dead)
		if m.ID != poison.ID || m.Source != q.Name() || m.Receives != 2 {
			e.Errorf("dead letter is %+v", m)
		}
		e.wantCounts(q, 0, 1, 1)
	},
	"ReopenKeepsQueuesGone": func(e *env) {
		a, b := e.queue(), e.queue()
		e.send(a, "x")
		e.send(b, "x")
		if err := e.s.DeleteQueue(e.ctx, a.Name()); err != nil {
			e.Fatal(err)
		}
		if err := e.s.Purge(e.ctx, b.Name()); err != nil {
			e.Fatal(err)
		}
		e.again(e.store.Reopen)
		_, err := e.s.Describe(e.ctx, a.Name())
		e.wantErr(err, queue.ErrQueueNotFound)
		e.none(e.s.Queue(b.Name()))
		e.wantErr(e.s.Purge(e.ctx, b.Name()), queue.ErrPurgeInProgress)
	},
	"CrashKeepsAcknowledged": func(e *env) {
		q := e.queue()
		kept := map[string]bool{}
		for i := range 50 {
			body := fmt.Sprint("message ", i)
			e.send(q, body)
			if i%3 == 0 {
				m := e.take(q)
				e.delete(q, m.Receipt)
				delete(kept, m.Body)
				if m.Body != body {
					kept[body] = true
				}
				continue
			}
			kept[body] = true
		}
		e.again(e.store.Crash)
		q = e.s.Queue(q.Name())
		got := map[string]bool{}
		for _, m := range e.takeN(q, len(kept)) {
			got[m.Body] = true
		}
		if diff := cmp.Diff(kept, got); diff != "" {
			e.Errorf("after the crash (-want +got):\n%s", diff)
		}
		e.none(q)
	},
	"CrashKeepsVisibilityChanges": func(e *env) {
		e.needVirtual()
		q := e.queue()
		e.send(q, "kept", "given back")
		for _, m := range e.takeN(q, 2) {
			d := time.Duration(0)
			if m.Body == "kept" {
				d = 10 * time.Minute
			}
			if err := e.change(q, m.Receipt, d); err != nil {
				e.Fatal(err)
			}
		}
		e.again(e.store.Crash)
		q = e.s.Queue(q.Name())
		e.wantCounts(q, 1, 0, 1)
		e.sleep(10*time.Minute - time.Second)
		e.wantCounts(q, 1, 0, 1)
		e.sleep(time.Second + time.Millisecond)
		e.wantCounts(q, 2, 0, 0)
	},
	// The record of a receive may be lost with the machine. The receipt must
	// then still delete: nobody received the message since.
	"CrashKeepsReceiptsGood": func(e *env) {
		q := e.queue()
		e.send(q, "x")
		m := e.take(q)
		e.again(e.store.Crash)
		q = e.s.Queue(q.Name())
		e.delete(q, m.Receipt)
		e.wantCounts(q, 0, 0, 0)
		e.send(q, "y")
		old := e.takeWith(q, queue.ReceiveOptions{Max: 1, Visibility: 2 * time.Second, Wait: time.Second})
		e.again(e.store.Crash)
		q = e.s.Queue(q.Name())
		// Its visibility may have been lost, or is yet to end.
		o := queue.ReceiveOptions{Max: 1, Visibility: time.Minute, Wait: 5 * time.Second}
		held := e.takeWith(q, o)
		e.delete(q, old.Receipt)
		e.wantCounts(q, 0, 0, 1)
		e.delete(q, held.Receipt)
		e.wantCounts(q, 0, 0, 0)
	},
}
