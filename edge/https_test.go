package edge

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// asks is one request to an edge with nothing behind it but an answer of 200.
type asks struct {
	method, url, peer string
	tls               bool
	header            []string
}

func (a asks) request() *http.Request {
	r := httptest.NewRequest(a.method, a.url, nil)
	r.RemoteAddr, r.TLS = a.peer+":5000", nil
	if a.tls {
		r.TLS = &tls.ConnectionState{}
	}
	for i := 0; i < len(a.header); i += 2 {
		r.Header.Add(a.header[i], a.header[i+1])
	}
	return r
}

// fixed answers 200 in the application's place.
func fixed(http.Handler) (http.Handler, error) {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }), nil
}

func open(t *testing.T, o Options) *Edge {
	t.Helper()
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	if err := e.setup().put(e, fixed); err != nil {
		t.Fatal(err)
	}
	return e
}

const balancer, stranger = "10.1.1.1", "192.0.2.7"

func TestRedirectToHTTPS(t *testing.T) {
	var log bytes.Buffer
	options := Options{Host: "www.shop.example", HealthPath: "/healthz?deep=1", Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		HTTPS: HTTPS{Redirect: true, Hosts: []string{"Shop.Other.example"}}, Log: slog.New(slog.NewTextHandler(&log, nil))}
	behind := open(t, options)
	options.HTTPS.Own, options.HTTPS.Port = true, 8443
	own := open(t, options)
	for _, tt := range []struct {
		name string
		e    *Edge
		asks asks
		want string // Location after a status, or "200"
	}{
		{"told http", behind, asks{"GET", "http://www.shop.example/a%2fb?c=d", balancer, false, []string{"X-Forwarded-Proto", "http"}}, "301 https://www.shop.example/a%2fb?c=d"},
		{"apex and http in one step", behind, asks{"GET", "http://shop.example/a", balancer, false, []string{"X-Forwarded-Proto", "http"}}, "301 https://www.shop.example/a"},
		{"a form", behind, asks{"POST", "http://shop.example/a", balancer, false, []string{"X-Forwarded-Proto", "http"}}, "308 https://www.shop.example/a"},
		{"told https", behind, asks{"GET", "http://www.shop.example/", balancer, false, []string{"X-Forwarded-Proto", "https"}}, "200"},
		{"told https by Forwarded", behind, asks{"GET", "http://www.shop.example/", balancer, false, []string{"Forwarded", `for=192.0.2.7;proto="https"`}}, "200"},
		{"apex, told https", behind, asks{"GET", "http://shop.example/a", balancer, false, []string{"X-Forwarded-Proto", "https"}}, "301 https://www.shop.example/a"},
		{"another name of the site", behind, asks{"GET", "http://shop.other.example:80/a", balancer, false, []string{"X-Forwarded-Proto", "http"}}, "301 https://shop.other.example/a"},
		{"a name that is not the site's", behind, asks{"GET", "http://evil.example/a", balancer, false, []string{"X-Forwarded-Proto", "http"}}, "301 https://www.shop.example/a"},
		{"an address", behind, asks{"GET", "http://198.51.100.1/a", balancer, false, []string{"X-Forwarded-Proto", "http"}}, "301 https://www.shop.example/a"},
		{"two slashes", behind, asks{"GET", "http://www.shop.example//evil.example/", stranger, false, nil}, "301 https://www.shop.example//evil.example/"},
		{"a balancer that does not tell", behind, asks{"GET", "http://www.shop.example/", balancer, false, nil}, "200"},
		{"a balancer that tells nonsense", behind, asks{"GET", "http://www.shop.example/", balancer, false, []string{"X-Forwarded-Proto", "wss"}}, "200"},
		{"a client itself", behind, asks{"GET", "http://www.shop.example/", stranger, false, nil}, "301 https://www.shop.example/"},
		{"a balancer nobody trusts", behind, asks{"GET", "http://www.shop.example/", stranger, false, []string{"X-Forwarded-Proto", "https"}}, "200"},
		{"another of them", behind, asks{"GET", "http://www.shop.example/", stranger, false, []string{"Forwarded", "for=1.1.1.1;proto=HTTPS"}}, "200"},
		{"a silent one, and a browser", behind, asks{"GET", "http://www.shop.example/", stranger, false, []string{"Sec-Fetch-Mode", "navigate"}}, "200"},
		{"a health check by address", behind, asks{"GET", "http://10.0.0.7:8080/healthz?deep=1", balancer, false, nil}, "200"},
		{"a health check by IPv6 address", own, asks{"HEAD", "http://[fd00::7]:8080/healthz?deep=1", balancer, false, []string{"X-Forwarded-Proto", "http"}}, "200"},
		{"the health path by name", own, asks{"GET", "http://www.shop.example/healthz?deep=1", stranger, false, nil}, "301 https://www.shop.example:8443/healthz?deep=1"},
		{"not quite the health path", own, asks{"GET", "http://10.0.0.7/healthz", stranger, false, nil}, "301 https://www.shop.example:8443/healthz"},
		{"a challenge", own, asks{"GET", "http://shop.example/.well-known/acme-challenge/x", stranger, false, nil}, "200"},
		{"own TLS, http", own, asks{"GET", "http://shop.example:8080/a", stranger, false, nil}, "301 https://www.shop.example:8443/a"},
		{"own TLS, https", own, asks{"GET", "http://www.shop.example:8443/a", stranger, true, nil}, "200"},
		{"own TLS, apex", own, asks{"GET", "http://shop.example:8443/a", stranger, true, nil}, "301 https://www.shop.example:8443/a"},
		{"own TLS, a balancer passes bytes on", own, asks{"GET", "http://www.shop.example/a", balancer, false, nil}, "301 https://www.shop.example:8443/a"},
		{"own TLS, this machine's browser", own, asks{"GET", "http://localhost:8080/", "127.0.0.1", false, []string{"Sec-Fetch-Mode", "navigate"}}, "301 https://www.shop.example:8443/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			tt.e.ServeHTTP(w, tt.asks.request())
			got := "200"
			if w.Code != 200 {
				got = map[int]string{301: "301 ", 308: "308 "}[w.Code] + w.Header().Get("Location")
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if strings.HasPrefix(tt.want, "30") && tt.asks.tls == false && !strings.HasPrefix(w.Header().Get("Cache-Control"), "private") && !strings.Contains(tt.name, "told https") {
				t.Errorf("a shared cache may repeat it: %q", w.Header().Get("Cache-Control"))
			}
		})
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 {
		t.Errorf("%d warnings in an hour, want one:\n%s", n, &log)
	}
}

// TestNoLoops follows redirects as browsers do, through every way in which TLS
// may be ended in front, told or not: it ends, and as soon as can be.
func TestNoLoops(t *testing.T) {
	for name, front := range map[string]struct {
		header func(https bool) []string // what the one in front adds
		peer   string
		own    bool
		lost   bool // it must not matter that clients stay with http
		late   bool // that the apex was asked by https is not taken for certain: one step more
	}{
		"a trusted balancer": {func(s bool) []string {
			return []string{"X-Forwarded-Proto", map[bool]string{true: "https", false: "http"}[s]}
		}, balancer, false, false, false},
		"a silent balancer": {func(bool) []string { return nil }, balancer, false, true, false},
		"one nobody trusts": {func(s bool) []string {
			return []string{"X-Forwarded-Proto", map[bool]string{true: "https", false: "http"}[s]}
		}, stranger, false, false, true},
		"a silent stranger": {func(s bool) []string { return map[bool][]string{true: {"Sec-Fetch-Mode", "navigate"}}[s] }, stranger, false, false, true},
		"this process":      {func(bool) []string { return nil }, stranger, true, false, false},
		"CloudFront's own name": {func(s bool) []string {
			return []string{"CloudFront-Forwarded-Proto", map[bool]string{true: "https", false: "http"}[s]}
		}, stranger, false, false, true},
		"CloudFront, which is not trusted, before a balancer that is": {func(s bool) []string {
			return []string{"X-Forwarded-Proto", "http", "CloudFront-Forwarded-Proto", map[bool]string{true: "https", false: "http"}[s]}
		}, balancer, false, false, true},
		"two proxies, of which each adds its own": {func(s bool) []string {
			return []string{"X-Forwarded-Proto", map[bool]string{true: "https", false: "http"}[s], "X-Forwarded-Proto", "http"}
		}, balancer, false, false, true},
		"two proxies that write Forwarded": {func(s bool) []string {
			return []string{"Forwarded", "for=192.0.2.7;proto=" + map[bool]string{true: "https", false: "http"}[s] + ", for=_inner;proto=http"}
		}, balancer, false, false, true},
		"one that hides who asked": {func(s bool) []string {
			return []string{"Forwarded", "for=_hidden;proto=" + map[bool]string{true: "https", false: "http"}[s] + ", for=10.2.2.2;proto=http"}
		}, balancer, false, false, false},
	} {
		for _, preload := range []bool{false, true} {
			e := open(t, Options{Host: "www.shop.example", Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
				HTTPS: HTTPS{Redirect: true, Own: front.own, HSTS: HSTS{MaxAge: Year, Subdomains: true, Preload: preload}}})
			for _, start := range []string{"http://shop.example/a", "http://www.shop.example/a", "https://shop.example/a", "https://www.shop.example/a", "http://192.0.2.1/a"} {
				url, steps := start, 0
				for ; steps < 5; steps++ {
					https := strings.HasPrefix(url, "https:")
					w := httptest.NewRecorder()
					e.ServeHTTP(w, asks{"GET", url, front.peer, https && front.own, front.header(https)}.request())
					if w.Code == 200 {
						break
					}
					url = w.Header().Get("Location")
				}
				most := 1
				if preload {
					most++
				}
				if front.late {
					most++
				}
				if steps > most {
					t.Errorf("%s, preload %t: %s took %d steps", name, preload, start, steps)
				}
				if !strings.HasPrefix(url, "https://www.") && !front.lost {
					t.Errorf("%s: %s ended at %s", name, start, url)
				}
			}
		}
	}
}

func TestNotReady(t *testing.T) {
	ready := false
	e := open(t, Options{Host: "www.shop.example", HTTPS: HTTPS{Redirect: true, Own: true, Ready: func() bool { return ready }}})
	for _, want := range []int{200, 301} {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, asks{method: "GET", url: "http://www.shop.example/", peer: stranger}.request())
		if w.Code != want {
			t.Errorf("ready %t: %d", ready, w.Code)
		}
		ready = true
	}
}

func TestHSTS(t *testing.T) {
	e := open(t, Options{Host: "www.shop.example", HTTPS: HTTPS{HSTS: HSTS{MaxAge: 90 * time.Minute, Subdomains: true}}})
	for _, tt := range []struct {
		url  string
		tls  bool
		want string
	}{
		{"http://www.shop.example/", true, "max-age=5400; includeSubDomains"},
		{"http://WWW.shop.example:8443/", true, "max-age=5400; includeSubDomains"},
		{"http://shop.example/", true, "max-age=5400; includeSubDomains"},
		{"http://www.shop.example/", false, ""},
		{"http://other.example/", true, ""},
		{"http://192.0.2.1/", true, ""},
	} {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, asks{method: "GET", url: tt.url, peer: stranger, tls: tt.tls, header: []string{"X-Forwarded-Proto", "https"}}.request())
		if got := w.Header().Get("Strict-Transport-Security"); got != tt.want {
			t.Errorf("%s, TLS %t: %q", tt.url, tt.tls, got)
		}
	}
}

func TestHTTPSOptions(t *testing.T) {
	for want, o := range map[string]Options{
		"must be 1 to 65535":   {HTTPS: HTTPS{Port: 65536}},
		"not a host name":      {HTTPS: HTTPS{Hosts: []string{"a b"}}},
		"without a time":       {Host: "a.example", HTTPS: HTTPS{HSTS: HSTS{Subdomains: true}}},
		"set Host":             {HTTPS: HTTPS{HSTS: HSTS{MaxAge: time.Hour}}},
		"at least a year":      {Host: "a.example", HTTPS: HTTPS{HSTS: HSTS{MaxAge: Year - 1, Subdomains: true, Preload: true}}},
		"only with Subdomains": {Host: "a.example", HTTPS: HTTPS{HSTS: HSTS{MaxAge: Year, Preload: true}}},
	} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
