package edge

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A target is one instance of the application: its place in the balance, its
// health and its connections.
type target struct {
	name, url string
	addr      string                  // host:port
	opt       atomic.Pointer[Options] // with the health check that it was added with
	ticket    string                  // its name in a client's cookie
	h2c       *http.Transport         // nil: it speaks HTTP/1.1

	ctx  context.Context // ends when the target is removed
	stop context.CancelFunc
	kick chan struct{} // asks for a check at once; holds one

	// Guarded by Edge.mu.
	up          bool
	draining    bool
	gone        bool // removed
	reason      string
	outstanding int
	streams     int
	drained     chan struct{} // non-nil while somebody waits for outstanding == streams
	served      uint64
	failed      uint64
	since       time.Time // when it came into rotation
	down        time.Time // when it last failed its checks
	weight      int64     // its share, of wholeWeight
	record      record

	connMu sync.Mutex
	idle   []*conn // the longest unused first
	all    map[*conn]struct{}
	closed bool // no connection is kept any more
	dead   bool // no connection is made any more
}

// parseTargetURL returns the host:port of http://host:port.
func parseTargetURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil {
		return "", fmt.Errorf("edge: target address: %w", err)
	}
	if u.Scheme != "http" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("edge: target address %q must be http://host:port and no more", u.Redacted())
	}
	if u.Port() == "" {
		return u.Host + ":80", nil
	}
	return u.Host, nil
}

// stats is called with Edge.mu held.
func (t *target) stats() TargetStats {
	return TargetStats{Name: t.name, URL: t.url, Healthy: t.up && !t.record.out, Draining: t.draining, Reason: t.reason,
		Ejected: t.record.out, Ejections: t.record.ejections, Weight: float64(t.weight) / wholeWeight,
		Outstanding: t.outstanding, Streams: t.streams, Served: t.served, Failed: t.failed}
}

// available is called with Edge.mu held.
func (t *target) available() bool { return t.up && !t.record.out && !t.draining && !t.gone }

// full reports whether the target has as many requests as it may. It is called
// with Edge.mu held.
func (t *target) full() bool {
	n := t.opt.Load().Balance.PerTarget
	return n > 0 && t.outstanding-t.streams >= n
}

// takeIdle returns the connection that was used last, if it was used within
// maxIdle. That the target has not closed it or written into it meanwhile is
// for the caller to see.
func (t *target) takeIdle(maxIdle time.Duration) *conn {
	t.connMu.Lock()
	defer t.connMu.Unlock()
	n := len(t.idle)
	if n == 0 {
		return nil
	}
	c := t.idle[n-1]
	if time.Since(c.idleSince) > min(maxIdle, c.keep) {
		return nil // and all others are older
	}
	t.idle[n-1] = nil
	t.idle = t.idle[:n-1]
	return c
}

// putIdle keeps a connection for the next request, or closes it.
func (t *target) putIdle(c *conn) {
	c.idleSince = time.Now()
	t.connMu.Lock()
	if t.closed || len(t.idle) >= t.opt.Load().IdlePerTarget {
		t.connMu.Unlock()
		c.Close()
		return
	}
	t.idle = append(t.idle, c)
	t.connMu.Unlock()
}

// keepNone closes the unused connections and keeps none from now on.
func (t *target) keepNone() {
	t.connMu.Lock()
	t.closed = true
	t.connMu.Unlock()
	t.dropIdle()
}

// dropIdle closes the unused connections.
func (t *target) dropIdle() {
	t.connMu.Lock()
	idle := t.idle
	t.idle = nil
	t.connMu.Unlock()
	for _, c := range idle {
		c.Close()
	}
	if t.h2c != nil {
		t.h2c.CloseIdleConnections()
	}
}

// reapIdle closes connections that were unused for longer than they may be.
func (t *target) reapIdle(now time.Time) {
	t.connMu.Lock()
	var old []*conn
	kept := t.idle[:0]
	for _, c := range t.idle {
		if now.Sub(c.idleSince) > min(t.opt.Load().IdleTimeout, c.keep) {
			old = append(old, c)
		} else {
			kept = append(kept, c)
		}
	}
	clear(t.idle[len(kept):])
	t.idle = kept
	t.connMu.Unlock()
	for _, c := range old {
		c.Close()
	}
}

// closeConns cuts every connection, also those in use, and makes no more.
func (t *target) closeConns() {
	t.connMu.Lock()
	t.closed, t.dead = true, true
	t.idle = nil
	all := make([]*conn, 0, len(t.all))
	for c := range t.all {
		all = append(all, c)
	}
	t.connMu.Unlock()
	for _, c := range all {
		c.Close()
	}
}
