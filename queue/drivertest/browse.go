package drivertest

import (
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

func (e *env) needBrowser() {
	e.Helper()
	if _, ok := e.store.Service.(driver.Browser); !ok {
		e.Skip("the driver cannot browse")
	}
}

var browseTests = map[string]func(*env){
	"StatesAndOrder": func(e *env) {
		e.needBrowser()
		q := e.queue()
		e.send(q, "in flight", "visible")
		if _, err := q.Send(e.ctx, queue.Outgoing{Body: "delayed", Delay: 15 * time.Minute}); err != nil {
			e.Fatal(err)
		}
		held := e.take(q)
		got, err := e.s.Browse(e.ctx, q.Name(), "", 10)
		if err != nil {
			e.Fatal(err)
		}
		type row struct {
			Body     string
			State    queue.State
			Receives int
		}
		var rows []row
		for _, b := range got {
			rows = append(rows, row{b.Body, b.State, b.Receives})
			if b.Receipt != "" {
				e.Errorf("%s has a receipt", b.Body)
			}
			if hidden := b.State != queue.StateVisible; hidden != b.VisibleAt.After(time.Now()) {
				e.Errorf("%s is visible at %v", b.Body, b.VisibleAt)
			}
		}
		want := []row{{"in flight", queue.StateInFlight, 1}, {"visible", queue.StateVisible, 0}, {"delayed", queue.StateDelayed, 0}}
		if diff := cmp.Diff(want, rows); diff != "" {
			e.Errorf("browsed (-want +got):\n%s", diff)
		}
		e.delete(q, held.Receipt) // browsing has not received it
	},
	"Pages": func(e *env) {
		e.needBrowser()
		q := e.queue()
		var want, got []string
		for i := range 7 {
			want = append(want, fmt.Sprint(i))
		}
		e.send(q, want...)
		for after := ""; ; {
			page, err := e.s.Browse(e.ctx, q.Name(), after, 3)
			if err != nil {
				e.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, b := range page {
				got = append(got, b.Body)
				after = b.ID
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			e.Errorf("pages (-want +got):\n%s", diff)
		}
	},
	"DeleteID": func(e *env) {
		e.needBrowser()
		q := e.queue()
		ids := e.send(q, "visible", "in flight")
		e.take(q)
		for _, id := range ids {
			for _, want := range []bool{true, false} {
				if ok, err := e.s.DeleteID(e.ctx, q.Name(), id); ok != want || err != nil {
					e.Errorf("delete %s: %v, %v; want %v", id, ok, err, want)
				}
			}
		}
		for _, id := range []string{"", "x", "00000000-0000-7000-8000-000000000000"} {
			if ok, err := e.s.DeleteID(e.ctx, q.Name(), id); ok || err != nil {
				e.Errorf("delete %q: %v, %v; want false", id, ok, err)
			}
		}
		e.wantCounts(q, 0, 0, 0)
	},
}
