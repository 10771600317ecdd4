package respcache

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Options configure a Cache. The zero value is a cache of 64 MiB in memory.
type Options struct {
	// Size bounds what is in memory, in bytes: bodies, headers, and what is kept
	// of entries whose bodies are on disk (about 1 KiB each). Default 64 MiB; at
	// least 1 MiB.
	Size int64
	// MaxBody is the largest body that is stored; a larger one passes through.
	// Default 8 MiB or an eighth of Size, whichever is less; at most half of Size.
	MaxBody int64

	// Dir is a folder of the cache's own, in which entries outlast the process;
	// "" keeps them in memory only. Disk bounds the bytes of its files (default
	// 1 GiB) and Files their number (default 65,536).
	Dir   string
	Disk  int64
	Files int

	// StaleWhileRevalidate and StaleIfError are what holds for answers that do not
	// say (RFC 5861) and do not forbid what is stale. Default 0: neither.
	StaleWhileRevalidate, StaleIfError time.Duration

	// Obey has a request's Cache-Control and Pragma heeded (RFC 9111, section
	// 5.2.1). Default false, as is usual at an origin: anybody could have every
	// request reach the application.
	Obey bool

	// Targets are the targeted fields (RFC 9213) that replace Cache-Control and
	// Expires, the first that is there; it is not passed on unless it is
	// CDN-Cache-Control, which may be for others too.
	// Default Dayfly-Cache-Control.
	Targets []string
	// KeepKeys leaves Surrogate-Key and Cache-Tag in answers, for a CDN in front.
	KeepKeys bool

	// Name is what the cache calls itself in Cache-Status (RFC 9211). Default
	// "dayfly". StatusKey adds the key to it, which tells what the cache
	// distinguishes by.
	Name      string
	StatusKey bool

	// Site is where a request goes, as the application sees it: the scheme, the
	// host with its port if it has one, and the path with the query. A host may be
	// followed by a space and whatever else tells sites apart. Default: by r.TLS,
	// r.Host and r.URL.
	Site func(r *http.Request) (scheme, host, target string)
	// Field is a request's header field as the application sees it, for Vary.
	// Default: as it stands in r.Header.
	Field func(r *http.Request, name string) []string
	// Drop are fields of answers that belong to one request and are not stored.
	Drop []string
	// Told is called once a request with what became of it, before its answer
	// begins. Default: nothing.
	Told func(r *http.Request, o Outcome)

	// Log receives events that are not requests. Default: discarded.
	Log *slog.Logger
}

// An Outcome is how a request was answered.
type Outcome string

// Outcomes.
const (
	Hit         Outcome = "hit"         // fresh, from the cache
	Stale       Outcome = "stale"       // stale, from the cache, as the application allowed
	Revalidated Outcome = "revalidated" // stale, and the application confirmed it
	Collapsed   Outcome = "collapsed"   // with what another request had fetched
	Miss        Outcome = "miss"        // by the application, and stored
	Pass        Outcome = "pass"        // by the application, and not stored
)

func (o Options) normalize() (Options, error) {
	for _, n := range []struct {
		v   *int64
		def int64
	}{{&o.Size, 64 << 20}, {&o.Disk, 1 << 30}} {
		if *n.v == 0 {
			*n.v = n.def
		}
	}
	if o.Size < 1<<20 {
		return o, fmt.Errorf("respcache: Size is %d; it must be at least 1 MiB", o.Size)
	}
	if o.MaxBody == 0 {
		o.MaxBody = min(8<<20, o.Size/8)
	}
	if o.MaxBody < 1 || o.MaxBody > o.Size/2 {
		return o, fmt.Errorf("respcache: MaxBody is %d; it must be at least 1 and at most half of Size, %d", o.MaxBody, o.Size/2)
	}
	if o.Disk < 1<<20 {
		return o, fmt.Errorf("respcache: Disk is %d; it must be at least 1 MiB", o.Disk)
	}
	if o.Files == 0 {
		o.Files = 65_536
	}
	if o.Files < 1 {
		return o, fmt.Errorf("respcache: Files is %d; it must be positive", o.Files)
	}
	if o.StaleWhileRevalidate < 0 || o.StaleIfError < 0 {
		return o, fmt.Errorf("respcache: StaleWhileRevalidate and StaleIfError must not be negative")
	}
	if o.Targets == nil {
		o.Targets = []string{"Dayfly-Cache-Control"}
	}
	o.Targets, o.Drop = slices.Clone(o.Targets), slices.Clone(o.Drop)
	for i, name := range o.Targets {
		if !isToken(name) || !strings.HasSuffix(strings.ToLower(name), "-cache-control") {
			return o, fmt.Errorf("respcache: %q is no targeted field; such end in -Cache-Control (RFC 9213)", name)
		}
		o.Targets[i] = http.CanonicalHeaderKey(name)
	}
	for i, name := range o.Drop {
		o.Drop[i] = http.CanonicalHeaderKey(name)
	}
	if o.Name == "" {
		o.Name = "dayfly"
	}
	if !isToken(o.Name) {
		return o, fmt.Errorf("respcache: Name %q is not a token (RFC 9110, section 5.6.2)", o.Name)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

func siteOf(r *http.Request) (scheme, host, target string) {
	scheme = "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme, r.Host, r.URL.RequestURI()
}
