package task

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/driver"
	"github.com/dayfly-dev/dayfly/records"
	recordsdriver "github.com/dayfly-dev/dayfly/records/driver"
	"github.com/dayfly-dev/dayfly/records/memrecords"
)

func queueOutgoing(body string) queue.Outgoing { return queue.Outgoing{Body: body, Delay: -1} }

// tallied are the runs of a batch's tasks.
type tallied struct {
	mu      sync.Mutex
	members map[int]int // runs that succeeded
	then    []string    // ids of completions that ran
	early   bool        // one did before every member had
	failed  []Failure
	n       int
	fail    func(i, attempt int) error
}

func (x *tallied) tasks() (m *Task[int], then *Task[string]) {
	x.members = map[int]int{}
	m = Define("member", func(ctx context.Context, i int) error {
		run, _ := Info(ctx)
		if x.fail != nil {
			if err := x.fail(i, run.Attempt); err != nil {
				return err
			}
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		x.members[i]++
		return nil
	})
	then = Define("then", func(ctx context.Context, _ string) error {
		run, _ := Info(ctx)
		failed, err := BatchFailures(ctx)
		if err != nil {
			return err
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		x.then, x.failed = append(x.then, run.ID), failed
		x.early = x.early || len(x.members)+len(failed) < x.n
		return nil
	})
	return m, then
}

func numbered(m *Task[int], n int) []Step {
	steps := make([]Step, n)
	for i := range steps {
		steps[i] = m.With(i)
	}
	return steps
}

// TestBatch: the completion runs once, after all, whatever the number of members.
func TestBatch(t *testing.T) {
	for _, n := range []int{1, 2, 3, 9, 10, 120} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, s := newRig(t, 5, nil), records.New(memrecords.New())
				x := tallied{n: n}
				m, then := x.tasks()
				stop := r.work(WorkerOptions{Tasks: []Definition{m, then}, Concurrency: 16, Records: s})
				must[string](t)(NewBatch(then.With("all"), numbered(m, n)...).Enqueue(t.Context(), r.c, s, ID("b")))
				time.Sleep(5 * time.Minute)
				r.stop(stop)
				if d := cmp.Diff([]string{"b/then"}, x.then); d != "" || x.early || len(x.members) != n {
					t.Errorf("early %v, %d members ran: %s", x.early, len(x.members), d)
				}
				st := must[BatchStatus](t)(BatchOf(t.Context(), s, "b"))
				if st.Members != n || st.Enqueued != n || st.Settled != n || st.Complete.IsZero() || len(st.Failed) != 0 {
					t.Errorf("%+v", st)
				}
				// A duplicate of a member, later, changes nothing.
				e := Event{ID: "b/0", Source: "s", Type: "member", Data: []byte("0"), Extensions: map[string]string{
					batchExtension: fmt.Sprintf(`{"id":"b","member":{"i":0,"n":%d,"until":%d}}`, n, time.Now().Add(time.Hour).Unix())}}
				must[[]queue.Sent](t)(r.q.Send(t.Context(), queueOutgoing(must[string](t)(e.Encode()))))
				stop = r.work(WorkerOptions{Tasks: []Definition{m, then}, Records: s})
				time.Sleep(time.Minute)
				r.stop(stop)
				if x.members[0] != 2 || len(x.then) != 1 {
					t.Errorf("a duplicate: %d runs of it, completions %v", x.members[0], x.then)
				}
			})
		})
	}
}

// shaky is a store some of whose writes fail, before they are made or after.
type shaky struct {
	recordsdriver.Store
	mu   sync.Mutex
	fail func() (fails, after bool)
}

func (s *shaky) Put(ctx context.Context, r records.Record) (string, error) {
	s.mu.Lock()
	fails, after := s.fail()
	s.mu.Unlock()
	if !fails {
		return s.Store.Put(ctx, r)
	}
	if after {
		s.Store.Put(ctx, r)
	}
	return "", errInjected
}

// TestBatchCrash: whichever write or request fails, before its effect or after
// it, the completion runs after all members, and always with one id.
func TestBatchCrash(t *testing.T) {
	for _, after := range []bool{false, true} {
		for at := range 24 {
			synctest.Test(t, func(t *testing.T) {
				n, on := 0, false
				fault := func() (bool, bool) {
					if on {
						n++
					}
					return n == at, after
				}
				f := &faulty{lost: after}
				r := newRig(t, 50, func(d driver.Service) driver.Service { f.Service = d; return f })
				store := &shaky{Store: memrecords.New(), fail: fault}
				s := records.New(store)
				f.send = func(string) error {
					store.mu.Lock()
					defer store.mu.Unlock()
					if fails, _ := fault(); fails {
						return errInjected
					}
					return nil
				}
				x := tallied{n: 4}
				m, then := x.tasks()
				on = true
				b := NewBatch(then.With("all"), numbered(m, 4)...)
				if _, err := b.Enqueue(t.Context(), r.c, s, ID("b")); err != nil {
					must[string](t)(b.Enqueue(t.Context(), r.c, s, ID("b")))
				}
				stop := r.work(WorkerOptions{Tasks: []Definition{m, then}, Concurrency: 4, Records: s})
				time.Sleep(time.Hour)
				r.stop(stop)
				if len(x.then) == 0 || x.early || len(x.members) != 4 {
					t.Errorf("fault %d, after %v: completions %v, early %v, members %v", at, after, x.then, x.early, x.members)
				}
				for _, id := range x.then {
					if id != "b/then" {
						t.Errorf("a completion of another id: %s", id)
					}
				}
				r.expect("default", "0 0 0")
				r.expect("default-dead", "0 0 0")
			})
		}
	}
}

// TestBatchRandom: a thousand members, a tenth of all writes failing in whatever
// way, runs that fail, and three workers of which one is stopped and begins anew.
func TestBatchRandom(t *testing.T) {
	const n = 1000
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(seed, 1))
		store := &shaky{Store: memrecords.New(), fail: func() (bool, bool) { return random.IntN(10) == 0, random.IntN(2) == 0 }}
		r, s := newRig(t, 500, nil), records.New(store)
		x := tallied{n: n, fail: func(i, attempt int) error {
			switch {
			case i%100 == 7:
				return Permanent(fmt.Errorf("member %d is broken", i))
			case (i+attempt)%5 == 0:
				return RetryAfter(errInjected, time.Second)
			}
			return nil
		}}
		m, then := x.tasks()
		b := NewBatch(then.With("all"), numbered(m, n)...)
		for {
			if _, err := b.Enqueue(t.Context(), r.c, s, ID("b")); err == nil {
				break
			}
		}
		o := WorkerOptions{Tasks: []Definition{m, then}, Concurrency: 20, Records: s, Backoff: Backoff{Max: 5 * time.Second}}
		stops := []func() error{r.work(o), r.work(o), r.work(o)}
		for range 5 {
			time.Sleep(300 * time.Millisecond)
			r.stop(stops[0])
			stops[0] = r.work(o)
		}
		time.Sleep(20 * time.Minute)
		for _, stop := range stops {
			r.stop(stop)
		}
		if len(x.then) == 0 || x.early {
			t.Fatalf("completions %v, early %v", x.then, x.early)
		}
		if len(x.failed) != n/100 || len(x.members) != n-n/100 {
			t.Errorf("%d failed, %d done", len(x.failed), len(x.members))
		}
		for i, f := range x.failed {
			if want := (Failure{100*i + 7, fmt.Sprintf("b/%d", 100*i+7), fmt.Sprintf("member %d is broken", 100*i+7)}); f != want {
				t.Errorf("%+v, not %+v", f, want)
			}
		}
		for _, id := range x.then {
			if id != "b/then" {
				t.Errorf("a completion of another id: %s", id)
			}
		}
		r.expect("default", "0 0 0")
	})
}

// TestBatchStrict: with a member that failed the completion is dead-lettered;
// a member that was cancelled has failed.
func TestBatchStrict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newRig(t, 5, nil), records.New(memrecords.New())
		x := tallied{n: 4, fail: func(i, _ int) error {
			if i == 2 {
				return Permanent(errInjected)
			}
			return nil
		}}
		m, then := x.tasks()
		must[Cancellation](t)(Cancel(t.Context(), s, "b/3"))
		stop := r.work(WorkerOptions{Tasks: []Definition{m, then}, Records: s})
		must[string](t)(NewBatch(then.With("all"), numbered(m, 4)...).Strict().Enqueue(t.Context(), r.c, s, ID("b")))
		time.Sleep(time.Minute)
		r.stop(stop)
		if len(x.then) != 0 || len(x.members) != 2 {
			t.Errorf("completions %v, members %v", x.then, x.members)
		}
		r.expect("default-dead", "2 0 0") // the member and the completion
		found := false
		for _, l := range r.letters() {
			if l.Attributes[AttributeTask].String == "then" {
				found = true
				if why := l.Attributes[AttributeError].String; why != "task: 2 of the 4 members of the batch failed; the first is b/2: injected" {
					t.Error(why)
				}
			}
		}
		if !found {
			t.Error("the completion is not among the dead letters")
		}
	})
}

// TestBatchCancelled: the id of a batch cancels all of it.
func TestBatchCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newRig(t, 5, nil), records.New(memrecords.New())
		x := tallied{n: 10, fail: func(int, int) error { return errors.New("it ran") }}
		m, then := x.tasks()
		must[string](t)(NewBatch(then.With("all"), numbered(m, 10)...).Enqueue(t.Context(), r.c, s, ID("b")))
		must[Cancellation](t)(Cancel(t.Context(), s, "b"))
		stop := r.work(WorkerOptions{Tasks: []Definition{m, then}, Records: s})
		time.Sleep(time.Minute)
		r.stop(stop)
		if len(x.then) != 0 || len(x.members) != 0 {
			t.Errorf("completions %v, members %v", x.then, x.members)
		}
		r.expect("default", "0 0 0")
		st := must[BatchStatus](t)(BatchOf(t.Context(), s, "b"))
		if len(st.Failed) != 10 || st.Failed[9].Error != ErrCancelled.Error() {
			t.Errorf("%+v", st)
		}
	})
}

// TestBatchRedriven: a dead letter that is redriven before the end is done.
func TestBatchRedriven(t *testing.T) {
	s := records.New(memrecords.New())
	m := &batchMember{ID: "b", Index: 1, N: 2, Until: time.Now().Add(time.Hour).Unix()}
	for _, failure := range []error{errInjected, errInjected, nil, errInjected} {
		must[bool](t)(settleMember(t.Context(), s, m, failure, true))
	}
	failed, err := readFailures(t.Context(), s, "b", 2)
	if err != nil || len(failed) != 0 {
		t.Error("what was done failed:", failed, err)
	}
}

func TestBatchRefused(t *testing.T) {
	r, s := newRig(t, 5, nil), records.New(memrecords.New())
	ok := Define("ok", func(context.Context, int) error { return nil })
	if _, err := NewBatch(ok.With(1), ok.With(2)).Enqueue(t.Context(), r.c, nil); !errors.Is(err, ErrNoRecords) {
		t.Error(err)
	}
	if _, err := NewBatch(ok.With(1)).Enqueue(t.Context(), r.c, s); err == nil {
		t.Error("a batch without members was taken")
	}
	must[string](t)(NewBatch(ok.With(1), ok.With(2)).Enqueue(t.Context(), r.c, s, ID("b")))
	if _, err := NewBatch(ok.With(1), ok.With(3)).Enqueue(t.Context(), r.c, s, ID("b")); err == nil {
		t.Error("another batch of that id was taken")
	}
	if _, err := BatchOf(t.Context(), s, "nobody"); !errors.Is(err, ErrNoBatch) {
		t.Error(err)
	}
	if _, err := BatchFailures(t.Context()); !errors.Is(err, ErrNoBatch) {
		t.Error(err)
	}
}

func TestShards(t *testing.T) {
	for n := 1; n <= MaxMembers; n++ {
		k, sum := shardsOf(n), 0
		for i := range k {
			size := sizeOf(i, k, n)
			if size < 1 || size > k {
				t.Fatalf("%d members: shard %d of %d has %d", n, i, k, size)
			}
			sum += size
		}
		if sum != n {
			t.Fatalf("%d members: the shards have %d", n, sum)
		}
	}
}
