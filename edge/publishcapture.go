package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/dayfly-dev/dayfly/edge/publish"
)

// removePreviewHeader takes from a client's request what only the edge says. An
// underscore becomes the same variable as a hyphen in CGI-like interfaces.
func removePreviewHeader(h http.Header) {
	delete(h, PreviewHeader)
	delete(h, "Dayfly_preview")
}

// Capture has the application answer GET of a target, a path with its query, for
// a release: with the header Dayfly-Preview: stage, uncompressed, and past the
// response cache and what is published. site is the public address whose host and
// scheme the application is told. It is no client's request: neither counted nor
// logged.
func (e *Edge) Capture(ctx context.Context, site *url.URL, target string) (*publish.Answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, site.Scheme+"://"+site.Host+target, nil)
	if err != nil {
		return nil, err
	}
	r.RequestURI, r.RemoteAddr = target, "127.0.0.1:0"
	if site.Scheme == "https" {
		r.TLS = &tls.ConnectionState{}
	}
	r.Header = http.Header{PreviewHeader: {"stage"}, "User-Agent": {"dayfly-publish"}, "Accept": {"text/html, */*"}, "Accept-Encoding": {"identity"}}
	a := &capturing{Answer: publish.Answer{Header: http.Header{}}}
	if err := e.captured(a, r); err != nil {
		return nil, err
	}
	return &a.Answer, nil
}

// captured has the application answer, and tells an answer that is not whole by
// an error.
func (e *Edge) captured(a *capturing, r *http.Request) (err error) {
	defer func() {
		switch v := recover(); {
		case v == nil:
		case v == any(http.ErrAbortHandler):
			err = errors.New("the application's answer broke off")
		default:
			panic(v)
		}
		if a.tooLarge {
			err = fmt.Errorf("the answer has more than %d MiB", publish.MaxFile>>20)
		}
		if err == nil && r.Context().Err() != nil {
			err = r.Context().Err()
		}
	}()
	e.ask(a, r)
	if a.Status == 0 {
		return errors.New("the application did not answer")
	}
	return nil
}

// capturing is the http.ResponseWriter of a capture.
type capturing struct {
	publish.Answer
	fields   http.Header
	tooLarge bool
}

// Header implements http.ResponseWriter.
func (c *capturing) Header() http.Header {
	if c.fields == nil {
		c.fields = http.Header{}
	}
	return c.fields
}

// WriteHeader implements http.ResponseWriter.
func (c *capturing) WriteHeader(status int) {
	if c.Status == 0 && status >= 200 {
		c.Status, c.Answer.Header = status, c.Header().Clone()
	}
}

// Write implements http.ResponseWriter.
func (c *capturing) Write(p []byte) (int, error) {
	if c.Status == 0 {
		c.WriteHeader(http.StatusOK)
	}
	if len(c.Body)+len(p) > publish.MaxFile {
		c.tooLarge = true
		return 0, errors.New("too large")
	}
	c.Body = append(c.Body, p...)
	return len(p), nil
}
