package limit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	version   = 1
	maxRecord = 256 << 10 // bytes, as any record
)

// ErrNewer: the record was written by a newer version of this package.
var ErrNewer = errors.New("limit: the record is of a newer version: update this program")

// wire is an account as it is written, in this order.
type wire struct {
	V       int                   `json:"v"`
	TAT     time.Time             `json:"tat,omitzero"`
	Back    time.Time             `json:"back,omitzero"`
	Each    int64                 `json:"each,omitempty"` // microseconds
	Holders map[string]wireHolder `json:"holders,omitempty"`
}

type wireHolder struct {
	N     int       `json:"n"`
	Until time.Time `json:"until"`
}

func (a *account) encode() ([]byte, error) {
	w := wire{V: version, TAT: a.tat.UTC(), Back: a.back.UTC(), Each: a.each.Microseconds(), Holders: make(map[string]wireHolder, len(a.holders))}
	for worker, h := range a.holders {
		w.Holders[worker] = wireHolder{h.n, h.until.UTC()}
	}
	return json.Marshal(w)
}

// decode reads a record. It is strict: what it does not understand may be what
// closes the limit.
func decode(value []byte) (account, error) {
	fail := func(err error) (account, error) {
		return account{}, fmt.Errorf("limit: the record cannot be read: %w", err)
	}
	if len(value) > maxRecord {
		return fail(fmt.Errorf("it has %d bytes, more than %d", len(value), maxRecord))
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
	each := time.Duration(w.Each) * time.Microsecond
	switch {
	case w.V != version:
		return fail(fmt.Errorf("its version is %d", w.V))
	case w.Each < 0 || w.Each > MaxPer.Microseconds():
		return fail(fmt.Errorf("each is %d µs", w.Each))
	case len(w.Holders) > maxHolders:
		return fail(fmt.Errorf("it has %d holders, more than %d", len(w.Holders), maxHolders))
	}
	a := account{tat: w.TAT, back: w.Back, each: each, holders: make(map[string]holder, len(w.Holders))}
	for worker, h := range w.Holders {
		if len(worker) > 64 || h.N < 1 || h.N > MaxConcurrency {
			return fail(fmt.Errorf("holder %.64q has %d places", worker, h.N))
		}
		a.holders[worker] = holder{h.N, h.Until}
	}
	return a, nil
}
