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
	Waiting map[string]wireHolder `json:"waiting,omitempty"`
	Terms   *wireTerms            `json:"terms,omitempty"`
}

// wireTerms are Terms as the worker that wrote last has them.
type wireTerms struct {
	Concurrency int   `json:"concurrency,omitempty"`
	Rate        int   `json:"rate,omitempty"`
	Per         int64 `json:"per,omitempty"` // microseconds
	Burst       int   `json:"burst,omitempty"`
}

type wireHolder struct {
	N     int       `json:"n"`
	Until time.Time `json:"until"`
}

func (a *account) encode() ([]byte, error) {
	w := wire{V: version, TAT: a.tat.UTC(), Back: a.back.UTC(), Each: a.each.Microseconds(),
		Holders: encodeHolders(a.holders), Waiting: encodeHolders(a.waiting)}
	if t := a.terms; t != (Terms{}) {
		w.Terms = &wireTerms{t.Concurrency, t.Rate, t.Per.Microseconds(), t.Burst}
	}
	return json.Marshal(w)
}

func encodeHolders(of map[string]holder) map[string]wireHolder {
	w := make(map[string]wireHolder, len(of))
	for worker, h := range of {
		w[worker] = wireHolder{h.n, h.until.UTC()}
	}
	return w
}

func decodeHolders(what string, of map[string]wireHolder) (map[string]holder, error) {
	if len(of) > maxHolders {
		return nil, fmt.Errorf("it has %d %s, more than %d", len(of), what, maxHolders)
	}
	all := make(map[string]holder, len(of))
	for worker, h := range of {
		if len(worker) > 64 || h.N < 1 || h.N > MaxConcurrency {
			return nil, fmt.Errorf("of %s %.64q has %d", what, worker, h.N)
		}
		all[worker] = holder{h.N, h.Until}
	}
	return all, nil
}

func (w *wireTerms) decode() (Terms, error) {
	if w == nil {
		return Terms{}, nil
	}
	if w.Per < 0 || w.Per > MaxPer.Microseconds() {
		return Terms{}, fmt.Errorf("per is %d µs", w.Per)
	}
	t := Terms{Concurrency: w.Concurrency, Rate: w.Rate, Per: time.Duration(w.Per) * time.Microsecond, Burst: w.Burst}
	return t, t.Check()
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
	}
	a := account{tat: w.TAT, back: w.Back, each: each}
	var errs [3]error
	a.holders, errs[0] = decodeHolders("holders", w.Holders)
	a.waiting, errs[1] = decodeHolders("waiting", w.Waiting)
	a.terms, errs[2] = w.Terms.decode()
	if err := errors.Join(errs[:]...); err != nil {
		return fail(err)
	}
	return a, nil
}
