package edge

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func (e *Edge) end(t *target, o outcome, n int) {
	for range n {
		e.mu.Lock()
		t.outstanding++
		e.mu.Unlock()
		e.release(t, false, o)
	}
}

func TestEjection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := fabricated(t, Balance{EjectTime: time.Second, EjectTimeMax: 4 * time.Second}, "web.1", "web.2", "web.3")
		x := e.targets[0]
		e.end(x, faulty, 2)
		e.end(x, answered, 1)
		e.end(x, faulty, 2)
		e.end(x, notTaken, 5)
		e.end(x, clientLeft, 5)
		if x.record.out {
			t.Fatal("out without three failures in a row")
		}
		e.end(x, faulty, 1)
		for round, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 4 * time.Second} {
			if got := time.Until(x.record.until); !x.record.out || got != want {
				t.Fatalf("round %d: out %v for %v, want %v", round, x.record.out, got, want)
			}
			if got := e.shares(100, 0)["web.1"]; got != 0 {
				t.Errorf("round %d: it had %d requests", round, got)
			}
			e.readmit(x, time.Now())
			if !x.record.out {
				t.Fatalf("round %d: back before its time", round)
			}
			time.Sleep(want)
			e.readmit(x, time.Now())
			if x.record.out {
				t.Fatalf("round %d: not back after its time", round)
			}
			if round < 3 {
				e.end(x, faulty, 1) // one is enough now
			}
		}
		e.end(x, answered, 1)
		e.end(x, faulty, 2)
		if x.record.out {
			t.Error("out by two failures after it had answered")
		}
		time.Sleep(time.Minute)
		e.end(x, faulty, 1)
		if got := time.Until(x.record.until); got != time.Second {
			t.Errorf("after a long time in, out for %v", got)
		}
		if n := e.Stats().Targets[0].Ejections; n != 5 {
			t.Errorf("%d ejections counted", n)
		}
	})
}

// However many fail, half are left; and where those go away, all are used.
func TestNeverAllEjected(t *testing.T) {
	for n := 1; n <= 5; n++ {
		var names []string
		for i := range n {
			names = append(names, fmt.Sprint("web.", i))
		}
		e := fabricated(t, Balance{}, names...)
		for _, x := range e.targets {
			e.end(x, faulty, 10)
		}
		in, _ := e.inRotation()
		if want := n - n/2; in != want {
			t.Errorf("%d of %d left, want %d", in, n, want)
		}
		for _, x := range e.targets {
			if x.available() {
				e.setHealth(x, errors.New("refused"))
				break
			}
		}
		in, _ = e.inRotation()
		if want := n - 1; in != want {
			t.Errorf("one more down: %d of %d left, want %d", in, n, want)
		}
	}
}

func TestMuchWorseThanPeers(t *testing.T) {
	for _, tc := range []struct {
		eject  Eject
		bad    outcome
		failed int // of 100, beside two peers of whom each fails 5 of 100
		out    bool
	}{
		{EjectFailures, faulty, 10, false},
		{EjectFailures, faulty, 50, true},
		{EjectFailures, answeredError, 90, false},
		{EjectErrors, answeredError, 10, false},
		{EjectErrors, answeredError, 50, true},
		{EjectNever, faulty, 50, false},
	} {
		e := fabricated(t, Balance{Eject: tc.eject}, "web.1", "web.2", "web.3")
		now := time.Now()
		e.judge(e.targets[0], now) // begins the slices
		for i, x := range e.targets {
			failed := 5
			if i == 0 {
				failed = tc.failed
			}
			for n := range 100 { // no three failures in a row
				if n%2 == 0 && n/2 < failed {
					e.end(x, tc.bad, 1)
				} else {
					e.end(x, answered, 1)
				}
			}
		}
		for _, x := range e.targets {
			e.judge(x, now)
		}
		var out []string
		for _, x := range e.targets {
			if x.record.out {
				out = append(out, x.name)
			}
		}
		if (len(out) == 1 && out[0] == "web.1") != tc.out || len(out) > 1 {
			t.Errorf("%s, %d failed: %v are out", tc.eject, tc.failed, out)
		}
	}
	if worse(19, 19, 0, 1000) || !worse(20, 20, 0, 1000) || worse(0, 1000, 500, 1000) || worse(1000, 1000, 950, 1000) {
		t.Error("worse")
	}
}

// An instance that passes its checks and answers garbage goes out after three
// requests, and comes back when it is well.
func TestGarbageIsEjected(t *testing.T) {
	s := newSite(t, Options{HealthPath: "/healthz", Balance: Balance{EjectTime: 2 * time.Second}})
	var well atomic.Bool
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" || well.Load() {
			return
		}
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(c, "\x16\x03\x01 what is this\r\n\r\n")
		c.Close()
	})
	s.add(t, "web.2", func(http.ResponseWriter, *http.Request) {})
	bad := 0
	for range 1000 {
		if s.Stats().Targets[0].Ejected {
			break
		}
		if res, _ := s.do(t, "POST", "/", strings.NewReader("form")); res.StatusCode == 502 {
			bad++
		}
	}
	st := s.target(t, "web.1")
	if bad != ejectStrikes || !st.Ejected || st.Healthy || !strings.Contains(st.Reason, "in a row") {
		t.Errorf("%d failed; %+v", bad, st)
	}
	well.Store(true)
	eventually(t, "back", func() bool { return s.target(t, "web.1").Healthy })
}

func TestBalanceOptions(t *testing.T) {
	for _, b := range []Balance{{EjectTime: 1}, {EjectTime: -1}, {QueueTimeout: -1}, {EjectMost: 101}, {EjectMost: -1}, {PerTarget: -1},
		{Eject: "sometimes"}, {Sticky: "a b"}, {Sticky: "a;b"}} {
		if _, err := New(Options{Balance: b}); err == nil {
			t.Errorf("%+v was accepted", b)
		}
	}
}
