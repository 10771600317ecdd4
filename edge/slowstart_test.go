package edge

import (
	"testing"
	"testing/synctest"
	"time"
)

// fabricated makes an edge with targets that are available and have no
// instance behind them: what is tested is who is chosen.
func fabricated(t testing.TB, b Balance, names ...string) *Edge {
	t.Helper()
	e, err := New(Options{Balance: b})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	for _, name := range names {
		e.comeUp(t, name)
	}
	return e
}

func (e *Edge) comeUp(t testing.TB, name string) *target {
	t.Helper()
	x := &target{name: name, weight: wholeWeight, ticket: newTicket(), stop: func() {},
		kick: make(chan struct{}, 1), all: map[*conn]struct{}{}}
	x.opt.Store(&e.setup().Options)
	e.mu.Lock()
	e.targets = append(e.targets, x)
	e.mu.Unlock()
	e.setHealth(x, nil)
	return x
}

// shares lets n requests choose, each of which ends at once, or with hold
// stays for as many others.
func (e *Edge) shares(n, hold int) map[string]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	count := map[string]int{}
	var under []*target
	for range n {
		t := e.pick(&want{})
		count[t.name]++
		if under = append(under, t); len(under) > hold {
			e.free(under[0])
			under = under[1:]
		}
	}
	for _, t := range under {
		e.free(t)
	}
	return count
}

// A new target's share grows, whether there is little to do or much; that of
// the first targets does not.
func TestSlowStart(t *testing.T) {
	for _, load := range []struct {
		name string
		hold int
	}{{"one request at a time", 0}, {"60 at once", 60}} {
		t.Run(load.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n = 20_000
				e := fabricated(t, Balance{SlowStart: 10 * time.Second}, "web.1")
				time.Sleep(time.Second)
				e.comeUp(t, "web.2")
				if got := e.shares(n, load.hold)["web.2"]; got < n*45/100 {
					t.Errorf("of the first two, one had %d of %d", got, n)
				}
				time.Sleep(9 * time.Second)
				e.comeUp(t, "web.3")
				// Its weight over that of all; as much again where it is both
				// chosen by the load and given its turn.
				before := 0
				for _, at := range []struct {
					age      time.Duration
					low, top int // percent
				}{{0, 1, 8}, {5 * time.Second, 12, 36}, {10 * time.Second, 32, 34}} {
					time.Sleep(at.age - time.Since(e.targets[2].since))
					got := e.shares(n, load.hold)["web.3"]
					if got < n*at.low/100 || got > n*at.top/100 || got <= before {
						t.Errorf("%v after its start the third had %d of %d, want %d to %d %%", at.age, got, n, at.low, at.top)
					}
					before = got
				}
				if e.warming {
					t.Error("still warming")
				}
			})
		})
	}
}

// A target that warms takes all where no other is left.
func TestSlowStartAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := fabricated(t, Balance{}, "web.1")
		time.Sleep(time.Minute)
		cold := e.comeUp(t, "web.2")
		if cold.weight != coldWeight {
			t.Fatalf("weight %d", cold.weight)
		}
		e.targets[0].draining = true
		if got := e.shares(100, 0)["web.2"]; got != 100 {
			t.Errorf("it had %d of 100", got)
		}
		third := e.comeUp(t, "web.3")
		if got := e.shares(100, 0)["web.3"]; got != 50 || third.weight != wholeWeight {
			t.Errorf("beside one that is as new it had %d of 100", got)
		}
	})
}
