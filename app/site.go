package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/edge"
)

// front lets a process group put its instances behind the edge.
type front struct{ *edge.Edge }

func (f front) Add(target, url string) error { return f.Edge.Add(edge.Target{Name: target, URL: url}) }

// startSite starts the edge. Requests that come before the first instance is
// healthy are held.
func (a *App) startSite(ctx context.Context) error {
	m := a.manifest
	if len(m.HTTP()) == 0 && m.Static.Dir == "" {
		return nil
	}
	o := edge.Options{Host: m.Edge.Host, ClickFile: a.data.path("clicks"), Log: a.log,
		HoldTimeout: time.Duration(m.Edge.Hold), Clicks: map[string]edge.Campaign{}}
	if m.Edge.Hold == 0 {
		o.HoldMax, o.HoldTimeout = -1, 0
	}
	for _, name := range m.HTTP() {
		if m.Process[name].Protocol == "h2c" {
			o.Protocol = edge.H2C
		}
		o.HealthPath, o.HealthTimeout = m.Process[name].Health, time.Duration(m.Process[name].HealthTimeout)
	}
	secure, err := a.listenHTTPS(&o)
	if err != nil {
		return err
	}
	for name, c := range m.Edge.Click {
		o.Clicks[name] = edge.Campaign{Source: c.UTM.Source, Medium: c.UTM.Medium, Campaign: c.UTM.Campaign}
	}
	if err := a.static(ctx, &o); err != nil {
		return err
	}
	if err := a.balance(&o); err != nil {
		return err
	}
	a.answers(&o)
	name := "access.jsonl"
	if o.AccessLogFormat = m.Edge.Log.Format; o.AccessLogFormat == edge.LogCombined {
		name = "access.log"
	}
	accessLog, err := openRotated(a.data.path("logs", name))
	if err != nil {
		return err
	}
	a.onStop("access log", func(context.Context) error { return accessLog.Close() })
	o.AccessLog = accessLog
	o.Cache = a.responseCache()

	e, err := edge.New(o)
	if err != nil {
		return err
	}
	a.edge = e
	if err := a.resumeMaintenance(); err != nil {
		return errors.Join(err, e.Close())
	}
	a.onStop("edge", func(context.Context) error { return e.Close() })
	if err := a.trust(e); err != nil {
		return err
	}
	l, note, err := listen(m.Listen.Edge)
	if err != nil {
		return err
	}
	if err := secure.start(e, l); err != nil {
		return errors.Join(err, l.Close())
	}
	url := "http://" + visitable(l.Addr())
	if m.Edge.ProxyProtocol {
		l = e.ProxyProtocol(l)
	}
	server := closing{edge.NewFront(edge.Server(e), a.log)}
	a.serve("site", l, server)
	a.drainSite = secure.shutdown(server.Shutdown)
	if v := secure.url(); v != "" {
		note, url = joined(secure.note, "by http at "+url, note), v
	}
	a.addresses = slices.Insert(a.addresses, 0, Address{"Site", url, note})
	if m.Edge.Host != "" && !isLoopback(l.Addr()) && secure == nil {
		url = "https://" + m.Edge.Host
	}
	if v := a.environ["SITE_URL"]; v != "" {
		url = v
	}
	a.variables.set("SITE_URL", url)
	a.variables.set("TRUSTED_PROXIES", "loopback") // the edge asks the instances from there
	a.history = startHistory(e)
	a.onStop("history", func(context.Context) error { a.history.stop(); return nil })
	return nil
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
