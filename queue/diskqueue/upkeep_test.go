package diskqueue

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// TestClean: a few long-lived messages in many segments are copied forward, so
// that the disk holds little more than they need, and are still there after
// crashes at any time of it.
func TestClean(t *testing.T) {
	rng := seededRand(t)
	for range 10 {
		fsys := faultfs.New()
		o := smallOptions(32 << 10)
		o.replay = 1 << 40 // checkpoints and cleaning by hand
		e, err := open(fsys, o)
		if err != nil {
			t.Fatal(err)
		}
		l := newLedger()
		l.created = e.CreateQueue(t.Context(), "q", testAttributes, nil) == nil
		fillAndThin(t, e, l, 600, 50)
		before := len(e.log.Usage())
		var images []*faultfs.FS
		for range 6 {
			e.upkeep.Lock()
			if err := e.checkpoint(); err != nil {
				t.Fatal(err)
			}
			images = append(images, fsys.Crash(rng))
			if err := e.clean(); err != nil {
				t.Fatal(err)
			}
			images = append(images, fsys.Crash(rng))
			if _, err := e.log.Reclaim(e.last.from.Segment()); err != nil {
				t.Fatal(err)
			}
			images = append(images, fsys.Crash(rng))
			e.upkeep.Unlock()
		}
		if after := len(e.log.Usage()); before < 15 || after > 3 {
			t.Errorf("%d segments before cleaning, %d after", before, after)
		}
		l.check(t, e)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		for i, image := range images {
			e, err := open(image, o)
			if err != nil {
				t.Fatalf("image %d: %v", i, err)
			}
			l.check(t, e)
			e.Close()
		}
	}
}

// fillAndThin sends n messages of a kilobyte and deletes all but every keep-th.
func fillAndThin(t *testing.T, e *Engine, l *ledger, n, keep int) {
	t.Helper()
	for i := range n {
		body := fmt.Sprintf("%d %s", i, strings.Repeat("c", 1000))
		sent, err := e.Send(t.Context(), "q", []driver.Outgoing{{Body: body, Delay: -1}})
		if err != nil {
			t.Fatal(err)
		}
		l.sending[body], l.sent[body] = true, true
		if i%keep == 0 {
			continue
		}
		l.deleting[body] = true
		if ok, err := e.DeleteID(t.Context(), "q", sent[0].ID); !ok || err != nil {
			t.Fatal(ok, err)
		}
		l.deleted[body] = true
	}
}

// TestExpiredSegmentsAreSafeToRecycle: the records that say what expired are
// not synced by themselves. They must be before the segments are recycled.
func TestExpiredSegmentsAreSafeToRecycle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rng := seededRand(t)
		fsys := faultfs.New()
		o := smallOptions(32 << 10)
		o.replay = 1 << 40
		e, err := open(fsys, o)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		a := testAttributes
		a.Retention = time.Minute
		if err := e.CreateQueue(t.Context(), "q", a, nil); err != nil {
			t.Fatal(err)
		}
		fillAndThin(t, e, newLedger(), 600, 1) // more segments than are kept as spares
		e.upkeep.Lock()
		err = e.checkpoint()
		e.upkeep.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute) // upkeep removes the messages and recycles
		synctest.Wait()
		if u := e.log.Usage(); len(u) > 2 {
			t.Errorf("%d segments still in use", len(u))
		}
		for range 10 {
			again, err := open(fsys.Crash(rng), o)
			if err != nil {
				t.Fatal(err)
			}
			again.Close()
		}
	})
}

// TestNotHandedOutBeforeSynced: what its sender was not told is safe is not
// given to a receiver.
func TestNotHandedOutBeforeSynced(t *testing.T) {
	e, err := open(faultfs.New(), smallOptions(64<<10))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.CreateQueue(t.Context(), "q", testAttributes, nil); err != nil {
		t.Fatal(err)
	}
	out := []driver.Outgoing{{Body: "x", Delay: -1}}
	s := &scratch{b: putMessage(nil, &out[0])}
	s.ends = []int{len(s.b)}
	e.mu.Lock()
	q := e.queues["q"]
	end := e.send(q, out, s, make([]driver.Sent, 1), false)
	if q.next(e.log.Synced(), nil) != nil {
		t.Error("visible before it was synced")
	}
	e.mu.Unlock()
	if err := e.commit(end); err != nil {
		t.Fatal(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if q.next(e.log.Synced(), nil) == nil {
		t.Error("not visible after it was synced")
	}
}
