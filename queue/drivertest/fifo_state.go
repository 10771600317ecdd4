package drivertest

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
)

var fifoStateTests = map[string]func(*env){
	"Purge": func(e *env) {
		q := e.fifo()
		e.sendTo(q, "g", "held", "blocked")
		e.wantReceived(q, 1, "held")
		if err := e.s.Purge(e.ctx, q.Name()); err != nil {
			e.Fatal(err)
		}
		e.wantCounts(q, 0, 0, 0)
		e.none(q)
		e.sendTo(q, "g", "new") // its group is free
		e.wantReceived(q, 10, "new")
	},
	"RetentionFreesTheGroup": func(e *env) {
		e.needVirtual()
		q := e.fifo(func(a *queue.Attributes) { a.Retention, a.Visibility = 10*time.Minute, 12*time.Hour })
		e.sendTo(q, "g", "held")
		e.wantReceived(q, 10, "held")
		e.sleep(6 * time.Minute)
		e.sendTo(q, "g", "next")
		e.sleep(7 * time.Minute)
		e.wantReceived(q, 10, "next")
		e.sleep(6 * time.Minute)
		e.wantCounts(q, 0, 0, 0)
	},
	"QueueDeletedWhileHeld": func(e *env) {
		q := e.fifo()
		e.sendTo(q, "g", "x")
		m := e.take(q)
		if err := e.s.DeleteQueue(e.ctx, q.Name()); err != nil {
			e.Fatal(err)
		}
		_, err := q.Delete(e.ctx, m.Receipt)
		e.wantErr(err, queue.ErrQueueNotFound)
	},
	"Browse": func(e *env) {
		q := e.fifo()
		e.needBrowser()
		sent := e.sendTo(q, "g", "held", "blocked")
		e.take(q)
		got, err := e.s.Browse(e.ctx, q.Name(), "", 10)
		if err != nil {
			e.Fatal(err)
		}
		if len(got) != 2 {
			e.Fatalf("browsed %d messages, want 2", len(got))
		}
		for i, want := range []queue.State{queue.StateInFlight, queue.StateVisible} {
			if b := got[i]; b.State != want || b.GroupID != "g" || b.DedupID == "" || b.Sequence != sent[i].Sequence || b.ID != sent[i].ID {
				e.Errorf("browsed %+v, sent as %+v", b, sent[i])
			}
		}
		if ok, err := e.s.DeleteID(e.ctx, q.Name(), sent[0].ID); !ok || err != nil {
			e.Fatalf("delete: %v, %v", ok, err)
		}
		e.wantReceived(q, 10, "blocked")
	},
	// However many of one group wait, the others are found behind them. (SQS
	// looks no further than 120,000 messages.)
	"BacklogOfAHeldGroup": func(e *env) {
		q := e.fifo()
		n := 3000
		if !e.h.Virtual {
			n = e.much(200, 100)
		}
		for i := 0; i < n; i += 100 {
			var out []queue.Outgoing
			for j := range 100 {
				out = append(out, inGroup("g", fmt.Sprint(i+j)))
			}
			e.sendOut(q, out...)
		}
		e.wantReceived(q, 1, "0")
		e.sendTo(q, "h", "other")
		e.wantReceived(q, 10, "other")
		e.none(q)
	},
	// A FIFO queue says nothing of its limit; it has nothing to hand out.
	"NoOverLimit": func(e *env) {
		e.needVirtual()
		const limit = 120_000
		q := e.fifo(func(a *queue.Attributes) { a.Visibility = time.Minute })
		var last string
		for i := 0; i <= limit; {
			var out []queue.Outgoing
			for range min(500, limit+1-i) {
				last = fmt.Sprint("g", i)
				out = append(out, inGroup(last, "x"))
				i++
			}
			e.sendOut(q, out...)
		}
		held := e.takeN(q, limit)
		e.none(q)
		m, err := q.Receive(e.ctx, queue.ReceiveOptions{Max: 1, Visibility: -1, Wait: time.Second})
		if len(m) != 0 || err != nil {
			e.Fatalf("received %d messages, %v; want none", len(m), err)
		}
		done := e.poll(e.ctx, q, pollWait)
		e.delete(q, held[0].Receipt)
		if m := e.wantWoken(done, pollBegins); m.GroupID != last {
			e.Errorf("woken with a message of %s, want %s", m.GroupID, last)
		}
	},
	// Producers and consumers of a few groups: each message once, in order, and
	// a group with one consumer at a time.
	"Concurrent": func(e *env) {
		const groups, each, consumers = 4, 60, 6
		q := e.fifo(func(a *queue.Attributes) { a.Visibility = 10 * time.Minute })
		var producing, consuming sync.WaitGroup
		for g := range groups {
			producing.Go(func() {
				for i := range each {
					if _, err := q.Send(e.ctx, inGroup(fmt.Sprint(g), fmt.Sprint(g, "/", i))); err != nil {
						e.Error(err)
						return
					}
				}
			})
		}
		c := consumption{got: map[string][]string{}, held: map[string]int{}}
		for i := range consumers {
			consuming.Go(func() { c.run(e, q, 1+i, groups*each) })
		}
		producing.Wait()
		consuming.Wait()
		for g := range groups {
			if diff := cmp.Diff(numbered(fmt.Sprint(g, "/"), each), c.got[fmt.Sprint(g)]); diff != "" {
				e.Errorf("group %d (-want +got):\n%s", g, diff)
			}
		}
		e.wantCounts(q, 0, 0, 0)
	},
}

// consumption is what several consumers of one FIFO queue got.
type consumption struct {
	mu   sync.Mutex
	n    int
	got  map[string][]string // by group
	held map[string]int      // by group: the consumer that has some of it
}

// run receives and deletes until n messages were received by all together.
func (c *consumption) run(e *env, q *queue.Queue, consumer, n int) {
	for c.count(nil, 0) < n {
		m, err := q.Receive(e.ctx, queue.ReceiveOptions{Max: consumer, Visibility: -1, Wait: time.Second})
		if err != nil {
			e.Error(err)
			return
		}
		c.count(m, consumer)
		for i := range m {
			if other := c.finish(m, i, consumer); other != 0 {
				e.Errorf("%s received while another had one of its group", m[i].Body)
			}
			errs, err := q.Delete(e.ctx, m[i].Receipt)
			if err != nil || errs[0] != nil {
				e.Error(err, errs)
				return
			}
		}
	}
}

// count adds what was received and returns how many there are.
func (c *consumption) count(m []queue.Message, consumer int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range m {
		c.got[m[i].GroupID] = append(c.got[m[i].GroupID], m[i].Body)
		if c.held[m[i].GroupID] == 0 {
			c.held[m[i].GroupID] = consumer
		}
	}
	c.n += len(m)
	return c.n
}

// finish forgets a group before the last of its messages in m is deleted; it
// returns who else had it.
func (c *consumption) finish(m []queue.Message, i, consumer int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	other := 0
	if h := c.held[m[i].GroupID]; h != consumer {
		other = h
	}
	if !slices.ContainsFunc(m[i+1:], func(l queue.Message) bool { return l.GroupID == m[i].GroupID }) {
		delete(c.held, m[i].GroupID)
	}
	return other
}
