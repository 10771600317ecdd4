package supervise

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"
)

var errUnhealthy = errors.New("did not become healthy in time")

// gate waits until the child answers its health check, or, without HTTP, has
// run for a moment.
func (s *slot) gate(ctx context.Context, c *child) error {
	if !s.spec.HTTP {
		select {
		case <-c.exited:
			return s.startError(c, c.cause)
		case <-time.After(min(500*time.Millisecond, s.spec.StartTimeout)):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	deadline := time.NewTimer(s.spec.StartTimeout)
	defer deadline.Stop()
	check := newHealthCheck(s.spec, c.port)
	defer check.close()
	var last error
	for {
		wait := time.After(50 * time.Millisecond)
		answered := make(chan error, 1)
		go func() { answered <- check.ask(ctx) }()
		select {
		case last = <-answered:
			if last == nil {
				return nil
			}
		case <-c.exited:
			return s.startError(c, c.cause)
		}
		select {
		case <-c.exited:
			return s.startError(c, c.cause)
		case <-deadline.C:
			e := s.startError(c, fmt.Sprintf("did not answer its health check within %s", s.spec.StartTimeout))
			e.Tried += fmt.Sprintf("; GET %s, at last: %v", check.url, last)
			if errors.Is(last, syscall.ECONNREFUSED) {
				e.Remedy = "nothing listens there; the command must listen on 127.0.0.1:$PORT, or needs a longer start_timeout"
			}
			return errors.Join(e, errUnhealthy)
		case <-ctx.Done():
			return ctx.Err()
		case <-wait:
		}
	}
}

// healthCheck asks one instance whether it is ready to serve.
type healthCheck struct {
	dial   bool // a connection is enough
	url    string
	client *http.Client
}

func newHealthCheck(spec *Spec, port int) *healthCheck {
	transport := &http.Transport{DisableKeepAlives: true, Proxy: nil}
	if spec.H2C {
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetUnencryptedHTTP2(true)
	}
	return &healthCheck{
		dial: spec.Health == "",
		url:  "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) + spec.Health,
		client: &http.Client{
			Timeout:       spec.HealthTimeout,
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

func (h *healthCheck) ask(ctx context.Context) error {
	if h.dial {
		return h.connect(ctx)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url, nil)
	if err != nil {
		return err
	}
	r.Header.Set("User-Agent", "dayfly-health")
	answer, err := h.client.Do(r)
	if err != nil {
		return err
	}
	answer.Body.Close()
	if answer.StatusCode >= 400 {
		return fmt.Errorf("it answered %s", answer.Status)
	}
	return nil
}

func (h *healthCheck) connect(ctx context.Context) error {
	u, err := url.Parse(h.url)
	if err != nil {
		return err
	}
	d := net.Dialer{Timeout: h.client.Timeout}
	c, err := d.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return err
	}
	return c.Close()
}

func (h *healthCheck) close() { h.client.CloseIdleConnections() }
