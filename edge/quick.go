package edge

import (
	"crypto/tls"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/edge/respcache"
	"github.com/dayfly-dev/dayfly/forwarded"
	"github.com/dayfly-dev/dayfly/internal/http1"
)

// The quick way: what the response cache answered once in the usual way, through
// all layers, is remembered as it was sent. A request that differs from the one
// that was answered so in nothing an answer could depend on is answered with the
// same bytes, on the loop that read it, without a request being made of it. So
// is a request for a whole file of the static folder. Everything else is
// declined, and goes the usual way.

// A quickNote is what is counted and logged of an answer besides.
type quickNote struct{ route, encoding string }

// A lesson watches how a hit is written, for the cache to remember.
type lesson struct {
	http.ResponseWriter
	x     *exchange
	kept  *respcache.Kept // nil: this is no hit that is sent whole
	head  []byte
	body  []byte
	note  quickNote
	spoil bool // it was not written in one piece
}

var lessons = sync.Pool{New: func() any { return new(lesson) }}

// putTeacher has a layer around all others watch what is written.
func (s *setup) putTeacher(e *Edge) error {
	if s.cache == nil || len(s.Answers.JSONP) > 0 { // which makes other bodies of the stored ones
		return nil
	}
	return s.put(e, func(next http.Handler) (http.Handler, error) { return s.teach(next), nil })
}

func (s *setup) teach(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x, _ := w.(*exchange)
		if x == nil || x.setup != s || r.Method != http.MethodGet || len(r.Header["Accept-Encoding"]) > 1 || s.cors != nil && r.Header["Origin"] != nil {
			next.ServeHTTP(w, r)
			return
		}
		l := lessons.Get().(*lesson)
		*l = lesson{ResponseWriter: w, x: x}
		defer func() {
			*l = lesson{}
			lessons.Put(l)
		}()
		next.ServeHTTP(l, r)
		if l.kept != nil && !l.spoil && l.body != nil {
			encoding, asked := r.Header["Accept-Encoding"]
			l.kept.Remember(s, first(encoding), asked, l.head, l.body, l.note)
		}
	})
}

// Unwrap is for http.ResponseController.
func (l *lesson) Unwrap() http.ResponseWriter { return l.ResponseWriter }

// Learn implements respcache.Learner.
func (l *lesson) Learn(k respcache.Kept) { l.kept = &k }

// WriteHeader implements http.ResponseWriter.
func (l *lesson) WriteHeader(status int) {
	if l.kept != nil && (status != http.StatusOK || l.head != nil || !l.take(l.Header())) {
		l.spoil = true
	}
	l.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (l *lesson) Write(p []byte) (int, error) {
	if l.kept != nil {
		if l.spoil = l.spoil || l.head == nil || l.body != nil; !l.spoil {
			l.body = p
		}
	}
	return l.ResponseWriter.Write(p)
}

// take writes down the head, but for what belongs to one request or one second.
// False if there is something in it that is not sent as it stands.
func (l *lesson) take(h http.Header) bool {
	if len(h["Content-Length"]) != 1 || len(h["Content-Type"]) == 0 || len(h["Date"]) != 1 || l.x.preview || l.x.permit != nil && l.x.permit.policy != "" {
		return false
	}
	b := append(make([]byte, 0, 512), "HTTP/1.1 200 OK\r\n"...)
	for name, values := range h {
		switch name {
		case "X-Request-Id":
			continue
		case RouteHeader:
			l.note.route = strings.Clone(first(values)[:min(len(first(values)), 200)])
			continue
		case "Content-Encoding":
			l.note.encoding = strings.Clone(first(values))
		case "Connection", "Transfer-Encoding", "Trailer":
			return false
		case "Age", "Cache-Status":
			others, own := l.kept.Own(name, values)
			if !own {
				return false
			}
			values = values[:others]
		}
		if tokenLen(name) != len(name) {
			return false // a trailer
		}
		for _, v := range values {
			if strings.ContainsAny(v, "\r\n") {
				return false
			}
			b = append(append(append(append(b, name...), ": "...), strings.Trim(v, " \t")...), "\r\n"...)
		}
	}
	l.head = b
	return true
}

// A sketch is what the quick way makes of a request: as much as is counted and
// logged.
type sketch struct {
	r      http.Request
	header http.Header
	values [16]string
	n      int
	g      *http1.Glance
	x      *exchange
	field  func(string) []string
}

var sketches = sync.Pool{New: func() any {
	s := &sketch{header: http.Header{}}
	s.field = s.fieldOf
	return s
}}

// quick answers a GET as an earlier one was; false if there is nothing to answer
// it with, and nothing has happened then.
func (e *Edge) quick(g *http1.Glance, out []byte) (head, body []byte, ok bool) {
	set := e.setup()
	if e.maintenance.Load() != nil || len(g.Target) > maxQuickTarget {
		return nil, nil, false
	}
	file, lasting := set.quickFile(g)
	if file == nil && set.cache == nil {
		return nil, nil, false
	}
	s := sketches.Get().(*sketch)
	defer s.put()
	q := respcache.Question{Under: set, Target: g.Target}
	if !s.draw(e, set, g, &q) {
		return nil, nil, false
	}
	x := newExchange(e, nil, &s.r)
	s.x = x
	if x.setup != set || set.declines(x) || file == nil && e.published.declines(x.r) {
		x.leave()
		return nil, nil, false
	}
	if file != nil {
		if head, body, ok = x.quickStatic(file, lasting, q.Encoding, out); ok {
			x.finish()
		} else {
			x.leave()
		}
		return head, body, ok
	}
	q.Scheme, q.Host = x.origin.proto, x.origin.keyHost(g.Host)
	q.Field = s.field
	a, ok := set.cache.Quick(&q, x.start)
	if !ok {
		x.leave()
		return nil, nil, false
	}
	x.status, x.bytes, x.cache = http.StatusOK, int64(len(a.Body)), string(respcache.Hit)
	x.first = time.Since(x.start)
	if n, ok := a.Note.(quickNote); ok {
		x.name, x.encoding = n.route, n.encoding
	}
	out = append(append(out, a.Head...), a.Changing...)
	out = append(append(append(out, "X-Request-Id: "...), x.origin.id...), "\r\n\r\n"...)
	x.finish()
	return out, a.Body, true
}

const maxQuickTarget = 2 << 10 // bytes

// leave gives an exchange back that nothing came of.
func (x *exchange) leave() {
	*x = exchange{lane: x.lane}
	exchanges.Put(x)
}

// declines reports whether a request is one that the edge would do more with
// than have it answered from the cache.
func (s *setup) declines(x *exchange) bool {
	h := &s.HTTPS
	if h.Redirect && x.origin.proto != "https" || h.Challenge != nil && strings.HasPrefix(x.r.URL.Path, challengePath) {
		return true
	}
	for _, l := range s.limits {
		if l.matches(x.r) {
			return true
		}
	}
	return false
}

// secured says that a connection has TLS, and no more.
var secured tls.ConnectionState

// declines reports whether a release would have a part in the answer.
func (p *publisher) declines(r *http.Request) bool {
	if p == nil {
		return false
	}
	n := p.now.Load()
	return n.missing || n.live != nil && n.live.find(r) != nil || strings.HasPrefix(r.URL.Path, PreviewPath)
}

// draw takes in what is of use of a request. It is false for one whose answer
// may depend on more.
func (s *sketch) draw(e *Edge, set *setup, g *http1.Glance, q *respcache.Question) bool {
	s.g = g
	s.r = http.Request{Method: http.MethodGet, URL: g.URL, RequestURI: g.Target, Host: g.Host, RemoteAddr: g.Remote,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: s.header, Body: http.NoBody}
	if g.TLS {
		s.r.TLS = &secured
	}
	for name, value := range g.Fields() {
		switch name {
		case "Accept-Encoding":
			if q.Asked {
				return false
			}
			q.Encoding, q.Asked = value, true
		case "User-Agent", "Referer":
			if !s.add(name, value) {
				return false
			}
		case "Cookie": // of who previews a release
			if e.published != nil && strings.Contains(value, previewCookie) {
				return false
			}
		case PreviewHeader, "Authorization", "Range", "If-Range", "If-None-Match", "If-Modified-Since":
			return false
		case "Origin":
			if set.cors != nil {
				return false
			}
		case "Cache-Control", "Pragma":
			if set.Cache != nil && set.Cache.Obey {
				return false
			}
		default:
			if respcache.Special(name) || forwarded.IsHeader(name) && !s.add(name, value) {
				return false
			}
		}
	}
	return true
}

// add adds a field; false if there are too many, or it is there.
func (s *sketch) add(name, value string) bool {
	if s.n == len(s.values) || s.header[name] != nil {
		return false
	}
	s.values[s.n] = value
	s.header[name] = s.values[s.n : s.n+1 : s.n+1]
	s.n++
	return true
}

// put gives the sketch back.
func (s *sketch) put() {
	clear(s.header)
	s.values = [16]string{}
	s.n, s.g, s.x, s.r = 0, nil, nil, http.Request{}
	sketches.Put(s)
}

// fieldOf is a field as the application sees it.
func (s *sketch) fieldOf(name string) []string {
	if name == "Host" {
		return []string{s.g.Host}
	}
	if hopHeader(name) || forwarded.IsHeader(name) {
		return forwardedField(&s.x.origin, name)
	}
	var values []string
	for n, value := range s.g.Fields() {
		if n == name {
			values = append(values, value)
		}
	}
	return values
}
