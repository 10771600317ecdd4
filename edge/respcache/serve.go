package respcache

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// statusOf is what Cache-Status says beside the cache's name (RFC 9211).
func (c *Cache) statusKey(key string) string {
	if !c.options().StatusKey {
		return ""
	}
	b := append([]byte{}, `; key="`...)
	for i := 0; i < len(key); i++ {
		switch ch := key[i]; {
		case ch == '"' || ch == '\\':
			b = append(b, '\\', ch)
		case ch >= ' ' && ch < 0x7f:
			b = append(b, ch)
		}
	}
	return string(append(b, '"'))
}

// tell counts a request and tells of it.
func (c *Cache) tell(r *http.Request, o Outcome) {
	c.meter.count(o)
	if c.options().Told != nil {
		c.options().Told(r, o)
	}
}

// setStatus says in an answer what this cache did, after what those before it
// say.
func setStatus(h http.Header, before, own []string) {
	if len(before) > 0 {
		own = append(append([]string(nil), before...), own...)
	}
	h["Cache-Status"] = own
}

// head sets the header of an answer with m, but for what is of its body.
func (c *Cache) head(h http.Header, m *meta, key, how string, now time.Time) {
	for i := range m.fields {
		h[m.fields[i].name] = m.fields[i].values
	}
	s := m.ages(c, key, now)
	own := s.hit
	if how != "" {
		ttl := int64(m.staleAt.Sub(now) / time.Second)
		own = []string{c.options().Name + "; " + how + "; ttl=" + strconv.FormatInt(ttl, 10) + c.statusKey(key)}
	}
	h["Age"] = s.age
	setStatus(h, m.header["Cache-Status"], own)
}

// serve answers from an object whose body is at hand. how is what Cache-Status
// says; "" a hit.
func (c *Cache) serve(w http.ResponseWriter, r *http.Request, o *object, m *meta, body []byte, how string, now time.Time) {
	h := w.Header()
	c.head(h, m, o.key, how, now)
	if m.status == http.StatusOK && notModified(r, m) {
		writeNotModified(w)
		return
	}
	c.meter.bodyBytes.Add(uint64(len(body)))
	if m.status == http.StatusOK && r.Header["Range"] != nil && r.Method == http.MethodGet && len(body) > 0 {
		http.ServeContent(w, r, "", m.modified, bytes.NewReader(body))
		return
	}
	if bodyAllowed(m.status) {
		h["Content-Length"] = o.size
	}
	if how == "" && m.status == http.StatusOK && r.Method == http.MethodGet {
		tellLearner(w, Kept{c, o, m})
	}
	c.write(w, r, o, m.status, body)
}

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// writeNotModified answers 304 with what is set, less what is of the body.
func writeNotModified(w http.ResponseWriter) {
	h := w.Header()
	for _, name := range []string{"Content-Length", "Content-Encoding", "Content-Language", "Content-Range"} {
		delete(h, name)
	}
	h["Content-Type"] = nil
	w.WriteHeader(http.StatusNotModified)
}

// notModified reports whether the client has what is stored (RFC 9111, section
// 4.3.2).
func notModified(r *http.Request, m *meta) bool {
	if v := r.Header["If-None-Match"]; v != nil {
		return anyETag(v, m.etag)
	}
	v := r.Header["If-Modified-Since"]
	if len(v) != 1 {
		return false
	}
	since, err := http.ParseTime(v[0])
	if err != nil {
		return false
	}
	at := m.modified
	if at.IsZero() {
		if at, err = http.ParseTime(first(m.header["Date"])); err != nil {
			at = m.got
		}
	}
	return !at.After(since)
}

// anyETag reports whether a list of entity tags has the one, by the weak
// comparison (RFC 9110, section 8.8.3.2).
func anyETag(values []string, etag string) bool {
	etag = strings.TrimPrefix(etag, "W/")
	for _, s := range values {
		for {
			s = strings.TrimLeft(s, " \t,")
			if s == "" {
				break
			}
			if s[0] == '*' {
				return true
			}
			s = strings.TrimPrefix(s, "W/")
			if s == "" || s[0] != '"' {
				break
			}
			end := strings.IndexByte(s[1:], '"')
			if end < 0 {
				break
			}
			if s[:end+2] == etag {
				return true
			}
			s = s[end+2:]
		}
	}
	return false
}
