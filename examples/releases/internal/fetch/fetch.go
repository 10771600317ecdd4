// Package fetch asks registries over HTTP: bounded in time and size, a few
// requests at a time to each host, with conditional requests so that an answer
// that did not change is not sent twice. It makes one attempt; the task that
// called it is what is retried.
package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// Cache keeps answers between processes. Both methods may fail without harm:
// then the registry is asked again.
type Cache interface {
	Get(ctx context.Context, key string) (value []byte, found bool, err error)
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error
}

// Options of a Client. The zero value of a field means its default.
type Options struct {
	Cache     Cache         // nil: none
	UserAgent string        // default "dayfly-releases/1"
	PerHost   int           // requests at once to one host, default 6
	Fresh     time.Duration // how long an answer is used without asking again, default 1 min; -1: not at all
	Log       *slog.Logger  // default: discard
}

// Client asks registries. Its methods may be called at once.
type Client struct {
	o    Options
	http *http.Client

	mu    sync.Mutex
	hosts map[string]chan struct{}
}

// Request is one question to a registry.
type Request struct {
	URL      string
	Package  string      // as shown in messages
	Registry string      // as shown in messages; default: the URL's host
	Header   http.Header // Accept and Authorization; never logged
	Limit    int64       // bytes of the answer, default 32 MiB
}

const (
	defaultLimit = 32 << 20
	getTimeout   = time.Minute
	loadTimeout  = 5 * time.Minute
)

// New returns a client of its own connections.
func New(o Options) *Client {
	if o.UserAgent == "" {
		o.UserAgent = "dayfly-releases/1"
	}
	if o.PerHost <= 0 {
		o.PerHost = 6
	}
	if o.Fresh == 0 {
		o.Fresh = time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &Client{
		o:     o,
		hosts: make(map[string]chan struct{}),
		http: &http.Client{
			CheckRedirect: checkRedirect,
			Transport: &http.Transport{
				Proxy:                  http.ProxyFromEnvironment,
				DialContext:            dialer.DialContext,
				TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
				TLSHandshakeTimeout:    10 * time.Second,
				ResponseHeaderTimeout:  30 * time.Second,
				IdleConnTimeout:        90 * time.Second,
				MaxIdleConnsPerHost:    o.PerHost,
				MaxResponseHeaderBytes: 64 << 10,
				ForceAttemptHTTP2:      true,
			},
		},
	}
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// checkRedirect refuses to leave TLS and to be sent around in circles.
func checkRedirect(r *http.Request, via []*http.Request) error {
	if len(via) >= 5 {
		return errors.New("redirected more than 5 times")
	}
	if via[0].URL.Scheme == "https" && r.URL.Scheme != "https" {
		return fmt.Errorf("redirected from https to %s", r.URL.Scheme)
	}
	return nil
}

// do sends a request within the host's share and returns an answer of status
// 200 or 304; the caller closes its body, then calls done.
func (c *Client) do(ctx context.Context, q Request, extra http.Header) (resp *http.Response, done func(), err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, q.URL, nil)
	if err != nil {
		return nil, nil, q.fail(watch.Unsupported, "not an address: "+Redact(q.URL), nil)
	}
	if req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return nil, nil, q.fail(watch.Unsupported, "only http and https addresses are supported", nil)
	}
	for _, h := range []http.Header{q.Header, extra} {
		for k, v := range h {
			req.Header[k] = v
		}
	}
	if u := req.URL.User; u != nil && req.Header.Get("Authorization") == "" {
		password, _ := u.Password()
		req.SetBasicAuth(u.Username(), password)
	}
	req.URL.User = nil
	req.Header.Set("User-Agent", c.o.UserAgent)
	leave, err := c.enter(ctx, req.URL.Host)
	if err != nil {
		return nil, nil, err
	}
	resp, err = c.http.Do(req)
	if err != nil {
		leave()
		return nil, nil, q.unreachable(ctx, err)
	}
	if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusNotModified {
		return resp, leave, nil
	}
	io.Copy(io.Discard, io.LimitReader(resp.Body, 4<<10)) //nolint:errcheck // read so that the connection serves again
	resp.Body.Close()
	leave()
	return nil, nil, q.refused(resp)
}

// enter waits for one of the host's places.
func (c *Client) enter(ctx context.Context, host string) (leave func(), err error) {
	c.mu.Lock()
	places := c.hosts[host]
	if places == nil {
		places = make(chan struct{}, c.o.PerHost)
		c.hosts[host] = places
	}
	c.mu.Unlock()
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (q Request) registry() string {
	if q.Registry != "" {
		return Redact(q.Registry)
	}
	if u, err := url.Parse(q.URL); err == nil {
		return u.Host
	}
	return "the registry"
}

func (q Request) fail(p watch.Problem, reason string, err error) error {
	return &watch.RegistryError{Problem: p, Registry: q.registry(), Package: q.Package, Reason: reason, Err: err}
}

// unreachable words a failure of the transport without the address, which
// url.Error would print whole.
func (q Request) unreachable(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	reason := err.Error()
	if errors.Is(err, context.DeadlineExceeded) || os.IsTimeout(err) {
		reason = "it took too long"
	}
	return q.fail(watch.Unreachable, watch.Clip(reason, 200), err)
}

func (q Request) refused(resp *http.Response) error {
	switch resp.StatusCode {
	case http.StatusNotFound, http.StatusGone:
		return q.fail(watch.Missing, "", nil)
	case http.StatusUnauthorized, http.StatusForbidden:
		return q.fail(watch.Refused, fmt.Sprintf("HTTP %d: check the credentials in its configuration", resp.StatusCode), nil)
	case http.StatusTooManyRequests:
		return q.fail(watch.Unreachable, "HTTP 429: it asks for fewer requests", nil)
	}
	if resp.StatusCode >= 400 && resp.StatusCode < 500 && resp.StatusCode != http.StatusRequestTimeout {
		return q.fail(watch.Refused, "HTTP "+resp.Status, nil)
	}
	return q.fail(watch.Unreachable, "HTTP "+resp.Status, nil)
}

// Redact takes user name, password and query out of an address.
func Redact(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		// What cannot be parsed may still carry a password before its @.
		if i := strings.LastIndexByte(address, '@'); i >= 0 {
			return "…" + address[i:]
		}
		return watch.Clip(address, 200)
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
