package ledger_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/task/ledger"
)

func newSeed(t *testing.T) uint64 {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("DAYFLY_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("DAYFLY_SEED: %v", err)
		}
		seed = n
	}
	t.Logf("DAYFLY_SEED=%d", seed)
	return seed
}

// TestFaults kills and stops workers, and fails writes, before and after every
// transition, with each message several times in the queue, clocks that differ
// by more than the quarantine, and a mail server that refuses or hangs up. With
// DAYFLY_SOAK (a duration) it goes on that long, on each kind of store;
// DAYFLY_LEDGER_RECORDS is the address of another store.
func TestFaults(t *testing.T) {
	var soak time.Duration
	if s := os.Getenv("DAYFLY_SOAK"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatalf("DAYFLY_SOAK: %v", err)
		}
		soak = d
	}
	stores := map[string]func(*testing.T) string{"SQLite": sqliteRecords}
	if soak > 0 {
		stores = everyStore
	}
	if url := os.Getenv("DAYFLY_LEDGER_RECORDS"); url != "" {
		stores = map[string]func(*testing.T) string{"of the environment": func(*testing.T) string { return url }}
	}
	for name, records := range stores {
		t.Run(name, func(t *testing.T) {
			for begun := time.Now(); ; {
				faultRound(t, records(t), newSeed(t))
				if t.Failed() || time.Since(begun) >= soak {
					return
				}
			}
		})
	}
}

func faultRound(t *testing.T, records string, seed uint64) {
	begun := time.Now()
	all := plans(seed, 1)
	r := newFaultRig(t, records, all)
	l := r.ledger()
	r.run(all, func() bool {
		// A worker that was stopped, by its plan or by the machine, may be the
		// last to know: its messages were parked by another, and it has still
		// to say what it did.
		for _, p := range all {
			e, err := l.Get(t.Context(), "fault/"+p.Key+"@example.com")
			if !p.mayBeUnknown() && (err != nil || e.State != ledger.StateSent && !silentOwner(e)) {
				return false
			}
		}
		return true
	})
	count, trace := map[string]int{}, r.readTrace()
	for _, p := range all {
		key := "fault/" + p.Key + "@example.com"
		e, err := l.Get(t.Context(), key)
		if err != nil {
			t.Errorf("%s: %v", p.name(), err)
			continue
		}
		n := r.mail.accepted(p.Key)
		count[p.Policy+" "+string(e.State)]++
		count[p.Policy+" accepts"] += n
		unknown := e.State == ledger.StateUnknown
		unplanned := declared(t, trace, key)
		switch {
		case p.Policy == "at-most-once" && n > 1:
			t.Errorf("%d accepts under AtMostOnce: %s", n, p.name())
		case p.Policy == "at-least-once" && (n < 1 || e.State != ledger.StateSent):
			t.Errorf("%d accepts under AtLeastOnce, on record as %s: %s", n, e.State, p.name())
		case unknown && !p.mayBeUnknown() && len(unplanned) > 0 && silentOwner(e):
			t.Logf("%s: %s", unplanned[0], p.name())
			count[unplanned[0]]++
		case unknown && !p.mayBeUnknown():
			t.Errorf("unknown without a fault in the window (%s): %s", e.Error, p.name())
		case !unknown && e.State != ledger.StateSent:
			t.Errorf("at rest and %s: %s", e.State, p.name())
		case e.State == ledger.StateSent && n < 1:
			t.Errorf("on record as sent, and nothing was: %s", p.name())
		case p.Action != "" && !r.fired(p):
			t.Errorf("the fault never was: %s", p.name())
		}
	}
	t.Logf("%d keys, %d messages, %v: %v", len(all), faultCopies*len(all), time.Since(begun).Round(time.Millisecond), count)
}

func (r *faultRig) fired(p plan) bool {
	_, err := os.Stat(filepath.Join(r.config.Folder, p.Key))
	return !errors.Is(err, os.ErrNotExist)
}

// TestFaultsFindBugs: the two classic designs send twice in the same test.
func TestFaultsFindBugs(t *testing.T) {
	for _, guard := range []string{"lock", "unowned"} {
		t.Run(guard, func(t *testing.T) {
			all := controlPlans(newSeed(t), guard)
			r := newFaultRig(t, sqliteRecords(t), all)
			r.run(all, func() bool { return true })
			twice := 0
			for _, p := range all {
				if n := r.mail.accepted(p.Key); n > 1 {
					twice++
				}
			}
			t.Logf("%d of %d keys were sent more than once", twice, len(all))
			if twice == 0 {
				t.Error("the harness does not find what is known to be wrong")
			}
		})
	}
}
