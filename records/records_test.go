package records_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/driver"
	"github.com/dayfly-dev/dayfly/records/memrecords"
)

func TestCheckKey(t *testing.T) {
	for key, good := range map[string]bool{
		"a": true, strings.Repeat("k", 512): true, "ключ/鍵 🔑": true, " ": true, "..": true,
		"": false, strings.Repeat("k", 513): false, strings.Repeat("ю", 257): false, "a\nb": false, "a\x00": false, "a\x7f": false,
		"\u0085": false, "\xff": false, "a\xc3": false,
	} {
		err := records.CheckKey(key)
		var invalid *records.InvalidError
		if (err == nil) != good || err != nil && (!errors.As(err, &invalid) || invalid.Field != "key") {
			t.Errorf("%.20q: %v, want it good: %v", key, err, good)
		}
	}
}

// TestArguments: what no store accepts does not reach the driver, and is not
// ambiguous.
func TestArguments(t *testing.T) {
	s := records.New(nil) // a driver would be called in vain: nil panics
	over, cancel := context.WithCancel(t.Context())
	cancel()
	put := func(ctx context.Context, r records.Record) error { _, err := s.Put(ctx, r); return err }
	list := func(mark string, n int) error { _, _, err := s.List(t.Context(), mark, "", n); return err }
	_, get := s.Get(t.Context(), "")
	_, update := s.Update(t.Context(), "a\n", nil)
	_, sweep := s.Sweep(t.Context(), 1001)
	for name, err := range map[string]error{
		"get": get, "update": update, "sweep": sweep, "ended": put(over, records.Record{Key: "a"}), "put": put(t.Context(), records.Record{}),
		"value":   put(t.Context(), records.Record{Key: "a", Value: make([]byte, 256<<10+1)}),
		"mark":    put(t.Context(), records.Record{Key: "a", Mark: "A"}),
		"long":    put(t.Context(), records.Record{Key: "a", Mark: strings.Repeat("m", 65)}),
		"version": put(t.Context(), records.Record{Key: "a", Version: "\n"}),
		"longest": put(t.Context(), records.Record{Key: "a", Version: strings.Repeat("v", 129)}),
		"early":   put(t.Context(), records.Record{Key: "a", Expires: time.Unix(0, 0)}),
		"late":    put(t.Context(), records.Record{Key: "a", Expires: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}),
		"delete":  s.Delete(t.Context(), "a", ""), "no mark": list("", 1), "no limit": list("m", 0), "limit": list("m", 1001),
	} {
		var invalid *records.InvalidError
		var e *records.Error
		if !errors.As(err, &e) || !errors.As(err, &invalid) && !errors.Is(err, context.Canceled) || records.Ambiguous(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// broken fails as it is told.
type broken struct {
	driver.Store
	put error
}

func (b *broken) Put(ctx context.Context, r driver.Record) (string, error) {
	version, err := b.Store.Put(ctx, r)
	if b.put != nil {
		return "", b.put
	}
	return version, err
}

func TestAmbiguous(t *testing.T) {
	b := &broken{Store: memrecords.New()}
	s := records.New(b)
	for _, c := range []struct {
		err  error
		want bool
	}{
		{driver.ErrConflict, false}, {fmt.Errorf("x: %w", driver.ErrClosed), false}, {errors.New("the connection broke"), true},
		{context.DeadlineExceeded, true}, {nil, false},
	} {
		b.put = c.err
		_, err := s.Put(t.Context(), records.Record{Key: "a/" + fmt.Sprint(c.err)})
		if records.Ambiguous(err) != c.want {
			t.Errorf("%v is ambiguous: %v", err, !c.want)
		}
		if c.err != nil && (!errors.Is(err, c.err) || !strings.HasPrefix(err.Error(), `records: put "a/`)) {
			t.Errorf("%v", err)
		}
	}
	_, err := s.Get(t.Context(), "none")
	if records.Ambiguous(err) || !errors.Is(err, records.ErrNotFound) {
		t.Errorf("get: %v", err)
	}
	// Update does not try again what may have happened.
	b.put = errors.New("the connection broke")
	calls := 0
	_, err = s.Update(t.Context(), "b", func(*records.Record) (records.Record, error) { calls++; return records.Record{}, nil })
	if !records.Ambiguous(err) || calls != 1 {
		t.Errorf("update: %v after %d calls", err, calls)
	}
}

// TestExpiryIsRoundedUp: no record ends early.
func TestExpiryIsRoundedUp(t *testing.T) {
	s := records.New(memrecords.New())
	at := time.Now().Add(time.Hour).Truncate(time.Second)
	for i, d := range []time.Duration{0, 1, time.Second - 1} {
		r, err := s.Update(t.Context(), fmt.Sprint(i), func(*records.Record) (records.Record, error) {
			return records.Record{Expires: at.Add(d).Local()}, nil
		})
		want := at
		if d > 0 {
			want = at.Add(time.Second)
		}
		if err != nil || !r.Expires.Equal(want) || r.Expires.Location() != time.UTC {
			t.Errorf("%v after a second: %v, %v", d, r.Expires, err)
		}
	}
}

func TestUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := records.New(memrecords.New())
		add := func(old *records.Record) (records.Record, error) {
			if old == nil {
				return records.Record{Value: []byte{1}}, nil
			}
			next := *old
			next.Value[0]++
			next.Key, next.Version = "of no matter", "of no matter"
			return next, nil
		}
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				for range 20 {
					if _, err := s.Update(t.Context(), "n", add); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		r, err := s.Get(t.Context(), "n")
		if err != nil || r.Value[0] != 200 {
			t.Fatalf("%v, %v", r.Value, err)
		}
		same, err := s.Update(t.Context(), "n", func(old *records.Record) (records.Record, error) {
			old.Value = nil // of no effect
			return records.Record{}, fmt.Errorf("nothing to do: %w", records.ErrUnchanged)
		})
		if diff := cmp.Diff(r, same); err != nil || diff != "" {
			t.Errorf("unchanged: %v\n%s", err, diff)
		}
		mine := fmt.Errorf("of the function: %w", records.ErrConflict)
		if _, err := s.Update(t.Context(), "n", func(*records.Record) (records.Record, error) { return records.Record{}, mine }); err != mine {
			t.Errorf("error of the function: %v", err)
		}
	})
}

// TestUpdateGivesUp: others always write first.
func TestUpdateGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := records.New(memrecords.New())
		calls, start := 0, time.Now()
		first := func(*records.Record) (records.Record, error) {
			calls++
			_, err := s.Update(t.Context(), "a", func(*records.Record) (records.Record, error) { return records.Record{}, nil })
			return records.Record{}, err
		}
		_, err := s.Update(t.Context(), "a", first)
		if !errors.Is(err, records.ErrConflict) || records.Ambiguous(err) || calls != 24 || time.Since(start) > 12*time.Second {
			t.Errorf("%v after %d calls in %v", err, calls, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := s.Update(ctx, "a", first); !errors.Is(err, context.DeadlineExceeded) || records.Ambiguous(err) {
			t.Errorf("ended: %v", err)
		}
	})
}

func TestAll(t *testing.T) {
	s := records.New(memrecords.New())
	want := map[string]bool{}
	for i := range 250 {
		key := fmt.Sprint("k", i)
		want[key] = true
		if _, err := s.Put(t.Context(), records.Record{Key: key, Mark: "m"}); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]bool{}
	for r, err := range s.All(t.Context(), "m") {
		if err != nil {
			t.Fatal(err)
		}
		got[r.Key] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	s.Close()
	n := 0
	for _, err := range s.All(t.Context(), "m") {
		if n++; !errors.Is(err, records.ErrClosed) {
			t.Error(err)
		}
	}
	if n != 1 {
		t.Errorf("%d turns after the error", n)
	}
}
