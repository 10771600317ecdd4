package edge

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// limited is a site behind a trusted proxy, so that a test has many clients.
func limited(t *testing.T, h http.HandlerFunc, limits ...Limit) *site {
	t.Helper()
	s := newSite(t, Options{Limits: limits, Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if h == nil {
		h = func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) }
	}
	s.add(t, "web.1", h)
	return s
}

func (s *site) status(t *testing.T, method, path, client string, header ...string) int {
	t.Helper()
	res, _ := s.do(t, method, path, nil, append(header, "X-Forwarded-For", client)...)
	return res.StatusCode
}

func TestRateLimit(t *testing.T) {
	s := limited(t, nil, Limit{Name: "login", Path: "/login", Method: "POST", Rate: 2, Per: time.Hour},
		Limit{Name: "all", Rate: 1000, Per: time.Minute, By: "route"})
	res, _ := s.do(t, "POST", "/login", strings.NewReader("x"), "X-Forwarded-For", "192.0.2.1")
	if got, want := res.Header.Get("RateLimit"), `"login";r=1;t=1800, "all";r=999;t=1`; got != want {
		t.Errorf("RateLimit: %s, want %s", got, want)
	}
	if got, want := res.Header.Get("RateLimit-Policy"), `"login";q=2;w=3600, "all";q=1000;w=60`; got != want {
		t.Errorf("RateLimit-Policy: %s, want %s", got, want)
	}
	if got := s.status(t, "POST", "/login", "192.0.2.1"); got != 204 {
		t.Errorf("the second answered %d", got)
	}
	res, body := s.do(t, "POST", "/login", strings.NewReader("x"), "X-Forwarded-For", "192.0.2.1", "Accept", "application/json")
	if res.StatusCode != 429 || res.Header.Get("Retry-After") != "1800" || !strings.Contains(body, `"processed":"no"`) ||
		res.Header.Get("RateLimit") != `"login";r=0;t=3600` {
		t.Errorf("the third answered %d %v %s", res.StatusCode, res.Header, body)
	}
	for _, other := range [][]string{{"GET", "/login", "192.0.2.1"}, {"POST", "/", "192.0.2.1"}, {"POST", "/login", "192.0.2.2"}} {
		if got := s.status(t, other[0], other[1], other[2]); got != 204 {
			t.Errorf("%v answered %d", other, got)
		}
	}
	for _, same := range []string{"//login", "/x/../login", "/%6cogin"} {
		if got := s.status(t, "POST", same, "192.0.2.1"); got != 429 {
			t.Errorf("%s answered %d", same, got)
		}
	}
	if l := s.Stats().Limits; l[0].Refused != 4 || l[0].Allowed != 3 || l[1].Refused != 0 {
		t.Errorf("%+v", l)
	}
}

func TestLimitKeys(t *testing.T) {
	for _, tc := range []struct {
		by     string
		a, b   []string // client and a key
		shared bool
	}{
		{"client", []string{"192.0.2.1", "k"}, []string{"192.0.2.2", "k"}, false},
		{"client", []string{"192.0.2.1", "k"}, []string{"::ffff:192.0.2.1", "l"}, true},
		{"client", []string{"2001:db8::1", "k"}, []string{"2001:db8::ffff:1:2", "k"}, true},
		{"client", []string{"2001:db8::1", "k"}, []string{"2001:db8:0:1::1", "k"}, false},
		{"route", []string{"192.0.2.1", "k"}, []string{"192.0.2.2", "l"}, true},
		{"header:x-api-key", []string{"192.0.2.1", "k"}, []string{"192.0.2.2", "k"}, true},
		{"header:x-api-key", []string{"192.0.2.1", "k"}, []string{"192.0.2.1", "l"}, false},
		{"header:x-api-key", []string{"192.0.2.1", ""}, []string{"192.0.2.1", ""}, true},
		{"header:x-api-key", []string{"192.0.2.1", ""}, []string{"192.0.2.2", ""}, false},
		{"header:x-api-key", []string{"192.0.2.1", ""}, []string{"192.0.2.1", strings.Repeat("k", maxLimitValue+1)}, true},
	} {
		s := limited(t, nil, Limit{Name: "l", By: tc.by, Rate: 1, Per: time.Hour})
		first := s.status(t, "GET", "/", tc.a[0], "X-Api-Key", tc.a[1])
		second := s.status(t, "GET", "/", tc.b[0], "X-Api-Key", tc.b[1])
		if first != 204 || (second == 429) != tc.shared {
			t.Errorf("by %s, %v and %v: answered %d and %d", tc.by, tc.a, tc.b[0], first, second)
		}
	}
}

func TestConcurrencyLimit(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	s := limited(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/report" {
			arrived <- struct{}{}
			<-release
		}
		io.WriteString(w, "done")
	}, Limit{Name: "report", Path: "/report", Concurrency: 2, By: "route"})
	done := make(chan int)
	for i := range 2 {
		go func() { done <- s.status(t, "GET", "/report", fmt.Sprint("192.0.2.", i)) }()
		<-arrived
	}
	res, _ := s.get(t, "/report")
	if res.StatusCode != 429 || res.Header.Get("Retry-After") != "1" || res.Header["Ratelimit"] != nil {
		t.Errorf("the third at once answered %d %v", res.StatusCode, res.Header)
	}
	if got := s.status(t, "GET", "/", "192.0.2.1"); got != 200 {
		t.Errorf("another path answered %d", got)
	}
	close(release)
	for range 2 {
		if got := <-done; got != 200 {
			t.Errorf("answered %d", got)
		}
	}
	eventually(t, "places are free again", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.find("web.1").outstanding == 0
	})
	go func() { <-arrived }()
	if got := s.status(t, "GET", "/report", "192.0.2.1"); got != 200 {
		t.Errorf("after that answered %d", got)
	}
}

func TestLimitOptions(t *testing.T) {
	ok := Limit{Name: "a", Rate: 1, Per: time.Second}
	for _, tc := range []struct {
		change func(*Limit)
		want   string
	}{
		{func(l *Limit) { l.Name = "A b" }, "name"},
		{func(l *Limit) { l.Rate = 0 }, "limits nothing"},
		{func(l *Limit) { l.Per = 0 }, "1ms to 24h"},
		{func(l *Limit) { l.Concurrency = -1 }, "concurrency"},
		{func(l *Limit) { l.By = "address" }, "client"},
		{func(l *Limit) { l.By = "header:" }, "client"},
		{func(l *Limit) { l.By = "header:a b" }, "client"},
		{func(l *Limit) { l.Path = "login" }, "not a path"},
		{func(l *Limit) { l.Path = "/a /b" }, "not a path"},
		{func(l *Limit) { l.Path = "/{" }, "bad wildcard"},
		{func(l *Limit) { l.Method = "PO ST" }, "not a path"},
	} {
		l := ok
		tc.change(&l)
		if _, err := New(Options{Limits: []Limit{l}}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: %v", l, err)
		}
	}
	if _, err := New(Options{Limits: []Limit{ok, ok}}); err == nil {
		t.Error("two of one name were accepted")
	}
}
