package purgelog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/edge/respcache"
	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/memrecords"
)

// purges notes what was purged.
type purges struct {
	mu   sync.Mutex
	list []string
}

func (p *purges) Purge(x respcache.Purge) (int, error) {
	if err := x.Check(); err != nil {
		return 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	what := strings.Join(append(append(x.Keys, x.Paths...), x.Prefixes...), "+")
	if x.All {
		what = "all"
	}
	p.list = append(p.list, what)
	return 1, nil
}

// taken returns what was purged since it was asked last.
func (p *purges) taken() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := strings.Join(p.list, " ")
	p.list = nil
	return all
}

func follow(t *testing.T, o Options) (*Follower, *purges) {
	t.Helper()
	p := &purges{}
	o.Cache = p
	f, err := Follow(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return f, p
}

func key(names ...string) respcache.Purge { return respcache.Purge{Keys: names} }

// TestReaches: a purge is carried out here at once and once, on the others within
// the time between two looks, and Await tells when.
func TestReaches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := records.New(memrecords.New())
		a, ofA := follow(t, Options{Records: store, Name: "a"})
		b, ofB := follow(t, Options{Records: store, Name: "b"})
		defer b.Close()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		for i := range 5 {
			what := fmt.Sprint("k", i)
			n, number, err := a.Purge(t.Context(), key(what))
			if n != 1 || err != nil || ofA.taken() != what {
				t.Fatalf("purged %d, %v", n, err)
			}
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			all, err := a.Await(ctx, number)
			cancel()
			if err != nil || len(all) != 2 || all[1].Name != "b" || all[1].Number != number {
				t.Fatalf("%+v, %v", all, err)
			}
			if d := time.Since(start); d > 1300*time.Millisecond {
				t.Errorf("reached after %v", d)
			}
			if got := ofB.taken(); got != what {
				t.Errorf("b purged %q", got)
			}
			time.Sleep(3 * time.Second)
			if got := ofA.taken() + ofB.taken(); got != "" {
				t.Errorf("%q was purged again", got)
			}
		}
		a.Close()
		if all, err := b.Machines(t.Context()); len(all) != 1 || err != nil {
			t.Errorf("after a has left: %v, %v", all, err)
		}
	})
}

// TestAway: who was away carries out what it missed; who was away for longer than
// the log goes back drops everything, once.
func TestAway(t *testing.T) {
	for _, c := range []struct {
		missed int
		want   string
	}{{0, "k0"}, {3, "k0 m0 m1 m2"}, {maxEntries - 1, "k0 m0 m1"}, {maxEntries + 1, "all"}} {
		synctest.Test(t, func(t *testing.T) {
			store := records.New(memrecords.New())
			file := filepath.Join(t.TempDir(), "purges")
			a, _ := follow(t, Options{Records: store, Name: "a"})
			defer a.Close()
			b, _ := follow(t, Options{Records: store, Name: "b", File: file})
			if _, _, err := a.Purge(t.Context(), key("k0")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			b.Close()
			_, err := store.Update(t.Context(), logKey, func(old *records.Record) (records.Record, error) {
				j, err := decode(old.Value)
				value := old.Value
				for i := range c.missed {
					j.Last++
					j.Entries = append(j.Entries, entry{Number: j.Last, Purge: key(fmt.Sprint("m", i))})
				}
				if c.missed > 0 && err == nil {
					e := j.Entries[len(j.Entries)-1]
					j.Last, j.Entries = j.Last-1, j.Entries[:len(j.Entries)-1]
					value, err = j.add(e)
				}
				return records.Record{Value: value}, err
			})
			if err != nil {
				t.Fatal(err)
			}
			b, ofB := follow(t, Options{Records: store, Name: "b", File: file})
			if got := ofB.taken(); !strings.HasPrefix(got, c.want) || c.want == "all" && got != "all" {
				t.Errorf("%d missed: purged %.40q, want %q", c.missed, got, c.want)
			}
			time.Sleep(3 * time.Second)
			if got := ofB.taken(); got != "" {
				t.Errorf("%d missed: %q was purged again", c.missed, got)
			}
			b.Close()
		})
	}
}

// A broken store answers nothing until it is mended.
type broken struct {
	*memrecords.Store
	mu  sync.Mutex
	out bool
}

var errOut = errors.New("the store is out")

func (b *broken) set(out bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.out = out
}

func (b *broken) Get(ctx context.Context, key string) (records.Record, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.out {
		return records.Record{}, errOut
	}
	return b.Store.Get(ctx, key)
}

// TestStoreOut: a purge that the others cannot be told of is an error, and done
// here; who could not follow catches up, and who never could drops everything.
func TestStoreOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &broken{Store: memrecords.New()}
		store := records.New(d)
		a, ofA := follow(t, Options{Records: store, Name: "a"})
		defer a.Close()
		other, _ := follow(t, Options{Records: records.New(d.Store), Name: "other"})
		defer other.Close()
		if _, _, err := other.Purge(t.Context(), key("k0")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		ofA.taken()
		d.set(true)
		late, ofLate := follow(t, Options{Records: store, Name: "late"})
		defer late.Close()
		var untold *UntoldError
		if n, number, err := a.Purge(t.Context(), key("mine")); n != 1 || number != 0 || !errors.As(err, &untold) || !errors.Is(err, errOut) {
			t.Errorf("purged %d as %d: %v", n, number, err)
		}
		if got := ofA.taken(); got != "mine" {
			t.Errorf("purged %q here", got)
		}
		if _, _, err := other.Purge(t.Context(), key("k1")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if got := ofA.taken() + ofLate.taken(); got != "" {
			t.Errorf("%q was purged without a log", got)
		}
		d.set(false)
		time.Sleep(2 * time.Second)
		if a, l := ofA.taken(), ofLate.taken(); a != "k1" || l != "all" {
			t.Errorf("caught up with %q and %q", a, l)
		}
	})
}

// TestLogReplaced: a log that is gone, damaged or another has everybody drop
// everything, once each time.
func TestLogReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := records.New(memrecords.New())
		a, ofA := follow(t, Options{Records: store, Name: "a"})
		defer a.Close()
		b, _ := follow(t, Options{Records: store, Name: "b"})
		defer b.Close()
		step := func(want string, do func() error) {
			t.Helper()
			if err := do(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(3 * time.Second)
			if got := ofA.taken(); got != want {
				t.Errorf("purged %q, want %q", got, want)
			}
		}
		purge := func() error { _, _, err := b.Purge(t.Context(), key("k")); return err }
		put := func(value string) func() error {
			return func() error {
				_, err := store.Update(t.Context(), logKey, func(*records.Record) (records.Record, error) { return records.Record{Value: []byte(value)}, nil })
				return err
			}
		}
		remove := func() error {
			r, err := store.Get(t.Context(), logKey)
			if err != nil {
				return err
			}
			return store.Delete(t.Context(), logKey, r.Version)
		}
		step("k", purge) // the first there ever was
		step("k", purge)
		step("all", remove)
		step("k", purge)
		step("all", put(`{"last":`))
		step("all", purge) // it begins anew
		step("all", put(`{"last": 3, "begin": 1, "purges": [{"number": 2, "purge": {"all": true}}, {"number": 3, "purge": {"keys": ["a"]}}]}`))
		step("all", func() error { return errors.Join(remove(), purge()) })
	})
}

// TestBounds: the log stays within its bounds, and what does not fit is a purge of
// everything.
func TestBounds(t *testing.T) {
	var r *records.Record
	e := entry{At: time.Now(), Edge: "a", Purge: bounded(key(strings.Repeat("k", maxPurge-200)))}
	if e.Purge.All {
		t.Fatal("it would have fitted")
	}
	for range 20 {
		n, number, err := next(r, e)
		if err != nil || len(n.Value) > maxBytes {
			t.Fatalf("%d bytes, %v", len(n.Value), err)
		}
		j, err := decode(n.Value)
		if err != nil || len(j.Entries) == 0 || j.Last != number {
			t.Fatal(err)
		}
		r = &n
	}
	big := respcache.Purge{Keys: []string{strings.Repeat("k", maxPurge)}, Host: "a.example", Soft: true}
	if d := cmp.Diff(respcache.Purge{All: true, Host: "a.example", Soft: true}, bounded(big)); d != "" {
		t.Error(d)
	}
}

func TestState(t *testing.T) {
	name := filepath.Join(t.TempDir(), "purges")
	for text, want := range map[string]uint64{"12\n": 12, "": 0, "x": 0, "-1": 0, strings.Repeat("1", 65): 0} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if n, ok := readState(name); n != want || ok != (want > 0) {
			t.Errorf("%q: %d, %t", text, n, ok)
		}
	}
}

// FuzzLog: no log makes a machine miss what it should carry out: it has the
// numbers after what was seen without a gap, or is refused.
func FuzzLog(f *testing.F) {
	f.Add([]byte(`{"last": 3, "begin": 1, "purges": [{"number": 2, "purge": {"all": true}}, {"number": 3, "purge": {"keys": ["a"]}}]}`), uint64(1))
	f.Add([]byte(`{"last": 0}`), uint64(0))
	f.Add([]byte(`{"last": 18446744073709551615, "purges": [{"number": 18446744073709551615, "purge": {"all": true}}]}`), uint64(5))
	f.Fuzz(func(t *testing.T, value []byte, seen uint64) {
		j, err := decode(value)
		if err != nil {
			return
		}
		list, ok := j.after(seen)
		if !ok {
			return
		}
		if seen == 0 {
			seen = j.Begin
		}
		for i, e := range list {
			if e.Number != seen+uint64(i)+1 {
				t.Fatalf("number %d at %d after %d", e.Number, i, seen)
			}
		}
		if seen+uint64(len(list)) != j.Last {
			t.Fatalf("%d after %d, and the last is %d", len(list), seen, j.Last)
		}
	})
}
