package edge

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// push sends a request through the edge's transport.
func (s *site) push(ctx context.Context, t testing.TB, path, body string) (int, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, "POST", "http://web"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Transport().RoundTrip(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	io.WriteString(w, r.Method+" "+r.URL.Path+" "+string(body))
}

func TestTransportWaits(t *testing.T) {
	s := newSite(t, Options{HoldMax: -1, Host: "www.shop.example"})
	got := make(chan string)
	go func() {
		_, text, err := s.push(t.Context(), t, "/tasks", "x")
		if err != nil {
			text = err.Error()
		}
		got <- text
	}()
	var host atomic.Value
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) { host.Store(r.Host); echo(w, r) })
	if text := <-got; text != "POST /tasks x" || host.Load() != "www.shop.example" {
		t.Errorf("%q, for host %v", text, host.Load())
	}
	s.Remove("web.1")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, _, err := s.push(ctx, t, "/", "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a target: %v", err)
	}
}

// TestTransportTriesAnother: a target that is gone, and not yet known to be, has
// the request with its body go to another.
func TestTransportTriesAnother(t *testing.T) {
	s := newSite(t, Options{HealthInterval: time.Hour})
	var served atomic.Int32
	gone := s.add(t, "web.1", echo)
	s.add(t, "web.2", func(w http.ResponseWriter, r *http.Request) { served.Add(1); echo(w, r) })
	gone.Close()
	for range 4 {
		if status, text, err := s.push(t.Context(), t, "/tasks", "whole"); err != nil || status != 200 || text != "POST /tasks whole" {
			t.Fatalf("%d %q %v", status, text, err)
		}
	}
	if served.Load() != 4 || s.target(t, "web.1").Healthy {
		t.Errorf("%d served, web.1 healthy: %v", served.Load(), s.target(t, "web.1").Healthy)
	}
}

// TestTransportNeverTwice: what may have been processed is not sent again.
func TestTransportNeverTwice(t *testing.T) {
	s := newSite(t, Options{HealthInterval: time.Hour})
	var arrived atomic.Int32
	for _, name := range []string{"web.1", "web.2"} {
		s.add(t, name, func(w http.ResponseWriter, r *http.Request) {
			arrived.Add(1)
			panic(http.ErrAbortHandler)
		})
	}
	if _, _, err := s.push(t.Context(), t, "/tasks", "x"); err == nil || arrived.Load() != 1 {
		t.Errorf("arrived %d times, %v", arrived.Load(), err)
	}
	for _, name := range []string{"web.1", "web.2"} {
		if n := s.target(t, name).Outstanding; n != 0 {
			t.Errorf("%s has %d outstanding", name, n)
		}
	}
}

func TestTransportDrain(t *testing.T) {
	s := newSite(t, Options{})
	arrived, release := make(chan struct{}), make(chan struct{})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-release
		io.WriteString(w, "one")
	})
	done := make(chan string)
	go func() {
		_, text, err := s.push(t.Context(), t, "/", "")
		if err != nil {
			text = err.Error()
		}
		done <- text
	}()
	<-arrived
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.Drain(ctx, "web.1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Drain with a push under way: %v", err)
	}
	s.add(t, "web.2", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "two") })
	if _, text, err := s.push(t.Context(), t, "/", ""); text != "two" {
		t.Errorf("a draining target got a push: %q %v", text, err)
	}
	close(release)
	if text := <-done; text != "one" {
		t.Errorf("the push under way: %s", text)
	}
	if err := s.Drain(t.Context(), "web.1"); err != nil {
		t.Error(err)
	}
}

// TestTransportRemoved: a target that is removed cuts what it was asked.
func TestTransportRemoved(t *testing.T) {
	s := newSite(t, Options{})
	arrived := make(chan struct{})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // or the server does not see the connection end
		close(arrived)
		<-r.Context().Done()
	})
	done := make(chan error)
	go func() {
		_, _, err := s.push(t.Context(), t, "/", "x")
		done <- err
	}()
	<-arrived
	s.Remove("web.1")
	if err := <-done; err == nil {
		t.Error("an answer of a target that was removed")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, _, err := s.push(t.Context(), t, "/", "x"); !errors.Is(err, ErrClosed) {
		t.Errorf("through a closed edge: %v", err)
	}
}
