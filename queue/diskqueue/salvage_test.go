package diskqueue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
	"github.com/dayfly-dev/dayfly/queue/archive"
	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// harm is one damage done to a store.
type harm struct {
	file string
	kind string
	off  int64 // first byte that is not as it was
	end  int64 // behind the last
}

func (h harm) String() string { return fmt.Sprintf("%s of %s, %d to %d", h.kind, h.file, h.off, h.end) }

// endsLog: damage that takes the last record cannot be told from the log's end.
func (h harm) endsLog(w *whole) bool {
	return h.file == w.last.File() && h.off < int64(w.last.Offset()+w.size) && h.end > int64(w.last.Offset())
}

// hits reports whether any of a message's record is damaged.
func (h harm) hits(w *whole, m *archive.Message) bool {
	p := w.places[m.ID]
	return p.pos.File() == h.file && int64(p.pos.Offset()) < h.end && h.off < int64(p.pos.Offset())+int64(p.size())
}

// whole is a store before it is damaged, and what is in it.
type whole struct {
	fsys   *faultfs.FS
	names  []string
	x      exported
	places map[string]entry // by id
	last   seglog.Pos       // the last record: whether it was synced cannot be told
	size   uint32           // of it, bytes
	from   seglog.Pos       // of the checkpoint
	judged int
}

func wholeStore(t *testing.T, rng *rand.Rand, ops int) *whole {
	t.Helper()
	w := &whole{fsys: busy(t, rng, ops), places: map[string]entry{}}
	w.x = exportOf(t, w.fsys, ExportOptions{})
	var err error
	if w.names, err = w.fsys.List(); err != nil {
		t.Fatal(err)
	}
	s, err := surveyOf(context.Background(), w.fsys, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	read := newRecordReader(s.fsys)
	for _, q := range s.queues() {
		if err := s.messages(q, func(f found) error {
			st, _, err := read.message(&f.m)
			w.places[s.e.id(f.m.seq(), st.sent)] = f.m
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	w.from = s.read.from
	if _, err := seglog.Walk(s.fsys, w.from, w.from.Segment(), seglog.Walker{
		Record: func(p seglog.Pos, size uint32, _ []byte) error { w.last, w.size = p, size; return nil },
	}); err != nil {
		t.Fatal(err)
	}
	return w
}

// damaged does one damage to a copy of the store.
func (w *whole) damaged(t *testing.T, rng *rand.Rand, name string) (*faultfs.FS, harm) {
	t.Helper()
	fsys := w.fsys.Kill()
	size := fileSize(t, fsys, name)
	h := harm{file: name}
	if size == 0 || rng.IntN(20) == 0 {
		h.kind, h.end = "loss", size
		if err := fsys.Remove(name); err != nil {
			t.Fatal(err)
		}
		return fsys, h
	}
	h.off = rng.Int64N(size)
	if rng.IntN(4) == 0 { // where it matters most
		h.off = rng.Int64N(min(size, 128))
	}
	var change func(b []byte) []byte
	switch rng.IntN(6) {
	case 0:
		h.kind, h.end = "truncation", size
		change = func(b []byte) []byte { return b[:h.off] }
	case 1: // a disk loses whole sectors
		h.kind, h.off = "lost sectors", h.off&^511
		h.end = min(size, h.off+512<<rng.IntN(4))
		change = func(b []byte) []byte { clear(b[h.off:h.end]); return b }
	default:
		h.kind, h.end = "flipped bit", h.off+1
		bit := byte(1) << rng.IntN(8)
		change = func(b []byte) []byte { b[h.off] ^= bit; return b }
	}
	fsys.Corrupt(name, change)
	return fsys, h
}

// TestDamage damages each file of stores in many places, one at a time. Opening
// finds all that was acknowledged, or says which file is damaged and where; so
// does verifying; and an export has all that was not hit.
func TestDamage(t *testing.T) {
	rng := seededRand(t)
	stores, each := 2, 25
	switch {
	case os.Getenv("DAYFLY_SOAK") != "":
		stores = 8
	case testing.Short():
		each = 10
	}
	judged := map[string]int{}
	for range stores {
		w := wholeStore(t, rng, 300+rng.IntN(500))
		for _, name := range w.names {
			for range each {
				fsys, h := w.damaged(t, rng, name)
				judged[w.judge(t, fsys, h)]++
				if t.Failed() {
					t.Fatalf("%s; replay starts at %s, the last record is at %s", h, w.from, w.last)
				}
			}
		}
	}
	t.Logf("%v", judged)
	for _, kind := range []string{"opened whole", "opened, a message unreadable", "refused"} {
		if judged[kind] < 10 {
			t.Errorf("%s: %d times, too few for this test to mean anything", kind, judged[kind])
		}
	}
}

// judge opens, verifies and exports a damaged store.
func (w *whole) judge(t *testing.T, fsys *faultfs.FS, h harm) string {
	t.Helper()
	if newer(fsys) { // which a flipped digit cannot be told from
		_, err := surveyOf(context.Background(), fsys, nil)
		_, errOpen := open(fsys, busyOptions())
		if err == nil || errOpen == nil || !strings.Contains(errOpen.Error(), formatName) {
			t.Errorf("a newer format is opened: %v, exported: %v", errOpen, err)
		}
		return "newer"
	}
	x := exportOf(t, fsys.Kill(), ExportOptions{})
	if !h.endsLog(w) {
		w.judgeExport(t, x, h)
	}
	if w.judged++; w.judged%10 == 0 { // it takes longer than all the rest
		judgeSalvage(t, x)
	}
	e, err := open(fsys, busyOptions())
	if err != nil {
		judgeRefusal(t, err, x, h)
		return "refused"
	}
	defer e.Close()
	how := w.judgeOpened(t, e, h)
	if how == "opened, a message unreadable" && len(x.damage) == 0 {
		t.Errorf("opened with an unreadable message, and verify found no damage")
	}
	return how
}

func newer(fsys *faultfs.FS) bool {
	e := &Engine{fsys: fsys}
	_, err := e.checkFormat()
	return err != nil && e.format > version
}

// judgeRefusal: the error names file and offset, and verify says the same.
func judgeRefusal(t *testing.T, err error, x exported, h harm) {
	t.Helper()
	var damage *CorruptError
	if !errors.As(err, &damage) {
		if !strings.Contains(err.Error(), h.file) {
			t.Errorf("refused with an error that does not name the file: %v", err)
		}
		damage = &CorruptError{File: h.file}
	}
	same := func(d Damage) bool { // offset 0 stands for all of the file
		return d.File == damage.File && (damage.Offset == 0 || d.Offset == damage.Offset ||
			d.Offset < damage.Offset && damage.Offset < d.Offset+d.Bytes)
	}
	if !slices.ContainsFunc(x.damage, same) {
		t.Errorf("refused with %v; verify found %+v", err, x.damage)
	}
}

// judgeOpened: what a store that opens holds is what was acknowledged; a message
// that was hit is an error that names its place.
func (w *whole) judgeOpened(t *testing.T, e *Engine, h harm) string {
	t.Helper()
	if h.endsLog(w) {
		return "opened, the end cut"
	}
	how := "opened whole"
	for name, messages := range w.x.messages {
		list, err := e.Browse(context.Background(), name, "", 1<<20)
		var damage *CorruptError
		if err != nil {
			how = "opened, a message unreadable"
			if !errors.As(err, &damage) || damage.File != h.file || damage.Offset == 0 {
				t.Errorf("browsing %s: %v", name, err)
			}
		}
		for i := range messages {
			m := &messages[i]
			k := slices.IndexFunc(list, func(b driver.Browsed) bool { return b.ID == m.ID })
			switch {
			case k >= 0:
				w.compare(t, "opened", m, &list[k], h)
				list = slices.Delete(list, k, k+1)
			case !h.hits(w, m):
				t.Errorf("opened: %s %.20q is missing", name, m.Body)
			case err == nil:
				t.Errorf("opened: %s %.20q is missing, and nothing says so", name, m.Body)
			}
		}
		for _, b := range list {
			t.Errorf("opened: %s %.20q is there, and was deleted", name, b.Body)
		}
	}
	return how
}

// compare compares a message with what it was. Of what was done to it the last
// record may be lost with the end of the log.
func (w *whole) compare(t *testing.T, how string, m *archive.Message, got *driver.Browsed, h harm) {
	t.Helper()
	want := m.Browsed
	ignore := cmp.Options{cmpopts.IgnoreFields(driver.Browsed{}, "Waits")} // which archives do not have
	if how == "exported" && w.maybeUndone(h) {
		ignore = append(ignore, cmpopts.IgnoreFields(driver.Browsed{}, "State", "VisibleAt"),
			cmpopts.IgnoreFields(driver.Message{}, "Receives", "FirstReceived", "Source", "ID", "Sequence"))
	}
	if diff := cmp.Diff(want, *got, ignore, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s: %.20q (-was +is):\n%s", how, m.Body, diff)
	}
}

// maybeUndone: without the checkpoint, or a record behind it, changes of
// messages may be undone.
func (w *whole) maybeUndone(h harm) bool {
	return h.file == checkpointName || h.file >= w.from.File() && seglog.IsSegment(h.file)
}

// judgeExport: every message that was not hit is there, none was made up, and
// what was deleted is there only if the damage says that it may be.
func (w *whole) judgeExport(t *testing.T, x exported, h harm) {
	t.Helper()
	got := map[string]archive.Message{} // by body, which are all different
	for _, messages := range x.messages {
		for _, m := range messages {
			if _, twice := got[m.Body]; twice {
				t.Errorf("exported: %.20q is there twice", m.Body)
			}
			got[m.Body] = m
		}
	}
	lost := int64(0)
	for name, messages := range w.x.messages {
		for i := range messages {
			m := &messages[i]
			out, ok := got[m.Body]
			delete(got, m.Body)
			switch {
			case ok:
				w.compare(t, "exported", m, &out.Browsed, h)
			case !h.hits(w, m):
				t.Errorf("exported: %s %.20q is missing, and was not hit", name, m.Body)
			default:
				lost++
			}
			if ok && out.Queue != name && h.file != checkpointName && !w.maybeUndone(h) {
				t.Errorf("exported: %.20q was in %s and is in %s", m.Body, name, out.Queue)
			}
		}
	}
	if lost > 0 && x.end.Lost < lost && x.report.Torn == "" && !x.sayUnknown() {
		t.Errorf("exported: %d messages are missing, and %d are said to be", lost, x.end.Lost)
	}
	for _, m := range got {
		switch {
		case !strings.Contains(m.Body, " b") && !strings.HasSuffix(m.Body, " "):
			t.Errorf("exported: %.20q was never sent", m.Body)
		case h.file == checkpointName && !m.Doubtful:
			t.Errorf("exported: %.20q had been deleted, and is not doubtful", m.Body)
		case h.file != checkpointName && !w.maybeUndone(h):
			t.Errorf("exported: %.20q had been deleted", m.Body)
		}
	}
	if len(got) > 0 && len(x.damage) == 0 && x.report.Torn == "" {
		t.Errorf("exported: %d messages are back, and no damage is told", len(got))
	}
}

func (x *exported) sayUnknown() bool {
	return slices.ContainsFunc(x.damage, func(d Damage) bool { return strings.Contains(d.Cost, "not known") })
}
