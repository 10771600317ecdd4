package diskqueue

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
	"github.com/dayfly-dev/dayfly/queue/archive"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// oddArchive has what no store of ours writes, and what a Reader takes.
const oddArchive = `{"type":"dayfly queue export","version":1}
{"type":"queue","name":"q","created":"9999-01-01T00:00:00Z","attributes":{"visibility":"30s","delay":"0s","retention":"1h","receive_wait":"0s","max_message_size":1024}}
{"type":"message","queue":"q","id":"no id","state":"delayed","visible_at":"9999-01-01T00:00:00Z","receives":2147483647,"receives_before":2147483647,"first_received":"9999-01-01T00:00:00Z","source":"q","body":"b"}
{"type":"message","queue":"q","id":"01a1feef-0bac-7000-8000-0000043e227d","sent":"2026-11-21T16:27:21.388Z","state":"in flight","visible_at":"1970-01-01T00:00:00Z","receives":0,"body":"c"}
{"type":"message","queue":"q","id":"01a1feef-0bac-7000-8000-0000043e227d","sent":"2026-11-21T16:27:21.388Z","state":"visible","receives":0,"group_id":"g","body":"c"}
{"type":"message","queue":"q","id":"01a1feef-0bac-7fff-bfff-fffffffe227d","sent":"2026-11-21T16:27:21.388Z","state":"visible","receives":0,"body":"d"}
{"type":"queue","name":"q.fifo","attributes":{"visibility":"30s","delay":"0s","retention":"1h","receive_wait":"0s","max_message_size":1024,"fifo":true}}
{"type":"message","queue":"q.fifo","state":"visible","receives":1,"group_id":"g","body":"d","system":{"AWSTraceHeader":{"type":"String","string":"Root=1"}}}
{"type":"message","queue":"q.fifo","state":"delayed","visible_at":"1970-01-01T00:00:00Z","receives":0,"group_id":"g","source":"q.fifo","body":"e","attributes":{"a":{"type":"Binary","binary":"AP8="}}}
{"type":"end","queues":2,"messages":6}
`

// FuzzImport: whatever a Reader takes is imported to a whole store that has it,
// in order, but for a second message of the same id; or it is refused, and
// nothing of it is there.
func FuzzImport(f *testing.F) {
	f.Add([]byte(oddArchive))
	for _, line := range bytes.SplitAfter([]byte(oddArchive), []byte("\n")) {
		f.Add(bytes.Replace([]byte(oddArchive), line, nil, 1))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 16<<10 {
			return // bounds what one try takes
		}
		want, err := itemsOf(b)
		if err != nil {
			return // FuzzReader's
		}
		fsys := faultfs.New()
		report, err := importBytes(fsys, b, ImportOptions{})
		got := exportOf(t, fsys, ExportOptions{})
		if len(got.damage) > 0 {
			t.Fatalf("damaged: %+v", got.damage)
		}
		if err != nil {
			if !errors.Is(err, errTime) || got.end.Queues != 0 {
				t.Errorf("%v; there are %d queues", err, got.end.Queues)
			}
			return
		}
		if got.end.Messages != report.Messages {
			t.Errorf("%d messages, report %+v", got.end.Messages, report)
		}
		is, err := itemsOf(got.archive)
		if err != nil {
			t.Fatalf("the export of the import: %v", err)
		}
		if report.Present == 0 {
			compareItems(t, want, is)
		}
		drain(t, fsys)
	})
}

// itemsOf returns the messages of an archive by queue, with what an import never changes.
func itemsOf(b []byte) (map[string][]archive.Message, error) {
	items := map[string][]archive.Message{}
	for r := archive.NewReader(bytes.NewReader(b)); ; {
		x, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return items, nil
		case err != nil:
			return nil, err
		case x.Message != nil:
			items[x.Message.Queue] = append(items[x.Message.Queue], *x.Message)
		}
	}
}

func compareItems(t *testing.T, want, is map[string][]archive.Message) {
	t.Helper()
	diff := cmp.Diff(want, is, cmpopts.EquateEmpty(),
		cmpopts.IgnoreFields(archive.Message{}, "Doubtful"),
		cmpopts.IgnoreFields(driver.Browsed{}, "State", "VisibleAt"), // time goes on
		cmpopts.IgnoreFields(driver.Message{}, "ID", "Sequence", "Sent", "DedupID"))
	if diff != "" {
		t.Errorf("(-archive +store):\n%s", diff)
	}
}

// drain opens the store, receives and deletes.
func drain(t *testing.T, fsys *faultfs.FS) {
	t.Helper()
	e, err := open(fsys, busyOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ctx := context.Background()
	page, err := e.ListQueues(ctx, driver.ListOptions{Max: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range page.Names {
		for range 3 {
			list, err := e.Receive(ctx, name, driver.ReceiveOptions{Max: 10, Visibility: -1})
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range list {
				if errs, err := e.Delete(ctx, name, []string{m.Receipt}); err != nil || errs[0] != nil {
					t.Errorf("deleting from %s: %v, %v", name, errs, err)
				}
			}
		}
	}
}
