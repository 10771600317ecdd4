package diskqueue

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// TestEntries compares the index with a sorted slice over random changes.
func TestEntries(t *testing.T) {
	rng := seededRand(t)
	for _, pattern := range []struct{ name, add, remove string }{
		{"first in first out", "end", "first"}, {"random", "any", "any"}, {"appended, removed anywhere", "end", "any"},
	} {
		var l entries
		var want []uint64
		next := uint64(1)
		for range 20_000 {
			if rng.IntN(100) < 55 || len(want) == 0 {
				seq := next
				if pattern.add == "any" {
					seq = rng.Uint64N(100_000) + 1
				}
				next++
				i, found := slices.BinarySearch(want, seq)
				if found {
					continue
				}
				want = slices.Insert(want, i, seq)
				l.add(newEntry(seq, seglog.Pos(seq), 100, 0))
				continue
			}
			i := 0
			if pattern.remove == "any" {
				i = rng.IntN(len(want))
			}
			if e, ok := l.remove(want[i]); !ok || e.pos != seglog.Pos(want[i]) {
				t.Fatalf("%s: remove %d: %v, %v", pattern.name, want[i], e, ok)
			}
			want = slices.Delete(want, i, i+1)
		}
		var got []uint64
		l.from(0, func(e *entry) bool { got = append(got, e.seq()); return true })
		if diff := cmp.Diff(want, got); diff != "" || l.n != len(want) {
			t.Fatalf("%s: n is %d, entries (-want +got):\n%s", pattern.name, l.n, diff)
		}
		for _, seq := range want {
			if e := l.get(seq); e == nil || e.seq() != seq || l.get(seq+200_000) != nil {
				t.Fatalf("%s: get %d: %v", pattern.name, seq, e)
			}
		}
		if most := 8*len(want)/runSize + 2; len(l.runs) > most {
			t.Errorf("%s: %d runs for %d entries, want at most %d", pattern.name, len(l.runs), l.n, most)
		}
	}
}

// TestHidden compares the heap with sorting.
func TestHidden(t *testing.T) {
	rng := seededRand(t)
	var s flights
	h := hidden{s: &s}
	var in []uint32
	for range 2000 {
		if rng.IntN(3) > 0 || len(in) == 0 {
			i, f := s.alloc(1)
			f.visibleAt = rng.Int64N(500)
			h.push(i)
			in = append(in, i)
			continue
		}
		k := rng.IntN(len(in))
		h.remove(int(s.get(in[k]).place))
		s.release(in[k])
		in = slices.Delete(in, k, k+1)
	}
	var want, got []int64
	for _, i := range in {
		want = append(want, s.get(i).visibleAt)
	}
	slices.Sort(want)
	for f := h.top(); f != nil; f = h.top() {
		got = append(got, f.visibleAt)
		h.remove(0)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestIdentity(t *testing.T) {
	k, err := newIdentity(newSecret())
	if err != nil {
		t.Fatal(err)
	}
	other, _ := newIdentity(newSecret())
	rng := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		seq, sent := rng.Uint64N(maxSeq)+1, rng.Int64N(1<<48)
		id := k.id(seq, sent)
		if s, at, ok := k.parseID(id); s != seq || at != sent || !ok {
			t.Fatalf("%s parsed as %d, %d, %v; want %d, %d", id, s, at, ok, seq, sent)
		}
		r := receipt{uid: rng.Uint32(), seq: seq, token: rng.Uint64()}
		h := k.handle(r)
		if got, err := k.parseHandle(h, r.uid); err != nil || got != r {
			t.Fatalf("%s parsed as %v, %v; want %v", h, got, err, r)
		}
		if _, err := other.parseHandle(h, r.uid); !errors.Is(err, driver.ErrReceiptInvalid) {
			t.Fatalf("another store took the receipt: %v", err)
		}
	}
}

func FuzzParseHandle(f *testing.F) {
	k, _ := newIdentity(newSecret())
	f.Add(k.handle(receipt{1, 2, 3}))
	f.Add(strings.Repeat("A", 43))
	f.Fuzz(func(t *testing.T, s string) {
		if r, err := k.parseHandle(s, 1); err == nil && k.handle(r) != s {
			t.Errorf("%q is taken for %v, whose handle is %q", s, r, k.handle(r))
		}
	})
}

func FuzzParseID(f *testing.F) {
	k, _ := newIdentity(newSecret())
	f.Add(k.id(1, 2))
	f.Fuzz(func(t *testing.T, s string) {
		if seq, sent, ok := k.parseID(s); ok && !strings.EqualFold(k.id(seq, sent), s) {
			t.Errorf("%q is taken for %d, whose id is %q", s, seq, k.id(seq, sent))
		}
	})
}

// sampleRecords has a record of every kind, in an order that makes sense.
func sampleRecords() [][]byte {
	body := putString(nil, "q")
	body = append(body, 1)
	create := append(beginRecord(nil, kindCreate, 1), putMap(putQueueAttributes(body, testAttributes), nil)...)
	send := putMessage(nil, &driver.Outgoing{Body: "body", GroupID: "g",
		Attributes: map[string]driver.Attribute{"a": {DataType: "Binary", Binary: []byte{1}}}})
	stampMessage(send, 1, 1, 1000, 0)
	again := slices.Clone(send)
	again[0] = byte(kindCopy)
	redrive := asRedrive(slices.Clone(send))
	stampMessage(redrive, 1, 2, 1000, 0)
	stampRedrive(redrive, 1, 1)
	list := func(k kind, b ...byte) []byte { return append(beginRecord(nil, k, 1), b...) }
	m := newEntry(1, seglog.Start, 100, 1000)
	return [][]byte{
		{byte(kindOpen), 1, 1}, create, send, again,
		binary.AppendUvarint(putReceived(list(kindReceive, 1), received{seq: 1, visibleAt: 2000, token: 7, receives: 1, first: 1000}), 2),
		list(kindVisibility, 1, 1, 5), list(kindTags, 0),
		putMove(nil, 1, 1, &m, &flight{receives: 1}, "q", "g"),
		putMoveTask(list(kindMoveTask), &moveTask{id: "t", state: driver.MoveTask{Status: driver.MoveRunning, Started: fromMilli(5), Moved: 3}}),
		redrive, list(kindDelete, 1, 1), list(kindPurge, 9),
		append(list(kindAttributes, 3), putQueueAttributes(nil, testAttributes)...),
		list(kindDrop, 9),
	}
}

func emptyEngine() *Engine {
	return &Engine{nextSeq: 1, nextUID: 1, queues: map[string]*state{}, byUID: map[uint32]*state{}, live: map[uint32]int64{}, dropped: map[string]int64{}}
}

func TestSampleRecordsApply(t *testing.T) {
	e := emptyEngine()
	for i, b := range sampleRecords() {
		if err := e.apply(seglog.Start, 100, b); err != nil {
			t.Errorf("record %d: %v", i, err)
		}
		for cut := range b[:len(b)-1] {
			err := emptyEngine().apply(seglog.Start, 100, b[:cut])
			if k := kind(b[0]); err == nil && (!k.stores() && k != kindCopy || cut < messageHead) {
				t.Errorf("record %d cut to %d of %d bytes was taken", i, cut, len(b))
			}
		}
	}
}

// FuzzApply applies two records: whatever they say, memory stays consistent.
func FuzzApply(f *testing.F) {
	samples := sampleRecords()
	for i := range samples[1:] {
		f.Add(samples[i], samples[i+1])
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		e := emptyEngine()
		for _, s := range samples[:3] {
			if err := e.apply(seglog.Start, 100, s); err != nil {
				t.Fatal(err)
			}
		}
		e.apply(seglog.Start, 100, a)
		e.apply(seglog.Start, 100, b)
		checkMemory(t, e)
	})
}

// checkMemory checks that counts, heap, line and entries agree.
func checkMemory(t *testing.T, e *Engine) {
	t.Helper()
	var live int64
	for _, q := range e.queues {
		var n, hiding, showing, grouped, flying int
		q.messages.from(0, func(m *entry) bool {
			n++
			live += int64(m.size())
			if m.flight == 0 {
				return true
			}
			f := e.flights.get(m.flight)
			switch {
			case f.seq != m.seq():
				t.Errorf("flight of %d is that of %d", m.seq(), f.seq)
			case f.group != 0 && (f.state == due || f.state == waiting):
				grouped++
			case f.state == due:
				showing++
			default:
				hiding++
				if f.group != 0 && f.state == inFlight {
					flying++
				}
			}
			return true
		})
		inLine := 0
		for i := q.due.head; i != 0 && inLine <= n; i = e.flights.get(i).next {
			inLine++
		}
		if n != q.messages.n || hiding != len(q.hidden.h) || hiding != q.delayed+q.inFlight || showing != inLine {
			t.Errorf("%d messages (%d counted), %d hidden (%d in the heap, %d counted), %d due (%d in line)",
				n, q.messages.n, hiding, len(q.hidden.h), q.delayed+q.inFlight, showing, inLine)
		}
		checkGroups(t, q, grouped, flying)
	}
	for _, bytes := range e.live {
		live -= bytes
	}
	if live != 0 {
		t.Errorf("bytes of live records are off by %d", live)
	}
}

// checkGroups checks that a queue's groups have that many messages in their
// lines and in flight, that lines are in order, and that ready is a heap.
func checkGroups(t *testing.T, q *state, grouped, flying int) {
	t.Helper()
	lined := 0
	for _, x := range q.groups.byName {
		if q.groups.list[x.index] != x || x.messages == 0 {
			t.Errorf("group %q has %d messages and is not at its index", x.name, x.messages)
		}
		flying -= x.inFlight
		for l, last := &x.fresh, uint64(0); l != nil; {
			for i := l.head; i != 0; i = l.s.get(i).next {
				if f := l.s.get(i); l == &x.fresh && f.seq <= last {
					t.Errorf("group %q: %d stands behind %d", x.name, f.seq, last)
				}
				last = l.s.get(i).seq
				lined++
			}
			if l == &x.due {
				break
			}
			l = &x.due
		}
		available := x.oldest() != 0 && !(q.fifo && x.inFlight > 0)
		if available != (x.place >= 0 || x.noisy) {
			t.Errorf("group %q: available %v, place %d, noisy %v", x.name, available, x.place, x.noisy)
		}
	}
	if lined != grouped || flying != 0 {
		t.Errorf("%d messages in the lines of groups, want %d; %d in flight not counted", lined, grouped, flying)
	}
	for k, x := range q.groups.ready {
		if x.place != k || !q.fifo && x.key != x.oldest() || k > 0 && q.groups.ready[(k-1)/2].key > x.key {
			t.Errorf("group %q is out of place in the heap", x.name)
		}
	}
}

// FuzzCheckpoint reads one block, checksum in order, after a good head.
func FuzzCheckpoint(f *testing.F) {
	w := &checkpointWriter{e: emptyEngine()}
	head := w.frame(w.headBlock(seglog.Start))
	q := append(putString([]byte{blockQueue, 1}, "q"), 1, 1, 0)
	q = putMap(putQueueAttributes(q, testAttributes), nil)
	e := emptyEngine()
	m := newEntry(1, seglog.Start, 100, 1000)
	messages := e.putEntry([]byte{blockMessages, 1, 1}, newState(1, "q", &e.flights), &m, &entry{})
	dedup := append([]byte{blockDedup, 1, 1}, make([]byte, 18)...)
	f.Add(q, messages)
	f.Add(messages, q)
	f.Add(q, dedup)
	f.Add(q, putMoveTask([]byte{blockMoveTask, 1}, &moveTask{id: "t", state: driver.MoveTask{Status: driver.MoveRunning, Started: fromMilli(5)}}))
	f.Add(append(putString([]byte{blockDropped}, "q"), 1), q)
	f.Add([]byte{blockEnd, 0}, []byte{})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		w := &checkpointWriter{e: emptyEngine(), block: 1}
		file := slices.Concat([]byte(checkpointMagic), head, w.frame(a), w.frame(b), w.frame([]byte{blockEnd, 1}))
		fsys := faultfs.New()
		c, err := fsys.Create(checkpointName)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.WriteAt(file, 0); err != nil {
			t.Fatal(err)
		}
		e := emptyEngine()
		e.fsys = fsys
		err = e.loadCheckpoint()
		var damage *seglog.CorruptError
		if err != nil && !errors.As(err, &damage) {
			t.Errorf("error is %v, want a CorruptError", err)
		}
		if err == nil {
			checkMemory(t, e)
		}
	})
}

func FuzzDecodeMessage(f *testing.F) {
	for _, b := range sampleRecords() {
		if k := kind(b[0]); k.stores() || k == kindCopy {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, m, err := decodeMessage(b)
		if err != nil {
			return
		}
		again := putMessage(nil, &driver.Outgoing{Body: m.Body, GroupID: m.GroupID, DedupID: m.DedupID, Attributes: m.Attributes, System: m.System})
		stampMessage(again, s.uid, s.seq, s.sent, s.visibleAt)
		s2, m2, err := decodeMessage(again)
		if err != nil || s != s2 || !cmp.Equal(m, m2, cmpopts.EquateEmpty()) {
			t.Errorf("% x decoded, encoded and decoded again is another message: %v", b, err)
		}
	})
}
