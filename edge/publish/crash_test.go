package publish

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/records/driver"
)

// dying is a store of records whose machine is killed at an operation: before it,
// or after it was done but before anybody heard. From then on nothing works there.
type dying struct {
	driver.Store
	left  int // operations
	after bool
	kill  context.CancelFunc // ends what the machine does elsewhere
	dead  bool
}

var errKilled = errors.New("killed")

func (d *dying) step(do func() error) error {
	if d.dead {
		return errKilled
	}
	if d.left--; d.left >= 0 {
		return do()
	}
	d.dead = true
	if d.after {
		_ = do() // nobody hears
	}
	d.kill()
	return errKilled
}

func (d *dying) Get(ctx context.Context, key string) (r driver.Record, err error) {
	err = d.step(func() error { r, err = d.Store.Get(ctx, key); return err })
	return r, err
}

func (d *dying) Put(ctx context.Context, r driver.Record) (version string, err error) {
	err = d.step(func() error { version, err = d.Store.Put(ctx, r); return err })
	return version, err
}

// TestKilled kills a machine at each operation of stage, live, drop and sweep in
// turn. What is live is the old release or the new one, both are whole, and the
// next machine does the same work to its end.
func TestKilled(t *testing.T) {
	one, two := map[string]string{"/": "one", "/a": "a"}, map[string]string{"/": "two", "/b": "b"}
	work := func(ctx context.Context, s *Store) error {
		r, err := s.Stage(ctx, Staging{Source: pages(two)})
		if err != nil {
			return err
		}
		seen, err := s.State(ctx)
		if err != nil {
			return err
		}
		if _, err := s.Live(ctx, seen, r.ID, "me", false); err != nil {
			return err
		}
		_, err = s.Sweep(ctx)
		return err
	}
	for _, after := range []bool{false, true} {
		for n := 0; ; n++ {
			o := newStores(t)
			s := o.open(t, 10)
			stage(t, s, one)
			live(t, s, "r1")
			ctx, cancel := context.WithCancel(t.Context())
			d := &dying{Store: o.records, left: n, after: after, kill: cancel}
			err := work(ctx, o.openOver(t, d, 10))
			cancel()
			if d.dead != (err != nil) {
				t.Fatalf("after=%t %d: killed: %t, and %v", after, n, d.dead, err)
			}
			whole := map[string]map[string]string{"r1": one, "r2": two}[state(t, s).Live]
			if diff := cmp.Diff(whole, read(t, s, state(t, s).Live)); diff != "" {
				t.Errorf("after=%t %d: %s", after, n, diff)
			}
			// The lease of a sweep that was killed ends by its time; here nobody waits for that.
			if _, err := s.update(t.Context(), func(st *State) error { st.Sweeping, st.Staging = nil, nil; return nil }); err != nil {
				t.Fatal(err)
			}
			if err := work(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(two, read(t, s, state(t, s).Live)); diff != "" {
				t.Errorf("after=%t %d: %s", after, n, diff)
			}
			if !d.dead {
				if n < 8 {
					t.Errorf("the work has %d operations on records only", n)
				}
				break
			}
		}
	}
}

// lossy tells of every third write that it failed although it was done.
type lossy struct {
	driver.Store
	n int
}

func (l *lossy) Put(ctx context.Context, r driver.Record) (string, error) {
	version, err := l.Store.Put(ctx, r)
	if l.n++; err == nil && l.n%3 == 0 {
		return "", errors.New("the answer was lost")
	}
	return version, err
}

// TestLostAnswers has nothing be done twice when an answer is lost.
func TestLostAnswers(t *testing.T) {
	o := newStores(t)
	s := o.openOver(t, &lossy{Store: o.records}, 50)
	for i := range 10 {
		r := stage(t, s, map[string]string{"/": fmt.Sprint(i)})
		if want := fmt.Sprintf("r%d", i+1); r.ID != want {
			t.Fatalf("%s instead of %s", r.ID, want)
		}
		live(t, s, r.ID)
	}
	if st := state(t, s); st.Seq != 10 || len(st.Releases) != 10 || len(st.Staging) != 0 {
		t.Errorf("%+v", st)
	}
}
