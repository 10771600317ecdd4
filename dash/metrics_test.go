package dash

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestMetricsAreGuarded: measurements tell as much as pages do.
func TestMetricsAreGuarded(t *testing.T) {
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "up 1\n") })
	d, err := New(Options{App: &fakeApp{}, Metrics: metrics, Hosts: []string{"dash.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, host, origin, site string
		want                     int
	}{
		{"Prometheus on this machine", "127.0.0.1:8081", "", "", http.StatusOK},
		{"Prometheus elsewhere", "dash.example.com:8081", "", "", http.StatusOK},
		{"a name that resolves here", "evil.example:8081", "", "", http.StatusMisdirectedRequest},
		{"a script of another site", "localhost:8081", "http://evil.example", "cross-site", http.StatusForbidden},
	} {
		r := httptest.NewRequest("GET", "/metrics", nil)
		r.Host = c.host
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
			r.Header.Set("Sec-Fetch-Site", c.site)
		}
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		if w.Code != c.want || (c.want == http.StatusOK) != (w.Body.String() == "up 1\n") {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Body)
		}
	}
	without, err := New(Options{App: &fakeApp{}})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "http://localhost/metrics", nil)
	w := httptest.NewRecorder()
	if without.ServeHTTP(w, r); w.Code != http.StatusNotFound {
		t.Errorf("without measurements: %d", w.Code)
	}
}
