package push

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/memrecords"
	"github.com/dayfly-dev/dayfly/task"
)

// TestUnreachable: an endpoint that cannot be reached uses up no attempt,
// however long, and is looked for one push at a time.
func TestUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "default", 1, status(200))
		r.setDown(errRefused)
		r.enqueue("a", "b", "c")
		stop := r.run()
		time.Sleep(3*time.Hour + time.Second) // longer than a message is held
		dials, hours := r.dialed(), 3
		if least, most := hours*3600/5, hours*3600/2+20; dials < least || dials > most {
			t.Errorf("%d connections tried in %d h, not %d–%d", dials, hours, least, most)
		}
		r.setDown(nil)
		time.Sleep(maxPause)
		stop()
		if n := len(r.requests()); n != 3 {
			t.Errorf("%d requests: %v", n, r.requests())
		}
		for _, x := range r.requests() {
			if !strings.HasSuffix(x, " 1") {
				t.Errorf("%s: not the first attempt", x)
			}
		}
		if n := strings.Count(r.logs.text(), "the push endpoint is down"); n < 100 || n > 181 {
			t.Errorf("said %d times in three hours", n)
		}
		if !strings.Contains(r.logs.text(), "answers again") || !strings.Contains(r.logs.text(), errRefused.Error()) {
			t.Errorf("log:\n%.2000s", r.logs.text())
		}
		r.empty()
	})
}

// TestFailingEndpoint: an endpoint that answers nothing but failures gets few
// tasks while it does, and all of them afterwards.
func TestFailingEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		broken.Store(true)
		r := newRig(t, "default", 5, func(w http.ResponseWriter, q *http.Request) {
			if broken.Load() {
				w.WriteHeader(502)
			}
		})
		var ids []string
		for i := range 100 {
			ids = append(ids, fmt.Sprint(i))
		}
		r.enqueue(ids...)
		stop := r.run()
		time.Sleep(5 * time.Minute)
		broken.Store(false)
		during := len(r.requests())
		if during < failuresToClose || during > 5*60/2+20 {
			t.Errorf("%d requests in five minutes", during)
		}
		time.Sleep(time.Minute)
		stop()
		if n := len(r.requests()) - during; n != 100 {
			t.Errorf("%d requests afterwards", n)
		}
		if n := len(r.letters()); n != 0 {
			t.Errorf("%d dead letters", n)
		}
		r.empty()
	})
}

// TestPatience: while an endpoint answers 503 and says when to come again, nobody
// looks before, for a minute at most; a 429 holds up its own task alone.
func TestPatience(t *testing.T) {
	for _, c := range []struct {
		status      int
		after       string
		least, most int // requests in ten minutes
	}{
		{503, "30", 20, 30},
		{503, "600", 10, 20}, // after a minute
		{429, "30", 40, 400}, // each its own, and as often as the pause of the gate lets
	} {
		synctest.Test(t, func(t *testing.T) {
			var away atomic.Bool
			away.Store(true)
			r := newRig(t, "default", 1, func(w http.ResponseWriter, q *http.Request) {
				if away.Load() {
					w.Header().Set("Retry-After", c.after)
					w.WriteHeader(c.status)
				}
			})
			for i := range 40 {
				r.enqueue(fmt.Sprint(i))
			}
			stop := r.run()
			time.Sleep(10 * time.Minute)
			asked := len(r.requests())
			if asked < c.least || asked > c.most {
				t.Errorf("%d, Retry-After %s: asked %d times, not %d–%d", c.status, c.after, asked, c.least, c.most)
			}
			away.Store(false)
			time.Sleep(20 * time.Minute)
			stop()
			for _, x := range r.requests() {
				if !strings.HasSuffix(x, " 1") {
					t.Errorf("%s: patience cost an attempt", x)
				}
			}
			if done := len(r.requests()) - asked; done < 40 {
				t.Errorf("%d, Retry-After %s: %d done", c.status, c.after, done)
			}
			r.empty()
		})
	}
}

// TestOneBadTask: tasks that fail among others that do not have nobody wait.
func TestOneBadTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "default", 3, func(w http.ResponseWriter, q *http.Request) {
			if strings.HasPrefix(q.Header.Get("ce-id"), "bad") {
				w.WriteHeader(422)
			}
		})
		r.enqueue("bad1", "bad2", "bad3", "bad4", "bad5", "bad6", "bad7", "good")
		stop := r.run()
		time.Sleep(10 * time.Second)
		stop()
		for _, x := range r.requests() {
			if x == "0 good 1" {
				return
			}
		}
		t.Errorf("%v", r.requests())
	})
}

// TestStop: who waits for the endpoint is given back at once, and has lost no
// attempt; what the endpoint is at is waited for.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "default", 1, func(w http.ResponseWriter, q *http.Request) { time.Sleep(20 * time.Second) })
		r.setDown(errRefused)
		r.enqueue("a", "b")
		stop := r.run()
		time.Sleep(time.Minute)
		before := time.Now()
		stop()
		if took := time.Since(before); took > time.Second {
			t.Errorf("stopping took %v", took)
		}
		r.setDown(nil)
		r.begun = time.Now()
		stop = r.run()
		time.Sleep(time.Second)
		stop()
		if d := cmp.Diff([]string{"0 a 1", "0 b 1"}, sorted(r.requests())); d != "" {
			t.Error(d)
		}
		r.empty()
		if strings.Count(r.logs.text(), "endpoint is down") != 1 {
			t.Errorf("the stop was taken for the endpoint's:\n%s", r.logs.text())
		}
	})
}

// TestStopBrokenOff: what does not end within the drain is given back.
func TestStopBrokenOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "default", 1, inTurn(func(w http.ResponseWriter, q *http.Request) { <-q.Context().Done() }, status(200)))
		r.o.DrainTimeout = 3 * time.Second
		r.enqueue("a")
		stop := r.run()
		time.Sleep(time.Second)
		stop()
		stop = r.run()
		time.Sleep(time.Second)
		stop()
		if d := cmp.Diff([]string{"returned a 1", "done a 1"}, r.outcomes()); d != "" {
			t.Error(d)
		}
		r.empty()
	})
}

// panicking is a transport with a bug while it is told to have one.
type panicking struct {
	http.RoundTripper
	bug atomic.Bool
}

func (p *panicking) RoundTrip(r *http.Request) (*http.Response, error) {
	if p.bug.Load() {
		panic("a bug")
	}
	return p.RoundTripper.RoundTrip(r)
}

// TestPanickingProbe: a probe that panics lets others go after it.
func TestPanickingProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "default", 50, status(200))
		r.setDown(errRefused)
		transport := &panicking{RoundTripper: r.o.Transport}
		r.o.Transport = transport
		r.enqueue("a", "b")
		stop := r.run()
		time.Sleep(time.Minute)
		transport.bug.Store(true)
		time.Sleep(10 * time.Second)
		transport.bug.Store(false)
		r.setDown(nil)
		time.Sleep(time.Minute)
		stop()
		if !strings.Contains(r.logs.text(), "panic: a bug") {
			t.Errorf("log:\n%s", r.logs.text())
		}
		r.empty()
	})
}

// TestPaused: what waits for the endpoint is given back when the queue is paused,
// with its attempts, whether the endpoint is not reached or answers 503, and is
// pushed when it is resumed. What the endpoint is at finishes.
func TestPaused(t *testing.T) {
	hangs := errors.New("nobody answers") // a connection that is tried for long
	for name, down := range map[string]error{"refused": errRefused, "unavailable": nil, "hangs": hangs} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var broken atomic.Bool
				broken.Store(true)
				r := newRig(t, "default", 20, func(w http.ResponseWriter, q *http.Request) {
					if broken.Load() {
						w.WriteHeader(503)
					}
				})
				r.o.Records = records.New(memrecords.New())
				dial := r.o.Transport.(*http.Transport).DialContext
				r.o.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
					c, err := dial(ctx, network, address)
					if errors.Is(err, hangs) {
						<-ctx.Done()
						err = ctx.Err()
					}
					return c, err
				}
				r.setDown(down)
				r.enqueue("a", "b", "c", "d")
				stop := r.run()
				time.Sleep(30 * time.Second)
				if _, _, err := task.Pause(t.Context(), r.o.Records, "default"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(40 * time.Second) // a request under way may bring them once more
				before, dials := len(r.requests()), r.dialed()
				r.setDown(nil)
				broken.Store(false)
				time.Sleep(time.Hour)
				if n, m := len(r.requests()), r.dialed(); n != before || m != dials {
					t.Errorf("while paused: %d requests, %d connections", n-before, m-dials)
				}
				if d, err := r.q.Describe(t.Context()); err != nil || d.Visible != 4 {
					t.Errorf("the queue holds %+v, %v", d, err)
				}
				if _, err := task.Resume(t.Context(), r.o.Records, "default"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				stop()
				if n := len(r.letters()); n != 0 {
					t.Errorf("%d dead letters", n)
				}
				done := 0
				for _, x := range r.outcomes() {
					if strings.HasPrefix(x, "done ") {
						done++
					}
				}
				if done != 4 {
					t.Errorf("%d done: %v", done, r.outcomes())
				}
				r.empty()
			})
		})
	}
}
