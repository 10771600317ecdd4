package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/driver"
	"github.com/dayfly-dev/dayfly/records/memrecords"
)

// send puts messages into the queue as a program does that has no client of ours.
func (r *rig) send(bodies ...string) {
	r.t.Helper()
	for _, b := range bodies {
		must[[]queue.Sent](r.t)(r.q.Send(r.t.Context(), queue.Outgoing{Body: b, Delay: -1}))
	}
}

func asking(id, attributes string) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"elsewhere","type":"t"%s}`, id, attributes)
}

const forAnHour = `,"uniqueby":"k","uniquefor":3600`

// TestUniqueBy: of the messages of one key one begins in a window, the others are
// removed and said to be duplicates; the key is that of Unique.
func TestUniqueBy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := uniqueRig(t, nil)
		var mu sync.Mutex
		var ran []string
		def := Define("t", func(ctx context.Context, _ any) error {
			run, _ := Info(ctx)
			mu.Lock()
			defer mu.Unlock()
			ran = append(ran, run.ID)
			if run.ID == "a" && run.Attempt == 1 {
				return errors.New("not yet")
			}
			return nil
		})
		stop := r.work(WorkerOptions{Tasks: []Definition{def}, Records: s, Backoff: Backoff{Min: time.Second, Max: time.Minute, Floor: time.Minute}})
		r.send(asking("a", forAnHour))
		synctest.Wait()
		r.send(asking("b", forAnHour), asking("c", forAnHour), asking("other", `,"uniqueby":"l","uniquefor":3600`), asking("none", ""))
		time.Sleep(10 * time.Minute) // of the bubble
		if _, err := EnqueueNamed(t.Context(), r.c, "t", nil, Unique("k", time.Hour)); !errors.Is(err, ErrDuplicate) {
			t.Errorf("an enqueue of that key: %v", err)
		}
		time.Sleep(time.Hour) // of the bubble
		r.send(asking("later", forAnHour))
		time.Sleep(time.Minute) // of the bubble
		first := must[string](t)(EnqueueNamed(t.Context(), r.c, "t", nil, Unique("m", time.Hour), ID("first")))
		r.send(asking("second", `,"uniqueby":"m","uniquefor":"60"`))
		time.Sleep(time.Minute) // of the bubble
		r.stop(stop)
		slices.Sort(ran)
		if d := cmp.Diff([]string{"a", "a", first, "later", "none", "other"}, ran); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff([]string{"done a 2", "done first 1", "done later 1", "done none 1", "done other 1",
			"duplicate b 1", "duplicate c 1", "duplicate second 1", "retried a 1"}, r.results()); d != "" {
			t.Error(d)
		}
		r.expect("default", "0 0 0")
		r.expect("default-dead", "0 0 0")
	})
}

// TestUniqueByRace: two workers receive many of one key at once, and one begins.
func TestUniqueByRace(t *testing.T) {
	r, s := uniqueRig(t, nil)
	var mu sync.Mutex
	ran := map[string]int{}
	def := Define("t", func(_ context.Context, key string) error {
		mu.Lock()
		defer mu.Unlock()
		ran[key]++
		return nil
	})
	const keys = 20
	for i := range 10 * keys {
		key := fmt.Sprint("k", i%keys)
		r.send(asking(fmt.Sprint(i), fmt.Sprintf(`,"uniqueby":%q,"uniquefor":60,"data":%q`, key, key)))
	}
	first, second := r.work(WorkerOptions{Tasks: []Definition{def}, Records: s}), r.work(WorkerOptions{Tasks: []Definition{def}, Records: s})
	until(t, "all are done", func() bool { return r.left("default") == "0 0 0" })
	r.stop(first)
	r.stop(second)
	mu.Lock()
	defer mu.Unlock()
	if len(ran) != keys {
		t.Errorf("%d keys ran, not %d", len(ran), keys)
	}
	for key, n := range ran {
		if n != 1 {
			t.Errorf("%s ran %d times", key, n)
		}
	}
}

// TestUniqueByBad: what asks for it wrongly is a dead letter that says so, at once.
func TestUniqueByBad(t *testing.T) {
	for attributes, want := range map[string]string{
		`,"uniqueby":"k"`:                                "takes both",
		`,"uniquefor":60`:                                "takes both",
		`,"uniqueby":"","uniquefor":60`:                  "not 1–240 bytes",
		`,"uniqueby":"a\u0001","uniquefor":60`:           "without control characters",
		`,"uniqueby":"k","uniquefor":0`:                  `"0", not 1–31622400 seconds`,
		`,"uniqueby":"k","uniquefor":31622401`:           "not 1–31622400 seconds",
		`,"uniqueby":"k","uniquefor":"1h"`:               `"1h", not 1–31622400 seconds`,
		`,"uniqueby":"k","uniquefor":[60]`:               "takes both",
		`,"uniquefor":60,"uniqueby":"` + long241() + `"`: "not 1–240 bytes",
	} {
		synctest.Test(t, func(t *testing.T) {
			r, s := uniqueRig(t, nil)
			def := Define("t", func(context.Context, any) error { t.Errorf("%s began", attributes); return nil })
			stop := r.work(WorkerOptions{Tasks: []Definition{def}, Records: s})
			r.send(asking("a", attributes))
			time.Sleep(time.Minute) // of the bubble
			r.stop(stop)
			letters := must[[]queue.Message](t)(r.s.Queue("default-dead").Receive(t.Context(), queue.ReceiveOptions{Max: 10}))
			if len(letters) != 1 || !strings.Contains(letters[0].Attributes[AttributeError].String, want) || letters[0].Attributes[AttributeAttempts].String != "1" {
				t.Errorf("%s: %v, want …%s… at the first attempt", attributes, letters, want)
			}
		})
	}
}

func long241() string { return strings.Repeat("k", 241) }

// TestUniqueByWithoutRecords: a worker that cannot tell does not begin it.
func TestUniqueByWithoutRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2, nil)
		def := Define("t", func(context.Context, any) error { t.Error("it began"); return nil })
		stop := r.work(WorkerOptions{Tasks: []Definition{def}})
		r.send(asking("a", forAnHour))
		time.Sleep(time.Hour) // of the bubble
		r.stop(stop)
		if d := cmp.Diff([]string{"dead a 2", "retried a 1"}, r.results()); d != "" {
			t.Error(d)
		}
	})
}

// shut is a store that cannot be reached while it is.
type shut struct {
	driver.Store
	mu  sync.Mutex
	now bool
}

func (s *shut) set(now bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
}

func (s *shut) Get(ctx context.Context, key string) (driver.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now {
		return driver.Record{}, errors.New("no route to the store")
	}
	return s.Store.Get(ctx, key)
}

// TestUniqueByStoreAway: nothing of a key begins while the store does not answer,
// and no attempt is used up by that.
func TestUniqueByStoreAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, d := newRig(t, 1, nil), &shut{Store: memrecords.New(), now: true}
		def := Define("t", func(context.Context, any) error { return nil })
		stop := r.work(WorkerOptions{Tasks: []Definition{def}, Records: records.New(d)})
		r.send(asking("a", forAnHour), asking("none", ""))
		time.Sleep(time.Minute) // of the bubble
		results := r.results()
		if !slices.Contains(results, "done none 1") || !slices.Contains(results, "postponed a 1") || slices.Contains(results, "done a 1") {
			t.Errorf("while the store is away: %q", results)
		}
		d.set(false)
		time.Sleep(time.Minute) // of the bubble
		r.stop(stop)
		if !slices.Contains(r.results(), "done a 1") {
			t.Errorf("%q", r.results())
		}
		r.expect("default-dead", "0 0 0")
	})
}

// TestUniqueByInOrder: on a FIFO queue a duplicate is removed, and what follows it
// in its group goes on in order, its delivery not counted.
func TestUniqueByInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newFIFO(t, 3), records.New(memrecords.New())
		var mu sync.Mutex
		var ran []string
		def := Define("t", func(ctx context.Context, _ any) error {
			run, _ := Info(ctx)
			mu.Lock()
			defer mu.Unlock()
			ran = append(ran, fmt.Sprint(run.ID, " ", run.Attempt))
			return nil
		})
		for _, x := range [][2]string{{"1", forAnHour}, {"2", ""}, {"3", forAnHour}, {"4", forAnHour}, {"5", ""}} {
			must[[]queue.Sent](t)(r.q.Send(t.Context(), queue.Outgoing{Body: asking(x[0], x[1]), Delay: -1, GroupID: "g", DedupID: x[0]}))
		}
		stop := r.work(WorkerOptions{Tasks: []Definition{def}, Records: s})
		time.Sleep(time.Minute) // of the bubble
		r.stop(stop)
		if d := cmp.Diff([]string{"1 1", "2 1", "5 1"}, ran); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff([]string{"done 1 1", "done 2 1", "done 5 1", "duplicate 3 1", "duplicate 4 1"}, r.results()); d != "" {
			t.Error(d)
		}
		r.expect("orders.fifo", "0 0 0")
		r.expect("orders-dead.fifo", "0 0 0")
	})
}
