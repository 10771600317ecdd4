package push

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/memrecords"
	"github.com/dayfly-dev/dayfly/task"
)

// TestLimits: of two pushers with two slots each no more than the limits allow is
// with the endpoint, whatever waits takes no slot from other tasks and costs no
// attempt, and all is done.
func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var now, most, ran int
		var begun []time.Time
		quick := map[string]time.Duration{}
		var r *rig
		r = newRig(t, "default", 1, func(_ http.ResponseWriter, q *http.Request) {
			name, id := q.Header.Get("ce-type"), q.Header.Get("ce-id")
			mu.Lock()
			defer mu.Unlock()
			switch name {
			case "slow":
				now, ran = now+1, ran+1
				most = max(most, now)
				mu.Unlock()
				time.Sleep(5 * time.Second)
				mu.Lock()
				now--
			case "rated":
				begun = append(begun, time.Now())
			case "quick":
				quick[id] = time.Since(r.begun)
			}
		})
		r.o.Concurrency, r.o.Records = 2, records.New(memrecords.New())
		r.o.Limits = []task.Limit{{Task: "slow", Concurrency: 1}, {Task: "rated", Rate: 1, Per: time.Second}}
		c := task.NewClient(r.q, nil)
		const each = 20
		for _, name := range []string{"slow", "rated", "quick"} {
			for i := range each {
				if _, err := task.EnqueueNamed(t.Context(), c, name, nil, task.ID(fmt.Sprint(name, i))); err != nil {
					t.Fatal(err)
				}
			}
		}
		first, second := r.run(), r.run()
		time.Sleep(20 * time.Minute)
		first()
		second()
		mu.Lock()
		defer mu.Unlock()
		if most != 1 || ran != each || len(begun) != each || len(quick) != each {
			t.Errorf("%d slow, %d at once; %d rated, %d quick", ran, most, len(begun), len(quick))
		}
		for i := range len(begun) - 2 {
			if d := begun[i+2].Sub(begun[i]); d < time.Second {
				t.Errorf("three of one a second began within %v", d)
			}
		}
		for id, after := range quick {
			if after > 20*time.Second {
				t.Errorf("%s waited %v for the slots of others", id, after)
			}
		}
		for _, x := range r.requests() {
			if !strings.HasSuffix(x, " 1") {
				t.Errorf("%s: waiting cost an attempt", x)
			}
		}
		r.empty()
		if n := len(r.letters()); n != 0 {
			t.Errorf("%d dead letters", n)
		}
	})
}

// refused is an endpoint that cannot be reached.
type refused struct{}

func (refused) RoundTrip(*http.Request) (*http.Response, error) { return nil, errRefused }

// silentForever is one that never takes the connection.
type silentForever struct{}

func (silentForever) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, context.Cause(r.Context())
}

// TestLimitsBesideUnreachable: a pusher whose endpoint cannot be reached does not
// keep the places of a limit from one that reaches its own, and nothing counts.
func TestLimitsBesideUnreachable(t *testing.T) {
	for name, down := range map[string]http.RoundTripper{"refused": refused{}, "silent": silentForever{}} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, "default", 1, status(200))
			works := r.o.Transport
			r.o.Records, r.o.Limits = records.New(memrecords.New()), []task.Limit{{Concurrency: 2}}
			var ids []string
			for i := range 30 {
				ids = append(ids, fmt.Sprint(i))
			}
			r.enqueue(ids...)
			r.o.Transport = down
			first := r.run()
			time.Sleep(time.Second) // of the bubble: it has the places
			r.o.Transport = works
			second := r.run()
			time.Sleep(10 * time.Minute) // of the bubble
			if n := len(r.requests()); n != len(ids) {
				t.Errorf("%s: %d of %d tasks were pushed by the one that can", name, n, len(ids))
			}
			for _, x := range r.requests() {
				if !strings.HasSuffix(x, " 1") {
					t.Errorf("%s: %s: waiting cost an attempt", name, x)
				}
			}
			first()
			second()
			r.empty()
			if n := len(r.letters()); n != 0 {
				t.Errorf("%s: %d dead letters", name, n)
			}
		})
	}
}

func TestLimitsBad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "default", 1, status(200))
		r.o.Limits = []task.Limit{{Task: "slow"}}
		if _, err := New(r.o); err == nil || !strings.Contains(err.Error(), "nothing is limited") {
			t.Errorf("%v", err)
		}
	})
}
