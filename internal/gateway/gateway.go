// Package gateway is the one address of all AWS services that dayfly embeds.
//
// A request says for which service it was signed; that decides where it goes.
// Requests to S3, which include all that are not signed or not in a way known
// here, go untouched to the S3 server, which verifies them itself. All others
// are verified here, with their whole body, and only then handed on.
package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/dayfly-dev/dayfly/internal/sigv4"
)

const (
	// Largest request body of a service that does not say otherwise, bytes:
	// SES takes mail of 40 MB, which base64 makes 54.
	defaultMaxBody = 64 << 20
	// What a request claims of its length is believed so far, bytes; more memory
	// comes with more bytes.
	trustedLength = 64 << 10
	// Larger buffers are not kept for the next request, bytes.
	maxKeptBuffer = 256 << 10
)

// BodyLimiter is implemented by handlers of services that take less than 64
// MiB a request.
type BodyLimiter interface {
	MaxBody() int64 // bytes
}

// Options of New.
type Options struct {
	// Credentials that are accepted; at least one.
	Credentials []sigv4.Credentials
	// Services by the name in the scope of a signature: sqs, ses, sns. Their
	// request's Body is in memory, valid until the handler returns, and has a
	// method Bytes() []byte.
	Services map[string]http.Handler
	// S3 gets its requests unverified; nil when there is no S3 here.
	S3 http.Handler
	// Log gets refused requests at debug level; nil discards.
	Log *slog.Logger
}

// Gateway is an http.Handler.
type Gateway struct {
	verifier *sigv4.Verifier
	services map[string]service
	s3       http.Handler
	log      *slog.Logger
	buffers  sync.Pool // of *[]byte
}

type service struct {
	handler http.Handler
	maxBody int64
}

// New returns a gateway.
func New(o Options) (*Gateway, error) {
	v, err := sigv4.New(sigv4.Options{Credentials: o.Credentials})
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	g := &Gateway{verifier: v, services: map[string]service{}, s3: o.S3, log: o.Log}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	for name, h := range o.Services {
		if h == nil || name == "" || name == "s3" {
			return nil, fmt.Errorf("gateway: service %q has no name or no handler, or belongs into Options.S3", name)
		}
		s := service{handler: h, maxBody: defaultMaxBody}
		if l, ok := h.(BodyLimiter); ok {
			s.maxBody = l.MaxBody()
		}
		g.services[name] = s
	}
	g.buffers.New = func() any { return new([]byte) }
	return g, nil
}

// ServeHTTP routes and verifies.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	claim, err := sigv4.Parse(r)
	if g.s3 != nil && forS3(r, &claim, err) {
		g.s3.ServeHTTP(w, r)
		return
	}
	if err != nil {
		g.refuse(w, r, err)
		return
	}
	s, ok := g.services[claim.Service]
	if !ok {
		g.refuse(w, r, g.unknown(claim.Service))
		return
	}
	buf := g.buffers.Get().(*[]byte)
	defer g.release(buf)
	err = g.verifier.Verify(r, &claim, func() (_ []byte, err error) {
		*buf, err = readBody(w, r, (*buf)[:0], s.maxBody)
		return *buf, err
	})
	if err != nil {
		g.refuse(w, r, err)
		return
	}
	r.Body = &body{data: *buf}
	s.handler.ServeHTTP(w, r)
}

// forS3 decides by the service that was signed for; a request that is not
// signed, or illegibly, is S3's unless only another service could mean it.
func forS3(r *http.Request, c *sigv4.Claim, err error) bool {
	if err == nil {
		return strings.HasPrefix(c.Service, "s3")
	}
	return !otherProtocol(r)
}

func (g *Gateway) unknown(name string) error {
	known := slices.Sorted(maps.Keys(g.services))
	if g.s3 != nil {
		known = append(known, "s3")
	}
	return &Error{
		Status: http.StatusBadRequest, Code: "UnknownService", Type: "UnknownServiceException",
		Message: fmt.Sprintf("There is no service %q at this endpoint; there are %s.", name, strings.Join(known, ", ")),
	}
}

// readBody reads the whole body into memory that b may have.
func readBody(w http.ResponseWriter, r *http.Request, b []byte, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return b, tooLarge(limit)
	}
	var err error
	if n := int(r.ContentLength); 0 <= n && n <= trustedLength {
		b = slices.Grow(b, n)[:n]
		_, err = io.ReadFull(r.Body, b)
	} else {
		buf := bytes.NewBuffer(slices.Grow(b, trustedLength))
		_, err = buf.ReadFrom(http.MaxBytesReader(w, r.Body, limit))
		b = buf.Bytes()
	}
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		return b, tooLarge(limit)
	}
	if err != nil {
		return b, &Error{Status: http.StatusBadRequest, Code: "IncompleteBody", Type: "IncompleteBodyException", Message: "The body ended before its length."}
	}
	return b, nil
}

func tooLarge(limit int64) error {
	return &Error{
		Status: http.StatusRequestEntityTooLarge, Code: "RequestEntityTooLarge", Type: "RequestEntityTooLargeException",
		Message: fmt.Sprintf("The request must not be larger than %d bytes.", limit),
	}
}

func (g *Gateway) release(buf *[]byte) {
	if cap(*buf) <= maxKeptBuffer {
		g.buffers.Put(buf)
	}
}

func (g *Gateway) refuse(w http.ResponseWriter, r *http.Request, err error) {
	g.log.Debug("gateway: request refused", "method", r.Method, "path", r.URL.Path,
		"target", r.Header.Get("X-Amz-Target"), "remote", r.RemoteAddr, "err", err)
	WriteError(w, r, err)
}

// body is a request body in memory.
type body struct {
	data []byte
	off  int
}

func (b *body) Read(p []byte) (int, error) {
	if b.off == len(b.data) {
		return 0, io.EOF
	}
	n := copy(p, b.data[b.off:])
	b.off += n
	return n, nil
}

// Bytes is what was not read yet, valid until the handler returns.
func (b *body) Bytes() []byte { return b.data[b.off:] }

func (b *body) Close() error { return nil }
