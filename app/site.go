package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/app/manifest"
	"github.com/dayfly-dev/dayfly/edge"
)

// front lets a process group put its instances behind the edge.
type front struct{ *edge.Edge }

func (f front) Add(target, url string) error { return f.Edge.Add(edge.Target{Name: target, URL: url}) }

// startSite starts the edge. Requests that come before the first instance is
// healthy are held.
func (a *App) startSite(ctx context.Context) error {
	if len(a.manifest.HTTP()) == 0 && a.manifest.Static.Dir == "" {
		return nil
	}
	o, err := a.siteOptions(a.manifest)
	if err != nil {
		return err
	}
	secure, err := a.listenHTTPS(&o)
	if err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return a.static(ctx, &o) },
		func() error { return a.accessLog(&o) },
		func() error { return a.publishing(ctx, &o) },
		func() error { return a.openEdge(o) },
		func() error { return a.followPurges(ctx) },
		func() error { return a.serveSite(secure) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	a.history = startHistory(a.edge)
	a.onStop("history", func(context.Context) error { a.history.stop(); return nil })
	return nil
}

// siteOptions are those that are in the manifest as the edge takes them.
func (a *App) siteOptions(m *manifest.Manifest) (edge.Options, error) {
	o := edge.Options{Host: m.Edge.Host, ClickFile: a.data.path("clicks"), Log: a.log,
		HoldTimeout: time.Duration(m.Edge.Hold), Clicks: map[string]edge.Campaign{}, Cache: a.responseCache(m), Routes: m.Edge.Routes()}
	if m.Edge.Hold == 0 {
		o.HoldMax, o.HoldTimeout = -1, 0
	}
	o.FilesOnly = len(m.HTTP()) == 0
	for _, name := range m.HTTP() {
		if m.Process[name].Protocol == "h2c" {
			o.Protocol = edge.H2C
		}
		o.HealthPath, o.HealthTimeout = m.Process[name].Health, time.Duration(m.Process[name].HealthTimeout)
	}
	for name, c := range m.Edge.Click {
		o.Clicks[name] = edge.Campaign{Source: c.UTM.Source, Medium: c.UTM.Medium, Campaign: c.UTM.Campaign}
	}
	a.answers(m, &o)
	return o, a.balance(m, &o)
}

// accessLog opens the file of the access log.
func (a *App) accessLog(o *edge.Options) error {
	name := "access.jsonl"
	if o.AccessLogFormat = a.manifest.Edge.Log.Format; o.AccessLogFormat == edge.LogCombined {
		name = "access.log"
	}
	file, err := openRotated(a.data.path("logs", name))
	if err != nil {
		return err
	}
	a.onStop("access log", func(context.Context) error { return file.Close() })
	o.AccessLog = file
	return nil
}

// openEdge makes the edge, which serves nobody yet.
func (a *App) openEdge(o edge.Options) error {
	e, err := edge.New(o)
	a.reloading.options = o
	if err != nil {
		return err
	}
	a.edge = e
	if err := a.resumeMaintenance(); err != nil {
		return errors.Join(err, e.Close())
	}
	a.onStop("edge", func(context.Context) error { return e.Close() })
	return a.trust(e)
}

// serveSite opens the listener of http, and serves there and over https.
func (a *App) serveSite(secure *secured) error {
	l, note, err := listen(a.manifest.Listen.Edge)
	if err != nil {
		return err
	}
	if err := secure.start(a.edge, l); err != nil {
		return errors.Join(err, l.Close())
	}
	bound := l.Addr()
	if a.manifest.Edge.ProxyProtocol {
		l = a.edge.ProxyProtocol(l)
	}
	server := closing{edge.NewFront(edge.Server(a.edge), a.log)}
	a.serve("site", l, server)
	a.drainSite = secure.shutdown(server.Shutdown)
	a.tellSite(secure, bound, note)
	return nil
}

// tellSite has people and processes know where the site is. bound is the
// listener of http, note what is to be said of it.
func (a *App) tellSite(secure *secured, bound net.Addr, note string) {
	url := "http://" + visitable(bound)
	if v := secure.url(); v != "" {
		note, url = joined(secure.note, "by http at "+url, note), v
	}
	a.addresses = slices.Insert(a.addresses, 0, Address{"Site", url, note})
	if a.manifest.Edge.Host != "" && !isLoopback(bound) && secure == nil {
		url = "https://" + a.manifest.Edge.Host
	}
	if v := a.environ["SITE_URL"]; v != "" {
		url = v
	}
	a.variables.set("SITE_URL", url)
	a.variables.set("TRUSTED_PROXIES", "loopback") // the edge asks the instances from there
}

// joined is the notes that there are.
func joined(notes ...string) string {
	return strings.Join(slices.DeleteFunc(notes, func(s string) bool { return s == "" }), "; ")
}

func isLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// visitable is an address a browser on this machine can open.
func visitable(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("127.0.0.1:%d", tcp.Port)
	}
	return addr.String()
}
