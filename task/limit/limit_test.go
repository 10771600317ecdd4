package limit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/driver"
	"github.com/dayfly-dev/dayfly/records/memrecords"
)

// network is between a worker and the store: it takes time, loses answers, and
// can be cut.
type network struct {
	driver.Store
	random *rand.Rand
	delay  time.Duration // at most, of each way
	loss   int           // one answer of so many; 0: none
	blind  bool          // a store that writes without comparing: a control

	mu     sync.Mutex
	cut    bool
	writes int
}

var errCut = errors.New("no route to the store")

func (n *network) way() (lost bool, err error) {
	n.mu.Lock()
	d := time.Duration(n.random.Int64N(int64(n.delay) + 1))
	lost = n.loss > 0 && n.random.IntN(n.loss) == 0
	cut := n.cut
	n.mu.Unlock()
	time.Sleep(d) // of the bubble
	if cut {
		return false, errCut
	}
	return lost, nil
}

func (n *network) Get(ctx context.Context, key string) (driver.Record, error) {
	if lost, err := n.way(); lost || err != nil {
		return driver.Record{}, errCut
	}
	return n.Store.Get(ctx, key)
}

func (n *network) Put(ctx context.Context, r driver.Record) (string, error) {
	lost, err := n.way()
	if err != nil {
		return "", err
	}
	if n.blind {
		now, _ := n.Store.Get(ctx, r.Key)
		r.Version = now.Version
	}
	v, err := n.Store.Put(ctx, r)
	n.mu.Lock()
	n.writes++
	n.mu.Unlock()
	if lost || err != nil && !errors.Is(err, driver.ErrConflict) {
		return "", errCut
	}
	return v, err
}

func (n *network) set(cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut = cut
}

// site is some workers under one limit, with tasks that all want to begin.
type site struct {
	t     *testing.T
	terms Terms
	mu    sync.Mutex
	now   int
	most  int
	begun []time.Time
	asked int
	done  int
}

// task asks until it may begin, and then takes as long as it takes.
func (s *site) task(ctx context.Context, b *Book, takes time.Duration) {
	for {
		place, err := b.Take(ctx, "l", s.terms)
		s.mu.Lock()
		s.asked++
		s.mu.Unlock()
		busy, ok := errors.AsType[*BusyError](err)
		switch {
		case ok:
			if busy.Pause < time.Millisecond || busy.Pause > MaxPause {
				s.t.Errorf("sent away for %v", busy.Pause)
			}
			time.Sleep(busy.Pause) // of the bubble
			continue
		case err != nil:
			return
		}
		s.mu.Lock()
		s.begun = append(s.begun, time.Now())
		s.now++
		s.most = max(s.most, s.now)
		s.mu.Unlock()
		time.Sleep(takes) // of the bubble
		s.mu.Lock()
		s.now--
		s.done++
		s.mu.Unlock()
		place.Release()
		return
	}
}

// run has so many workers do so many tasks each, and returns how long it took.
func (s *site) run(stores []driver.Store, tasks int, takes func() time.Duration) time.Duration {
	begun := time.Now()
	var all sync.WaitGroup
	for _, d := range stores {
		b := NewBook(nil)
		if d != nil {
			b = NewBook(records.New(d))
		}
		var work sync.WaitGroup
		for range tasks {
			takes := takes()
			work.Go(func() { s.task(s.t.Context(), b, takes) })
		}
		all.Go(func() {
			work.Wait()
			b.Close()
		})
	}
	all.Wait()
	return time.Since(begun)
}

// tooMany looks for a span of time in which more began than the rate allows,
// give or take the time that an answer of the store takes.
func (s *site) tooMany(slack time.Duration) error {
	every := s.terms.interval()
	slices.SortFunc(s.begun, time.Time.Compare)
	for i := range s.begun {
		for j := i + s.terms.Burst; j < len(s.begun); j++ {
			span := s.begun[j].Sub(s.begun[i])
			if n := j - i + 1; n > s.terms.Burst+int((span+slack)/every) {
				return fmt.Errorf("%d began within %v", n, span)
			}
		}
	}
	return nil
}

func stores(n int, seed uint64, change func(*network)) []driver.Store {
	shared := memrecords.New()
	all := make([]driver.Store, n)
	for i := range all {
		w := &network{Store: shared, random: rand.New(rand.NewPCG(seed, uint64(i))), delay: 10 * time.Millisecond}
		if change != nil {
			change(w)
		}
		all[i] = w
	}
	return all
}

func between(seed uint64, from, to time.Duration) func() time.Duration {
	r := rand.New(rand.NewPCG(seed, 99))
	return func() time.Duration { return from + time.Duration(r.Int64N(int64(to-from))) }
}

// TestConcurrency: several workers, a slow store that loses answers: never more
// at once than allowed, nobody waits for ever, and the places are used.
func TestConcurrency(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for _, n := range []int{1, 3, 20} {
		for name, some := range map[string][]driver.Store{
			"in this process": {nil},
			"five workers":    stores(5, seed, nil),
			"answers lost":    stores(3, seed, func(w *network) { w.loss = 20 }),
		} {
			synctest.Test(t, func(t *testing.T) {
				s := &site{t: t, terms: Terms{Concurrency: n}}
				took := s.run(some, 40, between(seed, 50*time.Millisecond, 500*time.Millisecond))
				if s.most > n || s.done != 40*len(some) {
					t.Errorf("%s, %d at once: %d ran at once, %d done", name, n, s.most, s.done)
				}
				best := 275 * time.Millisecond * time.Duration(s.done) / time.Duration(n)
				t.Logf("%s, %d at once: %d tasks in %v (with all places always used %v), %d times asked", name, n, s.done, took, best, s.asked)
				if name == "in this process" && took > 2*best+5*time.Second {
					t.Errorf("%d at once: places were not used: %v", n, took)
				}
			})
		}
	}
}

// TestRate: in no span of time more than the rate and the burst allow, and about
// as many as it allows.
func TestRate(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for _, terms := range []Terms{{Rate: 10, Per: time.Second, Burst: 1}, {Rate: 100, Per: time.Minute, Burst: 20}, {Rate: 50, Per: time.Second, Burst: 10, Concurrency: 30}} {
		for name, some := range map[string][]driver.Store{
			"in this process": {nil},
			"four workers":    stores(4, seed, nil),
			"answers lost":    stores(2, seed, func(w *network) { w.loss = 20 }),
		} {
			synctest.Test(t, func(t *testing.T) {
				s := &site{t: t, terms: terms}
				took := s.run(some, 200, between(seed, time.Millisecond, 200*time.Millisecond))
				slack := 25 * time.Millisecond // of a read and a write
				if err := s.tooMany(slack); err != nil {
					t.Errorf("%+v, %s: %v", terms, name, err)
				}
				best := terms.interval() * time.Duration(s.done-terms.Burst)
				t.Logf("%+v, %s: %d tasks in %v (at the rate %v), %d times asked", terms, name, s.done, took, best, s.asked)
				most := best + best/4 + 10*time.Second
				if name == "answers lost" { // and permits with them
					most *= 2
				}
				if s.done != 200*len(some) || took > most {
					t.Errorf("%+v, %s: %d done in %v; at the rate it is %v", terms, name, s.done, took, best)
				}
			})
		}
	}
}

// TestBlindStore is a control: a store that writes without comparing lets more
// in than allowed, in one of twenty runs at least, and the test sees that.
func TestBlindStore(t *testing.T) {
	most := 0
	for seed := uint64(1); seed <= 20 && most <= 1; seed++ {
		synctest.Test(t, func(t *testing.T) {
			s := &site{t: t, terms: Terms{Concurrency: 1}}
			s.run(stores(5, seed, func(w *network) { w.blind = true }), 10, between(seed, 50*time.Millisecond, 500*time.Millisecond))
			most = s.most
		})
	}
	if most <= 1 {
		t.Error("it did not")
	}
}

// TestDeadWorker: the places of a worker that died come back when their lease is
// over, and not before; those of one that lives do not.
func TestDeadWorker(t *testing.T) {
	for _, dies := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			some := stores(2, 1, nil)
			first, second := NewBook(records.New(some[0])), NewBook(records.New(some[1]))
			terms := Terms{Concurrency: 1}
			place, err := first.Take(t.Context(), "l", terms)
			if err != nil {
				t.Fatal(err)
			}
			some[0].(*network).set(dies)
			begun := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 2*Lease)
			s := &site{t: t, terms: terms}
			s.task(ctx, second, time.Second)
			cancel()
			if after := time.Since(begun); (s.done == 1) != dies || dies && (after < Lease || after > Lease+10*time.Second) {
				t.Errorf("dead %v: another had the place after %v: %v", dies, after, s.done == 1)
			}
			some[0].(*network).set(false)
			place.Release()
			first.Close()
			second.Close()
		})
	}
}

// TestStoreAway: nothing begins while the store cannot be asked, and whoever
// asks is told when to come again.
func TestStoreAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		some := stores(1, 1, func(w *network) { w.cut = true })
		b := NewBook(records.New(some[0]))
		_, err := b.Take(t.Context(), "l", Terms{Concurrency: 1})
		busy, ok := errors.AsType[*BusyError](err)
		if !ok || !errors.Is(err, errCut) || busy.Pause < minPause {
			t.Fatalf("%v", err)
		}
		some[0].(*network).set(false)
		time.Sleep(5 * time.Second) // of the bubble
		place, err := b.Take(t.Context(), "l", Terms{Concurrency: 1})
		if err != nil {
			t.Fatal(err)
		}
		place.Release()
		place.Release() // only the first counts
		b.Close()
		if len(b.pools) != 0 {
			t.Errorf("%d pools are left", len(b.pools))
		}
	})
}

// TestBacklog: how often the tasks of a large backlog ask, and how often the
// record is written.
func TestBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		some := stores(2, 1, nil)
		s := &site{t: t, terms: Terms{Rate: 1, Per: time.Second, Burst: 1}}
		const tasks = 2500
		took := s.run(some, tasks, func() time.Duration { return time.Millisecond })
		writes := some[0].(*network).writes + some[1].(*network).writes
		perHour := float64(s.asked) / (2 * tasks) / (took.Hours() / 2) // a task waits half of it on average
		t.Logf("%d tasks at 1/s: %v, each asked %.1f times, %.1f an hour of waiting; %d writes", 2*tasks, took, float64(s.asked)/(2*tasks), perHour, writes)
		if perHour > 8 || took > 2*tasks*time.Second*5/4 || writes > s.asked {
			t.Error("that is too much")
		}
	})
}

func TestTermsBad(t *testing.T) {
	for want, terms := range map[string]Terms{
		"nothing is limited": {},
		"concurrency":        {Concurrency: MaxConcurrency + 1},
		"rate":               {Rate: -1},
		"per":                {Rate: 1, Burst: 1},
		"burst":              {Rate: 1, Per: time.Second},
		"more than a year":   {Rate: 1, Per: MaxPer, Burst: 1000},
	} {
		if err := terms.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, not %q", terms, err, want)
		}
	}
}

// TestClockAhead: a clock that was years ahead does not close the limit.
func TestClockAhead(t *testing.T) {
	now := time.Now()
	a := account{tat: now.AddDate(3, 0, 0)}
	terms := Terms{Rate: 1, Per: time.Second, Burst: 5}
	if g := a.settle(terms, ask{want: 1}, now); len(g.away) != 1 {
		t.Errorf("%+v", g)
	}
	if g := a.settle(terms, ask{want: 1}, now.Add(time.Minute)); len(g.at) != 1 {
		t.Errorf("a minute later: %+v", g)
	}
}

func TestAccountFormat(t *testing.T) {
	at := time.Unix(1_800_000_000, 500_000_000).UTC()
	a := account{tat: at, back: at.Add(time.Minute), each: 1500 * time.Microsecond, holders: map[string]holder{"X3OK": {2, at.Add(Lease)}},
		waiting: map[string]holder{"X3OK": {7, at.Add(noteFor)}}, terms: Terms{Concurrency: 2, Rate: 10, Per: time.Second, Burst: 1}}
	value, err := a.encode()
	const want = `{"v":1,"tat":"2027-01-15T08:00:00.5Z","back":"2027-01-15T08:01:00.5Z","each":1500,"holders":{"X3OK":{"n":2,"until":"2027-01-15T08:00:30.5Z"}},` +
		`"waiting":{"X3OK":{"n":7,"until":"2027-01-15T08:00:03.5Z"}},"terms":{"concurrency":2,"rate":10,"per":1000000,"burst":1}}`
	if err != nil || string(value) != want {
		t.Errorf("%s, %v", value, err)
	}
	got, err := decode(value)
	if err != nil || fmt.Sprint(got) != fmt.Sprint(a) {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{``, `{}`, `{"v":2}`, `{"v":1,"open":true}`, `{"v":1,"each":-1}`, `{"v":1} 1`, `{"v":1,"holders":{"x":{"n":0}}}`,
		`{"v":1,"waiting":{"x":{"n":-1}}}`, `{"v":1,"terms":{}}`, `{"v":1,"terms":{"rate":1,"burst":1,"per":-1}}`, strings.Repeat(" ", maxRecord+1)} {
		if a, err := decode([]byte(bad)); err == nil {
			t.Errorf("%.40q was taken: %+v", bad, a)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"v":1,"tat":"2027-01-15T08:00:00.5Z","holders":{"X3OK":{"n":2,"until":"2027-01-15T08:00:30.5Z"}}}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		a, err := decode(value)
		if err != nil {
			return
		}
		now := time.Now()
		terms := Terms{Rate: 10, Per: time.Second, Burst: 3, Concurrency: 4}
		if g := a.settle(terms, ask{worker: "w", want: 20}, now); len(g.at)+len(g.away) != 20 || len(g.at) > 4 {
			t.Fatalf("%q: %+v", value, g)
		}
		if _, err := a.encode(); err != nil {
			t.Fatalf("%q was read and cannot be written: %v", value, err)
		}
	})
}
