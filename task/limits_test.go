package task

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/memrecords"
	"github.com/dayfly-dev/dayfly/task/limit"
)

// counter counts what runs at once, by key.
type counter struct {
	mu        sync.Mutex
	now, most map[string]int
	begun     []time.Time
}

func newCounter() *counter { return &counter{now: map[string]int{}, most: map[string]int{}} }

func (c *counter) enter(keys ...string) (leave func()) {
	add := func(n int) {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, k := range keys {
			c.now[k] += n
			c.most[k] = max(c.most[k], c.now[k])
		}
		if n > 0 {
			c.begun = append(c.begun, time.Now())
		}
	}
	add(1)
	return func() { add(-1) }
}

type tenantArgs struct{ Tenant string }

// until waits, on the bubble's clock, for the queue to be in a state.
func (r *rig) until(want string) {
	for range 100_000 {
		if r.left("default") == want {
			return
		}
		time.Sleep(time.Second) // of the bubble
	}
	r.t.Fatalf("the queue holds %s, never %s", r.left("default"), want)
}

// TestLimits: several workers, each with more slots than the limits let in: what
// runs at once in the queue, of the task, and of a tenant is never more than
// that, everything runs, on its first attempt, and a task under no limit does
// not wait for those that do.
func TestLimits(t *testing.T) {
	for name, store := range map[string]func() *records.Store{
		"one worker":    func() *records.Store { return nil },
		"three workers": func() *records.Store { return records.New(memrecords.New()) },
	} {
		synctest.Test(t, func(t *testing.T) {
			r, c, s := newRig(t, 3, nil), newCounter(), store()
			var attempts sync.Map
			send := Define("send", func(ctx context.Context, a tenantArgs) error {
				defer c.enter("all", "send", a.Tenant)()
				run, _ := Info(ctx)
				attempts.Store(run.Attempt, true)
				time.Sleep(time.Second) // of the bubble
				return nil
			})
			var free []time.Duration
			begun := time.Now()
			quick := Define("quick", func(ctx context.Context, _ int) error {
				defer c.enter("all")()
				c.mu.Lock()
				defer c.mu.Unlock()
				free = append(free, time.Since(begun))
				return nil
			})
			for i := range 60 {
				must[string](t)(send.Enqueue(t.Context(), r.c, tenantArgs{[]string{"ann", "ann", "ann", "bob", "eve", ""}[i%6]}))
			}
			for range 5 {
				must[string](t)(quick.Enqueue(t.Context(), r.c, 1))
			}
			workers := 1
			if s != nil {
				workers = 3
			}
			var stops []func() error
			for range workers {
				stops = append(stops, r.work(WorkerOptions{Tasks: []Definition{send, quick}, Concurrency: 4, Records: s, Limits: []Limit{
					{Concurrency: 4},
					{Task: "send", Concurrency: 3},
					{Task: "send", Name: "tenants", Concurrency: 1, By: ByArgs(func(a tenantArgs) string { return a.Tenant })},
				}}))
			}
			r.until("0 0 0")
			for _, stop := range stops {
				r.stop(stop)
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			for key, most := range map[string]int{"all": 4, "send": 3, "ann": 1, "bob": 1, "eve": 1} {
				if c.most[key] > most || c.most[key] == 0 {
					t.Errorf("%s: %d of %s at once", name, c.most[key], key)
				}
			}
			if len(c.begun) != 65 {
				t.Errorf("%s: %d runs", name, len(c.begun))
			}
			attempts.Range(func(a, _ any) bool {
				if a != 1 {
					t.Errorf("%s: attempt %d: waiting cost one", name, a)
				}
				return true
			})
			for _, after := range free {
				if after > 10*time.Second {
					t.Errorf("%s: a task waited %v for others' limits", name, after)
				}
			}
			t.Logf("%s: at once %v, the unlimited after %v", name, c.most, free)
			r.expect("default-dead", "0 0 0")
		})
	}
}

// TestLimitBacklog: thousands of tasks of one key do not keep those of another
// waiting, that came after them, and are not received again and again.
func TestLimitBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 3, nil)
		var mu sync.Mutex
		ran := map[string]int{}
		var last time.Time
		def := Define("t", func(_ context.Context, a tenantArgs) error {
			mu.Lock()
			defer mu.Unlock()
			if ran[a.Tenant]++; a.Tenant == "bob" {
				last = time.Now()
			}
			return nil
		})
		args := make([]tenantArgs, 3000, 3020)
		for i := range args {
			args[i].Tenant = "ann"
		}
		for range 20 {
			args = append(args, tenantArgs{"bob"})
		}
		must[[]string](t)(def.EnqueueMany(t.Context(), r.c, args))
		begun := time.Now()
		stop := r.work(WorkerOptions{Tasks: []Definition{def}, Concurrency: 4, Limits: []Limit{
			{Rate: 1, Burst: 20, By: ByArgs(func(a tenantArgs) string { return a.Tenant })}}})
		time.Sleep(10 * time.Minute) // of the bubble
		r.stop(stop)
		mu.Lock()
		defer mu.Unlock()
		asked := len(r.results())
		t.Logf("bob's were done after %v; %v ran, asked %d times", last.Sub(begun), ran, asked)
		if ran["bob"] != 20 || last.Sub(begun) > 20*time.Second {
			t.Errorf("another key waited %v, %d ran", last.Sub(begun), ran["bob"])
		}
		if ran["ann"] < 580 || ran["ann"] > 622 || asked > 6500 {
			t.Errorf("in 10 minutes %d ran, and were asked about %d times", ran["ann"], asked)
		}
	})
}

// TestLimitRate: no more begin in a time than allowed, and no fewer for long.
func TestLimitRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, c := newRig(t, 3, nil), newCounter()
		def := Define("t", func(context.Context, int) error { c.enter("t")(); return nil })
		args := make([]int, 300)
		must[[]string](t)(def.EnqueueMany(t.Context(), r.c, args))
		begun := time.Now()
		stop := r.work(WorkerOptions{Tasks: []Definition{def}, Limits: []Limit{{Rate: 5, Burst: 2}}})
		r.until("0 0 0")
		took := time.Since(begun)
		r.stop(stop)
		for i := range c.begun {
			if j := i + 7; j < len(c.begun) && c.begun[j].Sub(c.begun[i]) < time.Second {
				t.Errorf("8 began within %v", c.begun[j].Sub(c.begun[i]))
			}
		}
		if took > 80*time.Second || len(c.begun) != 300 {
			t.Errorf("%d in %v; at the rate it is a minute", len(c.begun), took)
		}
		t.Logf("300 at 5/s: %v, %d results", took, len(r.results()))
	})
}

// TestLimitStop: tasks that wait for their limits are given back at a stop, and
// have used up no attempt.
func TestLimitStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, nil)
		begun := make(chan struct{}, 10)
		release := make(chan struct{})
		def := Define("t", func(context.Context, int) error { begun <- struct{}{}; <-release; return nil })
		must[[]string](t)(def.EnqueueMany(t.Context(), r.c, make([]int, 3)))
		stop := r.work(WorkerOptions{Tasks: []Definition{def}, Concurrency: 3, Limits: []Limit{{Concurrency: 1}}})
		<-begun
		time.Sleep(time.Second) // of the bubble: the others wait
		stopped := make(chan error, 1)
		go func() { stopped <- stop() }()
		time.Sleep(2 * time.Second) // of the bubble
		r.expect("default", "2 0 1")
		close(release)
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		stop = r.work(WorkerOptions{Tasks: []Definition{def}})
		r.until("0 0 0")
		r.stop(stop)
		r.expect("default-dead", "0 0 0")
	})
}

// TestLimitByPanics: it fails the task, and nothing else.
func TestLimitByPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, nil)
		def := Define("t", func(context.Context, int) error { return nil })
		must[string](t)(def.Enqueue(t.Context(), r.c, 1))
		stop := r.work(WorkerOptions{Tasks: []Definition{def}, Limits: []Limit{{Concurrency: 1, By: func(*Event) string { panic("no tenant") }}}})
		r.until("0 0 0")
		r.stop(stop)
		if l := r.letters(); len(l) != 1 || !strings.Contains(l[0].Attributes[AttributeError].String, "no tenant") {
			t.Errorf("%+v", l)
		}
	})
}

func TestLimitNames(t *testing.T) {
	l := newLimits([]Limit{{Concurrency: 1}, {Task: "t", Rate: 1}, {Name: "n", By: ByExtension("tenant"), Concurrency: 2}}, "q", limit.NewBook(nil), newSlots(1, make([]Source, 1), quiet).of[0])
	names := func(e *Event) string {
		var all []string
		for _, b := range l.boundsOf(e) {
			all = append(all, b.name)
		}
		return strings.Join(all, ",")
	}
	for want, e := range map[string]*Event{
		"q":           {Type: "u"},
		"q t,q":       {Type: "t"},
		"n=ann,q t,q": {Type: "t", Extensions: map[string]string{"tenant": "ann"}},
		"n=ann,q":     {Type: "u", Extensions: map[string]string{"tenant": "ann"}},
	} {
		if got := names(e); got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
	long := names(&Event{Type: "u", Extensions: map[string]string{"tenant": strings.Repeat("x", 500)}})
	if len(long) != len("n#,q")+64 {
		t.Errorf("a long key makes %s", long)
	}
	by := ByArgs(func(a tenantArgs) string { return "<" + a.Tenant + ">" })
	for data, want := range map[string]string{`{"Tenant":"ann"}`: "<ann>", `{"Tenant":1}`: "<>", `[`: "<>", ``: "<>"} {
		if got := by(&Event{Data: json.RawMessage(data)}); got != want {
			t.Errorf("%s: %s", data, got)
		}
	}
}

func TestLimitsBad(t *testing.T) {
	def := Define("t", func(context.Context, int) error { return nil })
	for want, l := range map[string]Limit{
		"nothing is limited": {},
		"concurrency":        {Concurrency: -1},
		"task name":          {Task: "a b", Concurrency: 1},
		"control characters": {Name: "a\n", Concurrency: 1},
		"per":                {Rate: 1, Per: 48 * time.Hour},
	} {
		_, err := NewWorker(nil, WorkerOptions{Tasks: []Definition{def}, Limits: []Limit{{Concurrency: 1}, l}})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "Limits[1]") {
			t.Errorf("%+v: %v", l, err)
		}
	}
}

// TestUniqueUntilDone: the key is free again when the task is done, and when it
// is a dead letter, not before, and not by another task's end.
func TestUniqueUntilDone(t *testing.T) {
	for _, failure := range []error{nil, Permanent(errors.New("never"))} {
		synctest.Test(t, func(t *testing.T) {
			r, s := uniqueRig(t, nil)
			begun, release := make(chan string, 1), make(chan struct{})
			def := Define("t", func(ctx context.Context, n int) error {
				run, _ := Info(ctx)
				begun <- run.ID
				<-release
				return failure
			})
			enqueue := func(o ...EnqueueOption) (string, error) {
				return def.Enqueue(t.Context(), r.c, 1, append(o, UniqueUntilDone("k", time.Hour))...)
			}
			first := must[string](t)(enqueue(Delay(time.Minute)))
			body := must[string](t)((&Event{ID: "other", Source: "s", Type: "t", Data: []byte("1"), Extensions: map[string]string{"uniquekey": " k"}}).Encode())
			if err := newSent(r, body); err != nil {
				t.Fatal(err)
			}
			stop := r.work(WorkerOptions{Tasks: []Definition{def}, Records: s})
			if got := <-begun; got != "other" {
				t.Fatalf("%s", got)
			}
			release <- struct{}{}
			if got := <-begun; got != first {
				t.Fatalf("%s", got)
			}
			if id, err := enqueue(); !errors.Is(err, ErrDuplicate) || id != first {
				t.Errorf("while it runs: %q, %v", id, err)
			}
			release <- struct{}{}
			time.Sleep(time.Second) // of the bubble
			if id, err := enqueue(); err != nil || id == first {
				t.Errorf("after its end (%v): %q, %v", failure, id, err)
			}
			<-begun
			close(release)
			r.until("0 0 0")
			r.stop(stop)
			if got := len(r.results()); got != 3 {
				t.Error(fmt.Sprint(got, " results"))
			}
		})
	}
}

// newSent puts a message of another program into the queue.
func newSent(r *rig, body string) error {
	_, err := r.q.Send(context.Background(), queue.Outgoing{Body: body, Delay: -1})
	return err
}
