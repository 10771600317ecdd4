// Package sesserver answers the requests of Amazon SES, version 2 (REST, JSON) and
// version 1 (query, XML), and keeps the mail in an inbox instead of sending it.
//
// A message identity is returned when the mail is on disk. Every sender address
// counts as verified: what SES would say of one that is not is not simulated,
// nor are its sandbox, suppression list and sending rate. As SES does, the
// server writes a Message-ID and a Date of its own and drops Bcc and Return-Path.
//
// Authentication comes before this handler.
package sesserver

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/mail"
	"github.com/dayfly-dev/dayfly/mail/inbox"
)

// Options configure a server.
type Options struct {
	// Inbox is where mail goes. Required.
	Inbox *inbox.Inbox
	// Log receives one line a mail and what goes wrong. Default: nothing.
	Log *slog.Logger
}

// Bounds of one request and of all together.
const (
	// maxBody holds a mail of mail.MaxSize in base64, and the rest of the request.
	maxBody = mail.MaxSize/3*4 + 1<<20
	// maxAtOnce bounds the requests that are held in memory; more wait.
	maxAtOnce = 8
	// quota is what GetSendQuota and account say: SES's usual first production
	// quota. Nothing here is held to it.
	quota24Hours, quotaPerSecond = 50_000, 14
)

// Server is an http.Handler. Make one with New.
type Server struct {
	opts  Options
	slots chan struct{}

	mu   sync.Mutex
	sent map[int64]int // mails by hour, of the last 24
}

// New returns a server.
func New(opts Options) (*Server, error) {
	if opts.Inbox == nil {
		return nil, errors.New("sesserver: Options.Inbox is missing")
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{opts: opts, slots: make(chan struct{}, maxAtOnce), sent: map[int64]int{}}, nil
}

// ServeHTTP answers one request of either version.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-r.Context().Done():
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	w.Header().Set("X-Amzn-Requestid", requestID())
	if strings.HasPrefix(r.URL.Path, "/v2/") {
		s.serveV2(w, r)
		return
	}
	s.serveV1(w, r)
}

// problem is an error in the terms of SES; each version writes it in its own form.
type problem struct {
	status  int
	v2, v1  string // codes
	message string
}

func (p *problem) Error() string { return p.message }

func invalid(format string, args ...any) *problem {
	return &problem{http.StatusBadRequest, "BadRequestException", "InvalidParameterValue", fmt.Sprintf(format, args...)}
}

func rejected(format string, args ...any) *problem {
	return &problem{http.StatusBadRequest, "MessageRejected", "MessageRejected", fmt.Sprintf(format, args...)}
}

// problemOf maps what went wrong while a mail was composed or kept.
func (s *Server) problemOf(err error) *problem {
	var p *problem
	var unsendable *mail.InvalidError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &unsendable):
		return invalid("%s: %s", unsendable.Field, unsendable.Reason)
	case errors.As(err, &tooLarge):
		return &problem{http.StatusRequestEntityTooLarge, "BadRequestException", "InvalidParameterValue",
			fmt.Sprintf("The request has more than %d bytes.", maxBody)}
	case errors.Is(err, inbox.ErrTooLarge):
		return rejected("The mail is larger than the inbox may be.")
	}
	s.opts.Log.Error("mail refused", "via", "ses", "error", err)
	if errors.Is(err, inbox.ErrFull) {
		return &problem{http.StatusServiceUnavailable, "ServiceUnavailable", "ServiceUnavailable", "The disk is full: the mail was not stored."}
	}
	return &problem{http.StatusInternalServerError, "InternalServiceErrorException", "InternalFailure", "The mail could not be stored."}
}

// keep puts one mail into the inbox and returns its identity.
func (s *Server) keep(ctx context.Context, from string, to []string, id string, content io.Reader) (string, error) {
	if len(to) == 0 {
		return "", invalid("Missing required destination: there is no recipient.")
	}
	if len(to) > mail.MaxRecipients {
		return "", invalid("Recipient count exceeds %d.", mail.MaxRecipients)
	}
	e, err := s.opts.Inbox.Add(ctx, inbox.Envelope{From: from, To: to, Via: "ses"}, content)
	if err != nil {
		return "", err
	}
	s.count(len(to))
	s.opts.Log.Info("mail received", "via", "ses", "id", e.ID, "recipients", len(to), "bytes", e.Size)
	return id, nil
}

func (s *Server) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now().Unix() / 3600
	s.sent[now] += n
	for hour := range s.sent {
		if hour <= now-24 {
			delete(s.sent, hour)
		}
	}
}

// sentLast24Hours counts recipients since this process started, by whole hours.
func (s *Server) sentLast24Hours() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, n := time.Now().Unix()/3600, 0
	for hour, sent := range s.sent {
		if hour > now-24 {
			n += sent
		}
	}
	return n
}

// newMessageID has the form of SES's.
func newMessageID() string {
	b := make([]byte, 22)
	_, _ = rand.Read(b) // never fails
	h := hex.EncodeToString(b)
	return fmt.Sprintf("%016x-%s-%s-%s-%s-%s-000000", time.Now().UnixMilli(), h[:8], h[8:12], h[12:16], h[16:20], h[20:32])
}

func requestID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
