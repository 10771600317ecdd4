package unique

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
	"unicode"
	"unicode/utf8"
)

// state of a key that is taken.
type state string

const (
	pending   state = "pending"   // its owner is about to send the message
	abandoned state = "abandoned" // its owner does not know whether it sent it
	sent      state = "sent"      // the message is in the queue, or was
	done      state = "done"      // there is no task any more
)

// entry is the value of a key's record.
type entry struct {
	key   string
	State state
	ID    string
	Queue string
	Owner string
	At    time.Time
	Until time.Time // end of the claim; zero unless pending
}

const (
	version  = 1
	maxEntry = 4 << 10 // bytes; what encode writes is below it
)

// ErrNewer: the record was written by a newer version of this package.
var ErrNewer = errors.New("the record is of a newer version: update this program")

// wire is an entry as it is written, in this order.
type wire struct {
	V     int       `json:"v"`
	State state     `json:"state"`
	ID    string    `json:"id"`
	Queue string    `json:"queue"`
	Owner string    `json:"owner"`
	At    time.Time `json:"at"`
	Until time.Time `json:"until,omitzero"`
}

func (e *entry) encode() ([]byte, error) {
	if err := e.check(); err != nil {
		return nil, fmt.Errorf("unique: record of %q: %w", e.key, err)
	}
	return json.Marshal(wire{version, e.State, e.ID, e.Queue, e.Owner, e.At.UTC(), e.Until.UTC()})
}

// decode reads a record. It is strict: what it does not understand may say that
// there is no task.
func decode(key string, value []byte) (entry, error) {
	fail := func(err error) (entry, error) {
		return entry{}, fmt.Errorf("unique: record of %q cannot be read, so nothing is enqueued: %w", key, err)
	}
	if len(value) > maxEntry {
		return fail(fmt.Errorf("it has %d bytes, more than %d", len(value), maxEntry))
	}
	var v struct {
		V int `json:"v"`
	}
	if err := json.Unmarshal(value, &v); err != nil {
		return fail(err)
	}
	if v.V > version {
		return fail(ErrNewer)
	}
	d := json.NewDecoder(bytes.NewReader(value))
	d.DisallowUnknownFields()
	var w wire
	if err := d.Decode(&w); err != nil {
		return fail(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fail(errors.New("something follows it"))
	}
	if w.V != version {
		return fail(fmt.Errorf("its version is %d", w.V))
	}
	e := entry{key, w.State, w.ID, w.Queue, w.Owner, w.At, w.Until}
	if err := e.check(); err != nil {
		return fail(err)
	}
	return e, nil
}

func (e *entry) check() error {
	switch {
	case e.State != pending && e.State != abandoned && e.State != sent && e.State != done:
		return fmt.Errorf("state is %.20q", e.State)
	case e.ID == "" || len(e.ID) > maxIDLength:
		return fmt.Errorf("id has %d bytes, not 1–%d", len(e.ID), maxIDLength)
	case len(e.Queue) > 128:
		return fmt.Errorf("queue has %d bytes, more than 128", len(e.Queue))
	case e.Owner == "" || len(e.Owner) > 64:
		return fmt.Errorf("owner has %d bytes, not 1–64", len(e.Owner))
	case e.State == pending && e.Until.IsZero():
		return errors.New("until is missing")
	}
	return nil
}

// check reports what is wrong with a call.
func (c *Call) check() error {
	if err := checkKey(c.Key); err != nil {
		return err
	}
	switch {
	case c.Window < MinWindow || c.Window > MaxWindow:
		return fmt.Errorf("unique: window %v is not in %v–%v", c.Window, MinWindow, MaxWindow)
	}
	return nil
}

func checkKey(key string) error {
	switch {
	case key == "" || len(key) > maxOfKey:
		return fmt.Errorf("unique: key %.40q has %d bytes, not 1–%d: hash a long one", key, len(key), maxOfKey)
	case !utf8.ValidString(key) || bytes.ContainsFunc([]byte(key), unicode.IsControl):
		return fmt.Errorf("unique: key %.40q is not UTF-8 without control characters", key)
	}
	return nil
}

// watch is one process's look at a claim of another.
type watch struct {
	now     func() time.Time
	version string
	since   time.Time
	looks   int
}

// over reports whether the claim is believed to be nobody's any more: its lease
// is over by this process's clock, or the record did not change for a lease
// while this process looked, whatever the owner's clock says.
func (w *watch) over(version string, until time.Time) bool {
	now := w.now()
	if w.version != version {
		w.version, w.since = version, now
	}
	return now.After(until) || now.Sub(w.since) >= Lease
}

// look is the pause before the next look.
func (w *watch) look() time.Duration {
	top := min(lastLook, firstLook<<min(w.looks, 10))
	w.looks++
	return top/2 + rand.N(top/2)
}
