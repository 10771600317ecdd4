package task

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/driver"
	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/memrecords"
)

// uniqueRig is a rig whose client has records.
func uniqueRig(t *testing.T, wrap func(driver.Service) driver.Service) (*rig, *records.Store) {
	r, s := newRig(t, 3, wrap), records.New(memrecords.New())
	r.c = NewClient(r.q, &ClientOptions{Records: s})
	return r, s
}

// TestUnique: one task of a key and a window, whatever the arguments' order, and
// whether a key is given; other keys, other tasks and later windows are others.
func TestUnique(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := uniqueRig(t, nil)
		ctx := t.Context()
		enqueue := func(name, args string, o ...EnqueueOption) (string, error) {
			return EnqueueNamed(ctx, r.c, name, []byte(args), o...)
		}
		first := must[string](t)(enqueue("t", `{"a":1,"b":2}`, Unique("", time.Hour)))
		id, err := enqueue("t", `{ "b":2, "a":1 }`, Unique("", time.Hour), Delay(time.Minute))
		dup, ok := errors.AsType[*DuplicateError](err)
		if !ok || !errors.Is(err, ErrDuplicate) || id != first || *dup != (DuplicateError{"t", first, "default"}) {
			t.Errorf("%q, %v; the first is %q", id, err, first)
		}
		if id, err := OrExisting(enqueue("t", `{"a":1,"b":2}`, Unique("", time.Hour))); id != first || err != nil {
			t.Errorf("%q, %v", id, err)
		}
		must[string](t)(enqueue("t", `{"a":2,"b":2}`, Unique("", time.Hour)))
		must[string](t)(enqueue("u", `{"a":1,"b":2}`, Unique("", time.Hour)))
		must[string](t)(enqueue("t", `1`, Unique("k", time.Hour)))
		if _, err := enqueue("t", `2`, Unique("k", time.Hour)); !errors.Is(err, ErrDuplicate) {
			t.Errorf("one key, other arguments: %v", err)
		}
		r.expect("default", "4 0 0")
		must[string](t)(enqueue("t", `1`, Unique("own", time.Hour), ID("mine")))
		if id, err := enqueue("t", `1`, Unique("own", time.Hour), ID("mine")); id != "mine" || err != nil {
			t.Errorf("the same ID again: %q, %v", id, err)
		}
		r.expect("default", "5 0 0")
		time.Sleep(time.Hour + 2*time.Second) // of the bubble
		must[string](t)(enqueue("t", `2`, Unique("k", time.Hour)))
		r.expect("default", "6 0 0")
	})
}

func TestUniqueBad(t *testing.T) {
	r, s := uniqueRig(t, nil)
	for what, o := range map[string]EnqueueOption{
		"more than 240":     Unique(strings.Repeat("k", 241), time.Hour),
		"control character": Unique("a\x00", time.Hour),
		"1s–366 days":       UniqueUntilDone("k", 0),
	} {
		if _, err := EnqueueNamed(t.Context(), r.c, "t", nil, o); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := EnqueueNamed(t.Context(), NewClient(r.q, nil), "t", nil, Unique("k", time.Hour)); !errors.Is(err, ErrNoRecords) {
		t.Errorf("without records: %v", err)
	}
	s.Close()
	if _, err := EnqueueNamed(t.Context(), r.c, "t", nil, Unique("k", time.Hour)); !errors.Is(err, records.ErrClosed) {
		t.Errorf("records that were closed: %v", err)
	}
	r.expect("default", "0 0 0")
}

// refusing has the n-th and later sends fail until it is told otherwise.
type refusing struct {
	driver.Service
	mu   sync.Mutex
	from int
	sent int
}

func (d *refusing) Send(ctx context.Context, q string, out []driver.Outgoing) ([]driver.Sent, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sent++; d.sent >= d.from {
		return nil, errors.New("the queue is away")
	}
	return d.Service.Send(ctx, q, out)
}

// TestUniqueAfterFailure: an enqueue that failed blocks nobody, and what comes
// after has its id.
func TestUniqueAfterFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &refusing{from: 1}
		r, _ := uniqueRig(t, func(s driver.Service) driver.Service { d.Service = s; return d })
		if _, err := EnqueueNamed(t.Context(), r.c, "t", nil, Unique("k", time.Hour), ID("first")); err == nil || errors.Is(err, ErrDuplicate) {
			t.Fatalf("%v", err)
		}
		d.from = 1000
		begun := time.Now()
		if id := must[string](t)(EnqueueNamed(t.Context(), r.c, "t", nil, Unique("k", time.Hour), ID("second"))); id != "first" {
			t.Errorf("the id is %q: two messages of one key would not be known for one", id)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("it waited %v for nobody", took)
		}
		r.expect("default", "1 0 0")
	})
}

// TestUniqueRace: of many that enqueue at once one does, and all know its id.
func TestUniqueRace(t *testing.T) {
	r, s := uniqueRig(t, nil)
	const callers = 32
	ids := make([]string, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			c := NewClient(r.q, &ClientOptions{Records: s})
			var err error
			if ids[i], err = OrExisting(EnqueueNamed(t.Context(), c, "t", nil, Unique("k", time.Hour))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	slices.Sort(ids)
	if got := slices.Compact(ids); len(got) != 1 || got[0] == "" {
		t.Errorf("ids: %q", got)
	}
	r.expect("default", "1 0 0")
}

// TestUniqueMany: calls that are there, in the queue or in the same
// EnqueueMany, are left out, and each call has the id of its task.
func TestUniqueMany(t *testing.T) {
	r, _ := uniqueRig(t, nil)
	def := Define("t", func(context.Context, int) error { return nil })
	there := must[string](t)(def.Enqueue(t.Context(), r.c, 7, Unique("", time.Hour)))
	args := make([]int, 250)
	for i := range args {
		args[i] = i % 240 // the last ten are duplicates
	}
	ids, err := def.EnqueueMany(t.Context(), r.c, args, Unique("", time.Hour))
	dup, ok := errors.AsType[*DuplicatesError](err)
	if !ok || !errors.Is(err, ErrDuplicate) {
		t.Fatalf("%v", err)
	}
	var which []int
	for i, d := range dup.Of {
		if d != nil {
			which = append(which, i)
		}
		if ids[i] == "" || i >= 240 && ids[i] != ids[i-240] {
			t.Errorf("call %d has the id %q", i, ids[i])
		}
	}
	if d := cmp.Diff([]int{7, 240, 241, 242, 243, 244, 245, 246, 247, 248, 249}, which); d != "" || ids[7] != there {
		t.Errorf("%s\n%q", d, ids[7])
	}
	r.expect("default", "240 0 0")
	if ids, err := def.EnqueueMany(t.Context(), r.c, []int{1, 1000, 1000}, Unique("same", time.Hour)); !errors.Is(err, ErrDuplicate) ||
		ids[0] == "" || ids[1] != ids[0] || ids[2] != ids[0] {
		t.Errorf("one key for all: %q, %v", ids, err)
	}
	r.expect("default", "241 0 0")
}

// TestUniqueManyInOrder: on a FIFO queue the calls are there in their order,
// whatever order their keys are claimed in.
func TestUniqueManyInOrder(t *testing.T) {
	r, s := newFIFO(t, 3), records.New(memrecords.New())
	def := Define("t", func(context.Context, int) error { return nil })
	want := make([]int, 150)
	for i := range want {
		want[i] = i
	}
	must[[]string](t)(def.EnqueueMany(t.Context(), NewClient(r.q, &ClientOptions{Records: s}), want, Unique("", time.Hour)))
	var got []int
	for len(got) < len(want) {
		ms := must[[]queue.Message](t)(r.q.Receive(t.Context(), queue.ReceiveOptions{Max: 10, Visibility: time.Minute}))
		if len(ms) == 0 {
			t.Fatalf("%d of %d calls are there", len(got), len(want))
		}
		for _, m := range ms {
			var n int
			if err := json.Unmarshal(must[*Event](t)(Decode(m.Body)).Data, &n); err != nil {
				t.Fatal(err)
			}
			got = append(got, n)
			if errs := must[[]error](t)(r.q.Delete(t.Context(), m.Receipt)); errs[0] != nil {
				t.Fatal(errs[0])
			}
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestUniqueManyFails: what was not sent may be enqueued again at once.
func TestUniqueManyFails(t *testing.T) {
	d := &refusing{from: 3}
	r, _ := uniqueRig(t, func(s driver.Service) driver.Service { d.Service = s; return d })
	def := Define("t", func(context.Context, int) error { return nil })
	args := make([]int, 120)
	for i := range args {
		args[i] = i
	}
	ids, err := def.EnqueueMany(t.Context(), r.c, args, Unique("", time.Hour))
	if err == nil || errors.Is(err, ErrDuplicate) {
		t.Fatalf("%v", err)
	}
	stored := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == "" })
	r.expect("default", fmt.Sprint(len(stored), " 0 0"))
	d.from = 1000
	ids, err = OrExisting(def.EnqueueMany(t.Context(), r.c, args, Unique("", time.Hour)))
	if err != nil || slices.Contains(ids, "") {
		t.Fatalf("%q, %v", ids, err)
	}
	r.expect("default", "120 0 0")
}
