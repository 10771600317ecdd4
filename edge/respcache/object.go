package respcache

import (
	"hash/crc32"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// An object is one stored answer: one variant of what is at a key. What is
// atomic may be read by anybody; the rest is of the store.
type object struct {
	key     string
	vary    []string // the fields it varies by, sorted
	variant string   // what the request had in them
	meta    atomic.Pointer[meta]
	body    atomic.Pointer[[]byte] // nil: on disk only
	length  int64                  // of the body
	size    []string               // the length, as Content-Length
	sum     uint32                 // CRC-32C of the body
	uses    atomic.Uint32          // since the eviction looked at it, at most 3
	gone    atomic.Bool            // removed from the store
	renewal atomic.Bool            // one is under way
	loading sync.Mutex             // one reads the body from disk
	coded   coded                  // the body's coded forms

	// Of the store's eviction, under its lock.
	cost   int64 // bytes of memory it counts for
	queue  *queue
	before *object
	after  *object
	onDisk diskPlace
}

// meta is what is known of an object; it is replaced, never changed.
type meta struct {
	status   int
	fields   []field // of the answer, ready to be sent
	header   http.Header
	etag     string
	modified time.Time // Last-Modified; zero if none
	policy   policy
	tags     []string
	got      time.Time     // when the header came
	age      time.Duration // it had then
	staleAt  time.Time
	size     int64 // of the header, about

	// said is what an answer says of its age, which changes once a second.
	said atomic.Pointer[said]
	// lessons are what Quick answers with.
	lessons atomic.Pointer[[]lesson]
}

type field struct {
	name   string
	values []string
}

type said struct {
	second int64
	age    []string
	hit    []string
	lines  []byte // both as they are sent
}

const (
	maxTags     = 1000     // keys of one answer
	maxTagBytes = 64 << 10 // of all of them
	maxHeader   = 64 << 10 // bytes of a stored header
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum is CRC-32C.
func sum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// newMeta makes what is stored of an answer. It reports false if the header
// is too large to be stored.
func (c *Cache) newMeta(status int, h http.Header, p policy, asked, got time.Time) (*meta, bool) {
	m := &meta{status: status, policy: p, got: got, age: initialAge(h, asked, got), header: http.Header{}}
	m.staleAt = got.Add(p.lifetime - m.age)
	var ok bool
	if m.tags, ok = tagsOf(h); !ok {
		return nil, false
	}
	for name, values := range h {
		if !c.keeps(name) || slices.Contains(p.without, name) {
			continue
		}
		values = slices.Clip(slices.Clone(values))
		m.header[name] = values
		for _, v := range values {
			m.size += int64(len(name) + len(v) + 32)
		}
	}
	if m.header["Date"] == nil { // RFC 9110, section 6.6.1
		m.header["Date"] = []string{got.UTC().Format(http.TimeFormat)}
	}
	if m.size > maxHeader {
		return nil, false
	}
	m.prepare(c)
	return m, true
}

// prepare fills in what is made of the header.
func (m *meta) prepare(c *Cache) {
	m.etag = first(m.header["Etag"])
	m.modified, _ = http.ParseTime(first(m.header["Last-Modified"])) // zero if none
	m.fields = make([]field, 0, len(m.header))
	for name, values := range m.header {
		if !c.hides(name) {
			m.fields = append(m.fields, field{name, values})
		}
	}
	slices.SortFunc(m.fields, func(x, y field) int { return strings.Compare(x.name, y.name) })
}

// keeps reports whether a field of an answer is stored (RFC 9111, section 3.1).
func (c *Cache) keeps(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Age", "Set-Cookie":
		return false
	}
	return !slices.Contains(c.options().Drop, name)
}

// hides reports whether a field of an answer is for this cache alone.
func (c *Cache) hides(name string) bool {
	if name == "Surrogate-Key" || name == "Cache-Tag" {
		return !c.options().KeepKeys
	}
	return name != "Cdn-Cache-Control" && slices.Contains(c.options().Targets, name)
}

// hide takes out of an answer what is for this cache alone.
func (c *Cache) hide(h http.Header) {
	if !c.options().KeepKeys {
		delete(h, "Surrogate-Key")
		delete(h, "Cache-Tag")
	}
	for _, name := range c.options().Targets {
		if c.hides(name) {
			delete(h, name)
		}
	}
}

// tagsOf are the keys an answer is purged by: Surrogate-Key separates them by
// spaces, Cache-Tag by commas. False if there are too many: an answer that could
// not be purged by all of its keys is not to be stored.
func tagsOf(h http.Header) ([]string, bool) {
	var tags []string
	size := 0
	add := func(tag string) {
		if tag != "" {
			tags, size = append(tags, tag), size+len(tag)
		}
	}
	for _, v := range h["Surrogate-Key"] {
		for tag := range strings.FieldsSeq(v) {
			add(tag)
		}
	}
	for _, v := range h["Cache-Tag"] {
		for tag := range strings.SplitSeq(v, ",") {
			add(strings.TrimSpace(tag))
		}
	}
	if len(tags) > maxTags || size > maxTagBytes {
		return nil, false
	}
	slices.Sort(tags)
	return slices.Clip(slices.Compact(tags)), true
}

// currentAge is RFC 9111's current_age (section 4.2.3).
func (m *meta) currentAge(now time.Time) time.Duration { return m.age + max(0, now.Sub(m.got)) }

func (m *meta) fresh(now time.Time) bool { return now.Before(m.staleAt) }

// within reports whether the object has been stale for less than d.
func (m *meta) within(now time.Time, d time.Duration) bool {
	return d > 0 && now.Before(m.staleAt.Add(d))
}

// useful is until when the object can be of use without being confirmed.
func (m *meta) useful() time.Time { return m.staleAt.Add(max(m.policy.swr, m.policy.sie)) }

// ages is what answers with it say of it now.
func (m *meta) ages(c *Cache, key string, now time.Time) *said {
	second := int64(m.currentAge(now) / time.Second)
	if s := m.said.Load(); s != nil && s.second == second {
		return s
	}
	ttl := int64(m.staleAt.Sub(now) / time.Second)
	s := &said{second: second, age: []string{strconv.FormatInt(second, 10)},
		hit: []string{c.options().Name + "; hit; ttl=" + strconv.FormatInt(ttl, 10) + c.statusKey(key)}}
	s.lines = []byte("Age: " + s.age[0] + "\r\nCache-Status: " + s.hit[0] + "\r\n")
	m.said.Store(s)
	return s
}

func first(v []string) string {
	if len(v) == 0 {
		return ""
	}
	return v[0]
}
