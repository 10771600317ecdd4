package main

import (
	"encoding/json"
	"io"
	"path/filepath"
	"testing"
	"time"
)

// TestWorkers: every embedded queue does what it is told, and hands out what was
// sent to it, once.
func TestWorkers(t *testing.T) {
	for _, kind := range []string{dayfly, streamAlways, streamDefault} {
		t.Run(kind, func(t *testing.T) {
			tell := workerFor(t, kind)
			for _, o := range []struct {
				order order
				want  int
			}{
				{order{Do: "create", Queue: "q"}, 0},
				{order{Do: "send", Queue: "q", Clients: 3, Batch: 10, Lasts: time.Minute, Max: 205}, 205},
				{order{Do: "receive", Queue: "q", Clients: 2, Batch: 10, Lasts: time.Minute, Max: 100}, 100},
				{order{Do: "acknowledge", Queue: "q", Clients: 2, Batch: 10, Lasts: time.Minute}, 100},
				{order{Do: "consume", Queue: "q", Clients: 2, Batch: 10, Lasts: time.Minute}, 105},
				{order{Do: "drop", Queue: "q"}, 0},
			} {
				a := tell(o.order)
				if a.Error != "" || a.Sample.Messages != o.want {
					t.Fatalf("%s: %d messages, %q; want %d", o.order.Do, a.Sample.Messages, a.Error, o.want)
				}
			}
			if a := tell(order{Do: "heap"}); a.Heap < 1<<10 {
				t.Errorf("heap of %d bytes", a.Heap)
			}
			if a := tell(order{Do: "dance"}); a.Error == "" {
				t.Error("an order that does not exist was obeyed")
			}
		})
	}
}

// workerFor runs a worker on pipes instead of in a process.
func workerFor(t *testing.T, kind string) func(order) answer {
	t.Helper()
	orders, in := io.Pipe()
	out, answers := io.Pipe()
	store := filepath.Join(t.TempDir(), "store")
	ended := make(chan error, 1)
	go func() { ended <- runWorker(kind, store, orders, answers) }()
	read := json.NewDecoder(out)
	next := func() (a answer) {
		if err := read.Decode(&a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	if a := next(); a.Opened <= 0 {
		t.Fatalf("opened in %s", a.Opened)
	}
	t.Cleanup(func() {
		in.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return func(o order) answer {
		if err := json.NewEncoder(in).Encode(o); err != nil {
			t.Fatal(err)
		}
		return next()
	}
}
