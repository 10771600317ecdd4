package task

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/driver"
	"github.com/dayfly-dev/dayfly/records/memrecords"
	"github.com/dayfly-dev/dayfly/task/ledger"
)

// slowStore does what it is asked and answers late, or when the caller has given
// up: a write may have happened.
type slowStore struct {
	driver.Store
	delay atomic.Int64 // of each answer, time.Duration
}

func (s *slowStore) wait(ctx context.Context) error {
	select {
	case <-time.After(time.Duration(s.delay.Load())):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *slowStore) Get(ctx context.Context, key string) (driver.Record, error) {
	r, err := s.Store.Get(ctx, key)
	if late := s.wait(ctx); late != nil {
		return driver.Record{}, late
	}
	return r, err
}

func (s *slowStore) Put(ctx context.Context, r driver.Record) (string, error) {
	version, err := s.Store.Put(ctx, r)
	if late := s.wait(ctx); late != nil {
		return "", late
	}
	return version, err
}

// TestSlowLedger: a ledger whose every answer takes long has each effect happen
// once; one that answers later than its lease, or than anybody waits, has none
// happen, and all of them when it answers again.
func TestSlowLedger(t *testing.T) {
	for name, c := range map[string]struct {
		delay time.Duration
		lease time.Duration
		first int    // effects in the first minutes, while it is slow
		why   string // of the runs that failed then
	}{
		"two seconds":                       {2 * time.Second, 30 * time.Second, 10, ""},
		"two seconds, and a lease of one":   {2 * time.Second, time.Second, 0, "its lease was over"},
		"longer than anybody waits":         {12 * time.Second, 30 * time.Second, 0, ledger.ErrUnreachable.Error()},
		"two seconds, and a lease of three": {2 * time.Second, 3 * time.Second, 10, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &slowStore{Store: memrecords.New()}
				store.delay.Store(int64(c.delay))
				l, err := ledger.New(records.New(store), &ledger.Options{Lease: c.lease})
				if err != nil {
					t.Fatal(err)
				}
				var mu sync.Mutex
				sent, reasons := map[int]int{}, ""
				send := Define("send", func(ctx context.Context, n int) error {
					return Once(ctx, fmt.Sprint("mail/", n), func(context.Context) error {
						mu.Lock()
						defer mu.Unlock()
						sent[n]++
						return nil
					})
				})
				r := newRig(t, 1000, nil)
				for i := range 20 { // each effect has two tasks
					must[string](t)(send.Enqueue(t.Context(), r.c, i%10))
				}
				o := WorkerOptions{Tasks: []Definition{send}, Ledger: l, Backoff: Backoff{Max: 10 * time.Second}, OnResult: func(x Result) {
					mu.Lock()
					defer mu.Unlock()
					if x.Err != nil {
						reasons += x.Err.Error() + "\n"
					}
				}}
				stops := []func() error{r.work(o), r.work(o)} // two workers
				time.Sleep(5 * time.Minute)
				mu.Lock()
				if len(sent) != c.first || !strings.Contains(reasons, c.why) {
					t.Errorf("%d effects while it was slow, not %d; %.2000s", len(sent), c.first, reasons)
				}
				mu.Unlock()
				store.delay.Store(0)
				time.Sleep(time.Hour)
				for _, stop := range stops {
					r.stop(stop)
				}
				for n := range 10 {
					if sent[n] != 1 {
						t.Errorf("effect %d happened %d times; %.3000s", n, sent[n], reasons)
					}
				}
				r.expect("default", "0 0 0")
				r.expect("default-dead", "0 0 0")
			})
		})
	}
}
