package task

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
)

// newFIFO is a rig whose queue is FIFO.
func newFIFO(t *testing.T, attempts int) *rig {
	t.Helper()
	r := newRig(t, 5, nil)
	for name, a := range map[string]queue.Attributes{
		"orders-dead.fifo": {FIFO: true},
		"orders.fifo":      {FIFO: true, DeadLetter: &queue.DeadLetter{Queue: "orders-dead.fifo", MaxReceives: attempts}},
	} {
		if err := r.s.CreateQueue(t.Context(), name, a, nil); err != nil {
			t.Fatal(err)
		}
	}
	r.q = r.s.Queue("orders.fifo")
	r.c = NewClient(r.q, nil)
	return r
}

// steps is a journal of runs, by group, and of how many are under way in each.
type steps struct {
	mu      sync.Mutex
	seen    map[string][]string
	running map[string]int
	most    int // of one group at once
	all     int
	mostAll int
}

func newSteps() *steps { return &steps{seen: map[string][]string{}, running: map[string]int{}} }

func (j *steps) begin(group, what string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seen[group] = append(j.seen[group], what)
	j.running[group]++
	j.all++
	j.most, j.mostAll = max(j.most, j.running[group]), max(j.mostAll, j.all)
}

func (j *steps) end(group string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.running[group]--
	j.all--
}

func (j *steps) of(group string) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.seen[group])
}

// TestGroupInOrder: messages of a group that come together run one after the
// other, other groups beside them.
func TestGroupInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, j := newFIFO(t, 5), newSteps()
		step := Define("step", func(_ context.Context, a mailArgs) error {
			j.begin(a.To, strconv.Itoa(a.N))
			defer j.end(a.To)
			time.Sleep(time.Second)
			return nil
		})
		var want []string
		for n := range 8 {
			for _, g := range []string{"a", "b"} {
				must[string](t)(step.Enqueue(t.Context(), r.c, mailArgs{g, n}, Group(g)))
			}
			want = append(want, strconv.Itoa(n))
		}
		stop := r.work(WorkerOptions{Tasks: []Definition{step}, Concurrency: 16})
		time.Sleep(time.Minute)
		r.stop(stop)
		for _, g := range []string{"a", "b"} {
			if d := cmp.Diff(want, j.of(g)); d != "" {
				t.Error(g, d)
			}
		}
		if j.most != 1 || j.mostAll != 2 {
			t.Errorf("%d of one group at once, %d in all; want 1 and 2", j.most, j.mostAll)
		}
		r.expect("orders.fifo", "0 0 0")
	})
}

// TestFailureInGroup: what fails comes again before what follows it, and costs
// what follows no attempt; after its last attempt the others go on.
func TestFailureInGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFIFO(t, 3)
		var seen []string
		step := Define("step", func(ctx context.Context, n int) error {
			info, _ := Info(ctx)
			seen = append(seen, fmt.Sprintf("%d/%d", n, info.Attempt))
			switch {
			case n == 1, n == 2 && info.Attempt < 3:
				return errors.New("failed")
			case n == 3 && len(seen) < 12: // more often than it has attempts
				return Postpone(errors.New("not now"), 5*time.Minute)
			}
			return nil
		})
		for n := range 5 {
			must[string](t)(step.Enqueue(t.Context(), r.c, n, Group("g")))
		}
		stop := r.work(WorkerOptions{Tasks: []Definition{step}, Concurrency: 8})
		time.Sleep(time.Hour)
		r.stop(stop)
		want := []string{"0/1", "1/1", "1/2", "1/3", "2/1", "2/2", "2/3", "3/1", "3/1", "3/1", "3/1", "3/1", "4/1"}
		if d := cmp.Diff(want, seen); d != "" {
			t.Error(d)
		}
		r.expect("orders.fifo", "0 0 0")
		r.expect("orders-dead.fifo", "1 0 0")
	})
}

// TestPausingGroupHoldsNoSlot: while a group waits for its next attempt the
// slot runs others.
func TestPausingGroupHoldsNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFIFO(t, 5)
		var seen []string
		start := time.Now()
		step := Define("step", func(ctx context.Context, a mailArgs) error {
			seen = append(seen, fmt.Sprintf("%s%d@%v", a.To, a.N, time.Since(start).Round(time.Second)))
			if info, _ := Info(ctx); a.To == "a" && info.Attempt == 1 && a.N == 0 {
				return RetryAfter(errors.New("failed"), 10*time.Minute)
			}
			return nil
		})
		for n := range 2 {
			must[string](t)(step.Enqueue(t.Context(), r.c, mailArgs{"a", n}, Group("a")))
		}
		stop := r.work(WorkerOptions{Tasks: []Definition{step}, Concurrency: 2})
		time.Sleep(time.Minute)
		for n := range 2 {
			must[string](t)(step.Enqueue(t.Context(), r.c, mailArgs{"b", n}, Group("b")))
		}
		time.Sleep(time.Hour)
		r.stop(stop)
		if d := cmp.Diff([]string{"a0@0s", "b0@1m0s", "b1@1m0s", "a0@10m0s", "a1@10m0s"}, seen); d != "" {
			t.Error(d)
		}
	})
}

// TestGroupGivenBack: a worker that stops gives back the rest of a group, in
// order, with what is left of a pause.
func TestGroupGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFIFO(t, 5)
		var seen []string
		start, fail := time.Now(), true
		step := Define("step", func(ctx context.Context, n int) error {
			info, _ := Info(ctx)
			seen = append(seen, fmt.Sprintf("%d/%d@%v", n, info.Attempt, time.Since(start).Round(time.Second)))
			if n == 1 && fail {
				fail = false
				return RetryAfter(errors.New("failed"), 10*time.Minute)
			}
			time.Sleep(time.Second)
			return nil
		})
		for n := range 4 {
			must[string](t)(step.Enqueue(t.Context(), r.c, n, Group("g")))
		}
		for range 3 { // in the pause of 1, and while 1 runs
			stop := r.work(WorkerOptions{Tasks: []Definition{step}, Concurrency: 4})
			time.Sleep(5*time.Minute + 500*time.Millisecond)
			r.stop(stop)
		}
		// 1 ran at both its deliveries; the others were given back twice.
		want := []string{"0/1@0s", "1/1@1s", "1/2@10m1s", "2/3@10m2s", "3/3@10m3s"}
		if d := cmp.Diff(want, seen); d != "" {
			t.Error(d)
		}
		r.expect("orders.fifo", "0 0 0")
		r.expect("orders-dead.fifo", "0 0 0")
	})
}

// TestUnknownInGroup: a task that this version does not know is left to
// others, and so is what follows it.
func TestUnknownInGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFIFO(t, 5)
		var seen []string
		known := Define("known", func(_ context.Context, n int) error { seen = append(seen, fmt.Sprint("known", n)); return nil })
		fresh := Define("new", func(_ context.Context, n int) error { seen = append(seen, fmt.Sprint("new", n)); return nil })
		must[string](t)(fresh.Enqueue(t.Context(), r.c, 0, Group("g")))
		must[string](t)(known.Enqueue(t.Context(), r.c, 1, Group("g")))
		stop := r.work(WorkerOptions{Tasks: []Definition{known}, Concurrency: 4, Backoff: Backoff{Floor: time.Minute}})
		time.Sleep(time.Second)
		r.stop(stop)
		stop = r.work(WorkerOptions{Tasks: []Definition{known, fresh}, Concurrency: 4})
		time.Sleep(time.Hour)
		r.stop(stop)
		if d := cmp.Diff([]string{"new0", "known1"}, seen); d != "" {
			t.Error(d)
		}
	})
}

// TestGroupsAtRandom: failures, postponements, lost leases and stops at random
// change no group's order: what begins is what began last, or the next.
func TestGroupsAtRandom(t *testing.T) {
	for range 5 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { groupsAtRandom(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func groupsAtRandom(t *testing.T, dice *rand.Rand) {
	r, j := newFIFO(t, 1000), newSteps()
	var mu sync.Mutex
	roll := func(n int) int { mu.Lock(); defer mu.Unlock(); return dice.IntN(n) }
	step := Define("step", func(ctx context.Context, a mailArgs) error {
		j.begin(a.To, strconv.Itoa(a.N))
		defer j.end(a.To)
		select {
		case <-time.After(time.Duration(roll(4000)) * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		switch roll(6) {
		case 0:
			return errors.New("failed")
		case 1:
			return Postpone(errors.New("not now"), time.Duration(roll(60))*time.Second)
		case 2:
			panic("failed")
		}
		return nil
	})
	const groups, each = 4, 12
	for n := range each {
		for g := range groups {
			must[string](t)(step.Enqueue(t.Context(), r.c, mailArgs{strconv.Itoa(g), n}, Group(strconv.Itoa(g))))
		}
	}
	for r.left("orders.fifo") != "0 0 0" {
		// Two workers, one of which may be stopped and started while the other works.
		o := WorkerOptions{Tasks: []Definition{step}, Concurrency: 12, DrainTimeout: time.Second, Backoff: Backoff{Max: 20 * time.Second}}
		one, two := r.work(o), r.work(o)
		time.Sleep(time.Duration(1+roll(60)) * time.Second)
		r.stop(one)
		time.Sleep(time.Duration(roll(10)) * time.Second)
		r.stop(two)
	}
	for g := range groups {
		last := -1
		for i, text := range j.of(strconv.Itoa(g)) {
			n, _ := strconv.Atoi(text)
			if n != last && n != last+1 {
				t.Fatalf("group %d ran %v: wrong from %d on", g, j.of(strconv.Itoa(g)), i)
			}
			last = n
		}
		if last != each-1 {
			t.Errorf("group %d ended with %d", g, last)
		}
	}
	if j.most != 1 {
		t.Errorf("%d of one group at once", j.most)
	}
	r.expect("orders-dead.fifo", "0 0 0")
}
