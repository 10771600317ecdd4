package diskqueue

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// fifoClient is one goroutine.
type fifoClient struct {
	*fifoHistory
	number   int
	rng      *rand.Rand
	receipts []heldReceipt
}

type heldReceipt struct{ queue, group, receipt string }

func (c *fifoClient) run() {
	for n := 0; n < 40 && !c.over.Load(); n++ {
		switch p := c.rng.IntN(100); {
		case p < 50:
		case p < 95:
			time.Sleep(time.Duration(1+c.rng.IntN(4)) * time.Second)
		default:
			time.Sleep(time.Duration(1+c.rng.IntN(90)) * time.Second)
		}
		switch p := c.rng.IntN(1000); {
		case p < 330:
			c.send()
		case p < 680:
			c.receive()
		case p < 940:
			c.finish()
		case p < 970:
			c.reclaim()
		case p < 980:
			c.purge()
		case p < 983:
			c.drop()
		default:
			c.do(c.number, func(at int64) map[string]*act {
				return each(act{kind: actCreate, at: at, queue: modelQueue, err: c.createQueue()})
			})
		}
	}
}

func (c *fifoClient) send() {
	group := fifoGroups[c.rng.IntN(len(fifoGroups))]
	var out []driver.Outgoing
	for range 1 + c.rng.IntN(3) {
		body := fmt.Sprintf("%d %s", c.ids.Add(1), strings.Repeat("x", c.rng.IntN(2000)))
		out = append(out, driver.Outgoing{Body: body, Delay: -1, GroupID: group, DedupID: fmt.Sprint("d", c.rng.IntN(30))})
	}
	c.sendOne(group, out)
}

// sendOne sends; a call for several is one operation for each.
func (c *fifoClient) sendOne(group string, out []driver.Outgoing) {
	from, at := c.clock.Add(1), now()
	sent, err := c.s.Send(context.Background(), modelQueue, out)
	to := c.clock.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, o := range out {
		a := &act{kind: actSend, at: at, queue: modelQueue, err: err, message: driver.Message{Body: o.Body, DedupID: o.DedupID}}
		if err == nil {
			a.message.ID, a.message.Sequence = sent[i].ID, sent[i].Sequence
		}
		c.calls = append(c.calls, call{client: c.number, from: from, to: to, acts: map[string]*act{group: a}})
	}
}

func (c *fifoClient) receive() {
	name := modelQueue
	if c.rng.IntN(4) == 0 {
		name = modelDead
	}
	o := driver.ReceiveOptions{Max: 1 + c.rng.IntN(4), Visibility: -1}
	if c.rng.IntN(2) == 0 {
		o.Visibility = []time.Duration{0, time.Second, 3 * time.Second, time.Minute}[c.rng.IntN(4)]
	}
	if c.rng.IntN(5) == 0 {
		o.AttemptID = fmt.Sprint("attempt ", c.ids.Add(1))
	}
	c.mu.Lock()
	disturbed, at := c.disturbed, now()
	c.mu.Unlock()
	first := c.receiveOnce(name, o, nil)
	if o.AttemptID == "" || len(first) == 0 {
		return
	}
	again := c.receiveOnce(name, o, first)
	c.mu.Lock()
	same := c.disturbed == disturbed && now() == at
	c.mu.Unlock()
	if same && o.Visibility != 0 && !sameReceipts(first, again) {
		c.fail("%s got %d messages, and when it was repeated others", o.AttemptID, len(first))
	}
}

func sameReceipts(a, b []driver.Message) bool {
	return slices.EqualFunc(a, b, func(x, y driver.Message) bool { return x.Receipt == y.Receipt })
}

// receiveOnce receives; first is what an earlier call with the same attempt id got.
func (c *fifoClient) receiveOnce(name string, o driver.ReceiveOptions, first []driver.Message) (got []driver.Message) {
	c.do(c.number, func(at int64) map[string]*act {
		var err error
		got, err = c.s.Receive(context.Background(), name, o)
		hide := o.Visibility.Milliseconds()
		if o.Visibility < 0 {
			hide = modelHidden
		}
		a := act{kind: actReceive, at: at, queue: name, err: err, total: len(got), full: len(got) == o.Max, hide: hide}
		if first != nil && sameReceipts(first, got) {
			a.kind = actRepeat
		}
		acts := each(a)
		for _, m := range got {
			if a := acts[m.GroupID]; a != nil {
				a.got = append(a.got, m)
			}
			c.receipts = append(c.receipts, heldReceipt{name, m.GroupID, m.Receipt})
		}
		return acts
	})
	return got
}

// finish deletes a message, gives it back or keeps it longer; sometimes by a
// receipt that was used before.
func (c *fifoClient) finish() {
	if len(c.receipts) == 0 {
		return
	}
	i := c.rng.IntN(len(c.receipts))
	r := c.receipts[i]
	if c.rng.IntN(4) > 0 {
		c.receipts = slices.Delete(c.receipts, i, i+1)
	}
	ctx := context.Background()
	hide := []time.Duration{-1, -1, -1, 0, 0, 5 * time.Second, time.Minute}[c.rng.IntN(7)]
	c.do(c.number, func(at int64) map[string]*act {
		a := &act{kind: actDelete, at: at, queue: r.queue, receipt: r.receipt, hide: hide.Milliseconds()}
		var errs []error
		if hide < 0 {
			errs, a.err = c.s.Delete(ctx, r.queue, []string{r.receipt})
		} else {
			a.kind = actHide
			errs, a.err = c.s.ChangeVisibility(ctx, r.queue, []driver.VisibilityChange{{Receipt: r.receipt, Visibility: hide}})
		}
		if a.err == nil {
			a.err = errs[0]
		}
		return map[string]*act{r.group: a}
	})
}

func (c *fifoClient) purge() {
	name := []string{modelQueue, modelDead}[c.rng.IntN(2)]
	c.do(c.number, func(at int64) map[string]*act {
		c.mu.Lock()
		c.disturbed++
		c.mu.Unlock()
		return each(act{kind: actPurge, at: at, queue: name, err: c.s.Purge(context.Background(), name)})
	})
}

func (c *fifoClient) drop() {
	c.do(c.number, func(at int64) map[string]*act {
		c.mu.Lock()
		c.disturbed++
		c.mu.Unlock()
		return each(act{kind: actDrop, at: at, queue: modelQueue, err: c.s.DeleteQueue(context.Background(), modelQueue)})
	})
}

// reclaim is the upkeep that is due after 64 MiB of log otherwise.
func (c *fifoClient) reclaim() {
	c.engine.upkeep.Lock()
	defer c.engine.upkeep.Unlock()
	err := c.engine.checkpoint()
	if err == nil {
		_, err = c.engine.log.Reclaim(c.engine.last.from.Segment())
	}
	if err == nil {
		err = c.engine.clean()
	}
	if err != nil {
		c.fail("%v", err)
	}
}
