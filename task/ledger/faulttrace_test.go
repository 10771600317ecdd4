package ledger_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/records/driver"
	"github.com/dayfly-dev/dayfly/task/ledger"
)

// deed is a line of the trace that each worker keeps beside what it does: a write
// of a key, or that the machine held the worker up, by its own clock.
type deed struct {
	Pid  int
	Skew time.Duration
	From time.Time     // by the clock of the machine, which all workers have
	Took time.Duration // by the worker's monotonic clock

	Key, State, Owner string    `json:",omitempty"` // of a write; Key "": the worker was held up
	Until             time.Time // as written, by the writer's clock, as At
	At                time.Time
	Base, Version     string `json:",omitempty"` // what it was written over, and became; Version "": it failed
}

// Between two beats of a worker are 50 ms. One that takes a quarter of the lease
// for a beat, or for one request to the store, was held up: it may miss a renewal.
const (
	beatPause = 50 * time.Millisecond
	heldUp    = faultLease / 4
)

// note appends a line in one write, so that a kill leaves it out or whole.
func (w *worker) note(d deed) {
	d.Pid, d.Skew = os.Getpid(), w.Skew
	line, err := json.Marshal(d)
	if err == nil {
		_, err = w.trace.Write(append(line, '\n'))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "trace:", err)
	}
}

// heldUpSince notes how long something took, if that is too long.
func (w *worker) heldUpSince(begun time.Time) {
	if took := time.Since(begun); took >= heldUp {
		w.note(deed{From: begun.Round(0), Took: took})
	}
}

// beat notes when the worker did not run.
func (w *worker) beat(ctx context.Context) {
	t := time.NewTicker(beatPause)
	defer t.Stop()
	for last := time.Now(); ; {
		select {
		case <-t.C:
			w.heldUpSince(last)
			last = time.Now()
		case <-ctx.Done():
			return
		}
	}
}

// put writes a record of the ledger, and notes it.
func (s *faultyStore) put(ctx context.Context, key string, r driver.Record) (string, error) {
	e, err := ledger.EntryOf(key, r.Value)
	if err != nil {
		return "", err
	}
	begun := time.Now()
	v, err := s.Store.Put(ctx, r)
	s.w.note(deed{Key: key, State: string(e.State), Owner: e.Owner, At: e.At, Until: e.Until,
		Base: r.Version, Version: v, From: begun.Round(0), Took: time.Since(begun)})
	return v, err
}

func (s *faultyStore) Get(ctx context.Context, key string) (driver.Record, error) {
	defer s.w.heldUpSince(time.Now())
	return s.Store.Get(ctx, key)
}

// readTrace is what all workers noted.
func (r *faultRig) readTrace() (all []deed) {
	r.t.Helper()
	files, err := filepath.Glob(filepath.Join(r.config.Folder, "trace-*"))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			r.t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			var d deed
			if err := json.Unmarshal(line, &d); err != nil {
				r.t.Fatalf("%s: %q: %v", name, line, err)
			}
			all = append(all, d)
		}
	}
	return all
}

// Why an effect was declared unknown, that no fault of its plan makes so.
const (
	byClocks  = "unknown by clocks that differ by more than the quarantine"
	byMachine = "unknown as the machine stalled its worker"
)

// declared judges each time that a worker declared another's effect in a key
// unknown: the other's lease and the quarantine have to be over by its clock. It
// returns the reasons that are no fault of a plan: that the clocks differ by more
// than the quarantine; or that the owner did not renew for a lease, and its own
// trace shows that it was held up then.
func declared(t *testing.T, all []deed, key string) (why []string) {
	t.Helper()
	for _, d := range all {
		if d.Key != key || d.State != string(ledger.StateUnknown) || d.Version == "" {
			continue
		}
		for _, was := range declaredOver(all, d) {
			late := d.At.Sub(was.Until)
			switch {
			case late <= faultQuarantine && was.Version != "":
				t.Errorf("%s was declared unknown %v after its lease, in the quarantine", key, late)
			case d.Skew-was.Skew >= faultQuarantine:
				why = append(why, byClocks)
			case d.From.Sub(was.From) >= faultLease && stalled(all, was, d.From):
				why = append(why, byMachine)
			}
		}
	}
	return why
}

// declaredOver is what another worker had written, on top of which d was; where
// the answer to that was lost, those of its writes that may be it.
func declaredOver(all []deed, d deed) (was []deed) {
	var lost []deed
	for _, w := range all {
		theirs := w.Key == d.Key && w.Pid != d.Pid && w.State == string(ledger.StateSending)
		switch {
		case w.Version == d.Base && theirs:
			return []deed{w}
		case w.Version == d.Base && d.Base != "":
			return nil
		case theirs && w.Version == "" && w.Owner == d.Owner:
			lost = append(lost, w)
		}
	}
	return lost
}

// stalled says whether the worker that wrote was held up from then on until end.
func stalled(all []deed, was deed, end time.Time) bool {
	for _, d := range all {
		if d.Pid == was.Pid && d.Took >= heldUp && !d.From.Add(d.Took).Before(was.From) && d.From.Before(end) {
			return true
		}
	}
	return false
}

// silentOwner is what a worker leaves that knows that it sent nothing, and comes
// to say so only after others declared it unknown.
func silentOwner(e ledger.Entry) bool {
	return e.State == ledger.StateUnknown && strings.Contains(e.Error, "says the worker")
}
