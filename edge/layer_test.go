package edge

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// shout is a layer that changes answers, error pages too, and that asks the
// application once by itself for each request.
func shout(t *testing.T) layer {
	return func(application http.Handler) (http.Handler, error) {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			own := httptest.NewRecorder()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			application.ServeHTTP(own, r.Clone(ctx))
			application.ServeHTTP(&loud{w}, r)
			io.WriteString(w, "; by itself: "+own.Body.String())
		}), nil
	}
}

type loud struct{ http.ResponseWriter }

func (l *loud) WriteHeader(status int) {
	l.Header().Del("Content-Length")
	l.ResponseWriter.WriteHeader(status)
}

func (l *loud) Write(p []byte) (int, error) {
	_, err := l.ResponseWriter.Write([]byte(strings.ToUpper(string(p))))
	return len(p), err
}

func TestLayer(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }))
	defer backend.Close()
	e, err := New(Options{HoldMax: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.setup().put(e, shout(t)); err != nil {
		t.Fatal(err)
	}
	ask := func() (int, string) {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequest("GET", "http://example.com/", nil))
		return w.Code, w.Body.String()
	}
	if code, body := ask(); code != http.StatusServiceUnavailable || !strings.HasPrefix(body, "BACK IN A MOMENT") {
		t.Errorf("without a target: %d %s", code, body)
	}
	if err := e.Add(Target{Name: "web.1", URL: backend.URL}); err != nil {
		t.Fatal(err)
	}
	if err := e.Await(t.Context(), "web.1"); err != nil {
		t.Fatal(err)
	}
	if code, body := ask(); code != http.StatusOK || body != "HELLO; by itself: hello" {
		t.Errorf("%d %s", code, body)
	}
	if n := e.Stats().Requests; n != 2 {
		t.Errorf("%d requests of clients are counted, not 2", n)
	}
}
