// Package smtpserver takes mail over SMTP into an inbox: any sender, any
// recipient, nothing relayed. It is for the machine an application is developed
// on; listen on loopback.
//
// A mail is acknowledged when it is on disk. It speaks ESMTP with PIPELINING,
// 8BITMIME, SMTPUTF8, CHUNKING, SIZE and AUTH PLAIN and LOGIN; without TLS.
package smtpserver

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/mail/inbox"
	"github.com/emersion/go-smtp"
)

// Options configure a server.
type Options struct {
	// Inbox is where mail goes. Required.
	Inbox *inbox.Inbox
	// Username and Password are what AUTH accepts when Username is set.
	// Default: anything, since many clients insist on logging in. A client
	// that does not log in is served in both cases.
	Username, Password string
	// MaxSize bounds a mail, in bytes. Default 40 MiB, which is SES's bound.
	MaxSize int64
	// MaxRecipients bounds the recipients of a mail. Default 100; SES has 50.
	MaxRecipients int
	// MaxConnections bounds the connections served at once; more wait to be
	// accepted. Default 100.
	MaxConnections int
	// Timeout bounds the wait for a client's next command, and the transfer of
	// one mail. Default 5 minutes (RFC 5321, 4.5.3.2.7).
	Timeout time.Duration
	// Log receives one line a mail and what goes wrong. Default: nothing.
	Log *slog.Logger
}

// maxLineLength is far above RFC 5321's 1,000 bytes, as templates do produce
// longer lines and providers take them.
const maxLineLength = 1 << 20

// Server is an SMTP server. Make one with New.
type Server struct {
	opts Options
	smtp *smtp.Server

	mu       sync.Mutex
	listener net.Listener
	closed   bool
	sessions map[*session]struct{}
	idle     chan struct{} // closed when closed is set and no transaction is open
}

// New returns a server that has yet to Serve.
func New(opts Options) (*Server, error) {
	if opts.Inbox == nil {
		return nil, errors.New("smtpserver: Options.Inbox is missing")
	}
	if opts.MaxSize < 0 || opts.MaxRecipients < 0 || opts.MaxConnections < 0 || opts.Timeout < 0 {
		return nil, fmt.Errorf("smtpserver: a bound is negative: MaxSize %d, MaxRecipients %d, MaxConnections %d, Timeout %v",
			opts.MaxSize, opts.MaxRecipients, opts.MaxConnections, opts.Timeout)
	}
	if opts.Username == "" && opts.Password != "" {
		return nil, errors.New("smtpserver: Options.Password is set and Username is not")
	}
	if opts.MaxSize == 0 {
		opts.MaxSize = 40 << 20
	}
	if opts.MaxRecipients == 0 {
		opts.MaxRecipients = 100
	}
	if opts.MaxConnections == 0 {
		opts.MaxConnections = 100
	}
	if opts.Timeout == 0 {
		opts.Timeout = 5 * time.Minute
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{opts: opts, sessions: map[*session]struct{}{}, idle: make(chan struct{})}
	s.smtp = smtp.NewServer(smtp.BackendFunc(s.newSession))
	s.smtp.Domain = "dayfly"
	s.smtp.MaxMessageBytes = opts.MaxSize
	s.smtp.MaxRecipients = opts.MaxRecipients
	s.smtp.MaxLineLength = maxLineLength
	s.smtp.ReadTimeout = opts.Timeout
	s.smtp.WriteTimeout = opts.Timeout
	s.smtp.AllowInsecureAuth = true // loopback
	s.smtp.EnableSMTPUTF8 = true
	s.smtp.ErrorLog = slogLines{opts.Log}
	return s, nil
}

// Serve takes connections from l until Shutdown, and then closes l and returns
// nil, also if Shutdown came first. It is called once.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	switch {
	case s.closed:
		s.mu.Unlock()
		return l.Close()
	case s.listener != nil:
		s.mu.Unlock()
		return errors.New("smtpserver: Serve is called once")
	}
	bounded := newListener(l, s.opts.MaxConnections)
	s.listener = bounded
	s.mu.Unlock()
	err := s.smtp.Serve(bounded)
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if !closed { // the listener failed
		_ = s.smtp.Close()
	}
	bounded.wait()
	if closed {
		return nil
	}
	return fmt.Errorf("smtpserver: %w", err)
}

// Shutdown stops taking connections, lets mails that are being sent arrive until
// ctx ends, and closes the rest.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	if s.listener != nil {
		s.listener.Close()
	}
	for c := range s.sessions {
		if !c.busy {
			c.conn.Close()
		}
	}
	s.signalIdle()
	s.mu.Unlock()

	var err error
	select {
	case <-s.idle:
	case <-ctx.Done():
		err = fmt.Errorf("smtpserver: mails under way were cut off: %w", ctx.Err())
	}
	_ = s.smtp.Close() // closes what is left
	return err
}

// signalIdle is called with mu held.
func (s *Server) signalIdle() {
	if !s.closed {
		return
	}
	for c := range s.sessions {
		if c.busy {
			return
		}
	}
	select {
	case <-s.idle:
	default:
		close(s.idle)
	}
}

func (s *Server) checkPassword(user, password string) error {
	if s.opts.Username == "" {
		return nil
	}
	u := subtle.ConstantTimeCompare([]byte(user), []byte(s.opts.Username))
	p := subtle.ConstantTimeCompare([]byte(password), []byte(s.opts.Password))
	if u&p != 1 {
		return smtp.ErrAuthFailed
	}
	return nil
}

// slogLines takes what go-smtp has to say of connections that broke.
type slogLines struct{ log *slog.Logger }

func (l slogLines) Printf(format string, v ...any) {
	l.log.Debug("smtp", "message", fmt.Sprintf(format, v...))
}
func (l slogLines) Println(v ...any) { l.log.Debug("smtp", "message", fmt.Sprint(v...)) }
