package respcache

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// passing is a request that goes to the application as it is.
type passing struct {
	key    string
	hash   uint64
	why    string
	unsafe bool    // a success invalidates what is stored
	part   bool    // it asks for a range
	again  bool    // an answer to another like it was not stored
	head   *object // it is a HEAD, and this is stale
}

// pass has the application answer the client itself.
func (h *handler) pass(w http.ResponseWriter, r *http.Request, p passing) {
	pw := &passed{ResponseWriter: w, h: h, r: r, p: p, asked: time.Now()}
	h.application.ServeHTTP(pw, r)
	if !pw.begun && p.unsafe && r.Context().Err() == nil { // an empty answer, whose head net/http writes
		pw.invalidate(pw.Header())
	}
}

// passed looks at the head of an answer that is not stored.
type passed struct {
	http.ResponseWriter
	h     *handler
	r     *http.Request
	p     passing
	asked time.Time
	begun bool
}

// Unwrap is for http.ResponseController.
func (x *passed) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// Write implements http.ResponseWriter.
func (x *passed) Write(b []byte) (int, error) {
	if !x.begun {
		x.WriteHeader(http.StatusOK)
	}
	return x.ResponseWriter.Write(b)
}

// FlushError is for http.ResponseController.
func (x *passed) FlushError() error {
	if !x.begun {
		x.WriteHeader(http.StatusOK)
	}
	return http.NewResponseController(x.ResponseWriter).Flush()
}

// WriteHeader implements http.ResponseWriter.
func (x *passed) WriteHeader(status int) {
	if x.begun || status < 200 && status != http.StatusSwitchingProtocols {
		x.ResponseWriter.WriteHeader(status)
		return
	}
	x.begun = true
	c, h := x.h.Cache, x.Header()
	switch {
	case x.p.unsafe && status >= 200 && status < 400:
		x.invalidate(h)
	case x.p.part && status == http.StatusPartialContent:
		x.whole(h)
	case x.p.head != nil && status == http.StatusOK:
		c.freshen(x.p.head, h, x.asked)
	case x.p.again && !unwell(status) && x.r.Method == http.MethodGet:
		if c.options().judge(x.r.Header, status, h).store {
			c.passes.drop(x.p.hash) // the next request has it stored
		} else {
			c.passes.add(x.p.hash, time.Now())
		}
	}
	c.hide(h)
	setStatus(h, h["Cache-Status"], []string{c.options().Name + "; " + x.p.why + "; fwd-status=" + strconv.Itoa(status)})
	c.tell(x.r, Pass)
	x.ResponseWriter.WriteHeader(status)
}

// invalidate removes what an unsafe request has changed: what is at its own
// address, and where its answer points to on the same host (RFC 9111, section
// 4.4).
func (x *passed) invalidate(h http.Header) {
	c := x.h.Cache
	c.invalidate(x.p.key)
	scheme, host, target := c.options().Site(x.r)
	base, err := url.Parse(scheme + "://" + x.r.Host + target)
	if err != nil {
		return
	}
	for _, name := range []string{"Location", "Content-Location"} {
		v := first(h[name])
		if v == "" {
			continue
		}
		u, err := base.Parse(v)
		if err != nil || u.Scheme != base.Scheme || !strings.EqualFold(u.Host, base.Host) {
			continue
		}
		if key, ok := joinKey(nil, scheme, host, u.RequestURI()); ok {
			c.invalidate(string(key))
		}
	}
}

// whole has all of what a range was asked of fetched, if it would be stored: the
// next range is then answered from that.
func (x *passed) whole(h http.Header) {
	_, total, ok := strings.Cut(first(h["Content-Range"]), "/")
	n := parseLength(total)
	if !ok || n < 0 || n > x.h.options().MaxBody {
		return
	}
	header := h.Clone()
	delete(header, "Content-Range")
	c := x.h.Cache
	if !c.options().judge(x.r.Header, http.StatusOK, header).store || c.passes.has(x.p.hash, time.Now()) {
		return
	}
	f, joined := c.board(c.shardOf(x.p.hash), x.p.key, x.p.hash, x.r, nil, false)
	if joined {
		f.leave()
		return
	}
	if !x.h.flyAlone(x.r, f) {
		f.end()
	}
}
