package diskqueue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
	"github.com/dayfly-dev/dayfly/queue/archive"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

const busySegment = 32 << 10

// busyOptions make no checkpoint by themselves, so that tests decide.
func busyOptions() Options {
	o := smallOptions(busySegment)
	o.replay = 1 << 40
	return o
}

// busy is a store in whose queues a little of everything was done, over many
// segments and checkpoints, as a killed process leaves it. All was acknowledged.
func busy(t testing.TB, rng *rand.Rand, ops int) *faultfs.FS {
	t.Helper()
	fsys := faultfs.New()
	e, err := open(fsys, busyOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	b := &busyStore{t: t, e: e, rng: rng}
	b.makeQueues()
	for range ops {
		b.step()
	}
	// What a receive wrote is synced now; and the last record is one of its own.
	for range 2 {
		b.must(e.SetTags(context.Background(), "dead", nil))
	}
	return fsys.Kill()
}

type busyStore struct {
	t    testing.TB
	e    *Engine
	rng  *rand.Rand
	n    int
	held []driver.Message
	of   []string // queues of held
}

var busyQueues = []string{"q", "orders.fifo", "dead"}

func (b *busyStore) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *busyStore) makeQueues() {
	ctx := context.Background()
	a := testAttributes
	b.must(b.e.CreateQueue(ctx, "dead", a, map[string]string{"team": "post"}))
	b.must(b.e.CreateQueue(ctx, "short-lived", a, nil))
	a.DeadLetter = &driver.DeadLetter{Queue: "dead", MaxReceives: 2}
	a.Extra = map[string]string{"Policy": "{}"}
	b.must(b.e.CreateQueue(ctx, "q", a, nil))
	f := testAttributes
	f.FIFO, f.ContentDedup = true, true
	b.must(b.e.CreateQueue(ctx, "orders.fifo", f, nil))
}

func (b *busyStore) step() {
	ctx := context.Background()
	name := busyQueues[b.rng.IntN(len(busyQueues)-1)]
	switch r := b.rng.IntN(100); {
	case r < 40:
		b.send(name)
	case r < 65:
		m, err := b.e.Receive(ctx, busyQueues[b.rng.IntN(3)], driver.ReceiveOptions{Max: 1 + b.rng.IntN(3), Visibility: -1})
		b.must(err)
		for range m {
			b.of = append(b.of, name)
		}
		b.held = append(b.held, m...)
	case r < 92 && len(b.held) > 0:
		b.finish(b.rng.IntN(3) > 0)
	case r < 94:
		b.must(b.e.SetTags(ctx, name, map[string]string{"n": fmt.Sprint(b.n)}))
	case r < 95 && b.e.queues["short-lived"] != nil:
		b.send("short-lived")
		b.must(b.e.DeleteQueue(ctx, "short-lived"))
	case r < 98:
		b.checkpoint()
	}
}

func (b *busyStore) send(name string) {
	b.n++
	m := driver.Outgoing{Body: fmt.Sprintf("%s %d %s", name, b.n, strings.Repeat("b", b.rng.IntN(900))), Delay: -1}
	if b.rng.IntN(4) == 0 {
		m.Attributes = map[string]driver.Attribute{"n": {DataType: "Number", String: fmt.Sprint(b.n)}, "b": {DataType: "Binary", Binary: []byte{0, 255}}}
	}
	if name == "orders.fifo" || b.rng.IntN(4) == 0 {
		m.GroupID = fmt.Sprint("group", b.rng.IntN(5))
	}
	if name == "q" && b.rng.IntN(5) == 0 {
		m.Delay = time.Hour / 4
	}
	_, err := b.e.Send(context.Background(), name, []driver.Outgoing{m})
	b.must(err)
}

// finish deletes a message or gives it back.
func (b *busyStore) finish(del bool) {
	i := b.rng.IntN(len(b.held))
	m := b.held[i]
	b.held = slices.Delete(b.held, i, i+1)
	ctx := context.Background()
	for _, name := range busyQueues { // the one it is in takes the receipt
		var errs []error
		var err error
		if del {
			errs, err = b.e.Delete(ctx, name, []string{m.Receipt})
		} else {
			errs, err = b.e.ChangeVisibility(ctx, name, []driver.VisibilityChange{{Receipt: m.Receipt}})
		}
		b.must(err)
		if errs[0] == nil {
			return
		}
	}
}

func (b *busyStore) checkpoint() {
	b.e.upkeep.Lock()
	defer b.e.upkeep.Unlock()
	b.must(b.e.checkpoint())
	_, err := b.e.log.Reclaim(b.e.last.from.Segment())
	b.must(err)
	b.must(b.e.clean())
	_, err = b.e.log.Reclaim(b.e.last.from.Segment())
	b.must(err)
}

// exported reads a store through an export.
type exported struct {
	queues   map[string]archive.Queue
	messages map[string][]archive.Message // by queue
	end      archive.End
	damage   []Damage
	report   Report
	archive  []byte
}

// exportOf verifies and exports a store, and checks that nothing is written to
// it, and that both say the same.
func exportOf(t testing.TB, fsys *faultfs.FS, o ExportOptions) exported {
	t.Helper()
	fsys.SetFault(func(op faultfs.Op) error {
		if !slices.Contains([]string{"list", "open", "read", "lock"}, op.Kind) {
			t.Errorf("reading did %q to %q", op.Kind, op.Name)
		}
		return nil
	})
	defer fsys.SetFault(nil)
	x := exported{queues: map[string]archive.Queue{}, messages: map[string][]archive.Message{}}
	var verified []Damage
	s, err := surveyOf(context.Background(), fsys, nil)
	if err != nil {
		t.Fatal(err)
	}
	x.report, err = s.verify(func(d Damage) error { verified = append(verified, d); return nil })
	if err = errors.Join(err, s.close()); err != nil {
		t.Fatal(err)
	}
	if s, err = surveyOf(context.Background(), fsys, nil); err != nil {
		t.Fatal(err)
	}
	defer s.close()
	o.Damage = func(d Damage) error { x.damage = append(x.damage, d); return nil }
	var b bytes.Buffer
	if x.end, err = s.export(archive.NewWriter(&b), o); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(verified, x.damage); diff != "" {
		t.Errorf("verify and export differ on the damage (-verify +export):\n%s", diff)
	}
	x.archive = bytes.Clone(b.Bytes())
	x.readArchive(t, &b)
	return x
}

func (x *exported) readArchive(t testing.TB, b io.Reader) {
	t.Helper()
	r := archive.NewReader(b)
	for {
		item, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			t.Fatal(err)
		case item.Queue != nil:
			x.queues[item.Queue.Name] = *item.Queue
		case item.Message != nil:
			x.messages[item.Message.Queue] = append(x.messages[item.Message.Queue], *item.Message)
		}
	}
}

// TestExportIsWhatOpenFinds: of a whole store an export has the queues and the
// messages, in all their fields, that are there when it is opened.
func TestExportIsWhatOpenFinds(t *testing.T) {
	rng := seededRand(t)
	states := map[driver.State]int{}
	for range 20 {
		fsys := busy(t, rng, 50+rng.IntN(500))
		got := exportOf(t, fsys, ExportOptions{})
		if len(got.damage) > 0 || got.end.Damaged || got.end.Lost != 0 {
			t.Fatalf("a whole store has damage: %+v", got.damage)
		}
		e, err := open(fsys, busyOptions())
		if err != nil {
			t.Fatal(err)
		}
		page, err := e.ListQueues(t.Context(), driver.ListOptions{Max: 1000})
		if err != nil || len(page.Names) != len(got.queues) || got.end.Queues != len(page.Names) {
			t.Fatalf("%d queues, %v; exported %d", len(page.Names), err, len(got.queues))
		}
		for i, name := range page.Names {
			compareQueue(t, e, name, got, got.report.Queues[i])
			for _, m := range got.messages[name] {
				states[m.State]++
			}
		}
		e.Close()
	}
	for _, s := range []driver.State{driver.StateVisible, driver.StateDelayed, driver.StateInFlight} {
		if states[s] == 0 {
			t.Errorf("no message was %s: this test means nothing for it", s)
		}
	}
}

func compareQueue(t *testing.T, e *Engine, name string, x exported, r QueueReport) {
	t.Helper()
	d, err := e.Describe(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	want := archive.Queue{Name: name, Attributes: d.Attributes, Tags: d.Tags, Created: d.Created, Modified: d.Modified}
	if diff := cmp.Diff(want, x.queues[name], cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("queue %s (-opened +exported):\n%s", name, diff)
	}
	if r.Name != name || r.Visible != d.Visible || r.Delayed != d.Delayed || r.InFlight != d.InFlight || r.Messages != d.Visible+d.Delayed+d.InFlight {
		t.Errorf("queue %s has %+v, and is reported as %+v", name, d, r)
	}
	list, err := e.Browse(t.Context(), name, "", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var got []driver.Browsed
	for _, m := range x.messages[name] {
		got = append(got, m.Browsed)
		if m.Doubtful {
			t.Errorf("%s %.20q is doubtful in a whole store", name, m.Body)
		}
	}
	if diff := cmp.Diff(list, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(driver.Browsed{}, "Waits")); diff != "" {
		t.Errorf("messages of %s (-opened +exported):\n%s", name, diff)
	}
}
