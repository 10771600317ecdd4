package drivertest

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// reference is the contract in its plainest form, in memory: lists that are
// searched from the beginning, one lock, every change wakes everybody. The suite
// must pass on it, and fail on it with any one of its bugs (see mutants_test.go).
type reference struct {
	*memory
	wrong  string // the bug it has; "" none
	ending chan struct{}
	work   sync.WaitGroup
}

// memory is what stays when a reference is opened again.
type memory struct {
	mu      sync.Mutex
	changed chan struct{} // closed, and made anew, by every change
	queues  map[string]*refQueue
	deleted map[string]time.Time
	moves   []*refMove
	seq     uint64
	closed  bool
}

type refQueue struct {
	name     string
	attrs    driver.Attributes
	tags     map[string]string
	created  time.Time
	messages []*refMessage // in the order of sending
	known    map[string]refKnown
	attempts map[string]*refAttempt
	loud     map[string]int // for the bug that counts flights for ever
}

type refKnown struct {
	at   time.Time
	sent driver.Sent
}

type refMessage struct {
	driver.Message
	visibleAt time.Time
	before    int // receives in queues it was in earlier
}

type refAttempt struct {
	at       time.Time
	messages []*refMessage
	receipts []string
}

func newReference(m *memory, wrong string) *reference {
	r := &reference{memory: m, wrong: wrong, ending: make(chan struct{})}
	m.closed = false
	for _, mv := range m.moves {
		if mv.Status == driver.MoveRunning && wrong != "opened again, moves stand still" {
			r.work.Go(func() { r.move(mv) })
		}
	}
	if wrong == "opened again, sequences begin anew" {
		m.seq = 0
	}
	if wrong == "opened again, moves are not listed" {
		m.moves = nil
	}
	for _, q := range m.queues {
		if wrong == "opened again, duplicates are forgotten" {
			clear(q.known)
		}
		for _, msg := range q.messages {
			if wrong == "opened again, nothing is in flight" {
				msg.visibleAt = time.Time{}
			}
		}
	}
	return r
}

func newMemory() *memory {
	return &memory{changed: make(chan struct{}), queues: map[string]*refQueue{}, deleted: map[string]time.Time{}}
}

// change wakes whoever waits; mu is held.
func (r *reference) change() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// on does something with a queue, under the lock.
func (r *reference) on(name string, do func(*refQueue) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := r.queues[name]
	switch {
	case r.closed:
		return driver.ErrClosed
	case q == nil:
		return driver.ErrQueueNotFound
	}
	q.messages = slices.DeleteFunc(q.messages, func(m *refMessage) bool { return time.Since(m.Sent) > q.attrs.Retention })
	return do(q)
}

func (r *reference) CreateQueue(_ context.Context, name string, a driver.Attributes, tags map[string]string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if q := r.queues[name]; q != nil {
		if got, want := q.attrs, a; got.FIFO != want.FIFO || got.ContentDedup != want.ContentDedup || got.GroupDedup != want.GroupDedup {
			return driver.ErrQueueExists
		}
		return nil
	}
	if at, ok := r.deleted[name]; ok && time.Since(at) < time.Minute {
		return driver.ErrQueueDeletedRecently
	}
	r.queues[name] = &refQueue{name: name, attrs: a, tags: maps.Clone(tags), created: time.Now(),
		known: map[string]refKnown{}, attempts: map[string]*refAttempt{}, loud: map[string]int{}}
	return nil
}

func (r *reference) DeleteQueue(_ context.Context, name string) error {
	return r.on(name, func(*refQueue) error {
		delete(r.queues, name)
		r.deleted[name] = time.Now()
		r.change()
		return nil
	})
}

func (r *reference) ListQueues(context.Context, driver.ListOptions) (driver.ListPage, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return driver.ListPage{Names: slices.Sorted(maps.Keys(r.queues))}, nil
}

func (r *reference) Describe(_ context.Context, name string) (d driver.Description, err error) {
	err = r.on(name, func(q *refQueue) error {
		d = driver.Description{Name: name, Attributes: q.attrs, Tags: q.tags, Created: q.created, Modified: q.created}
		for _, m := range q.messages {
			switch {
			case q.delayed(m):
				d.Delayed++
			case m.hidden():
				d.InFlight++
			default:
				d.Visible++
			}
		}
		return nil
	})
	return d, err
}

// delayed: never received, and its delay not over.
func (q *refQueue) delayed(m *refMessage) bool { return m.Receives == m.before && m.hidden() }

func (m *refMessage) hidden() bool { return time.Now().Before(m.visibleAt) }

func (r *reference) SetAttributes(_ context.Context, name string, a driver.Attributes) error {
	return r.on(name, func(q *refQueue) error {
		if q.attrs.FIFO && r.wrong != "a changed delay is for new messages only" {
			for _, m := range q.messages {
				if m.Receives == m.before {
					m.visibleAt = m.Sent.Add(a.Delay)
				}
			}
		}
		q.attrs = a
		if r.wrong != "a shorter delay wakes nobody" {
			r.change()
		}
		return nil
	})
}

func (r *reference) SetTags(_ context.Context, name string, tags map[string]string) error {
	return r.on(name, func(q *refQueue) error { q.tags = maps.Clone(tags); return nil })
}

func (r *reference) Purge(_ context.Context, name string) error {
	return r.on(name, func(q *refQueue) error {
		if r.wrong == "a purge leaves what is in flight" {
			q.messages = slices.DeleteFunc(q.messages, func(m *refMessage) bool { return !m.hidden() })
			return nil
		}
		q.messages = nil
		if r.wrong != "a purge leaves what is known for deduplication" {
			clear(q.known)
		}
		return nil
	})
}

func (r *reference) Close() error {
	r.mu.Lock()
	r.closed = true
	close(r.ending)
	r.change()
	r.mu.Unlock()
	r.work.Wait()
	return nil
}

// add stores a message at the end of a queue; mu is held.
func (r *reference) add(q *refQueue, m driver.Message, delay time.Duration) *refMessage {
	r.seq++
	if r.wrong == "sequences are the number of messages" {
		m.Sequence = fmt.Sprintf("%020d", len(q.messages))
	} else if q.attrs.FIFO {
		m.Sequence = fmt.Sprintf("%020d", r.seq)
	}
	if r.wrong == "sequences have 19 digits" && q.attrs.FIFO {
		m.Sequence = m.Sequence[1:]
	}
	added := &refMessage{Message: m, visibleAt: m.Sent.Add(delay), before: m.Receives}
	q.messages = append(q.messages, added)
	return added
}

func (r *reference) Send(_ context.Context, name string, out []driver.Outgoing) (sent []driver.Sent, err error) {
	err = r.on(name, func(q *refQueue) error {
		for i := range out {
			if len(out[i].Body) > q.attrs.MaxMessageSize {
				if r.wrong == "what was refused is known for deduplication" {
					q.known[r.key(q, &out[i])] = refKnown{at: time.Now()}
				}
				return driver.ErrTooLarge
			}
			if q.attrs.FIFO && out[i].DedupID == "" && !q.attrs.ContentDedup && r.wrong != "a deduplication id is not required" {
				return driver.ErrNoDedupID
			}
			if r.wrong == "a part of what is refused is stored" {
				r.sendOne(q, out[i])
			}
		}
		for i := range out {
			sent = append(sent, r.sendOne(q, out[i]))
		}
		r.change()
		return nil
	})
	return sent, err
}

func (r *reference) sendOne(q *refQueue, out driver.Outgoing) driver.Sent {
	at, delay := time.Now(), out.Delay
	if delay < 0 || q.attrs.FIFO && r.wrong != "a delay of zero is none on a FIFO queue" {
		delay = q.attrs.Delay
	}
	m := driver.Message{ID: rand.Text(), Body: out.Body, Attributes: maps.Clone(out.Attributes), System: maps.Clone(out.System),
		Sent: at, GroupID: out.GroupID, DedupID: out.DedupID}
	if !q.attrs.FIFO {
		return driver.Sent{ID: r.add(q, m, delay).ID}
	}
	if m.DedupID == "" && q.attrs.ContentDedup && r.wrong != "the content's hash is not shown" {
		m.DedupID = contentOf(out.Body)
	}
	key := r.key(q, &out)
	window := 5 * time.Minute
	if r.wrong == "duplicates are known for 10 minutes" {
		window *= 2
	}
	if k, ok := q.known[key]; ok && time.Since(k.at) < window {
		return r.duplicate(q, key, k)
	}
	added := r.add(q, m, delay)
	q.known[key] = refKnown{at, driver.Sent{ID: added.ID, Sequence: added.Sequence}}
	return q.known[key].sent
}

func (r *reference) duplicate(q *refQueue, key string, k refKnown) driver.Sent {
	switch r.wrong {
	case "a duplicate makes the window longer":
		q.known[key] = refKnown{time.Now(), k.sent}
	case "a duplicate has an id of its own":
		k.sent.ID = rand.Text()
	case "a duplicate has a sequence of its own":
		r.seq++
		k.sent.Sequence = fmt.Sprintf("%020d", r.seq)
	}
	return k.sent
}

// key is what a message is known by for deduplication.
func (r *reference) key(q *refQueue, out *driver.Outgoing) string {
	key := out.DedupID
	if key == "" || r.wrong == "content goes before the id" && q.attrs.ContentDedup {
		key = contentOf(out.Body)
		if r.wrong == "attributes are content" {
			key += fmt.Sprint(out.Attributes)
		}
		if r.wrong == "ids and contents are two name spaces" {
			key += " content"
		}
	}
	if q.attrs.GroupDedup != (r.wrong == "the scope is the wrong one") {
		key += " " + out.GroupID
	}
	return key
}

func (r *reference) receipt(m *refMessage) string {
	return "r-" + m.ID + "-" + strconv.Itoa(m.Receives) + "-" + rand.Text()[:4]
}
