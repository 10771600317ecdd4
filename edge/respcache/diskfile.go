package respcache

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"
)

// A file holds one object: a head of 40 bytes, the body, and the record, JSON.
// The record comes last so that it can be replaced where the body stays. The
// format is described in doc/formats/edge-cache.md.
const (
	fileMagic   = "dayflyrc"
	fileVersion = 1
	headBytes   = 40
	maxRecord   = 1 << 20
)

// A record is what is kept of an object beside its body.
type record struct {
	Key     string      `json:"key"`
	Vary    []string    `json:"vary,omitempty"`
	Variant []byte      `json:"variant,omitempty"`
	Status  int         `json:"status"`
	Header  http.Header `json:"header"`
	Got     time.Time   `json:"got"`
	Age     int64       `json:"age_ns"`
	StaleAt time.Time   `json:"stale_at"`

	Lifetime             int64 `json:"lifetime_ns"`
	StaleWhileRevalidate int64 `json:"stale_while_revalidate_ns,omitempty"`
	StaleIfError         int64 `json:"stale_if_error_ns,omitempty"`
	Explicit             bool  `json:"explicit,omitempty"`
	Auth                 bool  `json:"auth,omitempty"`
	StaleAllowed         bool  `json:"stale_allowed,omitempty"`
}

var errDamaged = errors.New("respcache: the file is damaged")

// head is the first 40 bytes of a file.
type head struct {
	body      int64
	record    int64
	bodySum   uint32
	recordSum uint32
}

func (h head) encode() []byte {
	b := make([]byte, 0, headBytes)
	b = append(b, fileMagic...)
	b = binary.LittleEndian.AppendUint32(b, fileVersion)
	b = binary.LittleEndian.AppendUint32(b, uint32(h.record))
	b = binary.LittleEndian.AppendUint64(b, uint64(h.body))
	b = binary.LittleEndian.AppendUint32(b, h.bodySum)
	b = binary.LittleEndian.AppendUint32(b, h.recordSum)
	b = binary.LittleEndian.AppendUint32(b, 0)
	return binary.LittleEndian.AppendUint32(b, sum(b))
}

func decodeHead(b []byte) (head, error) {
	if len(b) != headBytes || string(b[:8]) != fileMagic || binary.LittleEndian.Uint32(b[8:]) != fileVersion ||
		binary.LittleEndian.Uint32(b[36:]) != sum(b[:36]) {
		return head{}, errDamaged
	}
	h := head{record: int64(binary.LittleEndian.Uint32(b[12:])), body: int64(binary.LittleEndian.Uint64(b[16:])),
		bodySum: binary.LittleEndian.Uint32(b[24:]), recordSum: binary.LittleEndian.Uint32(b[28:])}
	if h.record > maxRecord || h.body < 0 || h.body > 1<<40 {
		return head{}, errDamaged
	}
	return h, nil
}

// readRecord reads the head and the record of a file, and checks them.
func readRecord(f io.ReaderAt) (head, record, error) {
	var r record
	b := make([]byte, headBytes)
	if _, err := f.ReadAt(b, 0); err != nil {
		return head{}, r, errDamaged
	}
	h, err := decodeHead(b)
	if err != nil {
		return h, r, err
	}
	text := make([]byte, h.record)
	if _, err := f.ReadAt(text, headBytes+h.body); err != nil && !(err == io.EOF && len(text) == 0) {
		return h, r, errDamaged
	}
	if sum(text) != h.recordSum || json.Unmarshal(text, &r) != nil || !r.plausible() {
		return h, r, errDamaged
	}
	return h, r, nil
}

func (r *record) plausible() bool {
	return r.Key != "" && len(r.Key) <= maxKey+16 && r.Status >= 200 && r.Status <= 999 && r.Header != nil &&
		r.Lifetime >= 0 && r.StaleWhileRevalidate >= 0 && r.StaleIfError >= 0 && r.Age >= 0 && len(r.Vary) <= maxVary
}

// encodeFile writes an object to f, all of it or its record only.
func encodeFile(f *os.File, o *object, body []byte, whole bool) (int64, error) {
	text, err := json.Marshal(recordOf(o))
	if err != nil {
		return 0, err
	}
	if len(text) > maxRecord {
		return 0, errDamaged
	}
	h := head{body: o.length, record: int64(len(text)), bodySum: o.sum, recordSum: sum(text)}
	if whole {
		if _, err := f.WriteAt(body, headBytes); err != nil {
			return 0, err
		}
	}
	if _, err := f.WriteAt(text, headBytes+o.length); err != nil {
		return 0, err
	}
	if _, err := f.WriteAt(h.encode(), 0); err != nil {
		return 0, err
	}
	size := headBytes + o.length + h.record
	return size, f.Truncate(size)
}

func recordOf(o *object) record {
	m := o.meta.Load()
	p := m.policy
	return record{Key: o.key, Vary: o.vary, Variant: []byte(o.variant), Status: m.status, Header: m.header, Got: m.got, Age: int64(m.age),
		StaleAt: m.staleAt, Lifetime: int64(p.lifetime), StaleWhileRevalidate: int64(p.swr), StaleIfError: int64(p.sie),
		Explicit: p.explicit, Auth: p.auth, StaleAllowed: p.staleAllowed}
}

// object is the object of a record, without its body.
func (r *record) object(c *Cache, h head) (*object, bool) {
	m := &meta{status: r.Status, header: http.Header{}, got: r.Got, age: time.Duration(r.Age), staleAt: r.StaleAt,
		policy: policy{store: true, anybody: true, explicit: r.Explicit, auth: r.Auth, staleAllowed: r.StaleAllowed,
			lifetime: time.Duration(r.Lifetime), swr: time.Duration(r.StaleWhileRevalidate), sie: time.Duration(r.StaleIfError)}}
	for name, values := range r.Header {
		m.header[http.CanonicalHeaderKey(name)] = values
		for _, v := range values {
			m.size += int64(len(name) + len(v) + 32)
		}
	}
	var ok bool
	if m.tags, ok = tagsOf(m.header); !ok || m.size > 2*maxHeader {
		return nil, false
	}
	m.prepare(c)
	o := &object{key: r.Key, vary: r.Vary, variant: string(r.Variant), length: h.body,
		size: []string{strconv.FormatInt(h.body, 10)}, sum: h.bodySum}
	o.meta.Store(m)
	return o, true
}
