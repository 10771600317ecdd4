package task

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/driver"
	"github.com/dayfly-dev/dayfly/records/memrecords"
	"github.com/dayfly-dev/dayfly/task/ledger"
)

// awayStore does not answer while it is told so: it refuses at once, or is silent
// until the context ends.
type awayStore struct {
	driver.Store
	refuses, silent atomic.Bool
	asked           atomic.Int64
}

func (s *awayStore) answer(ctx context.Context) error {
	s.asked.Add(1)
	if s.silent.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	if s.refuses.Load() {
		return errors.New("connection refused")
	}
	return nil
}

func (s *awayStore) Get(ctx context.Context, key string) (driver.Record, error) {
	if err := s.answer(ctx); err != nil {
		return driver.Record{}, err
	}
	return s.Store.Get(ctx, key)
}

func (s *awayStore) Put(ctx context.Context, r driver.Record) (string, error) {
	if err := s.answer(ctx); err != nil {
		return "", err
	}
	return s.Store.Put(ctx, r)
}

// sends counts what was sent, by key.
type sends struct {
	mu  sync.Mutex
	all map[string]int
}

func (s *sends) add(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[string]int{}
	}
	s.all[key]++
}

func (s *sends) of(key string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[key]
}

func (s *sends) sum() (keys, twice int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.all {
		if n > 1 {
			twice++
		}
	}
	return len(s.all), twice
}

// TestLedgerAway: a ledger that is away for many times as long as a task would
// last by its attempts; nothing is sent, nothing is dead-lettered, and all is
// sent once when it is back. Of tasks that do not need it all run meanwhile.
func TestLedgerAway(t *testing.T) {
	for name, away := range map[string]func(*awayStore) *atomic.Bool{
		"refuses": func(s *awayStore) *atomic.Bool { return &s.refuses },
		"silent":  func(s *awayStore) *atomic.Bool { return &s.silent },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &awayStore{Store: memrecords.New()}
				l, err := ledger.New(records.New(store), nil)
				if err != nil {
					t.Fatal(err)
				}
				const tasks = 10
				var sent, others sends
				send := Define("send", func(ctx context.Context, to []string) error {
					var errs []error
					for _, to := range to {
						errs = append(errs, Once(ctx, "greet/"+to, func(context.Context) error { sent.add(to); return nil }))
					}
					return Collect(errs...)
				})
				other := Define("other", func(context.Context, int) error { others.add("other"); return nil })
				r := newRig(t, 3, nil)
				away(store).Store(true)
				var log bytes.Buffer
				stop := r.work(WorkerOptions{Tasks: []Definition{send, other}, Ledger: l, Concurrency: 4,
					Log: slog.New(slog.NewTextHandler(&log, nil))})
				for i := range tasks {
					must[string](t)(send.Enqueue(t.Context(), r.c, []string{fmt.Sprint("ann", i), fmt.Sprint("bob", i)}))
				}
				const outage, step = 40 * time.Minute, 4 * time.Minute
				for n := 1; n <= int(outage/step); n++ {
					must[string](t)(other.Enqueue(t.Context(), r.c, 1))
					time.Sleep(step)
					if ran := others.of("other"); ran != n {
						t.Fatalf("%d of %d tasks ran that need no ledger", ran, n)
					}
				}
				if keys, _ := sent.sum(); keys > 0 {
					t.Errorf("%d were sent without a ledger", keys)
				}
				if n := len(r.letters()); n > 0 {
					t.Errorf("%d dead letters", n)
				}
				asked := store.asked.Load()
				if most := int64(outage/askMost)*claimRequests + 100; asked > most {
					t.Errorf("the ledger was asked %d times in %v, more than %d", asked, outage, most)
				}
				away(store).Store(false)
				back := time.Now()
				for r.left("default") != "0 0 0" && time.Since(back) < time.Hour {
					time.Sleep(time.Second)
				}
				if took := time.Since(back); took > awayMost+time.Minute {
					t.Errorf("all was sent %v after the ledger was back", took)
				}
				r.stop(stop)
				if keys, twice := sent.sum(); keys != 2*tasks || twice > 0 {
					t.Errorf("%d of %d were sent, %d twice", keys, 2*tasks, twice)
				}
				if n := len(r.letters()); n > 0 {
					t.Errorf("%d dead letters in the end", n)
				}
				told := strings.Count(log.String(), `msg="the ledger cannot be reached`)
				if most := int(outage/awayTold) + 1; told < 10 || told > most || strings.Count(log.String(), "the ledger answers again") != 1 {
					t.Errorf("the log speaks of it %d times, at most %d are wanted:\n%.2000s", told, most, log.String())
				}
				if n := strings.Count(log.String(), "task postponed"); n > 0 {
					t.Errorf("the log has %d lines of tasks that wait", n)
				}
			})
		})
	}
}

// claimRequests is the most that one run asks of a store that fails.
const claimRequests = 3

// TestLedgerAwayFIFO: the same on a queue that keeps the order.
func TestLedgerAwayFIFO(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &awayStore{Store: memrecords.New()}
		l, err := ledger.New(records.New(store), nil)
		if err != nil {
			t.Fatal(err)
		}
		r := newRig(t, 3, nil)
		for _, err := range []error{
			r.s.CreateQueue(t.Context(), "dead.fifo", queue.Attributes{FIFO: true}, nil),
			r.s.CreateQueue(t.Context(), "q.fifo", queue.Attributes{FIFO: true, DeadLetter: &queue.DeadLetter{Queue: "dead.fifo", MaxReceives: 3}}, nil),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		r.q = r.s.Queue("q.fifo")
		r.c = NewClient(r.q, nil)
		var sent sends
		send := Define("send", func(ctx context.Context, to string) error {
			return Once(ctx, "greet/"+to, func(context.Context) error { sent.add(to); return nil })
		})
		for _, to := range []string{"ann", "bob", "cleo"} {
			must[string](t)(send.Enqueue(t.Context(), r.c, to, Group("g")))
		}
		store.refuses.Store(true)
		stop := r.work(WorkerOptions{Tasks: []Definition{send}, Ledger: l})
		time.Sleep(7 * time.Hour)
		store.refuses.Store(false)
		back := time.Now()
		for r.left("q.fifo") != "0 0 0" && time.Since(back) < time.Hour {
			time.Sleep(time.Second)
		}
		r.stop(stop)
		if keys, twice := sent.sum(); keys != 3 || twice > 0 {
			t.Errorf("%d of 3 were sent, %d twice", keys, twice)
		}
		if left := r.left("dead.fifo"); left != "0 0 0" {
			t.Errorf("dead letters: %s", left)
		}
	})
}

// TestLedgerAwayCounts: what costs attempts all the same: a run that was out of
// time before the ledger could answer, a record that cannot be read, and a task
// with an effect that fails beside one that waits.
func TestLedgerAwayCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &awayStore{Store: memrecords.New()}
		l, err := ledger.New(records.New(store), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := records.New(store.Store).Put(t.Context(), records.Record{Key: "once/strange", Value: []byte(`{"v":9}`)}); err != nil {
			t.Fatal(err)
		}
		nothing := func(context.Context) error { t.Error("an effect began"); return nil }
		late := Define("late", func(ctx context.Context, _ int) error {
			<-ctx.Done()
			return Once(ctx, "late", nothing)
		}, Timeout(time.Minute))
		strange := Define("strange", func(ctx context.Context, _ int) error { return Once(ctx, "strange", nothing) })
		fails := Define("fails", func(ctx context.Context, _ int) error {
			store.refuses.Store(true)
			return Collect(Once(ctx, "fails", nothing), errors.New("no such thing"))
		})
		r := newRig(t, 2, nil)
		stop := r.work(WorkerOptions{Tasks: []Definition{late, strange, fails}, Ledger: l})
		for _, d := range []*Task[int]{late, strange} {
			must[string](t)(d.Enqueue(t.Context(), r.c, 1))
		}
		time.Sleep(10 * time.Minute)
		must[string](t)(fails.Enqueue(t.Context(), r.c, 1))
		time.Sleep(10 * time.Minute)
		r.stop(stop)
		why := map[string]string{}
		for _, m := range r.letters() {
			why[m.Attributes[AttributeTask].String] = m.Attributes[AttributeAttempts].String + " " + m.Attributes[AttributeError].String
		}
		for name, want := range map[string]string{"late": "2 task: timeout", "strange": "2 ledger: record of", "fails": "2 no such thing"} {
			if !strings.HasPrefix(why[name], want) {
				t.Errorf("%s: dead letter %q, want %q…", name, why[name], want)
			}
		}
	})
}

// TestHeldCostsNoAttempt: a key that another worker has for hours.
func TestHeldCostsNoAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, release := newLedger(t), make(chan struct{})
		var sent sends
		send := Define("send", func(ctx context.Context, _ string) error {
			return Once(ctx, "greet", func(context.Context) error { sent.add("greet"); <-release; return nil }, Payload(nil))
		})
		r := newRig(t, 2, nil)
		stop := r.work(WorkerOptions{Tasks: []Definition{send}, Ledger: l, Concurrency: 8})
		for range 4 {
			must[string](t)(send.Enqueue(t.Context(), r.c, "x"))
		}
		time.Sleep(3 * time.Hour)
		close(release)
		time.Sleep(5 * time.Minute)
		r.stop(stop)
		if keys, twice := sent.sum(); keys != 1 || twice != 0 || r.left("default") != "0 0 0" || len(r.letters()) != 0 {
			t.Errorf("%d sent, %d twice, left %s; %v", keys, twice, r.left("default"), r.results())
		}
	})
}
