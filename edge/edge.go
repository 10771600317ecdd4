// Package edge is what stands in front of an application: it balances requests
// over the application's instances, serves its static files, counts clicks and
// redirects the apex to the site's host.
//
// An Edge is an http.Handler; Server gives an http.Server with bounds against
// slow clients to put it in. Targets come and go while it serves: a rolling
// restart adds the new instance, drains the old one, stops it and removes it,
// and no request is lost (see Drain).
//
// What is sent twice and what never is: a request that certainly did not reach
// a target is sent to another, whatever its method. A request that may have
// been processed is sent again only if its method is idempotent (RFC 9110,
// section 9.2.2) or it carries an Idempotency-Key, and only if its body is
// still at hand. Otherwise the client is told that it may have been processed.
//
// Durable are the clicks: a click is on disk before its redirect is answered.
// Statistics and the state of targets are in memory.
package edge

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dayfly-dev/dayfly/edge/respcache"
	"github.com/dayfly-dev/dayfly/edge/traffic"
	"github.com/dayfly-dev/dayfly/forwarded"
)

// ErrNoTarget: there is no target of that name.
var ErrNoTarget = errors.New("edge: no such target")

// ErrTargetExists: a target of that name was added before.
var ErrTargetExists = errors.New("edge: target exists")

// ErrClosed: the edge was closed.
var ErrClosed = errors.New("edge: closed")

// Edge is the handler. All methods may be called at once.
type Edge struct {
	current  atomic.Pointer[setup]
	keeps    atomic.Bool // requests may outlive their handling, now or since a time before
	reloadMu sync.Mutex
	kept     *respcache.Cache // that there was once; guarded by reloadMu

	log     *slog.Logger
	meter   meter
	access  *accessLog
	traffic *traffic.Meter
	spools  spools

	published *publisher // nil: nothing is

	trusted atomic.Pointer[forwarded.Networks]
	loops   warner
	// prefixes speaks of connections without their PROXY header.
	prefixes warner

	maintenance atomic.Pointer[Maintenance]

	ctx  context.Context // ends with Close; owns health checks
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu        sync.Mutex // guards what follows and the balancing state of targets
	targets   []*target
	turn      int           // where round robin stands
	ready     chan struct{} // closed and replaced when a target may have become available
	held      int
	line      line
	warming   bool   // a target's weight grows
	ejections uint64 // of targets, for their failures
	closed    bool
}

// New makes an Edge without targets. It reads Options.Static.Dir and the click
// file, and fails if either cannot be used.
func New(o Options) (*Edge, error) {
	o, err := o.normalize()
	if err != nil {
		return nil, err
	}
	e := &Edge{log: o.Log, ready: make(chan struct{})}
	e.spools.dir = o.Bodies.Dir
	if e.traffic, err = traffic.New(traffic.Options{}); err != nil {
		return nil, err
	}
	e.ctx, e.stop = context.WithCancel(context.Background())
	e.Trust(forwarded.Of(o.Trusted...))
	s, err := e.newSetup(o, &setup{})
	if err != nil {
		e.stop()
		return nil, err
	}
	e.use(s)
	if err := e.openPublishing(); err != nil {
		e.Close()
		return nil, err
	}
	if o.AccessLog != nil {
		e.access = newAccessLog(o.AccessLog, o.AccessLogFormat)
	}
	e.wg.Go(func() { e.traffic.Run(e.ctx) })
	return e, nil
}

// Trust has the edge believe the forwarding headers of peers in networks, in
// place of those it believed before: Options.Trusted, or an earlier call's.
func (e *Edge) Trust(networks *forwarded.Networks) { e.trusted.Store(networks) }

// Close stops health checks, closes every connection to targets, answers held
// requests with 503, and writes out the access log and the clicks. Shut the
// http.Server down before, so that no request is under way.
func (e *Edge) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	targets := e.targets
	e.targets = nil
	e.lookAgain()
	e.wakeHeld()
	e.mu.Unlock()
	e.stop()
	if e.published != nil {
		e.published.close()
	}
	for _, t := range targets {
		t.stop()
		t.closeConns()
	}
	e.wg.Wait()
	e.reloadMu.Lock()
	defer e.reloadMu.Unlock()
	s := e.setup()
	if e.kept != nil {
		e.kept.Close()
	}
	if s.static != nil {
		s.static.close()
	}
	if e.access != nil {
		e.access.close()
	}
	if s.clicks != nil {
		return s.clicks.close()
	}
	return nil
}

// ServeHTTP answers one request.
func (e *Edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := newExchange(e, w, r)
	body, unread := r.Body, false
	defer func() {
		if unread {
			linger(w, body)
		}
	}()
	defer x.finish()
	e.secure(x)
	removePreviewHeader(r.Header)
	switch {
	case r.Method == http.MethodConnect:
		x.page(http.StatusMethodNotAllowed, pageText{"Not possible here", "This site does not open tunnels."})
	case len(r.Header) > maxFields:
		x.page(http.StatusRequestHeaderFieldsTooLarge, pageText{"Too many fields", "The request has more header fields than this site takes."})
	case r.Host != "" && !validHost(r.Host):
		x.page(http.StatusBadRequest, pageText{"Not understood", "The request names a host that cannot be."})
	case len(x.setup.limits) > 0 && !x.admit():
	case x.setup.HTTPS.Challenge != nil && e.challenge(x):
	case (x.setup.apex != "" || x.setup.HTTPS.Redirect) && e.redirect(x):
	case len(x.setup.Clicks) > 0 && e.serveClick(x):
	case r.URL.Path == ScriptPath:
		x.serveScript()
	case x.setup.static != nil && strings.HasPrefix(r.URL.Path, x.setup.Static.Prefix):
		e.serveStatic(x)
	case e.maintain(x):
	case e.published != nil && e.servePublished(x):
	default:
		e.answer(x)
		if x.status == 0 && x.failure != "" {
			// A client that ended only its own side must not read the 200 that the
			// server writes for a handler that wrote nothing.
			panic(http.ErrAbortHandler)
		}
	}
	unread = x.unread
}

// Stats returns what the edge has done and the state of its targets.
func (e *Edge) Stats() Stats {
	var s Stats
	e.meter.fill(time.Now(), &s)
	if e.access != nil {
		s.LogDropped = e.access.dropped.Load()
	}
	s.Maintenance = e.maintenance.Load() != nil
	for _, l := range e.setup().limits {
		s.Limits = append(s.Limits, LimitStats{Name: l.Name, Allowed: l.allowed.Load(), Refused: l.refused.Load()})
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	s.Held, s.Queued, s.Shed, s.Ejections = e.held, e.line.waiting.Len(), e.line.shed, e.ejections
	s.Spooled, s.SpoolsFull = e.spools.used.Load(), e.spools.full.Load()
	s.Targets = make([]TargetStats, 0, len(e.targets))
	for _, t := range e.targets {
		s.Targets = append(s.Targets, t.stats())
	}
	return s
}

// StaticManifest returns the hashed address of each static file by its name
// below Options.Static.Dir: "app.css" → "/static/app.0123456789abcdef.css".
func (e *Edge) StaticManifest() map[string]string {
	s := e.setup().static
	if s == nil {
		return map[string]string{}
	}
	return s.manifest()
}

// Clicks returns what was counted, the latest day first, then by campaign and
// path.
func (e *Edge) Clicks() []ClickCount {
	s := e.setup().clicks
	if s == nil {
		return nil
	}
	return s.counts()
}
