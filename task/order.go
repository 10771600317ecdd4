package task

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dayfly-dev/dayfly/records"
)

// Orders are what a person, or a program, says to all workers by way of the
// records: that a queue is paused, that a task is cancelled. Workers find them
// by one mark (doc/formats/task-records.md).
const (
	orderMark    = "task-order"
	pausePrefix  = "task/pause/"
	cancelPrefix = "task/cancel/"

	orderVersion = 1
	maxOrder     = 4 << 10 // bytes of a record
	maxOrderBy   = 128
	maxOrderWhy  = 1024
)

// ErrNoRecords: what needs the records that all machines share was asked for
// without any.
var ErrNoRecords = errors.New("task: there is no store of records: open the one that RECORDS_URL names, and give it to WorkerOptions.Records")

// OrderOption of one Pause or Cancel.
type OrderOption func(*order)

// By says who gives the order, for people who look at it later; up to 128 bytes
// of it are kept.
func By(who string) OrderOption { return func(o *order) { o.By = clipped(who, maxOrderBy) } }

// Because says why, up to 1 KiB.
func Because(why string) OrderOption { return func(o *order) { o.Reason = clipped(why, maxOrderWhy) } }

// order is the value of a record, in this order.
type order struct {
	V      int    `json:"v"`
	At     string `json:"at"`
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`

	// Of a cancellation, once it took effect.
	Applied  string `json:"applied,omitempty"`
	Running  bool   `json:"running,omitempty"`
	Finished bool   `json:"finished,omitempty"`
	Task     string `json:"task,omitempty"`
	Queue    string `json:"queue,omitempty"`
	Rest     string `json:"rest,omitempty"`
}

func newOrder(options []OrderOption) order {
	o := order{V: orderVersion, At: stamp(time.Now())}
	for _, f := range options {
		f(&o)
	}
	return o
}

// decodeOrder reads the value of a record. What it does not understand is an
// error for people who look; workers go by the key alone.
func decodeOrder(r records.Record) (o order, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("task: record %q cannot be read: %w", r.Key, err)
		}
	}()
	if len(r.Value) > maxOrder {
		return o, fmt.Errorf("it has %d bytes, more than %d", len(r.Value), maxOrder)
	}
	d := json.NewDecoder(bytes.NewReader(r.Value))
	if err := d.Decode(&o); err != nil {
		return o, err
	}
	if _, err := d.Token(); err != io.EOF {
		return o, errors.New("something follows it")
	}
	if o.V != orderVersion {
		return o, fmt.Errorf("it has version %d, this program knows %d", o.V, orderVersion)
	}
	if len(o.By) > maxOrderBy || len(o.Reason) > maxOrderWhy || len(o.Task) > MaxName || len(o.Rest) > maxOrderWhy {
		return o, errors.New("a text in it is too long")
	}
	for _, at := range []string{o.At, o.Applied} {
		if _, err := when(at); err != nil {
			return o, err
		}
	}
	return o, nil
}

func (o order) encode() ([]byte, error) { return json.Marshal(o) }

// when is a time of a record; zero if it has none.
func when(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return t, fmt.Errorf("%.40q is not an RFC 3339 time", s)
	}
	return t.UTC(), nil
}

// clipped is at most n bytes of s, as UTF-8.
func clipped(s string, n int) string {
	if len(s) > n {
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "\ufffd")
}
