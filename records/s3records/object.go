package s3records

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/dayfly-dev/dayfly/records/driver"
)

// object is a record as it is stored: a line of JSON, and the value after it.
type object struct {
	header
	value []byte
}

type header struct {
	Format  int    `json:"version"` // 1
	Key     string `json:"key"`
	Write   string `json:"write"`             // random, another for each write
	Expires int64  `json:"expires,omitempty"` // Unix seconds
	Mark    string `json:"mark,omitempty"`
	Entry   string `json:"entry,omitempty"` // of the mark's object
	Due     int64  `json:"due,omitempty"`   // of the expiry's object, Unix seconds
}

const (
	format    = 1
	maxHeader = 8 << 10 // bytes; ours have at most some 3,400, of a key of 512
	maxObject = maxHeader + 256<<10
	lastTime  = 253402300799 // the end of the year 9999
)

func (o object) encode() ([]byte, error) {
	o.Format = format
	line, err := json.Marshal(o.header)
	if err != nil {
		return nil, fmt.Errorf("encode the record: %w", err)
	}
	return append(append(line, '\n'), o.value...), nil
}

// decode reads what encode wrote. What it returns shares memory with body.
func decode(body []byte) (object, error) {
	var o object
	end := bytes.IndexByte(body[:min(len(body), maxHeader)], '\n')
	if end < 0 {
		return o, errors.New("the object is no record: it does not begin with a line of JSON")
	}
	if err := json.Unmarshal(body[:end], &o.header); err != nil {
		return o, fmt.Errorf("the object is no record: %w", err)
	}
	if o.Format != format {
		return o, fmt.Errorf("the record has format version %d, and this program knows %d: update it", o.Format, format)
	}
	if !plausible(o.header) {
		return o, errors.New("the object is no record: its first line has impossible values")
	}
	o.value = body[end+1:]
	return o, nil
}

// plausible says whether names can be made of what the header has, and leads to
// no other folder than those of marks.
func plausible(h header) bool {
	for _, at := range []int64{h.Expires, h.Due} {
		if at < 0 || at > lastTime {
			return false
		}
	}
	if h.Mark == "" {
		return h.Entry == ""
	}
	for _, c := range []byte(h.Mark) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return len(h.Mark) <= 64 && isWord(h.Entry, entryLen)
}

// expired says whether the record had ended by that time.
func (h header) expired(now time.Time) bool { return h.Expires != 0 && h.Expires <= now.Unix() }

func (o object) record(etag string) driver.Record {
	r := driver.Record{Key: o.Key, Value: o.value, Mark: o.Mark, Version: o.state(etag).version(o.Key)}
	if o.Expires != 0 {
		r.Expires = time.Unix(o.Expires, 0).UTC()
	}
	return r
}

func (o object) state(etag string) state {
	return state{etag: etag, mark: o.Mark, entry: o.Entry, due: o.Due}
}
