package snsserver

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"
)

// dedupFor is how long a FIFO topic knows a message (Publish).
const dedupFor = 5 * time.Minute

// orders has the messages of a FIFO topic arrive in one order in all queues,
// and each once. Messages stand in a line: those of a topic, or of a message
// group where that is the topic's FifoThroughputScope. Only the first of a line
// is delivered at a time.
//
// What was published is known in memory, about 150 bytes a message for five
// minutes. After a restart a FIFO queue still refuses a message it has; a
// standard queue may get one twice.
type orders struct {
	mu       sync.Mutex
	lines    map[string]*line
	known    map[[32]byte]published
	aging    []aged // oldest first
	sequence uint64 // given last
}

type line struct {
	first chan struct{} // full while somebody is
	users int           // the first and those that wait
}

// published is what a message was answered.
type published struct{ id, sequence string }

type aged struct {
	key   [32]byte
	until time.Time
}

// contentID is the deduplication id of a message that was given none.
func contentID(message string) string {
	sum := sha256.Sum256([]byte(message))
	return hex.EncodeToString(sum[:])
}

// lineOf names the line of a message. A topic made anew has new ones.
func (t *topic) lineOf(n *notification) string {
	name := t.Name + " " + strconv.FormatInt(t.Created.UnixNano(), 10)
	if t.attribute("FifoThroughputScope") == "MessageGroup" {
		name += " " + n.groupID
	}
	return name
}

// publishInOrder delivers notifications that are new, in their order.
func (c *call) publishInOrder(t *topic, batch []*notification) []error {
	var lines []string
	for _, n := range batch {
		lines = append(lines, t.lineOf(n))
	}
	defer c.orders.enter(lines)()

	errs := make([]error, len(batch))
	first := map[[32]byte]int{} // of those new: where in batch
	var fresh []*notification
	for i, n := range batch {
		key := keyOf(lines[i], n)
		if was, ok := c.orders.recall(key); ok {
			n.id, n.sequence = was.id, was.sequence
			continue
		}
		if _, ok := first[key]; ok {
			continue // below, when it is known what became of the first
		}
		first[key] = i
		n.sequence = c.orders.next()
		fresh = append(fresh, n)
	}
	failed := map[*notification]error{}
	for i, err := range c.deliver(t, fresh) {
		failed[fresh[i]] = err
	}
	for i, n := range batch {
		key := keyOf(lines[i], n)
		at, ok := first[key]
		if !ok {
			continue
		}
		errs[i] = failed[batch[at]]
		n.id, n.sequence = batch[at].id, batch[at].sequence
		if at == i && errs[i] == nil {
			c.orders.remember(key, published{n.id, n.sequence})
		}
	}
	return errs
}

func keyOf(line string, n *notification) [32]byte {
	return sha256.Sum256([]byte(line + "\x00" + n.dedupID))
}

// enter waits until the caller is the first in all the lines, and returns what
// leaves them. Lines are entered in one order by all, so that none wait for
// each other.
func (o *orders) enter(names []string) (leave func()) {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	held := make([]*line, len(names))
	for i, name := range names {
		o.mu.Lock()
		if o.lines == nil {
			o.lines = map[string]*line{}
		}
		l := o.lines[name]
		if l == nil {
			l = &line{first: make(chan struct{}, 1)}
			o.lines[name] = l
		}
		l.users++
		o.mu.Unlock()
		l.first <- struct{}{}
		held[i] = l
	}
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		for i, l := range held {
			<-l.first
			if l.users--; l.users == 0 {
				delete(o.lines, names[i])
			}
		}
	}
}

// recall returns what a message was answered within dedupFor.
func (o *orders) recall(key [32]byte) (published, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now, old := time.Now(), 0
	for old < len(o.aging) && !o.aging[old].until.After(now) {
		delete(o.known, o.aging[old].key)
		old++
	}
	o.aging = o.aging[old:] // what is before goes when append needs room: to move the rest each time is dear
	p, ok := o.known[key]
	return p, ok
}

func (o *orders) remember(key [32]byte, p published) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.known == nil {
		o.known = map[[32]byte]published{}
	}
	o.known[key] = p
	o.aging = append(o.aging, aged{key, time.Now().Add(dedupFor)})
}

// next returns a sequence number: 20 digits, larger than all before it, also
// those before a restart unless the clock was set back.
func (o *orders) next() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sequence = max(o.sequence+1, uint64(time.Now().UnixNano()))
	return fmt.Sprintf("1%019d", o.sequence)
}
