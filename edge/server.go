package edge

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// maxFields bounds a request's header fields of different names: more would be
// nothing but work, here and for the application.
const maxFields = 256

// Server returns an http.Server for handler with bounds against slow and
// oversized requests: 10 s for a request's headers, 64 KiB of headers, 2 min
// between requests on a kept-alive connection. Bodies and answers have no bound
// in time, since uploads and event streams are as long as they are. It speaks
// HTTP/1, and HTTP/2 with prior knowledge (h2c) or over TLS.
//
// The caller sets Addr or calls Serve with a listener; or gives it to a Front,
// which needs half the processor time.
func Server(handler http.Handler) *http.Server {
	s := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		Protocols:         new(http.Protocols),
	}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	return s
}

// A Front serves for an http.Server, with TLS if that has a TLSConfig: requests of HTTP/1.1 that are
// written in the usual way are read and answered by a loop of its own, all
// others by the server (see package internal/http1). Nothing that the server
// refuses is accepted.
type Front struct{ plain listening }

// listening is what a Front serves with, which depends on the system.
type listening interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
	Close() error
}

// NewFront returns a Front for s, of which Handler, the timeouts,
// MaxHeaderBytes, Protocols, TLSConfig and ErrorLog count; NextProtos of the
// TLSConfig, which is used as it is, should have "h2" and "http/1.1"; BaseContext, ConnContext and
// ConnState must be nil. A handler other than an Edge must be done with a
// request when it returns. log gets panics of the handler; nil discards.
func NewFront(s *http.Server, log *slog.Logger) *Front {
	var keep func() bool
	if e, ok := s.Handler.(*Edge); ok {
		keep = e.keeps.Load
	}
	return &Front{newListening(s, log, keep)}
}

// Serve accepts connections until Shutdown or Close, then returns
// http.ErrServerClosed; or until accepting fails.
func (f *Front) Serve(l net.Listener) error { return f.plain.Serve(l) }

// Shutdown stops accepting, closes connections that wait for a request, lets
// requests under way finish until ctx ends, and returns its error then.
func (f *Front) Shutdown(ctx context.Context) error { return f.plain.Shutdown(ctx) }

// Close closes all connections at once and ends the contexts of their requests.
func (f *Front) Close() error { return f.plain.Close() }
