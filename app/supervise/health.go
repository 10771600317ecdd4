package supervise

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
)

// healthCheck asks one instance whether it is ready to serve.
type healthCheck struct {
	url    string
	client *http.Client
}

func newHealthCheck(spec *Spec, port int) *healthCheck {
	return &healthCheck{
		url: "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) + spec.Health,
		client: &http.Client{
			Timeout:       spec.HealthTimeout,
			Transport:     &http.Transport{DisableKeepAlives: true, Proxy: nil},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

func (h *healthCheck) ask(ctx context.Context) error {
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

func (h *healthCheck) close() { h.client.CloseIdleConnections() }
