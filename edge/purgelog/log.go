// Package purgelog has a purge of one machine's response cache reach those of all
// machines of an application: through a log of the latest purges in the records
// that all of them share.
//
// A purge is carried out here first, then written to the log, and by every other
// machine when it next looks, about a second later. A machine that was away for
// longer than the log goes back drops everything once. What is carried out twice
// does no harm: a purge only ever takes something out.
//
// The log is one record, written by compare-and-swap: its purges have numbers
// that grow by one.
package purgelog

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/dayfly-dev/dayfly/edge/respcache"
	"github.com/dayfly-dev/dayfly/records"
)

const (
	logKey = "edge-cache/purges"
	// maxEntries and maxBytes bound the log; the oldest make room.
	maxEntries = 500
	maxBytes   = 128 << 10
	// maxPurge bounds one purge in it, bytes. A larger one is written as one of
	// everything.
	maxPurge = 32 << 10
)

// A journal is the log as it is written.
type journal struct {
	// Last is the number of the latest purge; entries end with it.
	Last uint64 `json:"last"`
	// Begin is the number before the first purge the log ever had.
	Begin   uint64  `json:"begin"`
	Entries []entry `json:"purges"`
}

type entry struct {
	Number uint64          `json:"number"`
	At     time.Time       `json:"at"`
	Edge   string          `json:"edge"` // that was asked for it
	Purge  respcache.Purge `json:"purge"`
}

var errDamaged = errors.New("purgelog: the log cannot be read")

// decode reads a log, and checks that its numbers are without a gap.
func decode(value []byte) (journal, error) {
	var j journal
	if err := json.Unmarshal(value, &j); err != nil {
		return j, fmt.Errorf("%w: %w", errDamaged, err)
	}
	for i, e := range j.Entries {
		if j.Begin > j.Last || e.Number != j.Last-uint64(len(j.Entries)-1-i) || e.Number == 0 {
			return j, fmt.Errorf("%w: purge %d is where %d was expected", errDamaged, e.Number, j.Last-uint64(len(j.Entries)-1-i))
		}
		if err := e.Purge.Check(); err != nil {
			return j, fmt.Errorf("%w: purge %d: %w", errDamaged, e.Number, err)
		}
	}
	return j, nil
}

// add appends a purge to a log and lets the oldest go.
func (j *journal) add(e entry) ([]byte, error) {
	j.Last++
	e.Number = j.Last
	j.Entries = append(j.Entries, e)
	j.Entries = j.Entries[max(0, len(j.Entries)-maxEntries):]
	for {
		value, err := json.Marshal(j)
		if err != nil || len(value) <= maxBytes {
			return value, err
		}
		j.Entries = j.Entries[(len(j.Entries)+1)/2:]
	}
}

// after returns the purges with numbers above seen, which is 0 for who saw that
// there was no log; false if some of them are gone, or the log is another than was
// seen.
func (j *journal) after(seen uint64) ([]entry, bool) {
	if seen == 0 {
		seen = j.Begin
	}
	if seen > j.Last || j.Last-seen > uint64(len(j.Entries)) {
		return nil, false
	}
	return j.Entries[uint64(len(j.Entries))-(j.Last-seen):], true
}

// bounded is a purge that fits into the log: itself, or one of more.
func bounded(p respcache.Purge) respcache.Purge {
	if b, err := json.Marshal(p); err == nil && len(b) <= maxPurge {
		return p
	}
	host := p.Host
	if len(host) > 255 {
		host = ""
	}
	return respcache.Purge{All: true, Host: host, Soft: p.Soft}
}

// next makes the record with one more purge. A log that cannot be read is begun
// anew behind all numbers that were: then everybody drops everything.
func next(old *records.Record, e entry) (records.Record, uint64, error) {
	// One that was removed and begins anew is not to be taken for what was seen.
	begin := uint64(e.At.UnixNano())
	j := journal{Last: begin, Begin: begin}
	if old != nil {
		if was, err := decode(old.Value); err == nil {
			j = was
		}
	}
	value, err := j.add(e)
	return records.Record{Value: value}, j.Last, err
}
