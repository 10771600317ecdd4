package drivertest

import (
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
)

var receiveTests = map[string]func(*env){
	"Empty": func(e *env) {
		q := e.queue()
		begun := time.Now()
		e.none(q)
		e.wantElapsed(begun, 0)
	},
	"Hides": func(e *env) {
		q := e.queue()
		e.send(q, "one")
		m := e.take(q)
		if m.Receipt == "" {
			e.Error("no receipt")
		}
		e.none(q)
		e.wantCounts(q, 0, 0, 1)
	},
	"Max": func(e *env) {
		q := e.queue()
		for i := range 12 {
			e.send(q, fmt.Sprint(i))
		}
		seen := map[string]bool{}
		for _, max := range []int{3, 10} {
			m, err := q.Receive(e.ctx, queue.ReceiveOptions{Max: max, Visibility: -1})
			if err != nil {
				e.Fatal(err)
			}
			want := min(max, 12-len(seen))
			if len(m) > max || !e.h.Remote && len(m) != want {
				e.Errorf("received %d, want %d", len(m), want)
			}
			for _, m := range m {
				if seen[m.Body] {
					e.Errorf("%q received twice", m.Body)
				}
				seen[m.Body] = true
			}
		}
	},
	"OldestFirst": func(e *env) {
		if e.h.Remote {
			e.Skip("order is approximate")
		}
		q := e.queue()
		var want []string
		for i := range 25 {
			want = append(want, fmt.Sprint("m", i))
		}
		e.send(q, want...)
		if diff := cmp.Diff(want, bodies(e.takeN(q, 25))); diff != "" {
			e.Errorf("order (-want +got):\n%s", diff)
		}
	},
	"CountAndFirstTime": func(e *env) {
		q := e.queue()
		e.send(q, "again")
		first := e.take(q)
		if err := e.change(q, first.Receipt, 0); err != nil {
			e.Fatal(err)
		}
		e.sleep(1100 * time.Millisecond)
		second := e.take(q)
		if first.Receives != 1 || second.Receives != 2 {
			e.Errorf("receives are %d, %d; want 1, 2", first.Receives, second.Receives)
		}
		if !first.FirstReceived.Equal(second.FirstReceived) {
			e.Errorf("first received at %v, then at %v", first.FirstReceived, second.FirstReceived)
		}
		if first.ID != second.ID || first.Receipt == second.Receipt {
			e.Errorf("ids %s, %s must be the same, receipts %s, %s must not", first.ID, second.ID, first.Receipt, second.Receipt)
		}
	},
	// Messages that keep coming back must not keep others from being received,
	// nor wait until all others are.
	"ComingBackTakesTurns": func(e *env) {
		if e.h.Remote {
			e.Skip("order is approximate")
		}
		q := e.queue()
		e.send(q, "comes back")
		for i := range 20 {
			e.send(q, fmt.Sprint(i))
		}
		came, others := 0, 0
		for range 12 {
			m := e.take(q)
			if m.Body != "comes back" {
				others++
				continue
			}
			came++
			if err := e.change(q, m.Receipt, 0); err != nil {
				e.Fatal(err)
			}
		}
		if came < 3 || others < 3 {
			e.Errorf("the one came %d times, others %d times: neither may starve", came, others)
		}
	},
	"CanceledContext": func(e *env) {
		q := e.queue()
		e.send(q, "x")
		ctx, cancel := contextWithCancel(e)
		cancel()
		if _, err := q.Receive(ctx, defaultReceive); err == nil {
			e.Error("receive with an ended context succeeded")
		}
		e.take(q)
	},
}
