package edge

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// An instance hangs: it takes requests and checks, and answers none. Those
// that may be sent again are answered by another, long before their time is
// over; a form is not sent again, and gets its answer when there is one.
func TestHangingTarget(t *testing.T) {
	s := newSite(t, Options{HealthPath: "/healthz", HealthTimeout: time.Second, ResponseTimeout: patience})
	var hangs atomic.Bool
	release, arrived := make(chan struct{}), make(chan string, 10)
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			arrived <- r.Method
		}
		if hangs.Load() {
			<-release
		}
		io.WriteString(w, "one")
	})
	hangs.Store(true)
	answers := make(chan string, 10)
	for _, method := range []string{"GET", "POST", "PUT"} {
		go func() {
			res, body := s.do(t, method, "/", strings.NewReader("form"))
			answers <- method + " " + body + " " + res.Status
		}()
		<-arrived
	}
	s.add(t, "web.2", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "two") })
	for range 2 {
		if got := <-answers; got != "GET two 200 OK" && got != "PUT two 200 OK" {
			t.Errorf("answered %q", got)
		}
	}
	if n := s.target(t, "web.1").Outstanding; n != 1 {
		t.Errorf("%d outstanding at the one that hangs", n)
	}
	close(release)
	if got := <-answers; got != "POST one 200 OK" {
		t.Errorf("answered %q", got)
	}
}

// A request is taken back once: one that hangs each target it meets does not
// hang all.
func TestRecalledOnce(t *testing.T) {
	s := newSite(t, Options{HealthPath: "/healthz", HealthTimeout: time.Second, ResponseTimeout: patience})
	release := make(chan struct{})
	defer close(release)
	var met atomic.Int32
	for _, name := range []string{"web.1", "web.2", "web.3"} {
		var hangs atomic.Bool
		s.add(t, name, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/deadly" {
				met.Add(1)
				hangs.Store(true)
			}
			if hangs.Load() {
				<-release
			}
		})
	}
	res, text := s.get(t, "/deadly")
	if res.StatusCode != 502 || met.Load() != 2 || !strings.Contains(text, "try again") {
		t.Errorf("answered %d %q after it met %d targets", res.StatusCode, text, met.Load())
	}
}
