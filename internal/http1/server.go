// Package http1 answers usual HTTP/1.1 requests at about half the cost of
// net/http, and leaves all others to it.
//
// A connection begins here. As long as its requests are plain (see parse: a
// head and a length that are written in the one usual way) they are read,
// handled and answered by one goroutine in one buffer, with one read and one
// write. The first request that is anything else, legal or not, passes to the
// http.Server together with the connection and all that was read of it, for
// good. So what is unusual, malformed or long is judged by net/http alone, and
// nothing that it refuses is accepted here; FuzzParse holds the two together.
//
// Why it is cheaper: net/http reads on in a second goroutine during each
// request, to notice a client that leaves; here a request is watched only when
// it takes long. And it makes anew what can be used again.
package http1

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Server serves as its HTTP does, whose Handler, ReadHeaderTimeout,
// IdleTimeout, MaxHeaderBytes and ErrorLog count; BaseContext, ConnContext and
// ConnState must be nil.
//
// The handler must be done with the request, its headers included, and with the
// ResponseWriter when it returns. Of http.ResponseController all works but
// Hijack: requests for an upgrade are not plain.
type Server struct {
	HTTP *http.Server
	Log  *slog.Logger // gets panics of the handler; nil discards
	// TLS is what connections begin with; nil: they have none. Those that choose
	// "h2" from its NextProtos pass to HTTP. It is used as it is, so that its
	// SetSessionTicketKeys counts for what comes then.
	TLS *tls.Config
	// Keep reports whether the handler may keep headers and the URL, which are made
	// anew for each request then. Once true it stays so. Default nil: it may not.
	Keep func() bool
	// Quick, if it is set, returns what is asked about a plain GET without a body
	// before anything is made of it; nil if nothing is at the moment.
	Quick func() Answerer

	once  sync.Once
	other *handover
	ctx   context.Context // of all requests; ends with Close
	end   context.CancelFunc

	most   int          // connections; beyond it those that wait are closed
	shedAt atomic.Int64 // when that was last said, Unix seconds

	stopping  atomic.Bool // set under mu
	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
	emptied   chan struct{} // closed when stopping and no connection is left
}

func (s *Server) init() {
	s.once.Do(func() {
		if s.Log == nil {
			s.Log = slog.New(slog.DiscardHandler)
		}
		s.ctx, s.end = context.WithCancel(context.WithValue(context.Background(), http.ServerContextKey, s.HTTP))
		s.most = mostConns()
		s.other = newHandover()
		s.listeners = map[net.Listener]struct{}{}
		s.conns = map[*conn]struct{}{}
		s.emptied = make(chan struct{})
	})
}

// Serve accepts connections until Shutdown or Close, then returns
// http.ErrServerClosed; or until accepting fails.
func (s *Server) Serve(l net.Listener) error {
	s.init()
	if !s.listen(l) {
		l.Close()
		return http.ErrServerClosed
	}
	defer s.unlisten(l)
	others := make(chan error, 1)
	go func() { others <- s.HTTP.Serve(s.other.at(l.Addr())) }() // ends with Shutdown or Close
	pause := time.Duration(0)
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			s.begin(c)
			continue
		case s.stopping.Load():
			return <-others // ErrServerClosed, too
		case !temporary(err):
			return err
		}
		// Out of descriptors, mostly: connections that end give some back.
		if outOfDescriptors(err) && s.shed(err.Error()) > 0 {
			time.Sleep(time.Millisecond) // for them to be closed
			continue
		}
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		s.Log.Warn("cannot accept a connection", "error", err, "pause", pause)
		time.Sleep(pause)
	}
}

func temporary(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOBUFS) ||
		errors.Is(err, syscall.ENOMEM) || errors.Is(err, syscall.ECONNABORTED) || errors.Is(err, syscall.EINTR)
}

// begin serves a connection: here if it is TCP's.
func (s *Server) begin(nc net.Conn) {
	tcp, ok := nc.(*net.TCPConn)
	prefixed, behind := nc.(Prefixed)
	switch {
	case ok:
	case behind:
		tcp = prefixed.TCP()
	case s.TLS != nil:
		s.other.pass(tls.Server(nc, s.TLS))
		return
	default:
		s.other.pass(scanning(nc))
		return
	}
	c, err := newConn(s, tcp, nc)
	s.mu.Lock()
	if err != nil || s.stopping.Load() {
		s.mu.Unlock()
		nc.Close()
		return
	}
	s.conns[c] = struct{}{}
	many := len(s.conns) > s.most
	s.mu.Unlock()
	if many {
		s.shed("some are kept for answering")
	}
	if s.TLS == nil && !behind {
		go c.serve(nil) // ends with the connection, or when it passes to net/http
		return
	}
	go c.open(prefixed) // ends with the connection, or when that passes to serve
}

// ended forgets a connection.
func (s *Server) ended(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.stopping.Load() && len(s.conns) == 0 {
		close(s.emptied)
	}
}

// Shutdown stops accepting, closes connections that wait for a request, lets
// requests under way finish until ctx ends, and returns its error then.
func (s *Server) Shutdown(ctx context.Context) error {
	s.init()
	s.stop()
	for _, c := range s.open() {
		c.closeIdle()
	}
	err := s.HTTP.Shutdown(ctx)
	select {
	case <-s.emptied:
	case <-ctx.Done():
		err = errors.Join(err, ctx.Err())
	}
	return err
}

// Close closes all connections at once and ends the contexts of their requests.
func (s *Server) Close() error {
	s.init()
	s.stop()
	s.end() // first: see conn.answer
	for _, c := range s.open() {
		c.tcp.Close()
		c.watch.end()
	}
	return s.HTTP.Close()
}

func (s *Server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping.Swap(true) {
		return
	}
	for l := range s.listeners {
		l.Close()
	}
	if len(s.conns) == 0 {
		close(s.emptied)
	}
}

func (s *Server) open() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		all = append(all, c)
	}
	return all
}

func (s *Server) listen(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping.Load() {
		return false
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Server) unlisten(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}
