package task

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/driver"
	"github.com/dayfly-dev/dayfly/task/payload"
)

// fuse ends everything a process does to the queue and the object store at one
// of its steps: before the step's effect, or after it and before its answer.
type fuse struct {
	at    int // the step at which it blows, from 1
	after bool

	mu    sync.Mutex
	trail []string
	blown atomic.Bool
}

var errDied = errors.New("the process has died")

// step reports whether the step has its effect, and whether its answer arrives.
func (f *fuse) step(name string) (effect, answer bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.blown.Load() {
		return false, false
	}
	f.trail = append(f.trail, name)
	if len(f.trail) == f.at {
		f.blown.Store(true)
		return f.after, false
	}
	return true, true
}

func (f *fuse) steps() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.trail)
}

// fused is a queue whose process may die.
type fused struct {
	driver.Service
	*fuse
}

func (s fused) Send(ctx context.Context, name string, m []driver.Outgoing) (sent []driver.Sent, err error) {
	effect, answer := s.step("send")
	if effect {
		sent, err = s.Service.Send(ctx, name, m)
	}
	if !answer {
		return nil, errDied
	}
	return sent, err
}

func (s fused) Receive(ctx context.Context, name string, o driver.ReceiveOptions) ([]driver.Message, error) {
	if s.blown.Load() {
		return nil, errDied
	}
	m, err := s.Service.Receive(ctx, name, o)
	if len(m) == 0 {
		return m, err
	}
	if _, answer := s.step("receive"); !answer { // what was handed out is hidden for a while
		return nil, errDied
	}
	return m, err
}

func (s fused) Delete(ctx context.Context, name string, receipts []string) (errs []error, err error) {
	effect, answer := s.step("delete")
	if effect {
		errs, err = s.Service.Delete(ctx, name, receipts)
	}
	if !answer {
		return nil, errDied
	}
	return errs, err
}

func (s fused) ChangeVisibility(ctx context.Context, name string, c []driver.VisibilityChange) ([]error, error) {
	if s.blown.Load() {
		return nil, errDied
	}
	return s.Service.ChangeVisibility(ctx, name, c)
}

// TestCrashes has a process die at each step of a large task in turn, from the
// payload that is stored to the payload that is deleted, and another go on. What
// was enqueued runs, with its arguments; no message is ever without its payload;
// and nothing is left but, at two of the steps, a payload, which is swept.
func TestCrashes(t *testing.T) {
	const steps = "[put send receive get run delete remove]"
	for at := 1; at <= 8; at++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d after %v", at, after), func(t *testing.T) {
				t.Parallel()
				f := &fuse{at: at, after: after}
				crash(t, f)
				if at == 8 && fmt.Sprint(f.steps()) != steps {
					t.Errorf("the steps are %v, not %s", f.steps(), steps)
				}
			})
		}
	}
}

// request is a step at the object store; what is looked up is none.
func (f *fuse) request(o *objects) func(http.ResponseWriter, *http.Request) bool {
	names := map[string]string{http.MethodPut: "put", http.MethodGet: "get", http.MethodDelete: "remove"}
	return func(_ http.ResponseWriter, r *http.Request) bool {
		name, counts := names[r.Method]
		if !counts {
			if f.blown.Load() {
				panic(http.ErrAbortHandler)
			}
			return false
		}
		effect, answer := f.step(name)
		if answer {
			return false
		}
		if effect {
			o.server.ServeHTTP(httptest.NewRecorder(), r)
		}
		panic(http.ErrAbortHandler)
	}
}

func crash(t *testing.T, f *fuse) {
	var engine driver.Service
	dying := newRig(t, 20, func(s driver.Service) driver.Service { engine = s; return fused{s, f} })
	alive := &rig{t: t, s: queue.New(engine)}
	alive.q = alive.s.Queue("default")
	o := newObjects(t)
	store := o.store(nil)
	args := large(1, 5000)
	var ran atomic.Int64
	run := func(_ context.Context, a blobArgs) error {
		if !same(a, args) {
			t.Error("it ran with other arguments")
		}
		ran.Add(1)
		return nil
	}
	def := Define("t", func(ctx context.Context, a blobArgs) error {
		effect, answer := f.step("run")
		if effect {
			run(ctx, a)
		}
		if !answer {
			return errDied
		}
		return nil
	})
	o.fail(f.request(o))
	_, errEnqueue := def.Enqueue(t.Context(), NewClient(dying.q, &ClientOptions{Payloads: store, Threshold: 1000}), args)
	options := WorkerOptions{Tasks: []Definition{def}, Payloads: store, Backoff: quick, Visibility: time.Second}
	if !f.blown.Load() {
		stop := dying.work(options)
		until(t, "it dies or is done", func() bool { return f.blown.Load() || slices.Contains(f.steps(), "remove") })
		stop() // its error is of a process that died
	}
	o.fail(nil)
	if alive.left("default") != "0 0 0" && len(o.keys()) != 1 {
		t.Error("there is a message without its payload")
	}
	options.Tasks = []Definition{Define("t", run)}
	stop := alive.work(options)
	until(t, "nothing is left", func() bool { return alive.left("default") == "0 0 0" })
	alive.stop(stop)
	if errEnqueue == nil && ran.Load() == 0 {
		t.Error("it was enqueued and did not run")
	}
	alive.expect("default-dead", "0 0 0")
	want := 0
	switch {
	case f.at == 1 && f.after, f.at == 2 && !f.after: // stored and not sent
		want = 1
	case f.at == 6 && f.after, f.at == 7 && !f.after: // done, and not deleted
		want = 1
	}
	if got := o.keys(); len(got) != want {
		t.Errorf("%d payloads are left, not %d", len(got), want)
	}
	if n, err := store.Sweep(t.Context(), time.Now().Add(payload.Retention+48*time.Hour), 10); n != want || err != nil || len(o.keys()) > 0 {
		t.Errorf("the sweep takes %d, %v", n, err)
	}
}
