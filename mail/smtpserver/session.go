package smtpserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/dayfly-dev/dayfly/mail/inbox"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// session is one connection after its greeting. go-smtp calls its methods one
// after the other; busy belongs to the server's mutex.
type session struct {
	server *Server
	conn   net.Conn
	helo   string
	from   string
	to     []string
	busy   bool // between MAIL and the answer to DATA
}

func (s *Server) newSession(c *smtp.Conn) (smtp.Session, error) {
	ses := &session{server: s, conn: c.Conn(), helo: c.Hostname()}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosing
	}
	s.sessions[ses] = struct{}{}
	return ses, nil
}

var errClosing = &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "Shutting down, try again later"}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain, sasl.Login} }

func (s *session) Auth(mechanism string) (sasl.Server, error) {
	switch mechanism {
	case sasl.Plain:
		return sasl.NewPlainServer(func(_, user, password string) error { return s.server.checkPassword(user, password) }), nil
	case sasl.Login:
		return &login{check: s.server.checkPassword}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if err := plainAddress(from); err != nil {
		return err
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if s.server.closed {
		return errClosing
	}
	s.from, s.busy = from, true
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if err := plainAddress(to); err != nil {
		return err
	}
	s.to = append(s.to, to)
	return nil
}

// plainAddress refuses what could not stand in a header of the kept mail.
func plainAddress(a string) error {
	if strings.ContainsFunc(a, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return &smtp.SMTPError{Code: 553, EnhancedCode: smtp.EnhancedCode{5, 1, 3}, Message: "Control character in an address"}
	}
	return nil
}

// Data keeps the mail; its answer goes out after it is on disk.
func (s *session) Data(r io.Reader) error {
	log := s.server.opts.Log
	// With BDAT this runs beside the session, which may be reset meanwhile.
	env := inbox.Envelope{From: s.from, To: s.to, Via: fmt.Sprintf("smtp from %s (%s)", s.conn.RemoteAddr(), s.helo)}
	e, err := s.server.opts.Inbox.Add(context.Background(), env, r)
	if err == nil {
		log.Info("mail received", "via", "smtp", "id", e.ID, "recipients", len(env.To), "bytes", e.Size)
		return nil
	}
	var own *smtp.SMTPError
	if errors.As(err, &own) { // of go-smtp's reader: too large, line too long
		return own
	}
	log.Error("mail refused", "via", "smtp", "error", err)
	switch {
	case errors.Is(err, inbox.ErrFull):
		return &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 3, 1}, Message: "The disk is full, try again later"}
	case errors.Is(err, inbox.ErrTooLarge):
		return &smtp.SMTPError{Code: 552, EnhancedCode: smtp.EnhancedCode{5, 3, 4}, Message: "The mail is larger than the inbox may be"}
	case errors.Is(err, inbox.ErrClosed):
		return errClosing
	}
	return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "The mail could not be stored, try again later"}
}

// Reset ends a transaction. go-smtp calls it after the answer has gone out.
func (s *session) Reset() {
	s.from, s.to = "", nil
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.busy = false
	if s.server.closed {
		s.conn.Close()
	}
	s.server.signalIdle()
}

// Logout ends the session.
func (s *session) Logout() error {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	delete(s.server.sessions, s)
	s.server.signalIdle()
	return nil
}

// login is AUTH LOGIN, which go-sasl has for clients only: two questions.
type login struct {
	check func(user, password string) error
	user  *string
}

func (l *login) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case response == nil:
		return []byte("Username:"), false, nil
	case l.user == nil:
		user := string(response)
		l.user = &user
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(*l.user, string(response))
}
