package respcache

import (
	"maps"
	"net/http"
	"strconv"
	"time"
)

// A fill is the http.ResponseWriter of a request whose answer may be stored. It
// decides when the head comes: to store, with the clients reading what is stored
// so far; to let through; or to drop, where what is stored is the answer.
type fill struct {
	h      *handler
	f      *flight
	client http.ResponseWriter // nil: none
	r      *http.Request       // the client's
	why    string
	header http.Header
	cancel func() // of a request without a client

	mode     fillMode
	length   int64         // Content-Length; -1: not known
	streamed chan struct{} // closed when the client has what is stored
	streamOK error
	panicked any
	stopped  func() bool
}

type fillMode int

const (
	undecided fillMode = iota
	keeping            // the flight's object is being filled
	through            // to the client
	dropping           // a 304 to us, or an error in whose place stale is served
)

// Header implements http.ResponseWriter.
func (x *fill) Header() http.Header {
	if x.mode == through && x.client != nil {
		return x.client.Header()
	}
	return x.header
}

// WriteHeader implements http.ResponseWriter.
func (x *fill) WriteHeader(status int) {
	if x.mode != undecided {
		return
	}
	if status < 200 {
		if x.client != nil {
			maps.Copy(x.client.Header(), x.header)
			x.client.WriteHeader(status)
			clear(x.client.Header())
		}
		return
	}
	old := x.f.old
	if status == http.StatusNotModified && old != nil {
		x.confirm(old)
		return
	}
	if unwell(status) && x.client == nil && old != nil {
		x.mode = dropping
		x.f.end()
		x.f.become(failing)
		return
	}
	x.length = -1
	if v := x.header["Content-Length"]; len(v) == 1 {
		if n := parseLength(v[0]); n >= 0 {
			x.length = n
		}
	}
	p := x.h.options().judge(x.r.Header, status, x.header)
	switch fits := x.length <= x.h.options().MaxBody; {
	case p.store && fits && !x.room(x.length):
		x.letThrough(status, 0)
	case p.store && fits && x.keep(status, p):
	case p.anybody && !p.store:
		x.letThrough(status, x.f.hash^withCredentials)
	default:
		x.letThrough(status, x.f.hash)
	}
}

// unwell are the statuses of an application that does not work at the moment
// (RFC 5861, section 4).
func unwell(status int) bool {
	return status == 500 || status >= 502 && status <= 504
}

func parseLength(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// room reports whether so many bytes more may be received at once: a quarter of
// Size is for that.
func (x *fill) room(n int64) bool {
	return x.h.filling.Load()+max(0, n) <= x.h.options().Size/4 || x.h.filling.Load() == 0
}

// keep begins to store.
func (x *fill) keep(status int, p policy) bool {
	f, now := x.f, time.Now()
	m, ok := x.h.newMeta(status, x.header, p, f.started, now)
	if !ok {
		return false
	}
	names, ok := varyNames(m.header["Vary"])
	if !ok {
		return false
	}
	b, ok := x.h.selecting(nil, x.r, names)
	if !ok {
		return false
	}
	o := &object{key: f.key, vary: names, variant: string(b), length: -1}
	o.meta.Store(m)
	x.mode = keeping
	x.h.passes.drop(f.hash)
	var rd *reader
	f.mu.Lock()
	f.o, f.m = o, m
	if x.length > 0 {
		f.buf = make([]byte, 0, x.length)
		f.count(x.length)
	}
	if x.client != nil {
		rd = &reader{}
		f.readers = append(f.readers, rd)
	}
	f.state = storing
	f.changed.Broadcast()
	f.mu.Unlock()
	if rd != nil {
		x.h.tell(x.r, Miss)
		x.streamed = make(chan struct{})
		go func() {
			defer close(x.streamed)
			x.streamOK = f.stream(x.client, x.r, rd, x.why+"; fwd-status="+strconv.Itoa(status)+"; stored")
		}()
	}
	return true
}

// letThrough passes the answer on without storing it. Requests with that hash
// are not to wait for each other for a while; 0: that holds for this one only.
func (x *fill) letThrough(status int, hash uint64) {
	x.mode = through
	f := x.f
	f.end()
	if !unwell(status) {
		if f.old != nil && !f.old.gone.Load() {
			x.h.remove(f.old) // there is something newer
		}
		if hash != 0 {
			x.h.passes.add(hash, time.Now())
		}
	}
	f.become(apart)
	if x.client == nil {
		x.cancel()
		return
	}
	// From here on the request is the client's alone.
	x.f.mu.Lock()
	cancel := x.f.cancel
	x.f.mu.Unlock()
	x.stopped = afterDone(x.r.Context(), cancel)
	x.h.tell(x.r, Pass)
	h := x.client.Header()
	maps.Copy(h, x.header)
	x.h.hide(h)
	setStatus(h, x.header["Cache-Status"], []string{x.h.options().Name + "; " + x.why + "; fwd-status=" + strconv.Itoa(status)})
	x.client.WriteHeader(status)
}
