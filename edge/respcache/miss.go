package respcache

import (
	"context"
	"net/http"
	"time"
)

// miss answers with what the application says, and has it stored if it may be.
// Requests for the same wait for the first; if its answer is not for them, each
// asks by itself. o is what is stale, if anything is.
func (h *handler) miss(w http.ResponseWriter, r *http.Request, s *shard, key string, hash uint64, o *object, why string, alone bool) {
	if o != nil && o.meta.Load().within(time.Now(), o.meta.Load().policy.sie) {
		h.renewOrStale(w, r, s, key, hash, o, why, alone)
		return
	}
	f, joined := h.board(s, key, hash, r, o, alone)
	if joined {
		stop := context.AfterFunc(r.Context(), f.leave)
		state := f.wait(r.Context(), waitFor)
		if h.share(w, r, f, state, why+"; collapsed") {
			stop()
			return
		}
		if stop() {
			f.leave()
		}
		if r.Context().Err() != nil {
			return
		}
		f, _ = h.board(s, key, hash, r, o, true)
	}
	h.fly(w, r, f, why)
}

// share answers with what another request got, if that is for this one too.
func (h *handler) share(w http.ResponseWriter, r *http.Request, f *flight, state flightState, how string) bool {
	if state != storing && state != ready || f.m.policy.lifetime == 0 || !h.matches(f.o, r) || r.Header["Authorization"] != nil && !f.m.policy.auth {
		return false
	}
	if state == ready {
		body, ok := h.content(f.o)
		if ok {
			h.tell(r, Collapsed)
			h.serve(w, r, f.o, f.m, body, how, time.Now())
		}
		return ok
	}
	rd := f.attach()
	if rd == nil {
		return false
	}
	h.tell(r, Collapsed)
	if err := f.stream(w, r, rd, how); err != nil {
		panic(http.ErrAbortHandler)
	}
	return true
}

// fly has the application answer in the client's own goroutine. The request
// goes on without the client as long as somebody wants its answer.
func (h *handler) fly(w http.ResponseWriter, r *http.Request, f *flight, why string) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	defer cancel()
	f.cancel = cancel
	stop := context.AfterFunc(r.Context(), f.leave)
	defer stop()
	fw := &fill{h: h, f: f, client: w, r: r, why: why, header: http.Header{}}
	h.run(fw, request(r, ctx, f.old))
	fw.answer()
}

// run has the application answer to fw, and notes if it broke off.
func (h *handler) run(fw *fill, r *http.Request) {
	defer func() {
		if p := recover(); p != nil {
			fw.abort(p)
		}
	}()
	h.application.ServeHTTP(fw, r)
	fw.finish()
}

// request is what the application is asked for the sake of all: without what
// concerns the client's own copy, and with the validators of what is stored.
func request(r *http.Request, ctx context.Context, old *object) *http.Request {
	out := r.WithContext(ctx)
	var m *meta
	if old != nil {
		m = old.meta.Load()
	}
	if m == nil && r.Header["If-None-Match"] == nil && r.Header["If-Modified-Since"] == nil && r.Header["Range"] == nil {
		return out
	}
	out.Header = r.Header.Clone()
	for _, name := range []string{"If-None-Match", "If-Modified-Since", "Range", "If-Range"} {
		delete(out.Header, name)
	}
	if m != nil && m.etag != "" {
		out.Header["If-None-Match"] = []string{m.etag}
	}
	if m != nil && !m.modified.IsZero() {
		out.Header["If-Modified-Since"] = m.header["Last-Modified"]
	}
	return out
}

// renewOrStale asks the application beside, and answers with what is stale if
// it fails or takes too long (RFC 5861, section 4).
func (h *handler) renewOrStale(w http.ResponseWriter, r *http.Request, s *shard, key string, hash uint64, o *object, why string, alone bool) {
	f, joined := h.board(s, key, hash, r, o, alone)
	if !joined && !h.flyAlone(r, f) {
		f.cancel = func() {}
		f.end()
		f.become(failing)
	}
	state := f.wait(r.Context(), patience)
	defer f.leave()
	if r.Context().Err() != nil {
		return
	}
	if !joined && state == ready {
		if body, ok := h.content(f.o); ok {
			h.tell(r, Revalidated)
			h.serve(w, r, f.o, f.m, body, why+"; fwd-status=304", time.Now())
			return
		}
	}
	if !joined {
		if state == storing {
			if rd := f.attach(); rd != nil {
				h.tell(r, Miss)
				if f.stream(w, r, rd, why+"; stored") != nil {
					panic(http.ErrAbortHandler)
				}
				return
			}
		}
	} else if h.share(w, r, f, state, why+"; collapsed") {
		return
	}
	if state == asking || state == failing {
		if body, ok := h.content(o); ok {
			h.tell(r, Stale)
			h.serve(w, r, o, o.meta.Load(), body, "hit; fwd=stale", time.Now())
			return
		}
	}
	f2, _ := h.board(s, key, hash, r, nil, true)
	h.fly(w, r, f2, why)
}

// renew has the application confirm or replace what is stale, beside.
func (h *handler) renew(r *http.Request, o *object) {
	if !o.renewal.CompareAndSwap(false, true) {
		return
	}
	hash := h.hash([]byte(o.key))
	f, joined := h.board(h.shardOf(hash), o.key, hash, r, o, false)
	if joined {
		f.leave()
		o.renewal.Store(false)
		return
	}
	if !h.flyAlone(r, f) {
		f.end()
		o.renewal.Store(false)
	}
}

// flyAlone has the application answer without a client, in a goroutine of the
// cache; false if it is closed.
func (h *handler) flyAlone(r *http.Request, f *flight) bool {
	ctx, cancel := context.WithCancel(h.ctx)
	f.cancel = func() {} // nobody's leaving ends it
	in := r.Clone(ctx)
	in.Body, in.Method = http.NoBody, http.MethodGet
	out := request(in, ctx, f.old)
	ok := h.own(func() {
		defer cancel()
		if f.old != nil {
			defer f.old.renewal.Store(false)
		}
		h.meter.renewals.Add(1)
		fw := &fill{h: h, f: f, r: in, header: http.Header{}, cancel: cancel}
		h.run(fw, out)
		fw.answer()
	})
	if !ok {
		cancel()
	}
	return ok
}
