package app

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dayfly-dev/dayfly/app/control"
	"github.com/dayfly-dev/dayfly/app/manifest"
	"github.com/dayfly-dev/dayfly/edge"
	"github.com/dayfly-dev/dayfly/forwarded"
)

// reloading is what is known of the manifest since the start.
type reloading struct {
	mu      sync.Mutex   // held through a reload
	options edge.Options // that the edge was made with
	now     atomic.Pointer[applied]
}

// applied is a manifest that was read again, as far as it could be followed.
type applied struct {
	manifest *manifest.Manifest
	at       time.Time
}

// present is the manifest that is followed.
func (a *App) present() *manifest.Manifest {
	if n := a.reloading.now.Load(); n != nil {
		return n.manifest
	}
	return a.manifest
}

// manifestRead is when it was read.
func (a *App) manifestRead() time.Time {
	if n := a.reloading.now.Load(); n != nil {
		return n.at
	}
	return a.started
}

// Reload reads the manifest again and follows what can change while dayfly runs:
// what the edge does with requests, which it changes at once and without
// failing one. The rest is named, and counts from the next start. On an error
// nothing is changed.
func (a *App) Reload(context.Context) (control.Reloaded, error) {
	a.reloading.mu.Lock()
	defer a.reloading.mu.Unlock()
	next, err := manifest.Read(a.manifest.Path)
	if err != nil {
		return control.Reloaded{}, err
	}
	was := a.present()
	follow := a.heeded(was, next)
	if a.edge != nil {
		if err := a.reloadEdge(follow); err != nil {
			return control.Reloaded{}, err
		}
	}
	done := control.Reloaded{Changed: manifest.Diff(was, follow), Restart: manifest.Diff(follow, next), At: time.Now().UTC().Truncate(time.Second)}
	a.reloading.now.Store(&applied{follow, done.At})
	a.log.Info("manifest read again", "changed", done.Changed, "needs a restart", done.Restart)
	return done, nil
}

// heeded is the manifest that is followed now, with what can be of the next.
func (a *App) heeded(now, next *manifest.Manifest) *manifest.Manifest {
	m := *now
	if a.edge == nil {
		return &m
	}
	e := next.Edge
	// A listener, an access log or a certificate is as it began.
	e.TLS, e.ProxyProtocol, e.AWSRanges, e.Log = now.Edge.TLS, now.Edge.ProxyProtocol, now.Edge.AWSRanges, now.Edge.Log
	e.Host = now.Edge.Host // the processes were told of it
	if e.TLS != nil && e.TLS.ACME != "" {
		e.Hosts = now.Edge.Hosts
	}
	if forwarded.UsesPublished(e.Trusted) || forwarded.UsesPublished(now.Edge.Trusted) {
		e.Trusted = now.Edge.Trusted
	}
	switch is, was := e.Cache, now.Edge.Cache; {
	case is == nil || was == nil: // the processes were told how to purge, or were not
		e.Cache = was
	case (is.Disk > 0) != (was.Disk > 0):
		same := *is
		same.Disk = was.Disk
		e.Cache = &same
	}
	m.Edge = e
	if now.Static.Dir != "" && next.Static.Dir != "" {
		m.Static.Dir, m.Static.Prefix = next.Static.Dir, next.Static.Prefix
	}
	return &m
}

// reloadEdge has the edge follow a manifest.
func (a *App) reloadEdge(m *manifest.Manifest) error {
	o, err := a.siteOptions(m)
	if err != nil {
		return err
	}
	var trusted *forwarded.Networks
	if !forwarded.UsesPublished(m.Edge.Trusted) {
		if trusted, err = forwarded.ParseNetworks(m.Edge.Trusted, nil); err != nil {
			return err
		}
	}
	began := &a.reloading.options
	o.HTTPS = m.Edge.HTTPSOptions()
	o.HTTPS.Port, o.HTTPS.Ready, o.HTTPS.Challenge = began.HTTPS.Port, began.HTTPS.Ready, began.HTTPS.Challenge
	o.AccessLog, o.AccessLogFormat, o.Publish = began.AccessLog, began.AccessLogFormat, began.Publish
	if o.Static = began.Static; m.Static.Dir != "" {
		o.Static.Dir, o.Static.Prefix = filepath.Join(m.Dir, m.Static.Dir), m.Static.Prefix
	}
	if err := a.edge.Reload(o); err != nil {
		return err
	}
	if trusted != nil {
		a.edge.Trust(trusted)
	}
	return nil
}

func (c *controller) reload(w http.ResponseWriter, r *http.Request) {
	done, err := c.app.Reload(r.Context())
	switch {
	case errors.Is(err, manifest.ErrNotFound):
		refuse(w, http.StatusNotFound, err)
	case err != nil:
		refuse(w, http.StatusUnprocessableEntity, err)
	default:
		reply(w, done)
	}
}
