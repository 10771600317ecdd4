package app

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/dayfly-dev/dayfly/app/manifest"
	"github.com/dayfly-dev/dayfly/edge"
	"github.com/dayfly-dev/dayfly/edge/cert"
)

// LocalRoot is the folder of the root for local certificates: one for all
// applications of a user, as browsers are told once to trust it.
func LocalRoot() (string, error) {
	config, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("where this user's configuration is: %w", err)
	}
	return filepath.Join(config, "dayfly", "root"), nil
}

// secured is the site over https.
type secured struct {
	app      *App
	listener net.Listener
	source   atomic.Pointer[cert.Source] // nil until start
	note     string
	drain    func(context.Context) error
}

// listenHTTPS opens the listener for https, if the manifest wants one, and sets
// what the edge is told of https. Nothing is accepted before start.
func (a *App) listenHTTPS(o *edge.Options) (*secured, error) {
	o.HTTPS = a.manifest.Edge.HTTPSOptions()
	o.HTTPS.Port = portOfURL(a.environ["SITE_URL"])
	if a.manifest.Edge.TLS == nil {
		return nil, nil
	}
	s := &secured{app: a}
	address := a.manifest.Listen.HTTPS
	var err error
	if s.listener, s.note, err = listen(address); err != nil {
		return nil, err
	}
	a.onStop("https listener", func(context.Context) error { s.listener.Close(); return nil }) //nolint:errcheck // the server has closed it
	if s.note != "" && !isLoopback(s.listener.Addr()) {
		return nil, fmt.Errorf("listen on %s: %s; clients look for https there and nowhere else: end what has it, or change [listen] https", address, s.note)
	}
	if o.HTTPS.Port == 0 {
		o.HTTPS.Port = s.listener.Addr().(*net.TCPAddr).Port
	}
	o.HTTPS.Ready = func() bool { source := s.source.Load(); return source != nil && (*source).Ready() }
	if a.manifest.Edge.TLS.ACME != "" {
		o.HTTPS.Challenge = s.challenge
	}
	return s, nil
}

// portOfURL is the port in an https address, 0 if there is none.
func portOfURL(address string) int {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" {
		return 0
	}
	if u.Port() == "" {
		return 443
	}
	n, _ := strconv.Atoi(u.Port()) // url.Parse has seen that it is a number
	return n
}

// challenge answers an ACME server.
func (s *secured) challenge(w http.ResponseWriter, r *http.Request) bool {
	source := s.source.Load()
	if source == nil {
		return false
	}
	authority, ok := (*source).(*cert.Authority)
	return ok && authority.Challenge(w, r)
}

// start serves e over https. An authority may ask at plain, the listener of
// http, which is served afterwards.
func (s *secured) start(e *edge.Edge, plain net.Listener) error {
	if s == nil {
		return nil
	}
	a := s.app
	source, err := a.openSource(e, plain, s.listener)
	if err != nil {
		return err
	}
	a.onStop("certificates", func(context.Context) error { return source.Close() })
	server := edge.Server(e)
	server.TLSConfig = source.Config()
	if a.records != nil {
		tickets, err := cert.OpenTickets(cert.TicketOptions{Records: a.records, Log: a.log}, server.TLSConfig)
		if err != nil {
			return err
		}
		a.onStop("keys of TLS sessions", func(context.Context) error { return tickets.Close() })
	}
	// Every scanner that passes by fails a handshake.
	server.ErrorLog = slog.NewLogLogger(a.log.Handler(), slog.LevelDebug)
	s.source.Store(&source)
	listener := s.listener
	if a.manifest.Edge.ProxyProtocol {
		listener = e.ProxyProtocol(listener)
	}
	over := closing{edge.NewFront(server, a.log)}
	a.serve("site over https", listener, over)
	s.drain = over.Shutdown
	return nil
}

// shutdown drains both servers.
func (s *secured) shutdown(plain func(context.Context) error) func(context.Context) error {
	if s == nil {
		return plain
	}
	return func(ctx context.Context) error {
		ended := make(chan error, 1)
		go func() { ended <- s.drain(ctx) }()
		return errors.Join(plain(ctx), <-ended)
	}
}

// url is the site's address for a browser, "" without https.
func (s *secured) url() string {
	if s == nil {
		return ""
	}
	host := s.app.manifest.Edge.Host
	if host == "" {
		host = "localhost"
	}
	if port := s.listener.Addr().(*net.TCPAddr).Port; port != 443 {
		host = net.JoinHostPort(host, strconv.Itoa(port))
	}
	return "https://" + host
}

// openSource opens where the certificates come from.
func (a *App) openSource(e *edge.Edge, plain, secure net.Listener) (cert.Source, error) {
	t := a.manifest.Edge.TLS
	switch {
	case t.Local:
		dir, err := LocalRoot()
		if err != nil {
			return nil, err
		}
		root, err := cert.OpenRoot(dir)
		if err != nil {
			return nil, err
		}
		return cert.OpenLocal(root), nil
	case t.ACME == "":
		f, err := cert.OpenFiles(cert.Files{Cert: a.below(t.Cert), Key: a.below(t.Key), Log: a.log})
		if err != nil {
			return nil, fmt.Errorf("[edge.tls]: %w", err)
		}
		return f, nil
	}
	return a.openACME(e, plain, secure)
}

func (a *App) openACME(e *edge.Edge, plain, secure net.Listener) (cert.Source, error) {
	m := a.manifest.Edge
	o := cert.ACME{Hosts: append([]string{m.Host}, m.Hosts...), Email: m.TLS.Email, Directory: m.TLS.ACME,
		HTTP: plain.Addr(), HTTPS: secure.Addr(), Records: a.records, Log: a.log}
	if apex := e.Apex(); strings.HasPrefix(m.Host, "www.") && apex != "" {
		o.Hosts = append(o.Hosts, apex)
	}
	if o.Directory == manifest.LetsEncrypt {
		o.Directory = cert.LetsEncrypt
	}
	if m.TLS.Roots != "" {
		text, err := os.ReadFile(a.below(m.TLS.Roots))
		if err != nil {
			return nil, fmt.Errorf("[edge.tls] roots: %w", err)
		}
		o.Roots = x509.NewCertPool()
		if !o.Roots.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("[edge.tls] roots: %s has no certificate in PEM", m.TLS.Roots)
		}
	}
	return cert.OpenACME(o)
}

// below is a path of the manifest: absolute, or below its folder.
func (a *App) below(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(a.manifest.Dir, path)
}
