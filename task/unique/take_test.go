package unique

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/driver"
	"github.com/dayfly-dev/dayfly/records/memrecords"
)

// forgetful writes and then loses every other answer.
type forgetful struct {
	driver.Store
	mu sync.Mutex
	n  int
}

func (f *forgetful) Put(ctx context.Context, r driver.Record) (string, error) {
	v, err := f.Store.Put(ctx, r)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n++; err == nil && f.n%2 == 1 {
		return "", errors.New("the connection ended")
	}
	return v, err
}

func call(id string) Call { return Call{Key: "t k", ID: id, Queue: "q", Window: time.Hour} }

// TestTake: of many whose messages are in the queue one has the key, for its
// window, also where answers of the store are lost; and has it when asked again.
func TestTake(t *testing.T) {
	for name, store := range map[string]func() driver.Store{
		"store":        func() driver.Store { return memrecords.New() },
		"answers lost": func() driver.Store { return &forgetful{Store: memrecords.New()} },
	} {
		synctest.Test(t, func(t *testing.T) {
			k := New(records.New(store()))
			var mu sync.Mutex
			var first []string
			var all sync.WaitGroup
			for i := range 16 {
				all.Go(func() {
					id := fmt.Sprint(i)
					err := k.Take(t.Context(), call(id))
					taken, ok := errors.AsType[*TakenError](err)
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err == nil:
						first = append(first, id)
					case !ok || taken.ID == id:
						t.Errorf("%s: %s: %v", name, id, err)
					}
				})
			}
			all.Wait()
			if len(first) != 1 {
				t.Fatalf("%s: %q have the key", name, first)
			}
			if err := k.Take(t.Context(), call(first[0])); err != nil {
				t.Errorf("%s: the first, again: %v", name, err)
			}
			time.Sleep(time.Hour + 2*time.Second) // of the bubble
			if err := k.Take(t.Context(), call("later")); err != nil {
				t.Errorf("%s: after the window: %v", name, err)
			}
		})
	}
}

// TestTakeBesideClaim: a key that a program has claimed is waited for; it is the
// program's when its message is sent, and anybody's when the program died.
func TestTakeBesideClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := New(records.New(memrecords.New()))
		claim, err := k.Claim(t.Context(), call("program"))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		err = k.Take(ctx, call("message"))
		if _, taken := errors.AsType[*TakenError](err); taken || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while it is being enqueued: %v", err)
		}
		go func() {
			time.Sleep(time.Second) // of the bubble
			claim.Sent(t.Context())
		}()
		if taken, ok := errors.AsType[*TakenError](k.Take(t.Context(), call("message"))); !ok || taken.ID != "program" {
			t.Errorf("when it is enqueued: %v", taken)
		}
		if err := k.Done(t.Context(), "t k", "program"); err != nil {
			t.Fatal(err)
		}
		if err := k.Take(t.Context(), call("message")); err != nil {
			t.Errorf("when it is done: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		k := New(records.New(memrecords.New()))
		if _, err := k.Claim(t.Context(), call("died")); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if err := k.Take(t.Context(), call("message")); err != nil || time.Since(begun) < Lease/2 {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
	})
	if err := New(records.New(memrecords.New())).Take(t.Context(), Call{Key: "k", ID: "1", Window: time.Millisecond}); err == nil {
		t.Error("a window of a millisecond was taken")
	}
}
