// Package unique keeps, in a store of records, which tasks are there already,
// so that any number of processes enqueue a task of one key once. Package task
// does it for a program (task.Unique); the records' page is
// doc/formats/task-records.md.
//
// A key is claimed before its message is sent, and marked as sent after.
// Whoever finds a claim waits until it is one or the other: sent, and there is
// a task; or its lease is over, as its owner died, and then whoever finds it
// takes the claim over and sends the message itself, with the same id. So
// nobody is told that a task is there before it is, and a process that dies
// halfway blocks nobody for longer than the lease.
//
// What it cannot do: when a process died nobody knows whether its message was
// sent, and then it is sent again. Each such death may leave one message too
// many, of the same id; and so may an owner that is stopped for longer than the
// lease between its claim and its message, or a clock that is ahead of the
// others by more than the lease.
package unique

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/dayfly-dev/dayfly/records"
)

// Lease is how long a claim is believed to be under way: longer than a message
// takes to be sent, with all retries of a client.
const Lease = 30 * time.Second

// Bounds of a window.
const (
	MinWindow = time.Second
	MaxWindow = 366 * 24 * time.Hour
)

const (
	callTime   = 10 * time.Second // of one request to the store
	writeTries = 3                // of a write whose end is unknown
	firstLook  = 5 * time.Millisecond
	lastLook   = 500 * time.Millisecond
	// rememberDone is longer than a write can be on its way.
	rememberDone = time.Hour
	maxOfKey     = 384 // bytes, with the name of the task
	prefix       = "unique/"
	mark         = "task-unique" // of the keys that are taken, by which they are listed
	maxIDLength  = 256
)

// Keys are the keys in one store. They may be used by any number of goroutines.
type Keys struct {
	store *records.Store
	now   func() time.Time
	pause func(context.Context, string, time.Duration) error // until something may have changed
	owner func() string
}

// New makes Keys on a store.
func New(store *records.Store) *Keys {
	return &Keys{store: store, now: time.Now, pause: sleep, owner: rand.Text}
}

func sleep(ctx context.Context, _ string, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Call is what is to be enqueued.
type Call struct {
	Key    string        // 1–384 bytes of UTF-8 without control characters
	ID     string        // of the task, if it is the first
	Queue  string        // its name, for people
	Window time.Duration // for which the key is taken, MinWindow–MaxWindow
}

// TakenError: there is a task of that key.
type TakenError struct {
	Key   string
	ID    string // of the task
	Queue string // it was put into
}

func (e *TakenError) Error() string {
	return fmt.Sprintf("unique: there is a task of %q already: %s in %s", e.Key, e.ID, e.Queue)
}

// ErrOvertaken: the message was not sent within the lease, and somebody else
// took the claim over.
var ErrOvertaken = errors.New("unique: preparing the message took so long that somebody else enqueued the task")

// Claim is the right, and the duty, to send the message of a key.
type Claim struct {
	keys    *Keys
	entry   entry
	expires time.Time
	version string
}

// ID the message is to have: that of the call, or of a task of which nobody
// knows whether it was sent.
func (c *Claim) ID() string { return c.entry.ID }

// Claim takes the key. With a *TakenError there is a task of it. It waits while
// another process is about to send one, at most for Lease. A nil *Claim without
// an error: the very task of the call, by its ID, is on record as sent.
func (k *Keys) Claim(ctx context.Context, call Call) (*Claim, error) {
	if err := call.check(); err != nil {
		return nil, err
	}
	owner := k.owner()
	w := watch{now: k.now}
	for failures := 0; ; {
		r, err := k.get(ctx, call.Key)
		if err != nil {
			return nil, err
		}
		next := entry{key: call.Key, State: pending, ID: call.ID, Queue: call.Queue, Owner: owner}
		if r.Version != "" {
			e, err := decode(call.Key, r.Value)
			switch {
			case err != nil:
				return nil, err
			case e.State == sent && e.ID == call.ID:
				return nil, nil
			case e.State == sent:
				return nil, &TakenError{Key: call.Key, ID: e.ID, Queue: e.Queue}
			case e.Owner == owner: // our write, whose answer was lost
				return &Claim{k, e, r.Expires, r.Version}, nil
			case e.State == done:
			case !w.over(r.Version, e.Until):
				if err := k.pause(ctx, r.Version, w.look()); err != nil {
					return nil, fmt.Errorf("unique: %q is being enqueued by another process: %w", call.Key, err)
				}
				continue
			default:
				next.ID = e.ID
			}
		}
		c := &Claim{keys: k, entry: next, expires: k.now().Add(call.Window), version: r.Version}
		switch err := c.write(ctx); {
		case err == nil:
			return c, nil
		case errors.Is(err, records.ErrConflict):
		case records.Ambiguous(err) && ctx.Err() == nil && failures < writeTries:
			failures++
		default:
			return nil, err
		}
	}
}

// get returns a record without a version if there is none.
func (k *Keys) get(ctx context.Context, key string) (records.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	r, err := k.store.Get(ctx, prefix+key)
	if errors.Is(err, records.ErrNotFound) {
		return records.Record{}, nil
	}
	return r, err
}

// write puts the claim's entry over what was read, with a lease from now.
func (c *Claim) write(ctx context.Context) error {
	now := c.keys.now()
	c.entry.At = now
	if c.entry.State == pending {
		c.entry.Until = now.Add(Lease)
	}
	value, err := c.entry.encode()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	r := records.Record{Key: prefix + c.entry.key, Value: value, Version: c.version, Expires: c.expires, Mark: mark}
	if c.entry.State == done {
		r.Mark = ""
	}
	v, err := c.keys.store.Put(ctx, r)
	if err == nil {
		c.version = v
	}
	return err
}

// Hold makes sure, right before the message is sent, that the claim still has
// half of its lease, else ErrOvertaken or an error of the store: then the
// message must not be sent.
func (c *Claim) Hold(ctx context.Context) error {
	if c.entry.Until.Sub(c.keys.now()) >= Lease/2 {
		return nil
	}
	err := c.write(ctx)
	if errors.Is(err, records.ErrConflict) {
		return ErrOvertaken
	}
	return err
}

// Sent notes that the message is in the queue. It has no error: what cannot be
// noted is found out, at the end of the lease, by who comes next, at the price
// of a second message of the same id.
func (c *Claim) Sent(ctx context.Context) { c.end(ctx, sent) }

// GiveUp notes that the message is perhaps not in the queue, so that the next
// takes the key over without waiting for the lease. It has no error either.
func (c *Claim) GiveUp(ctx context.Context) { c.end(ctx, abandoned) }

// end writes how the claim ended. It is written also when ctx has ended.
func (c *Claim) end(ctx context.Context, s state) {
	ctx = context.WithoutCancel(ctx)
	last := *c
	last.entry.State, last.entry.Until = s, time.Time{}
	for range writeTries {
		err := last.write(ctx)
		if !records.Ambiguous(err) {
			return // written, or somebody else did: took it over, or removed it
		}
		r, err := c.keys.get(ctx, c.entry.key)
		if err != nil {
			continue
		}
		if r.Version != last.version {
			return // it was written after all, or somebody else did
		}
	}
}

// Done frees the key if its task is the one of that id, so that it may be
// enqueued again. The key is freed before the message is acknowledged: in the
// other order a worker that dies in between would leave a key without a task.
//
// The record is not deleted but says so for another hour: a claim of long ago
// whose write went astray cannot land then, and pass for a task.
func (k *Keys) Done(ctx context.Context, key, id string) error {
	var err error
	for range writeTries {
		var r records.Record
		if r, err = k.get(ctx, key); err != nil {
			continue
		}
		if r.Version == "" {
			return nil
		}
		e, broken := decode(key, r.Value)
		if broken != nil {
			return broken
		}
		if e.ID != id || e.State == done {
			return nil // of another task, or freed
		}
		e.State, e.Until = done, time.Time{}
		free := &Claim{keys: k, entry: e, version: r.Version, expires: k.now().Add(rememberDone)}
		if err = free.write(ctx); err == nil {
			return nil
		}
	}
	return err
}
