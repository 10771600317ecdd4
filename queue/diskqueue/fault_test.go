package diskqueue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// ledger is what clients know: what they tried, and what was acknowledged.
type ledger struct {
	sending, sent, deleting, deleted map[string]bool // by body
	created                          bool
}

func newLedger() *ledger {
	return &ledger{sending: map[string]bool{}, sent: map[string]bool{}, deleting: map[string]bool{}, deleted: map[string]bool{}}
}

// check compares a store opened again with what was acknowledged.
func (l *ledger) check(t *testing.T, e *Engine) {
	t.Helper()
	found := map[string]bool{}
	list, err := e.Browse(context.Background(), "q", "", 1<<20)
	if l.created && err != nil {
		t.Errorf("acknowledged queue: %v", err)
	}
	for _, m := range list {
		if found[m.Body] {
			t.Errorf("%.20q is there twice", m.Body)
		}
		found[m.Body] = true
		if !l.sending[m.Body] {
			t.Errorf("%.20q is there, and nobody sent it", m.Body)
		}
		if l.deleted[m.Body] {
			t.Errorf("%.20q is there again, and its deletion was acknowledged", m.Body)
		}
	}
	for body := range l.sent {
		if !found[body] && !l.deleting[body] {
			t.Errorf("%.20q is lost, and it was acknowledged", body)
		}
	}
}

var testAttributes = driver.Attributes{Visibility: time.Hour, Retention: 96 * time.Hour, MaxMessageSize: 1 << 20}

// history does a little of everything and keeps the ledger. After the first
// ErrClosed nothing may be acknowledged any more.
func history(t *testing.T, e *Engine, l *ledger) {
	ctx := context.Background()
	failed := false
	ok := func(err error) bool {
		if errors.Is(err, driver.ErrClosed) {
			failed = true
		} else if err == nil && failed {
			t.Error("acknowledged after the log had failed")
		}
		return err == nil
	}
	l.created = ok(e.CreateQueue(ctx, "q", testAttributes, nil)) || l.created
	for round := range 3 {
		for i := range 12 {
			body := fmt.Sprintf("%d/%d/%s", round, i, strings.Repeat("b", 3000))
			l.sending[body] = true
			_, err := e.Send(ctx, "q", []driver.Outgoing{{Body: body, Delay: -1}})
			if ok(err) {
				l.sent[body] = true
			}
		}
		m, err := e.Receive(ctx, "q", driver.ReceiveOptions{Max: 8, Visibility: -1})
		if err == nil {
			for i, m := range m {
				if i%4 == 3 {
					_, err := e.ChangeVisibility(ctx, "q", []driver.VisibilityChange{{Receipt: m.Receipt}})
					ok(err)
					continue
				}
				l.deleting[m.Body] = true
				errs, err := e.Delete(ctx, "q", []string{m.Receipt})
				if ok(err) && errs[0] == nil {
					l.deleted[m.Body] = true
				}
			}
		}
		ok(e.SetTags(ctx, "q", map[string]string{"round": fmt.Sprint(round)}))
		e.upkeep.Lock()
		if err := e.checkpoint(); err == nil {
			e.log.Reclaim(e.last.from.Segment())
			e.clean()
		}
		e.upkeep.Unlock()
	}
}

// TestFailEachOperation fails the first operation of the file system, then the
// second, and so on until a whole history goes through.
func TestFailEachOperation(t *testing.T) {
	for name, kind := range map[string]struct {
		err  error
		only string // kinds of operations; "" all
	}{
		"error":       {faultfs.ErrInjected, ""},
		"short write": {faultfs.ErrShort, "write"},
		"disk full":   {syscall.ENOSPC, "create write"},
		"sync error":  {syscall.EIO, "datasync syncdir"},
	} {
		t.Run(name, func(t *testing.T) {
			rng := seededRand(t)
			for n := 0; ; n++ {
				fsys := faultfs.New()
				hit := false
				seen := 0
				fsys.SetFault(func(op faultfs.Op) error {
					if kind.only != "" && !strings.Contains(kind.only, op.Kind) {
						return nil
					}
					seen++
					if seen-1 != n {
						return nil
					}
					hit = true
					return kind.err
				})
				l := newLedger()
				if e, err := open(fsys, smallOptions(64<<10)); err == nil {
					history(t, e, l)
					e.Close()
				}
				fsys.SetFault(nil)
				for how, after := range map[string]*faultfs.FS{"kill": fsys.Kill(), "crash": fsys.Crash(rng)} {
					e, err := open(after, smallOptions(64<<10))
					if err != nil {
						t.Errorf("operation %d, %s: open again: %v", n, how, err)
						continue
					}
					l.check(t, e)
					if err := e.Close(); err != nil {
						t.Errorf("operation %d, %s: close: %v", n, how, err)
					}
				}
				if t.Failed() {
					t.Fatalf("operation %d failed", n)
				}
				if !hit {
					t.Logf("%d operations", n)
					return
				}
			}
		})
	}
}

// TestFullDisk fills the disk. What was acknowledged stays, receiving and
// deleting go on, and once they made room so does sending.
func TestFullDisk(t *testing.T) {
	const segment = 64 << 10
	fsys := faultfs.New()
	fsys.SetCapacity(20 * segment)
	e, err := open(fsys, smallOptions(segment))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if err := e.CreateQueue(ctx, "q", testAttributes, nil); err != nil {
		t.Fatal(err)
	}
	body := strings.Repeat("f", 5000)
	sent := 0
	for ; ; sent++ {
		_, err := e.Send(ctx, "q", []driver.Outgoing{{Body: body, Delay: -1}})
		if errors.Is(err, driver.ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if want := 12 * 12; sent < want {
		t.Errorf("full after %d messages, expected at least %d", sent, want)
	}
	drained := 0
	for drained < sent {
		m, err := e.Receive(ctx, "q", driver.ReceiveOptions{Max: 1, Visibility: -1})
		if err != nil || len(m) != 1 {
			t.Fatalf("after %d of %d: received %d, %v", drained, sent, len(m), err)
		}
		if errs, err := e.Delete(ctx, "q", []string{m[0].Receipt}); err != nil || errs[0] != nil {
			t.Fatalf("after %d of %d: %v %v", drained, sent, err, errs)
		}
		drained++
	}
	deadline := time.Now().Add(5 * time.Minute)
	for {
		_, err := e.Send(ctx, "q", []driver.Outgoing{{Body: body, Delay: -1}})
		if err == nil {
			break
		}
		if !errors.Is(err, driver.ErrFull) || time.Now().After(deadline) {
			t.Fatalf("sending after the queue was drained: %v", err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestSyncFailureIsFinal: after a failed sync nothing is acknowledged, and
// opening again proves the log, though the page cache looks right.
func TestSyncFailureIsFinal(t *testing.T) {
	fsys := faultfs.New()
	e, err := open(fsys, smallOptions(64<<10))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if err := e.CreateQueue(ctx, "q", testAttributes, nil); err != nil {
		t.Fatal(err)
	}
	out := func(body string) []driver.Outgoing { return []driver.Outgoing{{Body: body, Delay: -1}} }
	fsys.SetFault(func(op faultfs.Op) error {
		if op.Kind == "datasync" {
			return syscall.EIO
		}
		return nil
	})
	_, err = e.Send(ctx, "q", out(strings.Repeat("not acknowledged", 500)))
	if !errors.Is(err, driver.ErrClosed) || !errors.Is(err, syscall.EIO) {
		t.Errorf("error is %v, want ErrClosed and its cause", err)
	}
	fsys.SetFault(nil)
	if _, err = e.Send(ctx, "q", out("x")); !errors.Is(err, driver.ErrClosed) {
		t.Errorf("send after the failure: %v", err)
	}
	if _, err = e.Receive(ctx, "q", driver.ReceiveOptions{Max: 1}); !errors.Is(err, driver.ErrClosed) {
		t.Errorf("receive after the failure: %v", err)
	}
	e.Close()

	// The same machine goes on: the record is in its page cache, taken for clean.
	e, err = open(fsys, smallOptions(64<<10))
	if err != nil {
		t.Fatal(err)
	}
	m, err := e.Receive(ctx, "q", driver.ReceiveOptions{Max: 1, Visibility: -1})
	if err != nil || len(m) != 1 {
		t.Fatalf("received %d, %v", len(m), err)
	}
	if _, err := e.Send(ctx, "q", out("later")); err != nil {
		t.Fatal(err)
	}
	after := fsys.Crash(seededRand(t))
	e.Close()
	if e, err = open(after, smallOptions(64<<10)); err != nil {
		t.Fatalf("what was read from the page cache was not put on the disk: %v", err)
	}
	defer e.Close()
	list, err := e.Browse(ctx, "q", "", 10)
	if err != nil || len(list) != 2 {
		t.Errorf("%d messages, %v; want both", len(list), err)
	}
}

// TestReceiveSurvivesKill: a receive does not wait for a sync, but is written
// before it answers.
func TestReceiveSurvivesKill(t *testing.T) {
	fsys := written(t, 2, false)
	e, err := open(fsys, smallOptions(damageSegment))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if _, err := e.Receive(t.Context(), "q", driver.ReceiveOptions{Max: 1, Visibility: -1}); err != nil {
		t.Fatal(err)
	}
	again, err := open(fsys.Kill(), smallOptions(damageSegment))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	list, err := again.Browse(t.Context(), "q", "", 10)
	if err != nil || len(list) != 2 || list[0].State != driver.StateInFlight || list[0].Receives != 1 {
		t.Errorf("%d messages, the first %s after %d receives, %v; want it in flight after one",
			len(list), list[0].State, list[0].Receives, err)
	}
}
