package task

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

const (
	// quiet is how long a request for messages may be under way before its queue
	// counts as empty. One with messages answers in a millisecond on this machine
	// and in some twenty on SQS; a long poll of an empty one takes 20 s.
	quiet = 100 * time.Millisecond
	// ahead is what a slot about to be given is taken to cost its queue, in seconds.
	// It spreads slots that are free at once as the weights say. What they cost in
	// truth is charged later, so its length makes no difference to shares.
	ahead = 0.1
)

// slots are what a worker may run at once, and who gets the next.
//
// A task that runs has a slot. A request for messages is begun only when there
// is a slot, so that a worker that is busy leaves messages to others; while it is
// under way it has a claim on as many slots as it asks for. Claims of a queue
// keep its own requests from asking for too much. They keep other queues' off
// only while the queue is rich, which is as long as messages are known to be
// there, or it has not been heard of for a while: slots do not wait for an empty
// queue. A message that finds its slot
// taken waits here, before all requests of its queue.
//
// In strict order a queue gets nothing while one before it is rich or has
// messages waiting. By weight the next slot goes to the queue that has had the
// least time of slots for its weight, as processors are given to processes: not
// tasks are counted, so that long ones do not crowd out short ones.
type slots struct {
	mu       sync.Mutex
	total    int
	used     int
	of       []*claims // in the order of the worker's queues
	weighted bool
	quiet    time.Duration
	charged  time.Time // until when
}

func newSlots(total int, of []Source, quiet time.Duration) *slots {
	s := &slots{total: total, weighted: len(of) > 1 && of[0].Weight > 0, quiet: quiet, charged: time.Now()}
	for _, source := range of {
		c := &claims{all: s, weight: float64(max(1, source.Weight)), most: cmp.Or(source.Most, total)}
		if len(of) > 1 {
			c.rich = true // until it is seen to be empty
			c.doubt = time.AfterFunc(quiet, c.noAnswer)
		}
		s.of = append(s.of, c)
	}
	return s
}

// lock is to be held by whoever changes what a queue has.
func (s *slots) lock() {
	s.mu.Lock()
	if s.weighted {
		s.charge()
	}
}

// unlock gives what is free to those that wait.
func (s *slots) unlock() {
	if s.weighted {
		for s.dealOne() {
		}
	} else {
		s.dealInOrder()
	}
	s.mu.Unlock()
}

func (s *slots) dealInOrder() {
	for _, c := range s.of {
		for c.serveMessage() || c.serveRequest() {
		}
		if c.rich && c.used < c.most {
			return // what is free is for its messages
		}
	}
}

// dealOne serves the queue that is behind most of those that can be served.
func (s *slots) dealOne() bool {
	var waiting []*claims
	for _, c := range s.of {
		if c.messages.any() || c.requests.any() {
			waiting = append(waiting, c)
		}
	}
	slices.SortStableFunc(waiting, func(a, b *claims) int { return cmp.Compare(a.next(), b.next()) })
	return slices.ContainsFunc(waiting, func(c *claims) bool { return c.serveMessage() || c.serveRequest() })
}

// charge charges each queue for the time since the last charge. One that has
// nothing to do does not save up: it goes along with the one that is behind most.
func (s *slots) charge() {
	now := time.Now()
	took := now.Sub(s.charged).Seconds()
	s.charged = now
	least, busy := 0.0, false
	for _, c := range s.of {
		c.served += took * float64(c.used+c.firm()) / c.weight
		if c.busy() && (!busy || c.served < least) {
			least, busy = c.served, true
		}
	}
	for _, c := range s.of {
		if busy && !c.busy() {
			c.served = max(c.served, least)
		}
	}
}

// free is how many slots a request of c may claim; it may be negative.
func (s *slots) free(c *claims) int {
	free, weights := s.total-s.used-c.asked, s.weights(c)
	before := true
	for _, o := range s.of {
		switch {
		case o == c:
			before = false
		case s.weighted && o.rich: // it may be about to ask for its share
			free -= max(o.firm(), min(o.most, int(float64(s.total)*o.weight/weights))-o.used)
		case o.rich && before && o.used < o.most:
			return 0
		default:
			free -= o.firm()
		}
	}
	share := free
	switch {
	case c.doubt != nil && !c.rich: // what comes may find its slot taken
		share = max(1, free/len(s.of))
	case s.weighted:
		share = max(1, int(float64(free)*c.weight/weights))
	}
	return min(free, share, c.most-c.used-c.asked, receiveMax)
}

// weights are those of c and of all queues with something to do.
func (s *slots) weights(c *claims) (sum float64) {
	for _, o := range s.of {
		if o == c || o.busy() {
			sum += o.weight
		}
	}
	return sum
}

// close ends the timers.
func (s *slots) close() {
	for _, c := range s.of {
		if c.doubt != nil {
			c.doubt.Stop()
		}
	}
}
