package diskqueue

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// TestMoveThroughCrash crashes before each operation of the file system that a
// move task needs, in turn: opened again it goes on, and in the end all is moved,
// once, in order. Before, a crash between the record of a
// message stored and that of the same message taken away left it in both.
func TestMoveThroughCrash(t *testing.T) {
	rng := seededRand(t)
	for round := range 20 { // what is lost differs
		power := round > 0
		for n, more := 1, true; more && !t.Failed(); n++ {
			synctest.Test(t, func(t *testing.T) {
				fsys := &crashFS{FS: faultfs.New(), rng: rng, power: power, crashed: func() {}, taken: func() {}}
				e, err := open(fsys, smallOptions(32<<10))
				if err != nil {
					t.Fatal(err)
				}
				want := buried(t, e)
				fsys.arm(n)
				if _, err := e.StartMove(t.Context(), driver.Move{Source: modelDead}); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				more = fsys.image != nil
				image := fsys.crash()
				e.Close()
				judgeMove(t, image, want)
			})
			if t.Failed() {
				t.Logf("crash before operation %d of the move, power lost: %v", n, power)
			}
		}
	}
}

// buried makes a queue whose messages are all in its dead-letter queue, and
// returns their bodies.
func buried(t *testing.T, e *Engine) (want []string) {
	t.Helper()
	h := &fifoHistory{s: e}
	if h.makeQueues(); h.wrong != "" {
		t.Fatal(h.wrong)
	}
	for i := range 25 {
		want = append(want, fmt.Sprintf("%02d", i))
		if _, err := e.Send(t.Context(), modelQueue, []driver.Outgoing{{Body: want[i], Delay: -1, GroupID: "g", DedupID: want[i]}}); err != nil {
			t.Fatal(err)
		}
	}
	for left := 25; left > 0; {
		if _, err := e.Receive(t.Context(), modelQueue, driver.ReceiveOptions{Max: 10}); err != nil {
			t.Fatal(err)
		}
		d, err := e.Describe(t.Context(), modelQueue)
		if err != nil {
			t.Fatal(err)
		}
		left = int(d.Visible + d.InFlight)
	}
	return want
}

// judgeMove opens what a crash left.
func judgeMove(t *testing.T, image *faultfs.FS, want []string) {
	t.Helper()
	e, err := open(image, smallOptions(32<<10))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	bodies := func(name string) (all []string) {
		list, err := e.Browse(t.Context(), name, "", 100)
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			all = append(all, list[i].Body)
		}
		return all
	}
	list, err := e.ListMoves(t.Context(), modelDead, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 { // it had not begun, and nobody waited for the dead letters to be synced
		if diff := cmp.Diff(want, append(bodies(modelDead), bodies(modelQueue)...)); diff != "" {
			t.Errorf("in both queues (-want +got):\n%s", diff)
		}
		return
	}
	time.Sleep(2 * moveHide)
	synctest.Wait()
	if diff := cmp.Diff(want, bodies(modelQueue)); diff != "" {
		t.Errorf("moved (-want +got):\n%s", diff)
	}
	if left := bodies(modelDead); len(left) > 0 {
		t.Errorf("not moved: %q", left)
	}
}
