package diskqueue

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
	"github.com/dayfly-dev/dayfly/queue/archive"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// importInto is a store with messages, an archive to be added to it, and what
// there is with it and without.
type importInto struct {
	fsys            *faultfs.FS
	text            []byte
	without, within exported
}

func newImportInto(t *testing.T, rng *rand.Rand, ops int) importInto {
	i := importInto{fsys: busy(t, rng, 60), text: exportOf(t, busy(t, rng, ops), ExportOptions{}).archive}
	i.text = bytes.ReplaceAll(i.text, []byte("orders.fifo"), []byte("others.fifo"))
	i.without = exportOf(t, i.fsys.Kill(), ExportOptions{})
	after := i.fsys.Kill()
	mustImport(t, after, i.text, ImportOptions{Add: true})
	i.within = exportOf(t, after, ExportOptions{})
	return i
}

// judge: the import is there whole or not at all, and then it goes through.
func (i importInto) judge(t *testing.T, fsys *faultfs.FS, err error) bool {
	t.Helper()
	ignore := cmp.Options{cmpopts.IgnoreFields(driver.Message{}, "ID", "Sequence"), // of the second try
		cmpopts.IgnoreFields(archive.Queue{}, "Created", "Modified")}
	got := exportOf(t, fsys.Kill(), ExportOptions{})
	if got.end.Messages == i.within.end.Messages {
		sameContent(t, "after "+fmt.Sprint(err), i.within, got, ignore)
		return true
	}
	sameContent(t, "after "+fmt.Sprint(err), i.without, got)
	if err == nil {
		t.Errorf("imported, and not there")
	}
	if len(got.damage) > 0 {
		t.Errorf("after %v: %+v", err, got.damage)
	}
	if _, err := importBytes(fsys, i.text, ImportOptions{Add: true}); err != nil {
		t.Errorf("the second try: %v", err)
	}
	sameContent(t, "the second try after "+fmt.Sprint(err), i.within, exportOf(t, fsys, ExportOptions{}), ignore)
	return false
}

// TestImportFailingEachOperation fails the first operation of the file system,
// then the second, and so on: that one alone, or all from it on.
func TestImportFailingEachOperation(t *testing.T) {
	for _, kind := range []struct {
		err  error
		only string
		all  bool
	}{{faultfs.ErrInjected, "", false}, {faultfs.ErrInjected, "", true}, {errNoSpace, "create write", false}, {errNoSpace, "create write", true}} {
		t.Run(fmt.Sprintf("%v, all from then on %v", kind.err, kind.all), func(t *testing.T) {
			i := newImportInto(t, seededRand(t), 120)
			step := 1
			if testing.Short() {
				step = 7
			}
			for n := 0; ; n += step {
				fsys := i.fsys.Kill()
				seen, hit := 0, false
				fsys.SetFault(func(op faultfs.Op) error {
					if kind.only != "" && !strings.Contains(kind.only, op.Kind) {
						return nil
					}
					seen++
					if seen-1 == n || kind.all && seen-1 > n {
						hit = true
						return kind.err
					}
					return nil
				})
				_, err := importBytes(fsys, i.text, ImportOptions{Add: true})
				fsys.SetFault(nil)
				i.judge(t, fsys, err)
				if t.Failed() {
					t.Fatalf("operation %d", n)
				}
				if !hit {
					return
				}
			}
		})
	}
}

// TestImportCrash ends the process, or the machine, at each operation in turn.
func TestImportCrash(t *testing.T) {
	rng := seededRand(t)
	i := newImportInto(t, rng, 120)
	outcomes := map[bool]int{}
	for n := 0; ; n++ {
		fsys := i.fsys.Kill()
		var killed, crashed *faultfs.FS
		fsys.SetFault(func(op faultfs.Op) error {
			if op.N >= n {
				return faultfs.ErrInjected // it is not there any more to see it
			}
			return nil
		})
		_, err := importBytes(fsys, i.text, ImportOptions{Add: true})
		fsys.SetFault(nil)
		killed, crashed = fsys.Kill(), fsys.Crash(rng)
		for _, after := range []*faultfs.FS{killed, crashed} {
			e, openErr := open(after, busyOptions())
			if openErr != nil {
				t.Fatalf("operation %d: %v", n, openErr)
			}
			if openErr = e.Close(); openErr != nil {
				t.Fatalf("operation %d: %v", n, openErr)
			}
			outcomes[i.judge(t, after, err)]++
		}
		if t.Failed() {
			t.Fatalf("operation %d", n)
		}
		if err == nil {
			break
		}
	}
	if outcomes[false] < 20 || outcomes[true] == 0 {
		t.Errorf("there whole or not: %v; too few for this test to mean anything", outcomes)
	}
}

// largeArchive has a queue with at least that many bytes of bodies.
func largeArchive(t *testing.T, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := archive.NewWriter(&b)
	err := errors.Join(w.Begin(), w.Queue(archive.Queue{Name: "large", Attributes: testAttributes}))
	body := strings.Repeat("b", 4000)
	for n := 0; n < size && err == nil; n += len(body) {
		err = w.Message(archive.Message{Queue: "large", Browsed: driver.Browsed{State: driver.StateVisible, Message: driver.Message{Body: body}}})
	}
	if _, endErr := w.End(0, false); err != nil || endErr != nil {
		t.Fatal(err, endErr)
	}
	return b.Bytes()
}

// TestImportFullDisk: the error says so, and the store is as it was, and works.
func TestImportFullDisk(t *testing.T) {
	i := newImportInto(t, seededRand(t), 20)
	i.text = largeArchive(t, 40*busySegment)
	full := 0
	// The store may have been killed before it had made its reserve.
	for room := int64(4 * busySegment); ; room += 2 * busySegment {
		fsys := i.fsys.Kill()
		fsys.SetCapacity(fsys.Used() + room)
		_, err := importBytes(fsys, i.text, ImportOptions{Add: true})
		if err == nil {
			break
		}
		if !errors.Is(err, driver.ErrFull) {
			t.Fatalf("with room for %d bytes: %v", room, err)
		}
		full++
		e, err := open(fsys, busyOptions())
		if err != nil {
			t.Fatalf("with room for %d bytes: opening then: %v", room, err)
		}
		if _, err := e.Receive(t.Context(), "q", driver.ReceiveOptions{Max: 1, Visibility: 0}); err != nil {
			t.Errorf("with room for %d bytes: receiving then: %v", room, err)
		}
		e.Close()
		fsys.SetCapacity(0)
		got := exportOf(t, fsys, ExportOptions{})
		if len(got.damage) > 0 || got.end.Messages != i.without.end.Messages {
			t.Errorf("with room for %d bytes: %+v, damage %v; had %+v", room, got.end, got.damage, i.without.end)
		}
	}
	if full < 3 {
		t.Errorf("the disk was full %d times: too few for this test to mean anything", full)
	}
}
