package task

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/driver"
	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/memrecords"
)

// dyingWorker receives up to ten messages, as many as there are, and is never
// heard of again; it says which it had.
func (r *rig) dyingWorker(visibility time.Duration) (ids []string) {
	r.t.Helper()
	for _, m := range must[[]queue.Message](r.t)(r.q.Receive(r.t.Context(), queue.ReceiveOptions{Max: 10, Visibility: visibility})) {
		ids = append(ids, must[*Event](r.t)(Decode(m.Body)).ID)
	}
	slices.Sort(ids)
	return ids
}

// TestBatchDeadWorkers: members that the queue itself dead-letters, as each of
// their workers died, have failed, and the batch goes on without them. Their
// letters stay, and can be received.
func TestBatchDeadWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newRig(t, 3, nil), records.New(memrecords.New())
		x := tallied{n: 4}
		m, then := x.tasks()
		must[string](t)(NewBatch(then.With("all"), numbered(m, 4)...).Enqueue(t.Context(), r.c, s, ID("b")))
		for range 3 {
			if d := cmp.Diff([]string{"b/0", "b/1", "b/2", "b/3"}, r.dyingWorker(time.Minute)); d != "" {
				t.Fatal(d)
			}
			time.Sleep(time.Minute)
		}
		must[string](t)(m.Enqueue(t.Context(), r.c, 7)) // of no batch; it runs
		stop := r.work(WorkerOptions{Tasks: []Definition{m, then}, Records: s})
		for complete := false; !complete; {
			time.Sleep(time.Second)
			x.mu.Lock()
			complete = len(x.then) > 0
			x.mu.Unlock()
		}
		time.Sleep(5 * time.Second)
		r.expect("default-dead", "4 0 0") // given back, not when what hid them is over
		time.Sleep(3 * time.Minute)
		r.stop(stop)
		if d := cmp.Diff([]string{"b/then"}, x.then); d != "" || len(x.failed) != 4 {
			t.Errorf("%s; failed: %+v", d, x.failed)
		}
		for _, f := range x.failed {
			if !strings.Contains(f.Error, "the queue dead-lettered it") {
				t.Errorf("%+v", f)
			}
		}
		r.expect("default", "0 0 0")
		r.expect("default-dead", "4 0 0")
	})
}

// TestBatchDeadRandom: batches of all sizes whose workers die at random, at times
// all there are, over a dead-letter queue with letters of others and with
// receives that fail. Every batch is complete in the end; what ran to its end is
// not among the failures, and what is among them is a dead letter.
func TestBatchDeadRandom(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 20 {
		synctest.Test(t, func(t *testing.T) { batchDeadRandom(t, random) })
	}
}

func batchDeadRandom(t *testing.T, random *rand.Rand) {
	f := &faulty{}
	r, s := newRig(t, 1+random.IntN(4), func(d driver.Service) driver.Service { f.Service = d; return f }), records.New(memrecords.New())
	for range random.IntN(30) {
		must[[]queue.Sent](t)(r.s.Send(t.Context(), "default-dead", []queue.Outgoing{queueOutgoing("not a task")}))
	}
	sizes := make([]int, 1+random.IntN(3))
	done, completed := map[string]bool{}, map[string]bool{}
	member := Define("member", func(ctx context.Context, _ int) error {
		time.Sleep(time.Second)
		run, _ := Info(ctx)
		done[run.ID] = true // runs are one at a time
		return nil
	})
	then := Define("then", func(ctx context.Context, id string) error {
		if completed[id] {
			t.Errorf("the completion of %s ran twice", id)
		}
		completed[id] = true
		return nil
	})
	for b := range sizes {
		sizes[b] = 1 + random.IntN(25)
		id := fmt.Sprint(b)
		must[string](t)(NewBatch(then.With(id), numbered(member, sizes[b])...).Enqueue(t.Context(), r.c, s, ID(id)))
	}
	if random.IntN(2) == 0 {
		faults := rand.New(rand.NewPCG(random.Uint64(), 0)) // of the receivers' own
		var mu sync.Mutex
		f.receive = func() error {
			mu.Lock()
			defer mu.Unlock()
			if faults.IntN(10) == 0 {
				return errInjected
			}
			return nil
		}
	}
	for range random.IntN(8) {
		if random.IntN(2) == 0 {
			f.receive = nil
			r.dyingWorker(time.Duration(1+random.IntN(60)) * time.Second)
		}
		stop := r.work(WorkerOptions{Tasks: []Definition{member, then}, Concurrency: 1, Records: s})
		time.Sleep(time.Duration(random.IntN(20_000)) * time.Millisecond)
		r.stop(stop)
	}
	stop := r.work(WorkerOptions{Tasks: []Definition{member, then}, Concurrency: 1, Records: s})
	time.Sleep(time.Hour)
	r.stop(stop)
	r.expect("default", "0 0 0")
	dead := map[string]bool{}
	for {
		got := must[[]queue.Message](t)(r.s.Receive(t.Context(), "default-dead", queue.ReceiveOptions{Max: 10, Visibility: time.Hour}))
		if len(got) == 0 {
			break
		}
		for _, l := range got {
			if e, err := Decode(l.Body); err == nil {
				dead[e.ID] = true
			}
		}
	}
	for b, n := range sizes {
		id := fmt.Sprint(b)
		st := must[BatchStatus](t)(BatchOf(t.Context(), s, id))
		if st.Complete.IsZero() || st.Settled != n {
			t.Fatalf("the batch is open: %+v", st)
		}
		for i := range n {
			m := memberID(id, i)
			failed := slices.ContainsFunc(st.Failed, func(f Failure) bool { return f.Index == i })
			if failed == done[m] || failed != dead[m] {
				t.Errorf("%s: done %v, failed %v, a dead letter %v", m, done[m], failed, dead[m])
			}
		}
		if completed[id] == dead[id+thenSuffix] {
			t.Errorf("the completion of %s: ran %v, a dead letter %v", id, completed[id], dead[id+thenSuffix])
		}
	}
}
