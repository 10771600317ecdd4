package seglog

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
)

var testOptions = Options{SegmentSize: 4096, Log: slog.New(slog.DiscardHandler)}

// add appends one record, waiting for a segment if need be.
func add(t *testing.T, l *Log, payload []byte) Pos {
	t.Helper()
	for {
		err := l.Room(RecordSize(len(payload)), false)
		if errors.Is(err, ErrNoSegment) {
			if err = l.WaitRoom(); err == nil {
				continue
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		return l.Append(payload)
	}
}

// reopen opens a log and returns its records.
func reopen(t *testing.T, fsys *faultfs.FS, from Pos) (*Log, Report, []string) {
	t.Helper()
	var got []string
	l, r, err := Open(fsys, testOptions, from, func(_ Pos, _ uint32, payload []byte) error {
		got = append(got, string(payload))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, r, got
}

func create(t *testing.T, fsys *faultfs.FS) *Log {
	t.Helper()
	l, err := Create(fsys, testOptions)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestRecordsComeBack(t *testing.T) {
	fsys := faultfs.New()
	l := create(t, fsys)
	var want []string
	var places []Pos
	for i := range 100 { // over several segments, payloads of every length mod 8
		payload := bytes.Repeat([]byte{byte('a' + i%26)}, 1+i*7%900)
		want = append(want, string(payload))
		places = append(places, add(t, l, payload))
	}
	if err := l.Commit(l.End()); err != nil {
		t.Fatal(err)
	}
	for i, p := range places {
		l.Keep(p, 1)
		pin, err := l.Pin(p)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := pin.Read(p.Offset(), RecordSize(len(want[i])), nil)
		if err != nil || string(got) != want[i] {
			t.Errorf("record %d: %.10q, %v", i, got, err)
		}
		pin.Unpin()
	}
	_, r, got := reopen(t, fsys.Kill(), Start)
	if diff := cmp.Diff(want, got); diff != "" || r.Torn {
		t.Errorf("replayed (-want +got), torn %v:\n%s", r.Torn, diff)
	}
	_, _, got = reopen(t, fsys.Kill(), places[60])
	if diff := cmp.Diff(want[60:], got); diff != "" {
		t.Errorf("replayed from the middle (-want +got):\n%s", diff)
	}
}

// TestLeftoverOfTornWrite: of two records of one write the first is lost. The
// second must not come back when another record leads up to it, even if of that
// one only the sectors before the leftover arrive.
func TestLeftoverOfTornWrite(t *testing.T) {
	const sector, payload = 512, 512 - headerSize - recordHead // record two starts a sector
	fsys := faultfs.New()
	l := create(t, fsys)
	p := add(t, l, bytes.Repeat([]byte("1"), payload))
	add(t, l, bytes.Repeat([]byte("2"), payload))
	if err := l.Flush(l.End()); err != nil {
		t.Fatal(err)
	}
	torn := fsys.Kill()
	torn.Corrupt(p.File(), func(b []byte) []byte { clear(b[p.Offset():sector]); return b })
	l, r, got := reopen(t, torn, Start)
	if len(got) != 0 || !r.Torn || r.Cut != p {
		t.Errorf("replayed %d records, report %+v; want none and a cut at %v", len(got), r, p)
	}
	var rest []byte // what the sectors hold that the next write will not reach
	torn.Kill().Corrupt(p.File(), func(b []byte) []byte { rest = bytes.Clone(b[sector:]); return b })
	third := bytes.Repeat([]byte("3"), payload)
	add(t, l, third)
	if err := l.Flush(l.End()); err != nil {
		t.Fatal(err)
	}
	after := torn.Kill()
	after.Corrupt(p.File(), func(b []byte) []byte { return append(b[:sector], rest...) })
	_, _, got = reopen(t, after, Start)
	if diff := cmp.Diff([]string{string(third)}, got); diff != "" {
		t.Errorf("replayed (-want +got):\n%s", diff)
	}
}

// TestDamageOfSynced: a record damaged before one that shows it was synced is
// an error, in the same segment and in one before.
func TestDamageOfSynced(t *testing.T) {
	fsys := faultfs.New()
	l := create(t, fsys)
	var places []Pos
	for i := range 12 {
		places = append(places, add(t, l, bytes.Repeat([]byte{byte('a' + i)}, 700)))
		if err := l.Commit(l.End()); err != nil {
			t.Fatal(err)
		}
	}
	for i, p := range places[:len(places)-1] {
		damaged := fsys.Kill()
		damaged.Corrupt(p.File(), func(b []byte) []byte { b[p.Offset()+100] ^= 1; return b })
		_, _, err := Open(damaged, testOptions, Start, func(Pos, uint32, []byte) error { return nil })
		var c *CorruptError
		if !errors.As(err, &c) || c.File != p.File() || c.Offset != int64(p.Offset()) {
			t.Errorf("record %d at %v damaged: error is %v", i, p, err)
		}
	}
}

// TestRecycledSegments: records of a segment's earlier use are never replayed.
func TestRecycledSegments(t *testing.T) {
	fsys := faultfs.New()
	l := create(t, fsys)
	for round := range 20 {
		from := l.End()
		var want []string
		for i := range 10 {
			payload := fmt.Sprintf("%d/%d/%s", round, i, bytes.Repeat([]byte("r"), 500))
			add(t, l, []byte(payload))
			want = append(want, payload)
		}
		if err := l.Commit(l.End()); err != nil {
			t.Fatal(err)
		}
		_, _, got := reopen(t, fsys.Kill(), from)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("round %d (-want +got):\n%s", round, diff)
		}
		if _, err := l.Reclaim(l.End().Segment()); err != nil {
			t.Fatal(err)
		}
	}
	if used := fsys.Used(); used > 20*4096 {
		t.Errorf("%d bytes used after 20 rounds: segments are not recycled", used)
	}
}

func TestOneSyncServesMany(t *testing.T) {
	fsys := faultfs.New()
	l := create(t, fsys)
	if err := l.WaitRoom(); err != nil { // the preparer's own syncs are over
		t.Fatal(err)
	}
	var mu sync.Mutex
	syncs := 0
	fsys.SetFault(func(op faultfs.Op) error {
		if op.Kind == "datasync" {
			syncs++ // under the folder's lock
		}
		return nil
	})
	const n = 64
	var start, done sync.WaitGroup
	start.Add(n)
	for range n {
		done.Go(func() {
			mu.Lock()
			l.Append([]byte("x"))
			end := l.End()
			mu.Unlock()
			start.Done()
			start.Wait() // all have appended before any commits
			if err := l.Commit(end); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	if syncs != 1 {
		t.Errorf("%d syncs for %d records appended before the first, want 1", syncs, n)
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(appendRecord(nil, 7, 64, 64, []byte("payload")), uint32(7), uint32(64))
	f.Add(make([]byte, 64), uint32(0), uint32(64))
	f.Fuzz(func(t *testing.T, b []byte, seed, off uint32) {
		off = off % 4096 &^ 7
		h, payload, ok := parseRecord(b, seed, off, 4096)
		if !ok {
			return
		}
		again := appendRecord(nil, seed, off, h.synced, payload)
		if !bytes.Equal(again[:recordHead+len(payload)], b[:recordHead+len(payload)]) {
			t.Errorf("parsed % x, which is written % x", b, again)
		}
	})
}

func FuzzHeader(f *testing.F) {
	f.Add(newHeader(3, 4096), uint32(3))
	f.Fuzz(func(t *testing.T, b []byte, id uint32) {
		s, reason := parseHeader(b, id)
		if (s == nil) == (reason == "") {
			t.Errorf("segment %v, reason %q", s, reason)
		}
	})
}
