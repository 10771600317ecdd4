package diskqueue

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
	"github.com/dayfly-dev/dayfly/internal/vfs"
	"github.com/dayfly-dev/dayfly/queue/archive"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

func importBytes(fsys vfs.FS, b []byte, i ImportOptions) (ImportReport, error) {
	r := archive.NewReader(bytes.NewReader(b))
	first, err := r.Next()
	if err != nil {
		return ImportReport{}, err
	}
	return importTo(context.Background(), fsys, busyOptions(), i, first, r)
}

func mustImport(t testing.TB, fsys vfs.FS, b []byte, i ImportOptions) ImportReport {
	t.Helper()
	report, err := importBytes(fsys, b, i)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// sameContent compares two exports; of the damaged store only what is certain of
// ids can be compared.
func sameContent(t testing.TB, how string, want, got exported, ignore ...cmp.Option) {
	t.Helper()
	ignore = append(ignore, cmpopts.EquateEmpty())
	if diff := cmp.Diff(want.queues, got.queues, ignore...); diff != "" {
		t.Errorf("%s: queues (-was +is):\n%s", how, diff)
	}
	if diff := cmp.Diff(want.messages, got.messages, ignore...); diff != "" {
		t.Errorf("%s: messages (-was +is):\n%s", how, diff)
	}
}

// TestImportOfExport: a store made of an export is the same in everything that
// an export says, ids and numbers too; also by its log alone.
func TestImportOfExport(t *testing.T) {
	rng := seededRand(t)
	for range 15 {
		want := exportOf(t, busy(t, rng, 50+rng.IntN(500)), ExportOptions{})
		fsys := faultfs.New()
		report := mustImport(t, fsys, want.archive, ImportOptions{})
		if report.Messages != want.end.Messages || len(report.Queues) != want.end.Queues || report.NewIDs+report.Present+report.Doubtful != 0 {
			t.Errorf("report is %+v of %+v", report, want.end)
		}
		got := exportOf(t, fsys, ExportOptions{})
		sameContent(t, "imported", want, got)
		if len(got.damage) > 0 {
			t.Errorf("an import is damaged: %+v", got.damage)
		}
		judgeImported(t, fsys.Kill(), want)
		if err := fsys.Remove(checkpointName); err != nil {
			t.Fatal(err)
		}
		sameContent(t, "read off the log", want, exportOf(t, fsys, ExportOptions{}),
			cmpopts.IgnoreFields(archive.Queue{}, "Modified"), // a later change of attributes, which the log does not have
			cmpopts.IgnoreFields(archive.Message{}, "State", "VisibleAt", "ReceivesBefore", "Doubtful", "Browsed.Message.ID"),
			cmpopts.IgnoreFields(driver.Message{}, "Receives", "FirstReceived", "Source", "ID"),
			cmpopts.IgnoreFields(driver.Browsed{}, "State", "VisibleAt"))
	}
}

// judgeImported opens the store, receives all that is visible, and goes on.
func judgeImported(t *testing.T, fsys *faultfs.FS, want exported) {
	t.Helper()
	e, err := open(fsys, busyOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ctx := context.Background()
	for name, messages := range want.messages {
		visible := 0
		for _, m := range messages {
			if m.State == driver.StateVisible {
				visible++
			}
		}
		d, err := e.Describe(ctx, name)
		if err != nil || d.Visible != int64(visible) || d.Visible+d.Delayed+d.InFlight != int64(len(messages)) {
			t.Errorf("%s has %+v, %v; want %d of %d visible", name, d, err, visible, len(messages))
		}
		sent, err := e.Send(ctx, name, []driver.Outgoing{{Body: "after", GroupID: "after", Delay: -1}})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			if sent[0].ID == m.ID || sent[0].Sequence != "" && sent[0].Sequence <= m.Sequence {
				t.Errorf("%s: a new message has id %s and number %s; an imported one %s and %s", name, sent[0].ID, sent[0].Sequence, m.ID, m.Sequence)
			}
		}
	}
	receiveInOrder(t, e, want)
}

// receiveInOrder: of each group of a FIFO queue the messages come in the order
// in which the archive has them, unless one is in flight.
func receiveInOrder(t *testing.T, e *Engine, want exported) {
	t.Helper()
	const name = "orders.fifo"
	next := map[string][]string{}
	held := map[string]bool{}
	for _, m := range want.messages[name] {
		held[m.GroupID] = held[m.GroupID] || m.State == driver.StateInFlight
		if !held[m.GroupID] {
			next[m.GroupID] = append(next[m.GroupID], m.ID)
		}
	}
	for {
		list, err := e.Receive(context.Background(), name, driver.ReceiveOptions{Max: 10, Visibility: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		for _, m := range list {
			if m.Body == "after" {
				continue
			}
			if len(next[m.GroupID]) == 0 || next[m.GroupID][0] != m.ID {
				t.Fatalf("received %s of group %s; due are %v", m.ID, m.GroupID, next[m.GroupID])
			}
			next[m.GroupID] = next[m.GroupID][1:]
			if _, err := e.Delete(context.Background(), name, []string{m.Receipt}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for g, left := range next {
		if len(left) > 0 {
			t.Errorf("group %s: %d were not received", g, len(left))
		}
	}
}

// judgeSalvage: what was exported of a damaged store makes a whole one with the
// same messages. Ids that were lost with the checkpoint are new.
func judgeSalvage(t *testing.T, x exported) {
	t.Helper()
	fsys := faultfs.New()
	if report := mustImport(t, fsys, x.archive, ImportOptions{}); report.Messages != x.end.Messages || report.Lost != x.end.Lost || report.Damaged != x.end.Damaged {
		t.Errorf("imported %+v of %+v", report, x.end)
	}
	ignore := cmp.Options{cmpopts.IgnoreFields(archive.Message{}, "Doubtful")}
	for _, messages := range x.messages {
		if len(messages) > 0 && messages[0].ID == "" {
			ignore = append(ignore, cmpopts.IgnoreFields(driver.Message{}, "ID", "Sequence"))
		}
	}
	ignore = append(ignore, cmp.FilterPath(func(p cmp.Path) bool { // not known of queues that were lost
		return p.Last().String() == ".Created" || p.Last().String() == ".Modified"
	}, cmp.Comparer(func(was, is time.Time) bool { return was.IsZero() || is.IsZero() || was.Equal(is) })))
	got := exportOf(t, fsys, ExportOptions{})
	sameContent(t, "salvaged", x, got, ignore...)
	if len(got.damage) > 0 || got.end.Damaged {
		t.Errorf("salvaged, and damaged: %+v", got.damage)
	}
}

// TestImportAgain: messages that are there under their ids are not imported
// twice, those that were deleted come back as they were.
func TestImportAgain(t *testing.T) {
	rng := seededRand(t)
	fsys := busy(t, rng, 400)
	want := exportOf(t, fsys, ExportOptions{})
	if _, err := importBytes(fsys, want.archive, ImportOptions{}); !errors.Is(err, ErrPresent) {
		t.Fatalf("error is %v, want ErrPresent", err)
	}
	sameContent(t, "refused", want, exportOf(t, fsys, ExportOptions{}))
	e, err := open(fsys, busyOptions())
	if err != nil {
		t.Fatal(err)
	}
	gone := int64(0)
	for name, messages := range want.messages {
		for _, m := range messages {
			if rng.IntN(3) == 0 {
				if ok, err := e.DeleteID(t.Context(), name, m.ID); !ok || err != nil {
					t.Fatalf("deleting %s: %v, %v", m.ID, ok, err)
				}
				gone++
			}
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	report := mustImport(t, fsys, want.archive, ImportOptions{Add: true})
	if report.Messages != gone || report.Present != want.end.Messages-gone || report.NewIDs != 0 {
		t.Errorf("report is %+v; %d of %d were gone", report, gone, want.end.Messages)
	}
	sameContent(t, "restored", want, exportOf(t, fsys, ExportOptions{}))
}

// TestImportBesideOthers: into queues that have messages of their own.
func TestImportBesideOthers(t *testing.T) {
	rng := seededRand(t)
	fsys := busy(t, rng, 200)
	was := exportOf(t, fsys, ExportOptions{})
	other := exportOf(t, busy(t, rng, 200), ExportOptions{})
	report := mustImport(t, fsys, other.archive, ImportOptions{Add: true})
	if report.Messages != other.end.Messages || report.NewIDs != report.Messages {
		t.Errorf("report is %+v of %+v", report, other.end)
	}
	is := exportOf(t, fsys, ExportOptions{})
	withoutIDs := cmpopts.IgnoreFields(driver.Message{}, "ID", "Sequence")
	for name, messages := range is.messages {
		n := len(was.messages[name])
		if diff := cmp.Diff(was.messages[name], messages[:n], cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("what was in %s changed (-was +is):\n%s", name, diff)
		}
		if diff := cmp.Diff(other.messages[name], messages[n:], cmpopts.EquateEmpty(), withoutIDs); diff != "" {
			t.Errorf("imported to %s (-other +is):\n%s", name, diff)
		}
	}
}

// TestImportPart takes one queue, and only what is certain.
func TestImportPart(t *testing.T) {
	x := exportOf(t, busy(t, seededRand(t), 300), ExportOptions{})
	lines := bytes.SplitAfter(x.archive, []byte("\n"))
	doubtful := int64(0)
	for i, l := range lines {
		if bytes.Contains(l, []byte(`"type":"message","queue":"q"`)) && i%2 == 0 {
			lines[i] = bytes.Replace(l, []byte(`"receives":`), []byte(`"doubtful":true,"receives":`), 1)
			doubtful++
		}
	}
	text := bytes.Join(lines, nil)
	n := int64(len(x.messages["q"]))
	if n < 4 || doubtful == 0 {
		t.Fatalf("%d messages, %d doubtful: this test means nothing", n, doubtful)
	}
	report := mustImport(t, faultfs.New(), text, ImportOptions{Queue: "q", Certain: true})
	if len(report.Queues) != 1 || report.Messages != n-doubtful || report.LeftOut != doubtful || report.Doubtful != 0 {
		t.Errorf("report is %+v; %d of %d are doubtful", report, doubtful, n)
	}
	report = mustImport(t, faultfs.New(), text, ImportOptions{Queue: "q"})
	if report.Messages != n || report.Doubtful != doubtful {
		t.Errorf("report is %+v; %d of %d are doubtful", report, doubtful, n)
	}
	if _, err := importBytes(faultfs.New(), text, ImportOptions{Queue: "none"}); !errors.Is(err, driver.ErrQueueNotFound) {
		t.Errorf("error is %v", err)
	}
}

// TestImportOfWrongFile: what an archive is worth shows at its end; until then
// nothing is there.
func TestImportOfWrongFile(t *testing.T) {
	rng := seededRand(t)
	x := exportOf(t, busy(t, rng, 100), ExportOptions{})
	lines := bytes.SplitAfter(x.archive, []byte("\n"))
	for name, text := range map[string][]byte{
		"cut":      bytes.Join(lines[:len(lines)-2], nil),
		"line":     bytes.Join(append(slices.Clone(lines[:len(lines)-3]), []byte("{}\n")), nil),
		"follows":  append(bytes.Clone(x.archive), "{}\n"...),
		"far away": bytes.Replace(x.archive, []byte(`"sent":"20`), []byte(`"sent":"99`), 1),
	} {
		t.Run(name, func(t *testing.T) {
			fsys := faultfs.New()
			var line *archive.Error
			if _, err := importBytes(fsys, text, ImportOptions{}); !errors.As(err, &line) {
				t.Errorf("error is %v, want one that names a line", err)
			}
			if got := exportOf(t, fsys, ExportOptions{}); got.end.Queues != 0 || len(got.damage) > 0 {
				t.Errorf("left behind: %+v, %v", got.end, got.damage)
			}
			report := mustImport(t, fsys, x.archive, ImportOptions{})
			if report.NewIDs != 0 {
				t.Errorf("%d new ids at the second try", report.NewIDs)
			}
			sameContent(t, "imported then", x, exportOf(t, fsys, ExportOptions{}))
		})
	}
}
