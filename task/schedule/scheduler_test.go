package schedule

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"gocloud.dev/blob/memblob"
)

// fired collects what schedulers enqueue.
type fired struct {
	mu    sync.Mutex
	times map[string]int // by id
	ticks []string       // in order
}

func (f *fired) enqueue(_ context.Context, x Firing) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.times == nil {
		f.times = map[string]int{}
	}
	f.times[x.ID]++
	f.ticks = append(f.ticks, stamp(x.Tick))
	return nil
}

func (f *fired) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.ticks
	f.ticks = nil
	return t
}

func (f *fired) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.times)
}

func memory(t *testing.T) Ticks {
	b := memblob.OpenBucket(nil)
	t.Cleanup(func() { b.Close() })
	return BucketTicks(b)
}

func folder(t *testing.T) Ticks {
	ticks, err := FolderTicks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return ticks
}

// start runs a scheduler until the returned function is called.
func start(t *testing.T, o Options) (s *Scheduler, stop func()) {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return s, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func secondly(name string) []Schedule {
	return []Schedule{{Name: name, Every: time.Second, Task: "tick", Queue: "default"}}
}

// TestOthersTicks: who does not fire a tick knows soon that it was fired.
func TestOthersTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, ticks := &fired{}, memory(t)
		var all []*Scheduler
		for range 3 {
			s, stop := start(t, Options{Schedules: secondly("s"), Ticks: ticks, Enqueue: f.enqueue})
			defer stop()
			all = append(all, s)
		}
		time.Sleep(10*time.Second + 500*time.Millisecond)
		late, stop := start(t, Options{Schedules: secondly("s"), Ticks: ticks, Enqueue: f.enqueue}) // as after a restart
		defer stop()
		time.Sleep(5 * time.Second)
		for i, s := range append(all, late) {
			if st := s.Status()[0]; time.Since(st.Last) > peek+time.Second || st.LastID != "s@"+stamp(st.Last) {
				t.Errorf("scheduler %d knows of %s, %v ago", i, st.LastID, time.Since(st.Last))
			}
		}
		if n := f.count(); n != 15 {
			t.Errorf("%d ticks were fired", n)
		}
	})
}

// TestOnceATick: any number of schedulers, one firing a tick.
func TestOnceATick(t *testing.T) {
	for _, c := range []struct {
		store string
		open  func(*testing.T) Ticks
		ticks int
	}{{"bucket", memory, 1000}, {"folder", folder, 150}} {
		t.Run(c.store, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, ticks := &fired{}, c.open(t)
				var stops []func()
				for range 5 {
					_, stop := start(t, Options{Schedules: secondly("s"), Ticks: ticks, Enqueue: f.enqueue})
					stops = append(stops, stop)
				}
				begin := time.Now()
				time.Sleep(time.Duration(c.ticks)*time.Second + 500*time.Millisecond)
				for _, stop := range stops {
					stop()
				}
				want := map[string]int{}
				for i := 1; i <= c.ticks; i++ {
					want["s@"+stamp(begin.Truncate(time.Second).Add(time.Duration(i)*time.Second))] = 1
				}
				if d := cmp.Diff(want, f.times); d != "" {
					t.Error(d)
				}
				keys, err := ticks.List(context.Background(), "schedule/", "", maxListed)
				if c.store == "bucket" && (err != nil || len(keys) > 2*(500+5*sweepEvery)) {
					t.Errorf("%d records are left: %v", len(keys), err)
				}
			})
		})
	}
}

// TestTakeover: a process that dies at any point of a firing loses no tick.
func TestTakeover(t *testing.T) {
	for _, c := range []struct {
		what  string
		die   func(*entry, *claim) // what the process did before it died
		times int
	}{
		{"before the claim", func(*entry, *claim) {}, 1},
		{"between claim and enqueue", func(e *entry, c *claim) {
			if won, err := e.claim(context.Background(), c); !won || err != nil {
				panic(fmt.Sprint(won, err))
			}
		}, 1},
		{"between enqueue and mark", func(e *entry, c *claim) {
			e.claim(context.Background(), c)
			e.o.Enqueue(context.Background(), e.firing(c.tick))
		}, 2}, // the same id twice
		{"after the mark", func(e *entry, c *claim) {
			e.step(context.Background(), c)
		}, 1},
	} {
		for _, when := range []string{"other runs already", "other starts later"} {
			t.Run(c.what+", "+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f, ticks := &fired{}, memory(t)
					o := Options{Schedules: secondly("s"), Ticks: ticks, Enqueue: f.enqueue}
					o.Schedules[0].Every = time.Hour
					o.Schedules[0].Cron = ""
					dying, err := New(o)
					if err != nil {
						t.Fatal(err)
					}
					e := dying.entries[0]
					if err := e.recover(t.Context()); err != nil {
						t.Fatal(err)
					}
					tick := e.times.Next(time.Now())
					stop := func() {}
					// The dying process is a moment ahead of the other.
					time.Sleep(time.Until(tick) - time.Nanosecond)
					if when == "other runs already" {
						_, stop = start(t, o)
						synctest.Wait()
					}
					c.die(e, &claim{tick: tick})
					if when == "other starts later" {
						time.Sleep(10 * time.Minute)
						_, stop = start(t, o)
					}
					time.Sleep(35 * time.Second)
					stop()
					if d := cmp.Diff(map[string]int{"s@" + stamp(tick): c.times}, f.times); d != "" {
						t.Error(d)
					}
				})
			})
		}
	}
}

// flaky fails the operations its plan names, before or after doing them.
type flaky struct {
	Ticks
	n    atomic.Int64
	fail func(n int64) (before, after bool)
}

var errFlaky = errors.New("injected")

func (f *flaky) Create(ctx context.Context, key string, body []byte) (bool, error) {
	before, after := f.fail(f.n.Add(1))
	if before {
		return false, errFlaky
	}
	created, err := f.Ticks.Create(ctx, key, body)
	if after {
		return false, errFlaky
	}
	return created, err
}

func (f *flaky) Read(ctx context.Context, key string) ([]byte, error) {
	if before, after := f.fail(f.n.Add(1)); before || after {
		return nil, errFlaky
	}
	return f.Ticks.Read(ctx, key)
}

func (f *flaky) List(ctx context.Context, prefix, from string, max int) ([]string, error) {
	if before, after := f.fail(f.n.Add(1)); before || after {
		return nil, errFlaky
	}
	return f.Ticks.List(ctx, prefix, from, max)
}

// TestFaults fails each operation on the store in turn, before and after it
// took effect, and the enqueue as well: every tick is fired, and one that is
// fired twice has one id.
func TestFaults(t *testing.T) {
	for op := int64(1); op <= 14; op++ {
		for _, after := range []bool{false, true} {
			for _, schedulers := range []int{1, 2} {
				t.Run(fmt.Sprintf("%d after=%v of %d", op, after, schedulers), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						f := &fired{}
						ticks := &flaky{Ticks: memory(t), fail: func(n int64) (bool, bool) { return n == op && !after, n == op && after }}
						var stops []func()
						for range schedulers {
							_, stop := start(t, Options{Schedules: secondly("s"), Ticks: ticks, Enqueue: f.enqueue})
							stops = append(stops, stop)
						}
						time.Sleep(4500 * time.Millisecond)
						n := f.count() // all but the tick concerned, which waits for the lease
						time.Sleep(40 * time.Second)
						for _, stop := range stops {
							stop()
						}
						if n < 2 || len(f.times) < 43 {
							t.Errorf("%d ticks fired in 4.5 s, %d in 44.5 s", n, len(f.times))
						}
						twice := 0
						for _, times := range f.times {
							twice += times - 1
						}
						if twice > 1 {
							t.Errorf("%d fired twice by one fault", twice)
						}
					})
				})
			}
		}
	}
}

// TestQueueAway: a queue that cannot be reached delays ticks and loses none.
func TestQueueAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fired{}
		var away atomic.Bool
		away.Store(true)
		s, stop := start(t, Options{Schedules: secondly("s"), Ticks: memory(t), Enqueue: func(ctx context.Context, x Firing) error {
			if away.Load() {
				return errFlaky
			}
			return f.enqueue(ctx, x)
		}})
		time.Sleep(20*time.Second + 500*time.Millisecond)
		if st := s.Status()[0]; !errors.Is(st.Err, errFlaky) || !st.Last.IsZero() {
			t.Errorf("status while away: %+v", st)
		}
		away.Store(false)
		time.Sleep(time.Minute)
		stop()
		if len(f.times) != 80 {
			t.Errorf("%d ticks fired, not 80", len(f.times))
		}
		for id, n := range f.times {
			if n != 1 {
				t.Errorf("%s fired %d times", id, n)
			}
		}
		st := s.Status()[0]
		if st.Err != nil || !st.Next.After(st.Last) || st.LastID != "s@"+stamp(st.Last) {
			t.Errorf("status after: %+v", st)
		}
	})
}

// TestMissed: what is fired after a time without any process. Bubbles begin at
// midnight UTC of 1 January 2000.
func TestMissed(t *testing.T) {
	for _, c := range []struct {
		policy Missed
		window time.Duration
		away   time.Duration
		want   string
	}{
		{MissedLatest, 0, 150 * time.Minute, "03"}, // at 01:05 it went away
		{"", 0, 150 * time.Minute, "03"},
		{MissedAll, 0, 150 * time.Minute, "02 03"},
		{MissedNone, 0, 150 * time.Minute, ""},
		{MissedNone, 0, 115 * time.Minute, "03"}, // at 03:00 sharp, on time
		{MissedLatest, 10 * time.Minute, 150 * time.Minute, ""},
		{MissedAll, time.Hour, 150 * time.Minute, "03"},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fired{}
				o := Options{Schedules: []Schedule{{Name: "h", Cron: "@hourly", Task: "tick"}}, Ticks: memory(t), Enqueue: f.enqueue, Missed: c.policy, Window: c.window}
				_, stop := start(t, o)
				time.Sleep(65 * time.Minute)
				stop()
				if got := f.take(); len(got) != 1 {
					t.Fatalf("fired %v in the first hour", got)
				}
				time.Sleep(c.away)
				_, stop = start(t, o)
				time.Sleep(5 * time.Minute)
				stop()
				var got []string
				for _, tick := range f.take() {
					got = append(got, tick[11:13])
				}
				if d := cmp.Diff(c.want, strings.Join(got, " ")); d != "" {
					t.Error(d)
				}
			})
		})
	}
}

// TestNewTimes: a schedule has missed nothing before it had its times.
func TestNewTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fired{}
		o := Options{Schedules: []Schedule{{Name: "d", Cron: "30 4 * * *", Task: "tick"}}, Ticks: memory(t), Enqueue: f.enqueue}
		time.Sleep(10 * time.Hour)
		for _, cron := range []string{"30 4 * * *", "30 5 * * *", "30 4 * * *"} { // at 10:00, 11:00, 12:00
			o.Schedules[0].Cron = cron
			_, stop := start(t, o)
			time.Sleep(time.Hour)
			stop()
		}
		if got := f.take(); got != nil {
			t.Errorf("fired %v", got)
		}
		time.Sleep(16 * time.Hour) // to 05:00 the next day
		_, stop := start(t, o)
		time.Sleep(time.Minute)
		stop()
		if d := cmp.Diff([]string{"2000-01-02T04:30:00Z"}, f.take()); d != "" {
			t.Error(d)
		}
	})
}

// TestClockSet turns the wall clock of one process, which has no other clock
// to compare it with.
func TestClockSet(t *testing.T) {
	for _, c := range []struct {
		what string
		set  time.Duration
		want []string // minutes fired in the ten minutes after
	}{
		{"forward an hour", time.Hour, // the latest of those passed over, then on
			[]string{"01:10", "01:11", "01:12", "01:13", "01:14", "01:15", "01:16", "01:17", "01:18", "01:19", "01:20"}},
		{"back five minutes", -5 * time.Minute, // 00:06 to 00:10 were fired
			[]string{"00:11", "00:12", "00:13", "00:14", "00:15"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fired{}
				var offset atomic.Int64
				now := func() time.Time { return time.Now().Add(time.Duration(offset.Load())).Round(0) }
				_, stop := start(t, Options{
					Schedules: []Schedule{{Name: "m", Every: time.Minute, Task: "tick"}},
					Ticks:     memory(t), Enqueue: f.enqueue, now: now,
				})
				time.Sleep(10*time.Minute + 20*time.Second)
				if got := f.take(); len(got) != 10 {
					t.Fatalf("%v", got)
				}
				offset.Store(int64(c.set))
				time.Sleep(10 * time.Minute)
				stop()
				var got []string
				for _, tick := range f.take() {
					got = append(got, tick[11:16])
				}
				if d := cmp.Diff(c.want, got); d != "" {
					t.Error(d)
				}
			})
		})
	}
}

// TestSwept: ticks that are no longer on record are not taken for missed.
func TestSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fired{}
		o := Options{Schedules: []Schedule{{Name: "m", Every: time.Minute, Task: "tick"}}, Ticks: memory(t), Enqueue: f.enqueue, Missed: MissedAll, Keep: 10}
		_, stop := start(t, o)
		time.Sleep(100*time.Minute + time.Second) // two sweeps, the last just now
		stop()
		keys, err := o.Ticks.List(t.Context(), "schedule/m/2", "", maxListed)
		if len(keys) != 2*o.Keep || err != nil {
			t.Errorf("%d records are left, %v", len(keys), err)
		}
		if got := f.take(); len(got) != 100 {
			t.Errorf("%d fired", len(got))
		}
		_, stop = start(t, o)
		time.Sleep(time.Minute)
		stop()
		if got := f.take(); len(got) != 1 {
			t.Errorf("fired %v", got)
		}
	})
}

func TestRunNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []Firing
		s, err := New(Options{
			Schedules: []Schedule{{Name: "d", Cron: "@daily", Task: "digest", Queue: "q", Args: []byte(`{"a":1}`)}},
			Ticks:     memory(t),
			Enqueue:   func(_ context.Context, x Firing) error { got = append(got, x); return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		id, err := s.RunNow(t.Context(), "d")
		if err != nil || !strings.HasPrefix(id, "d@by-hand-") {
			t.Fatalf("%q, %v", id, err)
		}
		want := []Firing{{ID: id, Schedule: "d", Task: "digest", Queue: "q", Args: []byte(`{"a":1}`)}}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		if _, err := s.RunNow(t.Context(), "e"); err == nil {
			t.Error("an unknown schedule ran")
		}
	})
}

func TestWrongOptions(t *testing.T) {
	good := func() Options {
		return Options{Schedules: secondly("s"), Ticks: memory(t), Enqueue: (&fired{}).enqueue}
	}
	for what, change := range map[string]func(*Options){
		"Ticks":   func(o *Options) { o.Ticks = nil },
		"Enqueue": func(o *Options) { o.Enqueue = nil },
		"Lease":   func(o *Options) { o.Lease = time.Millisecond },
		"Missed":  func(o *Options) { o.Missed = "some" },
		"Window":  func(o *Options) { o.Window = -1 },
		"Keep":    func(o *Options) { o.Keep = 1 },
		"two":     func(o *Options) { o.Schedules = append(o.Schedules, o.Schedules...) },
	} {
		o := good()
		change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := New(good()); err != nil {
		t.Error(err)
	}
}
