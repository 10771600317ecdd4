package app

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dayfly-dev/dayfly/app/manifest"
	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
)

// TestMessagesLeftByAChangeOfFIFO: they are in a queue of another name.
func TestMessagesLeftByAChangeOfFIFO(t *testing.T) {
	engine, err := diskqueue.Open(filepath.Join(t.TempDir(), "queue"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	a := &App{queues: queue.New(engine), log: slog.New(slog.NewTextHandler(&said, nil))}
	defer a.queues.Close()
	for _, fifo := range []bool{false, true, false} {
		q := &manifest.Queue{FIFO: fifo, Attempts: 3}
		a.manifest = &manifest.Manifest{Queue: map[string]*manifest.Queue{"orders": q}}
		name := a.manifest.ServiceName("orders")
		if err := a.makeQueue(t.Context(), name, q); err != nil {
			t.Fatal(err)
		}
		said.Reset()
		a.tellLeft(t.Context(), "orders")
		if told := strings.Contains(said.String(), "left in queue "); told != fifo {
			t.Errorf("fifo %v: said %q", fifo, said.String())
		}
		if _, err := a.queues.Send(t.Context(), "orders", []queue.Outgoing{{Body: "x"}}); err != nil {
			t.Fatal(err)
		}
	}
}
