package diskqueue

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// errMalformed: bytes that passed their checksum and yet mean nothing; only a
// defect, or a hand, writes such.
var errMalformed = errors.New("record is malformed")

// Bounds on what a decoder believes. Package queue enforces tighter ones.
const (
	maxDecodedString = 2 << 20
	maxDecodedCount  = 1 << 20
)

// The encoding of numbers is the unsigned varint of encoding/binary, of
// strings a length and the bytes, of maps a count and the pairs in ascending
// order of key. Times are Unix milliseconds, durations nanoseconds.

func putString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func putMap(b []byte, m map[string]string) []byte {
	b = binary.AppendUvarint(b, uint64(len(m)))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		b = putString(putString(b, k), m[k])
	}
	return b
}

func putQueueAttributes(b []byte, a driver.Attributes) []byte {
	for _, d := range []time.Duration{a.Visibility, a.Delay, a.Retention, a.ReceiveWait} {
		b = binary.AppendUvarint(b, uint64(d))
	}
	b = binary.AppendUvarint(b, uint64(a.MaxMessageSize))
	var flags byte
	for i, set := range []bool{a.FIFO, a.ContentDedup, a.DeadLetter != nil, a.GroupDedup} {
		if set {
			flags |= 1 << i
		}
	}
	b = append(b, flags)
	if d := a.DeadLetter; d != nil {
		b = binary.AppendUvarint(putString(b, d.Queue), uint64(d.MaxReceives))
	}
	return putMap(b, a.Extra)
}

// decoder reads what the put functions wrote. After the first error all it
// returns is zero; ask err at the end.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail() {
	d.err, d.b = errMalformed, nil
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

// int reads a signed number.
func (d *decoder) int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

// upTo reads a number and fails if it is above the limit.
func (d *decoder) upTo(limit uint64) uint64 {
	v := d.uint()
	if v > limit {
		d.fail()
		return 0
	}
	return v
}

func (d *decoder) milli() int64 { return int64(d.upTo(1 << 62)) }

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

// bytes returns the next n bytes, which alias the input.
func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) string() string {
	return string(d.bytes(d.upTo(maxDecodedString)))
}

func (d *decoder) strings() map[string]string {
	n := d.upTo(maxDecodedCount)
	if n == 0 || d.err != nil {
		return nil
	}
	m := map[string]string{}
	for i := uint64(0); i < n && d.err == nil; i++ {
		k := d.string()
		m[k] = d.string()
	}
	return m
}

func (d *decoder) queueAttributes() (a driver.Attributes) {
	for _, to := range []*time.Duration{&a.Visibility, &a.Delay, &a.Retention, &a.ReceiveWait} {
		*to = time.Duration(d.upTo(1 << 62))
	}
	a.MaxMessageSize = int(d.upTo(1 << 31))
	flags := d.byte()
	if flags > 15 {
		d.fail()
	}
	a.FIFO, a.ContentDedup, a.GroupDedup = flags&1 != 0, flags&2 != 0, flags&8 != 0
	if flags&4 != 0 {
		a.DeadLetter = &driver.DeadLetter{Queue: d.string(), MaxReceives: int(d.upTo(1 << 31))}
	}
	a.Extra = d.strings()
	return a
}

// done returns the error, which it is also to have bytes left over.
func (d *decoder) done() error {
	if d.err == nil && len(d.b) != 0 {
		d.fail()
	}
	return d.err
}
