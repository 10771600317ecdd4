package dash

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHosts(t *testing.T) {
	d, err := New(Options{App: &fakeApp{}, Hosts: []string{"dash.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		host string
		ok   bool
	}{
		{"localhost", true}, {"localhost:8081", true}, {"LOCALHOST:8081", true}, {"releases.localhost:8081", true}, {"localhost.:8081", true},
		{"127.0.0.1:8081", true}, {"127.1.2.3", true}, {"[::1]:8081", true}, {"[::ffff:127.0.0.1]", true},
		{"dash.example.com", true}, {"Dash.Example.com:443", true},
		{"evil.example", false}, {"evil.example:8081", false}, {"localhost.evil.example", false}, {"127.0.0.1.evil.example:8081", false},
		{"evillocalhost", false}, {"sub.dash.example.com", false}, {"0.0.0.0:8081", false}, {"192.168.1.5:8081", false}, {"[::]:8081", false}, {"", false},
	}
	for _, tt := range tests {
		for _, path := range []string{"/", "/events?page=/nope", "/?format=json"} {
			r := httptest.NewRequest("GET", path, nil)
			r.Host = tt.host
			w := httptest.NewRecorder()
			d.ServeHTTP(w, r)
			if refused := w.Code == http.StatusMisdirectedRequest; refused == tt.ok {
				t.Errorf("Host %q, %s: %d, allowed %v", tt.host, path, w.Code, tt.ok)
			}
		}
	}
}

func TestOrigins(t *testing.T) {
	f := newFixture(t)
	const host = "localhost:8081"
	tests := []struct {
		name, method string
		header       map[string]string
		ok           bool
	}{
		{"own form", "POST", map[string]string{"Origin": "http://localhost:8081"}, true},
		{"own form behind TLS", "POST", map[string]string{"Origin": "https://localhost:8081", "Sec-Fetch-Site": "same-origin"}, true},
		{"own form without Origin", "POST", map[string]string{"Sec-Fetch-Site": "same-origin"}, true},
		{"no Origin at all", "POST", nil, false},
		{"null", "POST", map[string]string{"Origin": "null", "Sec-Fetch-Site": "same-origin"}, false},
		{"other site", "POST", map[string]string{"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}, false},
		{"other port", "POST", map[string]string{"Origin": "http://localhost:8080", "Sec-Fetch-Site": "same-site"}, false},
		{"a prefix", "POST", map[string]string{"Origin": "http://localhost:8081.evil.example"}, false},
		{"same site only", "POST", map[string]string{"Sec-Fetch-Site": "same-site"}, false},
		{"not a web origin", "POST", map[string]string{"Origin": "file://localhost:8081"}, false},
		{"other method", "DELETE", map[string]string{"Origin": "http://evil.example"}, false},

		{"typed in", "GET", map[string]string{"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, true},
		{"link elsewhere", "GET", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, true},
		{"a program", "GET", nil, true},
		{"script elsewhere", "GET", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Origin": "http://evil.example"}, false},
		{"image elsewhere", "GET", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, false},
		{"script of the site on another port", "GET", map[string]string{"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}, false},
	}
	for _, tt := range tests {
		f.app.did = nil
		path := "/"
		if tt.method == "POST" {
			path = "/processes/restart"
		}
		r := httptest.NewRequest(tt.method, path, strings.NewReader("group=web"))
		r.Host = host
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for k, v := range tt.header {
			r.Header.Set(k, v)
		}
		w := httptest.NewRecorder()
		f.ServeHTTP(w, r)
		if ok := w.Code < 400; ok != tt.ok {
			t.Errorf("%s: %d, allowed %v", tt.name, w.Code, tt.ok)
		}
		if acted := len(f.app.did) > 0; acted && !tt.ok {
			t.Errorf("%s: refused, yet done", tt.name)
		}
	}
}

// Nothing that changes anything answers to GET.
func TestActionsArePosts(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{"/processes/restart?group=web", "/schedule/run?name=digest", "/queues/default/purge?confirm=default",
		"/queues/default/delete-matching?q=x&confirm=default", "/queues/default/pause", "/queues/default/resume", "/effects/resolve?key=x&sent=yes", "/task/cancel?id=x",
		"/inbox/m0/delete", "/inbox/clear?confirm=all", "/objects/archives/object/delete?key=x"} {
		f.get(path)
	}
	if len(f.app.did) > 0 || len(f.tasks.did) > 0 || len(f.inbox.mails) != 4 {
		t.Errorf("done by GET: %v, %d mails left", f.app.did, len(f.inbox.mails))
	}
}

func TestHeaders(t *testing.T) {
	f := newFixture(t)
	fill(t, f)
	for _, p := range everyPage {
		h := f.get(p.path).Header()
		for name, want := range map[string]string{
			"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
			"Referrer-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Content-Security-Policy": pagePolicy,
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", p.path, name, got, want)
			}
		}
	}
	if strings.Contains(pagePolicy, "unsafe") || !strings.Contains(pagePolicy, "frame-ancestors 'none'") {
		t.Errorf("the policy of pages is %q", pagePolicy)
	}
	h := f.get("/inbox/m1/html").Header()
	if csp := h.Get("Content-Security-Policy"); csp != mailPolicy || strings.Contains(csp, "script") {
		t.Errorf("the policy of a mail is %q", csp)
	}
	if got := h.Get("X-Frame-Options"); got != "SAMEORIGIN" {
		t.Errorf("a mail's X-Frame-Options is %q", got)
	}
}
