package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestRoundRobinAmongIdle(t *testing.T) {
	s := newSite(t, Options{})
	for _, name := range []string{"web.1", "web.2", "web.3"} {
		s.add(t, name, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, name) })
	}
	count := map[string]int{}
	for range 30 {
		_, body := s.get(t, "/")
		count[body]++
	}
	for name, n := range count {
		if n != 10 {
			t.Errorf("%s answered %d of 30", name, n)
		}
	}
}

func TestLeastOutstanding(t *testing.T) {
	s := newSite(t, Options{})
	busy, release := make(chan struct{}, 10), make(chan struct{})
	slow := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			busy <- struct{}{}
			<-release
		}
		io.WriteString(w, "slow")
	}
	s.add(t, "web.1", slow)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { s.client.Get(s.url + "/hang") })
		<-busy
	}
	s.add(t, "web.2", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "fast") })
	for range 5 {
		if _, body := s.get(t, "/"); body != "fast" {
			t.Errorf("the busier target was chosen")
		}
	}
	if got := s.target(t, "web.1").Outstanding; got != 3 {
		t.Errorf("%d outstanding", got)
	}
	close(release)
	wg.Wait()
}

func TestHold(t *testing.T) {
	t.Run("until a target comes", func(t *testing.T) {
		s := newSite(t, Options{})
		got := make(chan string)
		go func() {
			_, body := s.get(t, "/")
			got <- body
		}()
		eventually(t, "held", func() bool { return s.Stats().Held == 1 })
		s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "here") })
		if body := <-got; body != "here" {
			t.Errorf("body %q", body)
		}
	})
	t.Run("no longer than allowed", func(t *testing.T) {
		s := newSite(t, Options{HoldTimeout: 20 * time.Millisecond})
		res, body := s.get(t, "/")
		if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !strings.Contains(body, pageBusy.text) {
			t.Errorf("answered %d %v %q", res.StatusCode, res.Header, body)
		}
	})
	t.Run("no more than allowed", func(t *testing.T) {
		s := newSite(t, Options{HoldMax: 2})
		ctx, cancel := context.WithCancel(t.Context())
		for range 2 {
			req, _ := http.NewRequestWithContext(ctx, "GET", s.url, nil)
			go s.client.Do(req)
		}
		eventually(t, "held", func() bool { return s.Stats().Held == 2 })
		if res, _ := s.get(t, "/"); res.StatusCode != 503 {
			t.Errorf("answered %d", res.StatusCode)
		}
		cancel()
		eventually(t, "those whose client went away not held", func() bool { return s.Stats().Held == 0 })
	})
}

func TestDrain(t *testing.T) {
	s := newSite(t, Options{})
	arrived, release := make(chan struct{}), make(chan struct{})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			close(arrived)
			<-release
		}
		io.WriteString(w, "one")
	})
	s.get(t, "/")
	done := make(chan string)
	go func() {
		_, body := s.get(t, "/hang")
		done <- body
	}()
	<-arrived
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.Drain(ctx, "web.1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Drain with a request outstanding: %v", err)
	}
	s.add(t, "web.2", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "two") })
	for range 4 {
		if _, body := s.get(t, "/"); body != "two" {
			t.Errorf("a draining target got a request")
		}
	}
	drained := make(chan error)
	go func() { drained <- s.Drain(t.Context(), "web.1") }()
	close(release)
	if body := <-done; body != "one" {
		t.Errorf("outstanding request answered %q", body)
	}
	if err := <-drained; err != nil {
		t.Errorf("Drain: %v", err)
	}
	if err := s.Drain(t.Context(), "web.1"); err != nil {
		t.Errorf("Drain again: %v", err)
	}
	s.Remove("web.1")
	s.Remove("web.1")
	if err := s.Drain(t.Context(), "web.1"); !errors.Is(err, ErrNoTarget) {
		t.Errorf("Drain of a removed target: %v", err)
	}
}

func TestAdd(t *testing.T) {
	s := newSite(t, Options{})
	for _, u := range []string{"", "127.0.0.1:80", "https://127.0.0.1", "http://", "http://a/b", "http://u:p@a", "http://a?b", "http://a:80/#x", "http://\x7f"} {
		if err := s.Add(Target{Name: "x", URL: u}); err == nil {
			t.Errorf("address %q was accepted", u)
		}
	}
	if err := s.Add(Target{URL: "http://127.0.0.1:1"}); err == nil {
		t.Error("a target without a name was accepted")
	}
	s.add(t, "web.1", func(http.ResponseWriter, *http.Request) {})
	if err := s.Add(Target{Name: "web.1", URL: "http://127.0.0.1:1"}); !errors.Is(err, ErrTargetExists) {
		t.Errorf("second target of a name: %v", err)
	}
}

func TestActiveHealth(t *testing.T) {
	s := newSite(t, Options{HealthPath: "/healthz?deep=1", HealthInterval: 5 * time.Millisecond, HealthFall: 3, HealthRise: 2, Host: "www.shop.example"})
	var sick atomic.Int32 // checks that will fail
	var checks atomic.Int32
	var host atomic.Value
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			return
		}
		checks.Add(1)
		host.Store(r.Host + r.URL.RawQuery)
		if sick.Add(-1) >= 0 {
			w.WriteHeader(500)
		}
	})
	if host.Load() != "www.shop.exampledeep=1" {
		t.Errorf("checked with %v", host.Load())
	}
	sick.Store(2) // fewer than HealthFall
	before := checks.Load()
	eventually(t, "four more checks", func() bool { return checks.Load() > before+4 })
	if !s.target(t, "web.1").Healthy {
		t.Error("two failed checks took it out")
	}
	sick.Store(1 << 20)
	eventually(t, "out", func() bool { return !s.target(t, "web.1").Healthy })
	if r := s.target(t, "web.1").Reason; r != "GET /healthz?deep=1 answered 500" {
		t.Errorf("reason %q", r)
	}
	sick.Store(0)
	before = checks.Load()
	eventually(t, "in", func() bool { return s.target(t, "web.1").Healthy })
	if n := checks.Load() - before; n < 2 {
		t.Errorf("in after %d checks", n)
	}
}

func TestHealthNeverAnswers(t *testing.T) {
	e, err := New(Options{HealthPath: "/", HealthTimeout: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	app := newRawApp(t)
	if err := e.Add(Target{Name: "web.1", URL: app.url()}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "reason", func() bool {
		return e.Stats().Targets[0].Reason == "no answer to GET / within 20ms"
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := e.Await(ctx, "web.1"); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("Await: %v", err)
	}
}

// A target that refuses connections goes out at once, the request goes to
// another, and it comes back by the check.
func TestPassiveHealth(t *testing.T) {
	s := newSite(t, Options{HealthInterval: time.Hour})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "one") })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	two := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "two") })}
	go two.Serve(l)
	s.addURL(t, "web.2", "http://"+addr)
	two.Close()
	for i := range 4 {
		if res, body := s.do(t, "POST", "/", strings.NewReader("form")); res.StatusCode != 200 || body != "one" {
			t.Fatalf("request %d answered %d %q", i, res.StatusCode, body)
		}
	}
	if ts := s.target(t, "web.2"); ts.Healthy || !strings.Contains(ts.Reason, "refused") {
		t.Errorf("%+v", ts)
	}
	if s.Stats().Retried == 0 {
		t.Error("no retry was counted")
	}
	l, err = net.Listen("tcp", addr)
	if err != nil {
		t.Fatalf("the port was taken meanwhile: %v", err)
	}
	again := httptest.NewUnstartedServer(two.Handler)
	again.Listener.Close()
	again.Listener = l
	again.Start()
	defer again.Close()
	eventually(t, "back in", func() bool { return s.target(t, "web.2").Healthy })
}

func TestStats(t *testing.T) {
	s := newSite(t, Options{})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		var status int
		fmt.Sscanf(r.URL.Path, "/%d", &status)
		w.WriteHeader(status)
	})
	for _, status := range []int{200, 201, 302, 404, 500, 503} {
		s.get(t, fmt.Sprintf("/%d", status))
	}
	eventually(t, "all counted", func() bool { return s.Stats().Requests == 6 })
	st := s.Stats()
	if st.ByClass != [6]uint64{0, 0, 2, 1, 1, 2} {
		t.Errorf("by class %v", st.ByClass)
	}
	if st.P50 <= 0 || st.P95 < st.P50 || st.P99 < st.P95 {
		t.Errorf("percentiles %v %v %v", st.P50, st.P95, st.P99)
	}
	if ts := st.Targets[0]; ts.Served != 6 || ts.Failed != 0 || ts.Outstanding != 0 {
		t.Errorf("%+v", ts)
	}
}

func TestMeter(t *testing.T) {
	var m meter
	start := time.Unix(1_800_000_000, 0)
	for sec := range 60 {
		for ms := 1; ms <= 100; ms++ {
			m.record(start.Add(time.Duration(sec)*time.Second), 200, time.Duration(ms)*time.Millisecond, 0)
		}
	}
	var s Stats
	m.fill(start.Add(60*time.Second), &s)
	if s.PerSecond10 != 100 || s.PerSecond60 != 100 {
		t.Errorf("rates %v %v", s.PerSecond10, s.PerSecond60)
	}
	for _, p := range []struct {
		got  time.Duration
		want float64 // ms
	}{{s.P50, 50}, {s.P95, 95}, {s.P99, 99}} {
		if ms := p.got.Seconds() * 1000; ms < p.want || ms > p.want*17/16 {
			t.Errorf("percentile %v ms, want %v", ms, p.want)
		}
	}
	if n := s.Took.Below; n[0] != 60 || n[4] != 60*16 || n[7] != 6000 || n[16] != 6000 || s.Took.Sum != 60*5050*time.Millisecond {
		t.Errorf("durations %v", s.Took) // below 1.024, 16.384 and 131.072 ms
	}
	m.fill(start.Add(time.Hour), &s)
	if s.PerSecond60 != 0 || s.P99 != 0 || s.Requests != 6000 {
		t.Errorf("an hour later: %+v", s)
	}
}

func TestHistogramBuckets(t *testing.T) {
	for us := int64(0); us < 1<<36; us = us*9/8 + 1 {
		d := time.Duration(us) * time.Microsecond
		top := bucketTop(bucketOf(d))
		if top < d || float64(top) > float64(d)*17/16 {
			t.Fatalf("%v falls into a bucket up to %v", d, top)
		}
	}
	if b := bucketOf(1 << 62); b != len(histogram{})-1 {
		t.Errorf("a century falls into bucket %d", b)
	}
	if b := bucketOf(-1); b != 0 {
		t.Errorf("a clock set back falls into bucket %d", b)
	}
}
