package task

import (
	"container/list"
	"context"
	"runtime"
	"time"
)

// claims are what one queue has of the worker's slots, and what of it waits for
// some.
type claims struct {
	all    *slots
	weight float64
	most   int
	doubt  *time.Timer // ends being rich; nil where there is no other queue

	// Guarded by all.mu.
	used     int       // by tasks that run
	asked    int       // by requests under way
	rich     bool      // messages are known to be there, or it is not known that there are none
	heard    time.Time // when it last answered
	messages waiters
	requests waiters
	served   float64 // seconds of slots, for each unit of weight
}

// waiters are those that wait for slots, in order, each by a channel of one place
// for how many it is given.
type waiters struct{ list.List }

func (w *waiters) any() bool { return w.Len() > 0 }

func (w *waiters) add() (*list.Element, chan int) {
	given := make(chan int, 1)
	return w.PushBack(given), given
}

func (w *waiters) give(n int) { w.Remove(w.Front()).(chan int) <- n }

func (c *claims) busy() bool { return c.used > 0 || c.rich || c.messages.any() || c.requests.any() }

// firm is how many slots the queue's requests keep from others.
func (c *claims) firm() int {
	if !c.rich {
		return 0
	}
	return max(0, min(c.asked, c.most-c.used))
}

// next is what the queue will have been served with a slot more.
func (c *claims) next() float64 {
	return c.served + ahead*float64(c.used+c.firm()+1)/c.weight
}

// serveMessage gives a slot to the first message that waits.
func (c *claims) serveMessage() bool {
	if !c.messages.any() || !c.take() {
		return false
	}
	c.messages.give(1)
	return true
}

func (c *claims) take() bool {
	if c.all.used >= c.all.total || c.used >= c.most {
		return false
	}
	c.all.used++
	c.used++
	return true
}

// serveRequest lets the first request that waits be made.
func (c *claims) serveRequest() bool {
	if !c.requests.any() {
		return false
	}
	n := c.all.free(c)
	if n < 1 {
		return false
	}
	c.asked += n
	c.requests.give(n)
	if c.rich || c.doubt != nil && time.Since(c.heard) > c.all.quiet { // else it was empty just now
		c.believe()
	}
	return true
}

// believe has the queue be rich, until a request says otherwise or does not
// answer. So is one that could not be asked for a while, as all slots were taken.
func (c *claims) believe() {
	if c.doubt != nil {
		c.rich = true
		c.doubt.Reset(c.all.quiet)
	}
}

// noAnswer is called when nothing was heard of the queue for a while.
func (c *claims) noAnswer() {
	c.all.lock()
	defer c.all.unlock()
	if c.asked > 0 || !c.requests.any() { // else it could not ask, as all slots are taken
		c.rich = false
	}
}

// ask waits until messages may be asked for, and returns for how many, up to ten;
// 0 when ctx ended. Tasks about to end are let end first, so that a request asks
// for more than one.
func (c *claims) ask(ctx context.Context) int {
	if ctx.Err() != nil {
		return 0
	}
	c.all.lock()
	e, given := c.requests.add()
	c.all.unlock()
	select {
	case n := <-given:
		if n < receiveMax && c.takesAll() {
			runtime.Gosched()
			c.all.lock()
			defer c.all.unlock()
			more := max(0, min(c.all.free(c), receiveMax-n))
			c.asked += more
			n += more
		}
		return n
	case <-ctx.Done():
	}
	c.all.lock()
	defer c.all.unlock()
	select {
	case n := <-given:
		c.asked -= n
	default:
		c.requests.Remove(e)
	}
	return 0
}

// takesAll reports whether a request of this queue may claim all that is free,
// and not a share of it.
func (c *claims) takesAll() bool { return c.doubt == nil || !c.all.weighted && c.isRich() }

func (c *claims) isRich() bool {
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	return c.rich
}

// answered ends a request for n messages that brought got, and returns how many
// of these have a slot. The others wait for theirs.
func (c *claims) answered(n, got int) (have int) {
	c.all.lock()
	defer c.all.unlock()
	c.asked -= n
	c.rich, c.heard = false, time.Now()
	if got > 0 && 2*got >= n {
		c.believe()
	}
	for have < got && !c.messages.any() && !c.yields() && c.take() {
		have++
	}
	return have
}

// yields reports whether a queue before this one is to have what is free.
func (c *claims) yields() bool {
	if c.all.weighted {
		return false
	}
	for _, o := range c.all.of {
		if o == c {
			break
		}
		if (o.rich || o.messages.any()) && o.used < o.most {
			return true
		}
	}
	return false
}

// acquire waits for a slot for a message; false when ctx ended.
func (c *claims) acquire(ctx context.Context) bool {
	c.all.lock()
	e, given := c.messages.add()
	c.all.unlock()
	select {
	case <-given:
		return true
	case <-ctx.Done():
	}
	c.all.lock()
	defer c.all.unlock()
	select {
	case <-given:
		c.used--
		c.all.used--
	default:
		c.messages.Remove(e)
	}
	return false
}

// release frees n slots.
func (c *claims) release(n int) {
	if n == 0 {
		return
	}
	c.all.lock()
	defer c.all.unlock()
	c.used -= n
	c.all.used -= n
}
