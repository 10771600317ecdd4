package respcache

import (
	"net/http"
	"strings"
	"time"
)

// A handler is the cache around one application.
type handler struct {
	*Cache
	application http.Handler
}

// ServeHTTP answers from the cache, or has the application answer.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var room [512]byte
	key, ok := h.appendKey(room[:0], r)
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.pass(w, r, passing{key: string(key), why: "fwd=method", unsafe: ok && !safe(r.Method)})
		return
	case !ok || !simple(r):
		h.pass(w, r, passing{why: "fwd=bypass"})
		return
	}
	hash := h.hash(key)
	s := h.shardOf(hash)
	now := time.Now()
	var d directives
	if h.options().Obey {
		if d = parseDirectives(r.Header["Cache-Control"]); r.Header["Cache-Control"] == nil {
			d.noCache = lists(r.Header["Pragma"], "no-cache")
		}
	}
	o := h.find(s, key, r)
	if o != nil {
		m := o.meta.Load()
		if r.Header["Authorization"] != nil && !m.policy.auth {
			h.pass(w, r, passing{why: "fwd=bypass"})
			return
		}
		if h.stored(w, r, o, m, &d, now) {
			return
		}
		if o.gone.Load() {
			o = nil
		}
	}
	if d.onlyIfCached {
		h.tell(r, Pass)
		setStatus(w.Header(), nil, []string{h.options().Name})
		http.Error(w, "The answer is not stored.", http.StatusGatewayTimeout)
		return
	}
	h.fetch(w, r, s, string(key), hash, o, &d)
}

// fetch has the application answer a request that the cache does not.
func (h *handler) fetch(w http.ResponseWriter, r *http.Request, s *shard, key string, hash uint64, o *object, d *directives) {
	why := "fwd=uri-miss"
	switch {
	case d.noCache || d.noStore:
		why = "fwd=request"
	case o != nil:
		why = "fwd=stale"
	case h.has(s, key):
		why = "fwd=vary-miss"
	}
	switch {
	case r.Method == http.MethodHead:
		h.pass(w, r, passing{key: key, why: why, head: o})
	case r.Header["Range"] != nil && o == nil:
		h.pass(w, r, passing{key: key, hash: hash, why: why, part: true})
	case d.noStore:
		h.pass(w, r, passing{why: why})
	case o == nil && h.passes.has(hash, time.Now()):
		h.pass(w, r, passing{key: key, hash: hash, why: "fwd=bypass", again: true})
	case o == nil && credentials(r) && h.passes.has(hash^withCredentials, time.Now()):
		h.pass(w, r, passing{key: key, hash: hash ^ withCredentials, why: "fwd=bypass", again: true})
	default:
		// What is confirmed for every request is not shared among them.
		alone := d.noCache || o != nil && o.meta.Load().policy.lifetime == 0
		h.miss(w, r, s, key, hash, o, why, alone)
	}
}

// withCredentials, combined with the hash of a key, stands for requests with
// credentials among the passes.
const withCredentials = 0x9e3779b97f4a7c15

func credentials(r *http.Request) bool {
	return r.Header["Cookie"] != nil || r.Header["Authorization"] != nil
}

// stored answers from an object, if that may be done.
func (h *handler) stored(w http.ResponseWriter, r *http.Request, o *object, m *meta, d *directives, now time.Time) bool {
	o.used()
	if d.noCache || d.noStore || d.maxAge >= 0 && h.options().Obey && m.currentAge(now) > d.maxAge {
		return false
	}
	fresh := m.fresh(now)
	if h.options().Obey && d.minFresh > 0 && !now.Add(d.minFresh).Before(m.staleAt) {
		return false
	}
	if fresh {
		body, ok := h.content(o)
		if ok {
			h.tell(r, Hit)
			h.serve(w, r, o, m, body, "", now)
		}
		return ok
	}
	renew := m.within(now, m.policy.swr)
	if !renew && !(h.options().Obey && m.policy.staleAllowed && m.within(now, d.maxStale)) {
		return false
	}
	body, ok := h.content(o)
	if !ok {
		return false
	}
	if renew {
		h.renew(r, o)
	}
	h.tell(r, Stale)
	h.serve(w, r, o, m, body, "hit", now)
	return true
}

// has reports whether there is any object at the key.
func (c *Cache) has(s *shard, key string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.objects[key] != nil
}

func safe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// simple reports whether a request is one that can be answered from a cache: it
// has no body, asks no other protocol and no precondition for a change. What its
// Connection names does not reach the application, though it stands in the
// header: the answer to such a request is not one to others.
func simple(r *http.Request) bool {
	if r.ContentLength != 0 || r.TransferEncoding != nil {
		return false
	}
	for _, v := range r.Header["Connection"] {
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part != "" && !strings.EqualFold(part, "keep-alive") && !strings.EqualFold(part, "close") {
				return false
			}
		}
	}
	for name := range r.Header {
		if Special(name) {
			return false
		}
	}
	return true
}

// Special reports whether a request's field makes its answer one that is not
// for others: a precondition, another protocol, and what frameworks take another
// address or method from though no cache goes by it. CGI-like interfaces take
// underscores for hyphens.
func Special(name string) bool {
	switch name {
	case "Upgrade", "If-Match", "If-Unmodified-Since",
		"X-Original-Url", "X-Rewrite-Url", "X-Original-Host", "X-Host", "X-Http-Method", "X-Http-Method-Override", "X-Method-Override":
		return true
	}
	return strings.IndexByte(name, '_') >= 0
}
