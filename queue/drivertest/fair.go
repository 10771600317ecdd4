package drivertest

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
)

// sendTenant sends n messages of a tenant to a standard queue, named tenant/0
// and so on; the tenant "" has no group.
func (e *env) sendTenant(q *queue.Queue, tenant string, n int) {
	e.Helper()
	for i := 0; i < n; {
		var out []queue.Outgoing
		for range min(100, n-i) {
			m := text(fmt.Sprint(tenant, "/", i))
			m.GroupID = tenant
			out = append(out, m)
			i++
		}
		e.sendOut(q, out...)
	}
}

// tenants receives one by one and returns whose the messages are, in runs:
// "a3 b2" for three of a and two of b.
func (e *env) tenants(q *queue.Queue, n int) string {
	e.Helper()
	var runs []string
	last, count := "", 0
	for _, m := range e.takeSingly(q, n) {
		tenant, _, _ := strings.Cut(m.Body, "/")
		if tenant != last && count > 0 {
			runs = append(runs, fmt.Sprint(last, count))
			count = 0
		}
		last = tenant
		count++
	}
	return strings.Join(append(runs, fmt.Sprint(last, count)), " ")
}

func (e *env) takeSingly(q *queue.Queue, n int) (all []queue.Message) {
	e.Helper()
	for range n {
		all = append(all, e.take(q))
	}
	return all
}

func (e *env) wantTenants(q *queue.Queue, n int, want string) {
	e.Helper()
	if got := e.tenants(q, n); got != want {
		e.Errorf("received %s, want %s", got, want)
	}
}

// A tenant is noisy that has at least 30 messages in flight and more than a
// tenth of all in flight: developer guide, how fair queues work. Others come
// first then; else the oldest does. Of the service's second measure, the share
// of processing time, the contract says nothing.
var fairTests = map[string]func(*env){
	"GroupIsKept": func(e *env) {
		q := e.queue()
		out := text("x")
		out.GroupID = "tenant"
		sent := e.sendOut(q, out)
		if m := e.take(q); m.GroupID != "tenant" || m.Sequence != "" || m.DedupID != "" || sent[0].Sequence != "" {
			e.Errorf("sent as %+v, received %+v", sent[0], m)
		}
	},
	// A tenant on a standard queue may have many in flight: groups block only in
	// FIFO queues.
	"GroupDoesNotBlock": func(e *env) {
		q := e.queue()
		e.sendTenant(q, "a", 3)
		e.takeN(q, 3)
	},
	"ThirtyInFlightComeLast": func(e *env) {
		e.needExact()
		q := e.queue()
		e.sendTenant(q, "a", 60)
		e.takeN(q, 29)
		e.sendTenant(q, "b", 3)
		e.sendTenant(q, "c", 2)
		e.wantTenants(q, 7, "a1 b3 c2 a1") // the 30th; then the others; then it again
		e.wantTenants(q, 29, "a29")
		e.none(q)
	},
	"TenthInFlightIsNotNoisy": func(e *env) {
		e.needExact()
		q := e.queue(func(a *queue.Attributes) { a.Visibility = 10 * time.Minute })
		// 30 of a are in flight, 30 of b, and 240 of others: a tenth each.
		e.sendTenant(q, "a", 30)
		e.takeN(q, 30)
		e.sendTenant(q, "b", 30)
		e.takeN(q, 30)
		for i := range 24 {
			e.sendTenant(q, fmt.Sprint("other", i), 10)
		}
		others := e.takeN(q, 240)
		e.sendTenant(q, "a", 1)
		e.sendTenant(q, "quiet", 1)
		m := e.takeN(q, 1)
		if m[0].Body != "a/0" {
			e.Fatalf("received %s, want a/0: a tenth of all is not more than a tenth", m[0].Body)
		}
		// One of the others deleted, a has 31 of 300, which is more.
		e.delete(q, others[0].Receipt)
		e.sendTenant(q, "a", 1)
		e.sendTenant(q, "late", 1)
		e.wantTenants(q, 3, "quiet1 late1 a1")
	},
	"NoisyOnesAreEqual": func(e *env) {
		e.needExact()
		q := e.queue()
		for _, tenant := range []string{"a", "b"} {
			e.sendTenant(q, tenant, 30)
			e.takeN(q, 30)
		}
		e.sendTenant(q, "b", 2)
		e.sendTenant(q, "a", 2)
		e.sendTenant(q, "c", 1)
		e.wantTenants(q, 1, "c1")
		seen := map[string]int{}
		for _, m := range e.takeSingly(q, 4) {
			seen[m.Body[:1]]++
		}
		if diff := cmp.Diff(map[string]int{"a": 2, "b": 2}, seen); diff != "" {
			e.Errorf("the noisy (-want +got):\n%s", diff)
		}
	},
	// Messages without a group are each a tenant by themselves.
	"WithoutGroupIsNotNoisy": func(e *env) {
		e.needExact()
		q := e.queue()
		e.sendTenant(q, "", 60)
		e.takeN(q, 40)
		e.sendTenant(q, "b", 1)
		e.wantTenants(q, 21, "20 b1")
	},
	"QuietAgainWhenDeleted":     func(e *env) { e.quietAgain(func(q *queue.Queue, m queue.Message) { e.delete(q, m.Receipt) }) },
	"QuietAgainWhenGivenBack":   func(e *env) { e.quietAgain(func(q *queue.Queue, m queue.Message) { e.giveBack(q, m) }) },
	"QuietAgainWhenVisible":     func(e *env) { e.quietAgain(nil) },
	"QuietAgainWhenQueuePurged": func(e *env) { e.quietAgain(func(q *queue.Queue, _ queue.Message) { e.purge(q) }) },
	"ReopenKeepsTheNoisy": func(e *env) {
		e.needExact()
		q := e.queue()
		e.sendTenant(q, "a", 40)
		e.takeN(q, 30)
		e.sendTenant(q, "b", 2)
		e.again(e.store.Reopen)
		q = e.s.Queue(q.Name())
		e.wantTenants(q, 12, "b2 a10")
	},
	// One receive of ten follows the same order.
	"InOneReceive": func(e *env) {
		e.needExact()
		q := e.queue()
		e.sendTenant(q, "a", 40)
		e.takeN(q, 30)
		e.sendTenant(q, "b", 3)
		m := e.receive(q, 10)
		if diff := cmp.Diff(append(numbered("b/", 3), "a/30", "a/31", "a/32", "a/33", "a/34", "a/35", "a/36"), bodies(m)); diff != "" {
			e.Errorf("received (-want +got):\n%s", diff)
		}
	},
	// Consumers for 40 at a time, a tenant that floods and one that sends
	// steadily: the quiet one gets a quarter, though all of the loud one's is
	// older, and the loud one goes on.
	"NobodyStarves": func(e *env) {
		e.needExact()
		q := e.queue(func(a *queue.Attributes) { a.Visibility = 10 * time.Minute })
		e.sendTenant(q, "loud", 200)
		inFlight := e.takeN(q, 40)
		loud := 0
		for i := range 100 {
			e.sendTenant(q, "quiet", 1)
			e.delete(q, inFlight[0].Receipt)
			m := e.take(q)
			inFlight = append(inFlight[1:], m)
			if strings.HasPrefix(m.Body, "loud") {
				loud++
			}
			if quiet := i + 1 - loud; quiet < i/4-1 {
				e.Fatalf("after %d receives the quiet tenant had %d", i+1, quiet)
			}
		}
		if loud < 25 {
			e.Errorf("the loud tenant had %d of 100", loud)
		}
	},
	// Dead letters are not held up by their tenant's noise for ever.
	"DeadLettersMove": func(e *env) {
		e.needExact()
		q, dead := e.pair(1)
		e.sendTenant(q, "a", 1)
		e.giveBack(q, e.take(q))
		e.sendTenant(q, "a", 35)
		e.sendTenant(q, "b", 1)
		e.takeN(q, 36)
		e.none(q)
		if m := e.take(dead); m.Body != "a/0" || m.GroupID != "a" {
			e.Errorf("dead letter is %q of %q", m.Body, m.GroupID)
		}
	},
}

// needExact skips what depends on the exact order of a standard queue.
func (e *env) needExact() {
	e.Helper()
	if e.h.Remote {
		e.Skip("order and detection are approximate")
	}
}

func (e *env) purge(q *queue.Queue) {
	e.Helper()
	if err := e.s.Purge(e.ctx, q.Name()); err != nil {
		e.Fatal(err)
	}
}

// quietAgain ends the flight of one of 30 messages of a tenant, by itself when
// end is nil; its others are then received in their turn.
func (e *env) quietAgain(end func(*queue.Queue, queue.Message)) {
	e.Helper()
	e.needExact()
	q := e.queue()
	e.sendTenant(q, "a", 29)
	e.takeN(q, 29)
	e.sendTenant(q, "a", 1)
	last := e.takeWith(q, queue.ReceiveOptions{Max: 1, Visibility: e.brief(), Wait: time.Second})
	if end != nil {
		end(q, last)
	} else {
		e.past()
	}
	e.sendTenant(q, "a", 1)
	e.sendTenant(q, "b", 1)
	got := map[string]int{}
	first := e.take(q)
	if first.Body[:1] != "a" {
		e.Errorf("received %s first, which is younger than what a has", first.Body)
	}
	for {
		m := e.receive(q, 1)
		if len(m) == 0 {
			break
		}
		got[m[0].Body[:1]]++
	}
	if got["b"] != 1 {
		e.Errorf("the others were %v", got)
	}
}
