// Package memcachedserver speaks memcached's text protocol over a cache engine,
// so that any memcached client in any language uses it. One server is one
// store: each named cache of an application has its own server, on its own
// port, and a flush of one leaves the others.
//
// Commands: get gets gat gats set add replace append prepend cas incr decr touch
// delete flush_all stats version verbosity quit, with noreply and pipelining.
// Binary protocol and meta commands are answered with ERROR. There is no
// authentication, as in memcached: listen on loopback or a private network.
//
// Where it differs from memcached 1.6 on purpose: a store whose line is wrong
// but tells its length has its data skipped, so that data is never read as
// commands and each command has one reply; flags above 32 bits are an error
// instead of cut off; decr leaves no spaces behind the number; a ttl ends to the
// millisecond.
package memcachedserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dayfly-dev/dayfly/cache/driver"
)

// Options of a Server.
type Options struct {
	// Cache keeps the values. Required; the server does not close it.
	Cache driver.Cache
	// MaxConns is the most connections at once, 1–1,000,000; one more is told so
	// and closed. Default 1024.
	MaxConns int
	// MaxValue is the largest value in bytes, 1–1 GiB. Default 1 MiB. The engine may
	// have a lower bound of its own.
	MaxValue int
	// MaxLine is the longest command line in bytes, 2 KiB–16 MiB: what a get of many
	// keys may take. Default 256 KiB.
	MaxLine int
	// MaxInput bounds the memory in bytes that all connections together hold for
	// commands that have not arrived whole, beyond 16 KiB each. A command beyond it
	// fails. Default 64 MiB; at least twice MaxValue and MaxLine.
	MaxInput int64
	// Timeout is how long the rest of a command may take to arrive once its first
	// byte did, and a client to take a reply, before it is cut off. Default 30 s.
	// A connection between commands may be idle for ever.
	Timeout time.Duration
	// Log; nil discards.
	Log *slog.Logger
}

// Server serves one store.
type Server struct {
	o       Options
	log     *slog.Logger
	started time.Time
	closing atomic.Bool
	input   atomic.Int64 // bytes held beyond each connection's own buffer

	// ctx ends when the time of a Shutdown is over.
	ctx    context.Context
	cancel context.CancelFunc

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
	running   sync.WaitGroup // one for each connection and Serve

	total, rejected           atomic.Uint64
	closedRead, closedWritten atomic.Uint64 // bytes of connections that are gone
}

// New makes a server; Serve starts it.
func New(o Options) (*Server, error) {
	if o.MaxConns == 0 {
		o.MaxConns = 1024
	}
	if o.MaxValue == 0 {
		o.MaxValue = 1 << 20
	}
	if o.MaxLine == 0 {
		o.MaxLine = 256 << 10
	}
	if o.MaxInput == 0 {
		o.MaxInput = max(64<<20, 2*int64(o.MaxValue), 2*int64(o.MaxLine))
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	switch {
	case o.Cache == nil:
		return nil, errors.New("memcachedserver: Options.Cache is nil")
	case o.MaxConns < 1 || o.MaxConns > 1_000_000:
		return nil, fmt.Errorf("memcachedserver: MaxConns %d is not in 1–1,000,000", o.MaxConns)
	case o.MaxValue < 1 || o.MaxValue > 1<<30:
		return nil, fmt.Errorf("memcachedserver: MaxValue %d is not in 1–%d", o.MaxValue, 1<<30)
	case o.MaxLine < 2048 || o.MaxLine > 16<<20:
		return nil, fmt.Errorf("memcachedserver: MaxLine %d is not in 2048–%d", o.MaxLine, 16<<20)
	case o.MaxInput < 2*int64(max(o.MaxValue, o.MaxLine)):
		return nil, fmt.Errorf("memcachedserver: MaxInput %d is below twice MaxValue (%d) or MaxLine (%d)", o.MaxInput, o.MaxValue, o.MaxLine)
	case o.Timeout < 0:
		return nil, fmt.Errorf("memcachedserver: Timeout %v is negative", o.Timeout)
	}
	s := &Server{o: o, log: o.Log, started: time.Now(),
		listeners: map[net.Listener]struct{}{}, conns: map[*conn]struct{}{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Serve accepts connections until Shutdown, then returns nil; it returns an
// error when l fails for good. It closes l. It may be called for several
// listeners at once.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close()
	s.mu.Lock()
	if s.closing.Load() {
		s.mu.Unlock()
		return nil
	}
	s.listeners[l] = struct{}{}
	s.running.Add(1)
	s.mu.Unlock()
	defer s.running.Done()
	defer func() {
		s.mu.Lock()
		delete(s.listeners, l)
		s.mu.Unlock()
	}()

	var pause time.Duration
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			s.start(nc)
		case s.closing.Load():
			return nil
		case isTemporary(err):
			// Out of descriptors, or the peer left at once: others will follow.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.log.Warn("cache server cannot accept, trying again", "error", err, "pause", pause)
			select {
			case <-time.After(pause):
			case <-s.ctx.Done():
			}
		default:
			return fmt.Errorf("memcachedserver: %w", err)
		}
	}
}

func isTemporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

// start gives a connection its goroutine, or turns it away.
func (s *Server) start(nc net.Conn) {
	c := newConn(s, nc)
	s.mu.Lock()
	full := len(s.conns) >= s.o.MaxConns
	if full || s.closing.Load() {
		s.mu.Unlock()
		if full {
			if s.rejected.Add(1) == 1 {
				s.log.Warn("cache server is full: a client was turned away", "connections", s.o.MaxConns)
			}
			nc.SetWriteDeadline(time.Now().Add(time.Second))
			nc.Write([]byte("ERROR Too many open connections\r\n")) //nolint:errcheck // it is turned away in any case
		}
		nc.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.running.Add(1)
	s.mu.Unlock()
	s.total.Add(1)

	go func() {
		defer s.running.Done()
		c.serve()
		nc.Close()
		s.mu.Lock()
		delete(s.conns, c)
		s.closedRead.Add(c.read.Load())
		s.closedWritten.Add(c.written.Load())
		s.mu.Unlock()
	}()
}

// Shutdown stops accepting, closes connections that are between commands, lets
// the others finish the command they are in, and returns when all are gone.
// When ctx ends first, the rest is cut off and ctx's error returned.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing.Store(true)
	for l := range s.listeners {
		l.Close()
	}
	for c := range s.conns {
		// Wakes those that wait for a command. One that waits within a command
		// sees closing, gives itself its time again and goes on.
		c.nc.SetReadDeadline(past)
	}
	s.mu.Unlock()

	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = fmt.Errorf("memcachedserver: shutdown: %w", ctx.Err())
		s.mu.Lock()
		for c := range s.conns {
			c.nc.Close()
		}
		s.mu.Unlock()
	}
	s.cancel()
	<-done
	return err
}

var past = time.Unix(1, 0)
