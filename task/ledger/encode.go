package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// maxEntry is the largest record in bytes; what encode writes is below it.
const maxEntry = 32 << 10

// version of the format, doc/formats/ledger.md.
const version = 1

// ErrNewer: the record was written by a newer version of this package.
// Nothing is sent, as it may say what this one does not understand.
var ErrNewer = errors.New("ledger: the record is of a newer version: update this program")

// unreadableError is a record that is there and cannot be read.
type unreadableError struct {
	key string
	err error
}

func (e *unreadableError) Error() string {
	return fmt.Sprintf("ledger: record of %q cannot be read, so nothing is sent: %v", e.key, e.err)
}

func (e *unreadableError) Unwrap() error { return e.err }

// wireEntry is an entry as it is written, in this order.
type wireEntry struct {
	V       int      `json:"v"`
	State   State    `json:"state"`
	Policy  Policy   `json:"policy"`
	Epoch   int      `json:"epoch"`
	Attempt int      `json:"attempt"`
	Owner   string   `json:"owner"`
	Worker  string   `json:"worker,omitempty"`
	Payload string   `json:"payload,omitempty"`
	At      string   `json:"at"`
	Until   string   `json:"until,omitempty"`
	Task    string   `json:"task,omitempty"`
	Run     string   `json:"run,omitempty"`
	Queue   string   `json:"queue,omitempty"`
	Result  string   `json:"result,omitempty"`
	Error   string   `json:"error,omitempty"`
	Parked  string   `json:"parked,omitempty"`
	Sends   []string `json:"sends,omitempty"`
}

// encode writes an entry as the value of its record.
func (e *Entry) encode() ([]byte, error) {
	if err := e.check(); err != nil {
		return nil, fmt.Errorf("ledger: record of %q: %w", e.Key, err)
	}
	return json.Marshal(wireEntry{
		V: version, State: e.State, Policy: e.Policy, Epoch: e.Epoch, Attempt: e.Attempt,
		Owner: e.Owner, Worker: e.Worker, Payload: e.Payload, At: stamp(e.At), Until: stamp(e.Until),
		Task: e.Task, Run: e.Run, Queue: e.Queue, Result: e.Result, Error: e.Error, Parked: e.Parked, Sends: e.Sends,
	})
}

// decode reads the value of a record. It is strict: what it does not know is
// an error, since a field that is passed over may be the one that says not to
// send.
func decode(key string, value []byte) (Entry, error) {
	fail := func(err error) (Entry, error) {
		return Entry{}, &unreadableError{key, err}
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
		return fail(fmt.Errorf("%w (it has version %d, this program knows %d)", ErrNewer, v.V, version))
	}
	if v.V < 1 {
		return fail(errors.New("it has no version"))
	}
	d := json.NewDecoder(bytes.NewReader(value))
	d.DisallowUnknownFields()
	var w wireEntry
	if err := d.Decode(&w); err != nil {
		return fail(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fail(errors.New("something follows it"))
	}
	e := Entry{
		Key: key, State: w.State, Policy: w.Policy, Epoch: w.Epoch, Attempt: w.Attempt,
		Owner: w.Owner, Worker: w.Worker, Payload: w.Payload,
		Task: w.Task, Run: w.Run, Queue: w.Queue, Result: w.Result, Error: w.Error, Parked: w.Parked, Sends: w.Sends,
	}
	var err error
	if e.At, err = instant("at", w.At); err != nil {
		return fail(err)
	}
	if e.Until, err = instant("until", w.Until); err != nil {
		return fail(err)
	}
	if err := e.check(); err != nil {
		return fail(err)
	}
	return e, nil
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func instant(name, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return t, fmt.Errorf("%s is not a time of RFC 3339", name)
	}
	return t.UTC(), nil
}
