package unique

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/records"
)

// Held is a key that is taken.
type Held struct {
	Key   string // the name of the task, and then " " and its key, or "#" and the sum of its arguments
	ID    string // of the task
	Queue string // it was put into
	// State is "sent": the message is in the queue, or was; "pending": a program is
	// about to send it; "abandoned": one gave up, and nobody knows whether it did.
	State string
	Since time.Time // when it came to be so, by the clock of who wrote it
	Until time.Time // when the key is free again by itself
	// Claimed is when a pending one is anybody's to take over; else zero.
	Claimed time.Time
}

// Task is the name of the task.
func (h Held) Task() string { return h.Key[:h.cut()] }

// Name is the key that was given; "" where it is made of the arguments.
func (h Held) Name() string {
	if i := h.cut(); i < len(h.Key) && h.Key[i] == ' ' {
		return h.Key[i+1:]
	}
	return ""
}

// cut is where the name of the task ends, which has neither of these.
func (h Held) cut() int {
	if i := strings.IndexAny(h.Key, " #"); i >= 0 {
		return i
	}
	return len(h.Key)
}

// ErrNotHeld: the key is free, or another task's by now.
var ErrNotHeld = errors.New("unique: the key is not held by that task")

// ErrPending: a program is about to send the message of the key, so that it cannot
// be released.
var ErrPending = errors.New("unique: a program is about to enqueue the task; that is decided within " + Lease.String())

// List returns up to n (1–1000) of the keys that are held, in no particular order,
// and where to go on, as records.Store.List does. A record that cannot be read is
// left out, and in the error, which is then beside the others.
func (k *Keys) List(ctx context.Context, from string, n int) (all []Held, next string, err error) {
	found, next, err := k.store.List(ctx, mark, from, n)
	if err != nil {
		return nil, "", err
	}
	var broken []error
	for _, r := range found {
		key, ok := strings.CutPrefix(r.Key, prefix)
		if !ok {
			continue
		}
		e, err := decode(key, r.Value)
		if err != nil {
			broken = append(broken, err)
			continue
		}
		if e.State != done { // it may have been freed while it was listed
			all = append(all, e.held(r.Expires))
		}
	}
	return all, next, errors.Join(broken...)
}

// Get returns who holds a key, else ErrNotHeld.
func (k *Keys) Get(ctx context.Context, key string) (Held, error) {
	if err := checkKey(key); err != nil {
		return Held{}, err
	}
	r, err := k.get(ctx, key)
	if err != nil {
		return Held{}, err
	}
	if r.Version == "" {
		return Held{}, ErrNotHeld
	}
	e, err := decode(key, r.Value)
	if err != nil {
		return Held{}, err
	}
	if e.State == done {
		return Held{}, ErrNotHeld
	}
	return e.held(r.Expires), nil
}

func (e *entry) held(expires time.Time) Held {
	return Held{Key: e.key, ID: e.ID, Queue: e.Queue, State: string(e.State), Since: e.At, Until: expires, Claimed: e.Until}
}

// Release frees a key that the task of that id holds, by a person's word: from then
// on a task of the key is enqueued again, whatever became of the one that held it.
// Nothing is done to that one: it may wait, or run, and the next beside it. The
// error is ErrNotHeld, ErrPending, or the store's: if that is ambiguous the key may
// be free, and who asks again is told.
func (k *Keys) Release(ctx context.Context, key, id string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	for range writeTries {
		r, err := k.get(ctx, key)
		if err != nil {
			return err
		}
		if r.Version == "" {
			return ErrNotHeld
		}
		e, err := decode(key, r.Value)
		switch {
		case err != nil:
			return err
		case e.ID != id || e.State == done:
			return ErrNotHeld
		case e.State == pending && !k.now().After(e.Until):
			return ErrPending
		}
		e.State, e.Until = done, time.Time{}
		free := &Claim{keys: k, entry: e, version: r.Version, expires: k.now().Add(rememberDone)}
		if err = free.write(ctx); err == nil || !errors.Is(err, records.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("unique: %q changes all the time: try again", key)
}
