package app

import (
	"path/filepath"
	"time"

	"github.com/dayfly-dev/dayfly/app/manifest"
	"github.com/dayfly-dev/dayfly/edge"
)

// stickyCookie is what the edge calls the cookie of [edge] sticky = "cookie".
const stickyCookie = "dayfly-instance"

// balance puts what the manifest says of balancing, limits and pages into the
// edge's options.
func (a *App) balance(m *manifest.Manifest, o *edge.Options) error {
	b := &m.Edge.EdgeBalance
	o.Balance = edge.Balance{SlowStart: time.Duration(b.SlowStart), Eject: edge.Eject(b.Eject), PerTarget: b.PerInstance,
		Queue: b.Queue, QueueTimeout: time.Duration(b.QueueTimeout)}
	if b.SlowStart == 0 {
		o.Balance.SlowStart = -1
	}
	if b.Queue == 0 {
		o.Balance.Queue = -1
	}
	if b.Sticky != "" {
		o.Balance.Sticky = stickyCookie
	}
	for _, name := range sortedKeys(b.Limit) {
		l := b.Limit[name]
		n, per, err := l.Rate.Parse()
		if err != nil {
			return err
		}
		o.Limits = append(o.Limits, edge.Limit{Name: name, Path: l.Path, Method: l.Method, By: l.By,
			Rate: n, Per: per, Burst: l.Burst, Concurrency: l.Concurrency})
	}
	for _, p := range []struct {
		name string
		to   *string
	}{{b.Page.Unavailable, &o.Pages.Unavailable}, {b.Page.Limited, &o.Pages.Limited}, {b.Page.Maintenance, &o.Pages.Maintenance}} {
		if p.name != "" {
			*p.to = filepath.Join(m.Dir, p.name)
		}
	}
	return nil
}
