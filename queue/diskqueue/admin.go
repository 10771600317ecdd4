package diskqueue

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// purgeEvery is how often a queue may be purged, as on SQS.
const purgeEvery = 60 * time.Second

// CreateQueue implements driver.Service. A dead-letter queue need not exist
// yet; until it does, messages stay where they are.
func (e *Engine) CreateQueue(_ context.Context, name string, a driver.Attributes, tags map[string]string) error {
	const op = "create queue"
	at := now()
	body := binary.AppendUvarint(putString(nil, name), uint64(at))
	body = putMap(putQueueAttributes(body, a), tags)
	if err := e.lockRoom(seglog.RecordSize(maxSmall+len(body)), false); err != nil {
		return opError(op, name, err)
	}
	if q := e.queues[name]; q != nil {
		end, same := e.log.End(), equalAttributes(q.attrs, a)
		e.mu.Unlock()
		if !same {
			return opError(op, name, driver.ErrQueueExists)
		}
		return opError(op, name, e.commit(end))
	}
	if e.deletedRecently(name, at) {
		e.mu.Unlock()
		return opError(op, name, driver.ErrQueueDeletedRecently)
	}
	q := newState(e.nextUID, name, &e.flights)
	q.attrs, q.tags, q.created, q.modified = clone(a), maps.Clone(tags), at, at
	e.log.Append(append(beginRecord(nil, kindCreate, q.uid), body...))
	e.addQueue(q)
	end := e.log.End()
	e.mu.Unlock()
	return opError(op, name, e.commit(end))
}

func clone(a driver.Attributes) driver.Attributes {
	if a.DeadLetter != nil {
		d := *a.DeadLetter
		a.DeadLetter = &d
	}
	a.Extra = maps.Clone(a.Extra)
	return a
}

func equalAttributes(a, b driver.Attributes) bool {
	if !maps.Equal(a.Extra, b.Extra) {
		return false
	}
	a.Extra, b.Extra = nil, nil
	return reflect.DeepEqual(a, b)
}

// change appends a record about one queue and does what it says; check, which
// may be nil, can refuse.
func (e *Engine) change(op, name string, k kind, body []byte, urgent bool, check func(*state) error, do func(*state)) error {
	if err := e.lockRoom(seglog.RecordSize(maxSmall+len(body)), urgent); err != nil {
		return opError(op, name, err)
	}
	q, err := e.find(name)
	if err == nil && check != nil {
		err = check(q)
	}
	if err != nil {
		e.mu.Unlock()
		return opError(op, name, err)
	}
	e.log.Append(append(beginRecord(nil, k, q.uid), body...))
	do(q)
	end := e.log.End()
	e.mu.Unlock()
	return opError(op, name, e.commit(end))
}

// deletedFor is how long no queue may be made under a deleted one's name, as on SQS.
const deletedFor = 60 * time.Second

// DeleteQueue implements driver.Service.
func (e *Engine) DeleteQueue(_ context.Context, name string) error {
	at := now()
	defer e.wakeUpkeep()
	return e.change("delete queue", name, kindDrop, binary.AppendUvarint(nil, uint64(at)), true, nil,
		func(q *state) { e.dropQueue(q, at) })
}

// deletedRecently reports whether a queue of that name was deleted in the last
// minute, and forgets those before.
func (e *Engine) deletedRecently(name string, at int64) bool {
	for n, deleted := range e.dropped {
		if at-deleted >= deletedFor.Milliseconds() {
			delete(e.dropped, n)
		}
	}
	_, recently := e.dropped[name]
	return recently
}

// setAttributes gives a queue other attributes. A FIFO queue's delay counts for
// the messages that are there too, as far as they are still delayed.
func (e *Engine) setAttributes(q *state, a driver.Attributes) {
	again := q.fifo && a.Delay != q.attrs.Delay
	if q.attrs = a; !again {
		return
	}
	for _, i := range slices.Clone(q.hidden.h) {
		f := e.flights.get(i)
		if f.state != delayed {
			continue
		}
		if m := q.messages.get(f.seq); m != nil {
			q.leave(i, f)
			q.hide(i, f, delayed, visibleAfter(int64(m.sent)*1000+int64(f.since), a.Delay))
		}
	}
	q.wakeUp(len(q.waiters))
}

// SetAttributes implements driver.Service.
func (e *Engine) SetAttributes(_ context.Context, name string, a driver.Attributes) error {
	const op = "set attributes of"
	at := now()
	body := putQueueAttributes(binary.AppendUvarint(nil, uint64(at)), a)
	defer e.wakeUpkeep() // messages may be past a shorter retention
	return e.change(op, name, kindAttributes, body, false, nil, func(q *state) {
		q.modified = at
		e.setAttributes(q, clone(a))
	})
}

// SetTags implements driver.Service.
func (e *Engine) SetTags(_ context.Context, name string, tags map[string]string) error {
	return e.change("tag", name, kindTags, putMap(nil, tags), false, nil, func(q *state) {
		q.tags = maps.Clone(tags)
	})
}

// Purge implements driver.Service.
func (e *Engine) Purge(_ context.Context, name string) error {
	at := now()
	defer e.wakeUpkeep()
	return e.change("purge", name, kindPurge, binary.AppendUvarint(nil, uint64(at)), true,
		func(q *state) error {
			if q.purged != 0 && at-q.purged < purgeEvery.Milliseconds() {
				return driver.ErrPurgeInProgress
			}
			return nil
		},
		func(q *state) {
			q.purged = at
			e.empty(q)
		})
}

// ListQueues implements driver.Service.
func (e *Engine) ListQueues(_ context.Context, o driver.ListOptions) (driver.ListPage, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return driver.ListPage{}, fmt.Errorf("list queues: %w", driver.ErrClosed)
	}
	var p driver.ListPage
	for name := range e.queues {
		if strings.HasPrefix(name, o.Prefix) && name > o.After {
			p.Names = append(p.Names, name)
		}
	}
	slices.Sort(p.Names)
	if len(p.Names) > o.Max {
		p.Names = p.Names[:o.Max]
		p.Next = p.Names[o.Max-1]
	}
	return p, nil
}

// Describe implements driver.Service. The age of the oldest message is known
// to the second.
func (e *Engine) Describe(_ context.Context, name string) (driver.Description, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	q, err := e.find(name)
	if err != nil {
		return driver.Description{}, opError("describe", name, err)
	}
	at := now()
	q.promote(at)
	d := driver.Description{
		Name: name, Attributes: clone(q.attrs), Tags: maps.Clone(q.tags),
		Created: fromMilli(q.created), Modified: fromMilli(q.modified),
		Visible: int64(q.visible()), Delayed: int64(q.delayed), InFlight: int64(q.inFlight),
	}
	if m := q.messages.first(); m != nil {
		d.OldestAge = time.Duration(max(at-int64(m.sent)*1000, 0)) * time.Millisecond
	}
	return d, nil
}
