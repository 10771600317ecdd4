package diskqueue

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// TestReplaceThroughCrash crashes before each operation of the file system while
// messages that wait are replaced one after the other, some delayed, some given
// back, and checkpoints are made in between: opened again, each message or the one
// in its place is there, never both, and one that was acknowledged is the new one.
func TestReplaceThroughCrash(t *testing.T) {
	rng := seededRand(t)
	for round := range 10 { // what is lost differs
		power := round > 0
		for n, more := 1, true; more && !t.Failed(); n++ {
			fsys := &crashFS{FS: faultfs.New(), rng: rng, power: power, crashed: func() {}, taken: func() {}}
			e, err := open(fsys, smallOptions(32<<10))
			if err != nil {
				t.Fatal(err)
			}
			all := patient(t, e)
			fsys.arm(n)
			acked := 0
			for i, old := range all {
				if _, err := e.Replace(t.Context(), patientQueue, old, driver.Outgoing{Body: old.Body + "'"}); err != nil {
					t.Fatal(err)
				}
				if i%10 == 9 {
					e.upkeep.Lock()
					if err := e.checkpoint(); err != nil {
						t.Fatal(err)
					}
					e.upkeep.Unlock()
				}
				fsys.mu.Lock()
				if fsys.image == nil {
					acked = i + 1
				}
				fsys.mu.Unlock()
			}
			more = fsys.image != nil
			image := fsys.crash()
			e.Close()
			judgeReplaced(t, image, len(all), acked)
			if t.Failed() {
				t.Logf("crash before operation %d, power lost: %v", n, power)
			}
		}
	}
}

const patientQueue = "q"

// patient makes a queue of messages that wait, and returns them as they are
// browsed.
func patient(t *testing.T, e *Engine) []driver.Browsed {
	t.Helper()
	if err := e.CreateQueue(t.Context(), patientQueue, testAttributes, nil); err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		o := driver.Outgoing{Body: fmt.Sprintf("%02d", i), Delay: time.Duration(i%2) * time.Hour}
		if _, err := e.Send(t.Context(), patientQueue, []driver.Outgoing{o}); err != nil {
			t.Fatal(err)
		}
	}
	for range 15 {
		m, err := e.Receive(t.Context(), patientQueue, driver.ReceiveOptions{Max: 1, Visibility: time.Minute})
		if err != nil || len(m) != 1 {
			t.Fatal(m, err)
		}
		back := driver.VisibilityChange{Receipt: m[0].Receipt, Visibility: time.Hour, GivenBack: true}
		if errs, err := e.ChangeVisibility(t.Context(), patientQueue, []driver.VisibilityChange{back}); err != nil || errs[0] != nil {
			t.Fatal(errs, err)
		}
	}
	all, err := e.Browse(t.Context(), patientQueue, "", 100)
	if err != nil || len(all) != 30 || slices.ContainsFunc(all, func(b driver.Browsed) bool { return !b.Waits }) {
		t.Fatal(all, err)
	}
	return all
}

// judgeReplaced opens what a crash left of so many messages.
func judgeReplaced(t *testing.T, image *faultfs.FS, messages, acked int) {
	t.Helper()
	e, err := open(image, smallOptions(32<<10))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	all, err := e.Browse(t.Context(), patientQueue, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]driver.State{}
	for _, b := range all {
		there[b.Body] = b.State
	}
	for i := range messages {
		old := fmt.Sprintf("%02d", i)
		_, before := there[old]
		state, after := there[old+"'"]
		switch {
		case before == after:
			t.Errorf("%s: the old message is there: %v, and the new one: %v", old, before, after)
		case before && i < acked:
			t.Errorf("%s was replaced, acknowledged, and waits again", old)
		case after && state != driver.StateVisible:
			t.Errorf("%s was replaced and is %s", old, state)
		}
	}
	if len(all) != messages {
		t.Errorf("%d messages are there, not %d", len(all), messages)
	}
}
