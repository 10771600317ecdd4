package diskqueue

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// movable makes a store with queues "from" and "to", and n messages in the first.
func movable(t *testing.T, n int) (*Engine, *faultfs.FS) {
	t.Helper()
	fsys := faultfs.New()
	e, err := open(fsys, smallOptions(32<<10))
	if err != nil {
		t.Fatal(err)
	}
	makeQueue(t, e, "from", n)
	makeQueue(t, e, "to", 0)
	return e, fsys
}

// makeQueue makes a queue of n messages.
func makeQueue(t *testing.T, e *Engine, name string, n int) {
	t.Helper()
	if err := e.CreateQueue(t.Context(), name, driver.Attributes{Visibility: time.Minute, Retention: time.Hour, MaxMessageSize: 1 << 10}, nil); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if _, err := e.Send(t.Context(), name, []driver.Outgoing{{Body: fmt.Sprint(i)}}); err != nil {
			t.Fatal(err)
		}
	}
}

func visibleIn(t *testing.T, e *Engine, name string) int64 {
	t.Helper()
	d, err := e.Describe(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return d.Visible
}

// TestMoveEndsWithItsQueue deletes a queue that is being moved, makes one of the
// same name, and kills the process. Before, a restart went on with the move, out
// of the new queue.
func TestMoveEndsWithItsQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, fsys := movable(t, 5)
		if _, err := e.StartMove(t.Context(), driver.Move{Source: "from", Destination: "to", Rate: 1}); err != nil {
			t.Fatal(err)
		}
		if err := e.DeleteQueue(t.Context(), "from"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(deletedFor)
		synctest.Wait()
		before := visibleIn(t, e, "to")
		makeQueue(t, e, "from", 5)
		killed := fsys.Kill()
		e.Close()

		again, err := open(killed, smallOptions(32<<10))
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		time.Sleep(2 * moveHide)
		synctest.Wait()
		if from, to := visibleIn(t, again, "from"), visibleIn(t, again, "to"); from != 5 || to != before {
			t.Errorf("after the restart %d messages in the new queue and %d in the other, want 5 and %d", from, to, before)
		}
	})
}

// TestCancelledMoveStaysCancelled kills the process as soon as the cancellation
// was answered.
func TestCancelledMoveStaysCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, fsys := movable(t, 5)
		id, err := e.StartMove(t.Context(), driver.Move{Source: "from", Destination: "to", Rate: 1})
		if err != nil {
			t.Fatal(err)
		}
		moved, err := e.CancelMove(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		killed := fsys.Kill()
		e.Close()
		again, err := open(killed, smallOptions(32<<10))
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		time.Sleep(2 * moveHide)
		synctest.Wait()
		if to := visibleIn(t, again, "to"); to != moved {
			t.Errorf("%d messages were moved, %d of them before it was cancelled", to, moved)
		}
	})
}

// TestCancelIsAnsweredWhenSynced fails every sync: a cancellation that a restart
// would not know of is an error.
func TestCancelIsAnsweredWhenSynced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, fsys := movable(t, 5)
		defer e.Close()
		id, err := e.StartMove(t.Context(), driver.Move{Source: "from", Destination: "to", Rate: 1})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		fsys.SetFault(func(op faultfs.Op) error {
			if op.Kind == "datasync" {
				return context.DeadlineExceeded
			}
			return nil
		})
		if moved, err := e.CancelMove(t.Context(), id); err == nil {
			t.Errorf("cancelled after %d messages, though nothing can be synced", moved)
		}
	})
}

// TestOldMovesAreForgotten starts many moves without a checkpoint between them:
// memory has the last ten that are over, and the one that runs.
func TestOldMovesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, fsys := movable(t, 0)
		check := func(e *Engine) {
			t.Helper()
			e.mu.Lock()
			defer e.mu.Unlock()
			if n := len(e.moves); n < movesKept || n > movesKept+1 {
				t.Errorf("%d moves are known, want the last %d", n, movesKept)
			}
		}
		for range 3 * movesKept {
			if _, err := e.StartMove(t.Context(), driver.Move{Source: "from", Destination: "to"}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		check(e)
		killed := fsys.Kill()
		e.Close()
		again, err := open(killed, smallOptions(32<<10))
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		check(again)
	})
}
