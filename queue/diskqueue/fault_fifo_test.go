package diskqueue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// fifoLedger is what clients of FIFO queues know: what they tried, and what was
// acknowledged.
type fifoLedger struct {
	t       *testing.T
	e       *Engine
	failed  bool            // the store said that it takes no more
	created map[string]bool // queues
	sent    []*fifoSent     // in order
	byBody  map[string]*fifoSent
	purged  bool // the queue modelPurged, for good
}

type fifoSent struct {
	out               driver.Outgoing
	queue             string
	id                string // acknowledged
	deleting, deleted bool
}

const modelPurged = "purged.fifo"

// ok reports whether an operation was acknowledged. After the first ErrClosed
// none may be: the log is not proved.
func (l *fifoLedger) ok(err error) bool {
	if errors.Is(err, driver.ErrClosed) {
		l.failed = true
	} else if err == nil && l.failed {
		l.t.Error("acknowledged after the log had failed")
	}
	return err == nil
}

// work does a little of everything there is of FIFO queues.
func (l *fifoLedger) work() {
	ctx := context.Background()
	a := driver.Attributes{FIFO: true, Visibility: time.Hour, Retention: 96 * time.Hour, MaxMessageSize: 1 << 20}
	l.create(modelDead, a)
	l.create(modelPurged, a)
	a.DeadLetter = &driver.DeadLetter{Queue: modelDead, MaxReceives: 1}
	l.create(modelQueue, a)
	for round := range 3 {
		for i := range 4 {
			l.send(modelQueue, fmt.Sprintf("%d/%d/a", round, i), fmt.Sprintf("%d/%d/b", round, i))
		}
		l.send(modelPurged, fmt.Sprintf("%d/purged", round))
		l.sendAgain()
		l.receive(0, driver.ReceiveOptions{Max: 4, AttemptID: fmt.Sprint(round)}) // visible again at once
		l.receive(2, driver.ReceiveOptions{Max: 4, Visibility: -1})               // those are dead letters now
		l.reclaim()
		_, err := l.e.StartMove(ctx, driver.Move{Source: modelDead, Destination: []string{"", modelQueue}[round%2]})
		l.ok(err)
		time.Sleep(3 * time.Second) // a failing move tries again after one
		l.receive(2, driver.ReceiveOptions{Max: 3, Visibility: -1})
		l.reclaim()
	}
	l.purged = l.ok(l.e.Purge(ctx, modelPurged))
	l.ok(l.e.DeleteQueue(ctx, modelPurged))
}

func (l *fifoLedger) create(name string, a driver.Attributes) {
	l.created[name] = l.ok(l.e.CreateQueue(context.Background(), name, a, nil))
}

func (l *fifoLedger) send(queue string, names ...string) {
	var out []driver.Outgoing
	for _, name := range names {
		o := driver.Outgoing{Body: name + strings.Repeat(" ", 2500), Delay: -1, GroupID: name[len(name)-1:], DedupID: name}
		s := &fifoSent{out: o, queue: queue}
		l.sent, l.byBody[o.Body] = append(l.sent, s), s
		out = append(out, o)
	}
	sent, err := l.e.Send(context.Background(), queue, out)
	if !l.ok(err) {
		return
	}
	for i := range out {
		l.byBody[out[i].Body].id = sent[i].ID
	}
}

// sendAgain sends what was sent before: it gets the same answers.
func (l *fifoLedger) sendAgain() {
	for _, s := range l.sent[max(0, len(l.sent)-6):] {
		again, err := l.e.Send(context.Background(), s.queue, []driver.Outgoing{s.out})
		if !l.ok(err) {
			continue
		}
		if s.id != "" && again[0].ID != s.id {
			l.t.Errorf("%.10q sent again is %s, was %s", s.out.Body, again[0].ID, s.id)
		}
		s.id = again[0].ID // the first may have been stored, and not acknowledged
	}
}

// receive takes messages and deletes the first of them, and gives back one more.
func (l *fifoLedger) receive(del int, o driver.ReceiveOptions) {
	ctx := context.Background()
	got, err := l.e.Receive(ctx, modelQueue, o)
	if err != nil {
		return
	}
	for i, m := range got {
		s := l.byBody[m.Body]
		if s == nil {
			l.t.Errorf("received %.10q, which nobody sent", m.Body)
			continue
		}
		switch {
		case i < del:
			s.deleting = true
			errs, err := l.e.Delete(ctx, modelQueue, []string{m.Receipt})
			s.deleted = l.ok(err) && errs[0] == nil
		case i == del && del > 0:
			_, err := l.e.ChangeVisibility(ctx, modelQueue, []driver.VisibilityChange{{Receipt: m.Receipt}})
			l.ok(err)
		}
	}
}

// reclaim checkpoints, and recycles segments.
func (l *fifoLedger) reclaim() {
	l.e.upkeep.Lock()
	defer l.e.upkeep.Unlock()
	if l.e.checkpoint() == nil {
		l.e.log.Reclaim(l.e.last.from.Segment())
		l.e.clean()
	}
}

// contents of all queues, by queue and order.
func contents(t *testing.T, e *Engine) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, name := range []string{modelQueue, modelDead, modelPurged} {
		list, err := e.Browse(t.Context(), name, "", 1<<20)
		if err != nil && !errors.Is(err, driver.ErrQueueNotFound) {
			t.Errorf("browse: %v", err)
		}
		for i := range list {
			all[name] = append(all[name], list[i].Body)
		}
	}
	return all
}

// check compares a store opened again with what was acknowledged.
func (l *fifoLedger) check(e *Engine) {
	t := l.t
	found := map[string]int{}
	for _, bodies := range contents(t, e) {
		for _, body := range bodies {
			found[body]++
			if l.byBody[body] == nil {
				t.Errorf("%.10q is there, and nobody sent it", body)
			}
		}
	}
	for _, name := range []string{modelQueue, modelDead} {
		if _, err := e.Describe(t.Context(), name); err != nil && l.created[name] {
			t.Errorf("acknowledged queue: %v", err)
		}
	}
	for _, s := range l.sent {
		n, body := found[s.out.Body], s.out.Body
		switch {
		case n > 1:
			t.Errorf("%.10q is there %d times", body, n)
		case n == 1 && (s.deleted || l.purged && s.queue == modelPurged):
			t.Errorf("%.10q is there again, and its end was acknowledged", body)
		case n == 0 && s.id != "" && !s.deleting && s.queue == modelQueue:
			t.Errorf("%.10q is lost, and it was acknowledged", body)
		}
		if s.id == "" || s.queue != modelQueue {
			continue
		}
		again, err := e.Send(t.Context(), modelQueue, []driver.Outgoing{s.out})
		if err != nil || again[0].ID != s.id {
			t.Errorf("%.10q sent again is %+v, %v; want what was acknowledged, %s", body, again, err, s.id)
		}
	}
}

// checkProved opens what is left and compares; then the machine loses its power
// in turn: what was shown stays, though the page cache may have been all there was.
func (l *fifoLedger) checkProved(after *faultfs.FS, rng *rand.Rand) {
	e, err := open(after, smallOptions(32<<10))
	if err != nil {
		l.t.Errorf("open again: %v", err)
		return
	}
	// A move that was interrupted goes on, in what order with this is not said.
	time.Sleep(2 * moveHide)
	synctest.Wait()
	shown := contents(l.t, e)
	again := after.Crash(rng)
	l.check(e)
	if err := e.Close(); err != nil {
		l.t.Errorf("close: %v", err)
	}
	if e, err = open(again, smallOptions(32<<10)); err != nil {
		l.t.Errorf("after power was lost too: %v", err)
		return
	}
	defer e.Close()
	if diff := cmp.Diff(shown, contents(l.t, e)); diff != "" {
		l.t.Errorf("what was shown is not there when power was lost too (-shown +found):\n%s", diff)
	}
}

// TestFailEachFIFOOperation is TestFailEachOperation over FIFO queues, with
// deduplication, dead letters, moves, checkpoints and segments recycled.
func TestFailEachFIFOOperation(t *testing.T) {
	for _, kind := range []struct {
		name string
		err  error
		only string // kinds of operations; "" all
	}{
		{"error", faultfs.ErrInjected, ""},
		{"short write", faultfs.ErrShort, "write"},
		{"disk full", syscall.ENOSPC, "create write"},
		{"sync error", syscall.EIO, "datasync syncdir"},
	} {
		t.Run(kind.name, func(t *testing.T) {
			rng := seededRand(t)
			n := 0
			for hit := true; hit && !t.Failed(); n++ {
				synctest.Test(t, func(t *testing.T) { hit = failOne(t, rng, n, kind.err, kind.only) })
			}
			t.Logf("%d operations", n-1)
		})
	}
}

// failOne fails the n-th operation and reports whether there was one.
func failOne(t *testing.T, rng *rand.Rand, n int, fault error, only string) (hit bool) {
	fsys := faultfs.New()
	seen, what := 0, faultfs.Op{}
	fsys.SetFault(func(op faultfs.Op) error {
		if only != "" && !slices.Contains(strings.Fields(only), op.Kind) {
			return nil
		}
		if seen++; seen-1 != n {
			return nil
		}
		hit, what = true, op
		return fault
	})
	l := &fifoLedger{t: t, created: map[string]bool{}, byBody: map[string]*fifoSent{}}
	if e, err := open(fsys, smallOptions(32<<10)); err == nil {
		l.e = e
		l.work()
		e.Close()
	}
	fsys.SetFault(nil)
	if !hit && l.failed {
		t.Error("the store failed, and no operation did")
	}
	l.checkProved(fsys.Kill(), rng)
	l.checkProved(fsys.Crash(rng), rng)
	if t.Failed() {
		t.Logf("operation %d, %+v, failed", n, what)
	}
	return hit
}
