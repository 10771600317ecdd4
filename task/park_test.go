package task

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/memrecords"
	"github.com/dayfly-dev/dayfly/task/ledger"
)

// TestLateWord: a worker whose store was cut off in the middle of an effect says
// that it was sent, when another run has parked a message for it: the dead letter
// stays listed, as there is nothing unknown any more by which it would be found.
func TestLateWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &awayStore{Store: memrecords.New()}
		cut, err := ledger.New(records.New(store), nil)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := ledger.New(records.New(store.Store), nil)
		if err != nil {
			t.Fatal(err)
		}
		listed := func() (all []string) {
			for e, err := range whole.Unknown(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, e.Key+" "+string(e.State))
			}
			return all
		}
		release := make(chan struct{})
		send := Define("send", func(ctx context.Context, _ string) error {
			slow := Once(ctx, "slow", func(context.Context) error { <-release; return nil })
			lost := Once(ctx, "lost", func(context.Context) error { return errors.New("lost") })
			return Collect(slow, lost)
		})
		r := newRig(t, 5, nil)
		first := r.work(WorkerOptions{Tasks: []Definition{send}, Ledger: cut})
		must[string](t)(send.Enqueue(t.Context(), r.c, "x"))
		time.Sleep(time.Second)
		store.refuses.Store(true)
		time.Sleep(10 * time.Minute)
		second := r.work(WorkerOptions{Tasks: []Definition{send}, Ledger: whole})
		must[string](t)(send.Enqueue(t.Context(), r.c, "x"))
		time.Sleep(time.Minute)
		if got := listed(); !slices.Equal(got, []string{"lost unknown", "slow unknown"}) || len(r.letters()) != 1 {
			t.Fatalf("listed are %q, with %d dead letters", got, len(r.letters()))
		}
		store.refuses.Store(false)
		close(release)
		time.Sleep(time.Minute)
		r.stop(first)
		r.stop(second)
		if got := listed(); !slices.Equal(got, []string{"lost unknown", "slow sent"}) {
			t.Errorf("listed are %q after the late word", got)
		}
	})
}

func TestUnknowns(t *testing.T) {
	a, b := &ledger.UnknownError{Key: "a"}, &ledger.UnknownError{Key: "b"}
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"nil":     {nil, 0},
		"none":    {errors.New("x"), 0},
		"one":     {Permanent(a), 1},
		"joined":  {errors.Join(Permanent(a), nil, Permanent(b)), 2},
		"parked":  {Collect(Permanent(a), Permanent(b)), 2},
		"failed":  {Collect(Permanent(a), errors.New("x"), Permanent(b)), 2},
		"waiting": {Collect(Permanent(a), Postpone(b, time.Minute)), 2},
	} {
		if got := unknowns(c.err); len(got) != c.want {
			t.Errorf("%s: %d", name, len(got))
		}
	}
}
