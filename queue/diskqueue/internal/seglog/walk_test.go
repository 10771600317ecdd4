package seglog

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
)

// walked is what a walk found.
type walked struct {
	records []string
	holes   []string // place and reason
	gaps    []uint32
	found   Found
}

func walkAll(t *testing.T, fsys *faultfs.FS, from Pos, required uint32) (w walked) {
	t.Helper()
	fsys.SetFault(func(op faultfs.Op) error {
		if op.Kind != "list" && op.Kind != "open" && op.Kind != "read" {
			t.Errorf("walking did %q to %q", op.Kind, op.Name)
		}
		return nil
	})
	defer fsys.SetFault(nil)
	var err error
	w.found, err = Walk(fsys, from, required, Walker{
		Record: func(p Pos, size uint32, payload []byte) error {
			if size != RecordSize(len(payload)) {
				t.Errorf("record at %s has size %d and a payload of %d", p, size, len(payload))
			}
			w.records = append(w.records, string(payload))
			return nil
		},
		Hole: func(id uint32, h Hole) error {
			w.holes = append(w.holes, fmt.Sprintf("%s %d-%d %s", FileName(id), h.Off, h.End, h.Reason))
			return nil
		},
		Gap: func(id uint32) error { w.gaps = append(w.gaps, id); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// several is a log of n records of 100 to 400 bytes over some segments, synced
// one by one, as a killed process leaves it, and its records with their places.
func several(t *testing.T, n int) (fsys *faultfs.FS, want []string, places []Pos) {
	t.Helper()
	fsys = faultfs.New()
	l := create(t, fsys)
	for i := range n {
		payload := fmt.Sprintf("%d %s", i, strings.Repeat(string(rune('a'+i%26)), 100+i*37%300))
		want = append(want, payload)
		places = append(places, add(t, l, []byte(payload)))
		if err := l.Commit(l.End()); err != nil {
			t.Fatal(err)
		}
	}
	return fsys.Kill(), want, places
}

func TestWalkWholeLog(t *testing.T) {
	fsys, want, places := several(t, 100)
	for _, first := range []int{0, 1, 50, 99} {
		from := places[first]
		if first == 0 {
			from = Start
		}
		w := walkAll(t, fsys, from, from.Segment())
		if diff := cmp.Diff(want[first:], w.records); diff != "" || len(w.holes) != 0 || len(w.gaps) != 0 {
			t.Errorf("from record %d: holes %q, gaps %v, records (-want +got):\n%s", first, w.holes, w.gaps, diff)
		}
		last := places[99]
		if end := At(last.Segment(), last.Offset()+RecordSize(len(want[99]))); w.found != (Found{End: end}) {
			t.Errorf("from record %d: came to %+v, want %s", first, w.found, end)
		}
	}
}

// TestWalkPastFlips flips a bit in each kind of place of a record and of a
// header, in the middle of the log: every other record is found, and so is the
// one that is hit in its head alone.
func TestWalkPastFlips(t *testing.T) {
	whole, want, places := several(t, 60)
	for _, hit := range []int{0, 20, 21, 40} {
		p := places[hit]
		for field, at := range map[string]struct {
			off  uint32
			kept bool
		}{"checksum": {0, true}, "length": {4, false}, "synced": {8, true}, "payload checksum": {12, false}, "payload": {20, false}} {
			fsys := whole.Kill()
			fsys.Corrupt(p.File(), func(b []byte) []byte { b[p.Offset()+at.off] ^= 8; return b })
			w := walkAll(t, fsys, Start, 1)
			rest := slices.Clone(want)
			if !at.kept {
				rest = slices.Delete(rest, hit, hit+1)
			}
			if diff := cmp.Diff(rest, w.records); diff != "" {
				t.Errorf("record %d hit in its %s (-want +got):\n%s", hit, field, diff)
			}
			if place := fmt.Sprintf("%s %d-%d ", p.File(), p.Offset(), p.Offset()+RecordSize(len(want[hit]))); len(w.holes) != 1 || !strings.HasPrefix(w.holes[0], place) {
				t.Errorf("record %d hit in its %s: holes %q, want one at %s", hit, field, w.holes, place)
			}
		}
	}
	for off := range uint32(headerSize) {
		fsys := whole.Kill()
		fsys.Corrupt(FileName(2), func(b []byte) []byte { b[off] ^= 1; return b })
		if w := walkAll(t, fsys, Start, 1); len(w.records) != len(want) || len(w.holes) != 1 || !strings.HasPrefix(w.holes[0], FileName(2)+" 0-64 ") {
			t.Errorf("header hit at %d: %d of %d records, holes %q", off, len(w.records), len(want), w.holes)
		}
	}
}

// TestWalkPastLostSectors loses the first sectors of a segment: what is behind
// them is found, though the header with the random number is gone.
func TestWalkPastLostSectors(t *testing.T) {
	whole, want, places := several(t, 60)
	for _, lost := range []int{64, 512, 1024} {
		rest := slices.Clone(want)
		for i := len(want) - 1; i >= 0; i-- {
			if p := places[i]; p.Segment() == 2 && int(p.Offset()) < lost {
				rest = slices.Delete(rest, i, i+1)
			}
		}
		fsys := whole.Kill()
		fsys.Corrupt(FileName(2), func(b []byte) []byte { clear(b[:lost]); return b })
		if diff := cmp.Diff(rest, walkAll(t, fsys, Start, 1).records); diff != "" {
			t.Errorf("%d bytes lost (-want +got):\n%s", lost, diff)
		}
	}
}

// TestWalkUnreadable: what the disk cannot read is a hole, and so is what a file
// is too short for; nothing else is lost.
func TestWalkUnreadable(t *testing.T) {
	whole, want, places := several(t, 60)
	without := func(segment uint32) (rest []string) {
		for i, p := range places {
			if p.Segment() != segment {
				rest = append(rest, want[i])
			}
		}
		return rest
	}
	last := places[59].Segment()
	for _, id := range []uint32{1, 2, last} {
		fsys := whole.Kill()
		if err := fsys.Remove(FileName(id)); err != nil {
			t.Fatal(err)
		}
		w := walkAll(t, fsys, Start, 1)
		if diff := cmp.Diff(without(id), w.records); diff != "" || len(w.holes) != 1 || w.holes[0] != FileName(id)+" 0-0 segment is missing" {
			t.Errorf("without %s: holes %q, records (-want +got):\n%s", FileName(id), w.holes, diff)
		}
		for _, to := range []int{0, 10, 64, 100, 2000} {
			fsys := whole.Kill()
			fsys.Corrupt(FileName(id), func(b []byte) []byte { return b[:to] })
			w := walkAll(t, fsys, Start, 1)
			var rest []string
			for i, p := range places {
				if p.Segment() != id || int(p.Offset())+int(RecordSize(len(want[i]))) <= to {
					rest = append(rest, want[i])
				}
			}
			if diff := cmp.Diff(rest, w.records); diff != "" || len(w.holes) == 0 {
				t.Errorf("%s cut to %d: holes %q, records (-want +got):\n%s", FileName(id), to, w.holes, diff)
			}
		}
	}
	w := walkAll(t, whole, Start, 1)
	failing := whole.Kill()
	var got int
	failing.SetFault(func(op faultfs.Op) error {
		if op.Kind == "read" && op.Name == FileName(2) {
			return faultfs.ErrInjected
		}
		return nil
	})
	holes := ""
	if _, err := Walk(failing, Start, 1, Walker{
		Record: func(Pos, uint32, []byte) error { got++; return nil },
		Hole:   func(id uint32, h Hole) error { holes += FileName(id) + " " + h.Reason + "\n"; return nil },
	}); err != nil {
		t.Fatal(err)
	}
	if want := len(without(2)); got != want || !strings.Contains(holes, "the disk cannot read it: read 00000002.seg: injected fault") {
		t.Errorf("%d records of %d, holes %s", got, len(w.records), holes)
	}
}

// TestWalkGap: segments before the place where replay starts may be missing.
func TestWalkGap(t *testing.T) {
	fsys, want, places := several(t, 60)
	for _, id := range []uint32{2, 3} {
		if err := fsys.Remove(FileName(id)); err != nil {
			t.Fatal(err)
		}
	}
	var rest []string
	for i, p := range places {
		if p.Segment() != 2 && p.Segment() != 3 {
			rest = append(rest, want[i])
		}
	}
	w := walkAll(t, fsys, Start, 4)
	if diff := cmp.Diff(rest, w.records); diff != "" || len(w.holes) != 0 || !slices.Equal(w.gaps, []uint32{2}) {
		t.Errorf("holes %q, gaps %v, records (-want +got):\n%s", w.holes, w.gaps, diff)
	}
}

// TestWalkEndsWhereOpenDoes crashes logs with writes under way: a walk finds the
// records that Open finds, the same end, and whether it is torn.
func TestWalkEndsWhereOpenDoes(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	torn := 0
	for range 300 {
		fsys := faultfs.New()
		l := create(t, fsys)
		for range rng.IntN(40) {
			add(t, l, bytes.Repeat([]byte{'r'}, 1+rng.IntN(500)))
			switch rng.IntN(3) {
			case 0:
				l.Flush(l.End())
			case 1:
				l.Commit(l.End())
			}
		}
		l.Flush(l.End())
		after := fsys.Crash(rng)
		w := walkAll(t, after, Start, 1)
		opened, r, got := reopen(t, after, Start)
		if end := opened.End(); w.found != (Found{end, r.Torn}) || len(w.holes) != 0 {
			t.Fatalf("seed %#x: the walk came to %+v with holes %q, Open to %s, torn %v", seed, w.found, w.holes, end, r.Torn)
		}
		if diff := cmp.Diff(got, w.records); diff != "" {
			t.Fatalf("seed %#x: records (-Open +walk):\n%s", seed, diff)
		}
		if r.Torn {
			torn++
		}
	}
	if torn == 0 {
		t.Error("no log was torn: too few for this test to mean anything")
	}
}

// FuzzWalk: whatever a segment's file holds, a walk ends, and what it calls a
// record is one that was written.
func FuzzWalk(f *testing.F) {
	l := faultfs.New()
	log, err := Create(l, testOptions)
	if err != nil {
		f.Fatal(err)
	}
	if err := log.Room(64, false); err != nil {
		f.Fatal(err)
	}
	log.Append([]byte("written"))
	log.Append([]byte("written"))
	if err := log.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(0, []byte("x"))
	f.Add(64, make([]byte, 30))
	f.Add(100, []byte{7, 0, 0, 0, 64, 0, 0, 0})
	f.Fuzz(func(t *testing.T, at int, with []byte) {
		fsys := l.Kill()
		fsys.Corrupt(FileName(1), func(b []byte) []byte {
			if at < 0 || at > len(b) {
				return with
			}
			return append(b[:at:at], append(with, b[min(len(b), at+len(with)):]...)...)
		})
		for _, r := range walkAll(t, fsys, Start, 1).records {
			// Bytes shaped like a record whose own checksum passes are one, where
			// the header is damaged; else only what was written is.
			if r != "written" && at >= headerSize && at < 4096 {
				t.Errorf("record %q was never written", r)
			}
		}
	})
}
