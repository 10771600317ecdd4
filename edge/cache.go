package edge

import (
	"errors"
	"net/http"

	"github.com/dayfly-dev/dayfly/edge/respcache"
	"github.com/dayfly-dev/dayfly/forwarded"
)

// ErrNoCache: the edge has no response cache.
var ErrNoCache = errors.New("edge: there is no response cache")

// putCache puts the response cache around what is there, if there is to be one.
// What there was is used again, since it may have a folder: settleCache gives it
// its options.
func (s *setup) putCache(e *Edge) (err error) {
	if s.Cache == nil {
		return nil
	}
	if s.cache = e.kept; s.cache == nil {
		if s.cache, err = respcache.New(e.cacheOptions(s.Cache)); err != nil {
			return err
		}
	}
	return s.put(e, func(h http.Handler) (http.Handler, error) { return s.cache.Handler(h), nil })
}

// cacheOptions are those of the response cache, with what the edge knows.
func (e *Edge) cacheOptions(given *respcache.Options) respcache.Options {
	o := *given
	o.Site, o.Field, o.Told = e.cacheSite, e.cacheField, cacheTold
	o.Drop = append(o.Drop[:len(o.Drop):len(o.Drop)], "X-Request-Id")
	if o.Log == nil {
		o.Log = e.log
	}
	return o
}

// Purge removes from the response cache, or makes stale, and returns how many
// answers that was. ErrNoCache if there is none.
func (e *Edge) Purge(p respcache.Purge) (int, error) {
	c := e.setup().cache
	if c == nil {
		return 0, ErrNoCache
	}
	return c.Purge(p)
}

// CacheStats is what the response cache has done, and false if there is none.
func (e *Edge) CacheStats() (respcache.Stats, bool) {
	c := e.setup().cache
	if c == nil {
		return respcache.Stats{}, false
	}
	return c.Stats(), true
}

// cacheOrigin is where a request came from: a client's was learnt already.
func (e *Edge) cacheOrigin(r *http.Request) *origin {
	if x, _ := r.Context().Value(exchangeKey{}).(*exchange); x != nil {
		return &x.origin
	}
	o := new(origin)
	o.learn(r, e.trusted.Load())
	return o
}

// cacheSite is what the response cache tells sites apart by: all that the
// application is told of them. Where a trusted peer named another host than the
// request has, both count.
func (e *Edge) cacheSite(r *http.Request) (scheme, host, target string) {
	o := e.cacheOrigin(r)
	return o.proto, o.keyHost(r.Host), requestURI(r)
}

// keyHost is the host the cache goes by, of a request that names asked.
func (o *origin) keyHost(asked string) string {
	host := o.host
	if _, port := forwarded.SplitHost(host); port == "" && o.port != "" && !(o.proto == "http" && o.port == "80" || o.proto == "https" && o.port == "443") {
		host += ":" + o.port
	}
	if asked != o.host {
		host += " " + asked
	}
	return host
}

// cacheField is a request's field as the application sees it: those the edge
// sets or removes are not what the client sent.
func (e *Edge) cacheField(r *http.Request, name string) []string {
	if name == "Content-Length" || name == "Expect" {
		return nil
	}
	if !hopHeader(name) && !forwarded.IsHeader(name) {
		return r.Header[name]
	}
	return forwardedField(e.cacheOrigin(r), name)
}

// forwardedField is a field that the edge itself sets or removes.
func forwardedField(o *origin, name string) []string {
	var value string
	switch name {
	case "X-Forwarded-Proto":
		value = o.proto
	case "X-Forwarded-Host":
		value = o.host
	case "X-Forwarded-Port":
		value = o.port
	case "X-Forwarded-For":
		value = o.chain
	case "Forwarded":
		value = string(o.appendForwarded(nil))
	case "X-Request-Id":
		value = o.id
	default:
		return nil
	}
	return []string{value}
}

// cacheTold notes what became of a client's request. An answer from the cache
// carries the id of its own request.
func cacheTold(r *http.Request, o respcache.Outcome) {
	if x, _ := r.Context().Value(exchangeKey{}).(*exchange); x != nil {
		x.cache = string(o)
		x.origin.tell(x.Header())
	}
}
