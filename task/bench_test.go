package task

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
)

func benchQueue(b *testing.B) *queue.Queue {
	e, err := diskqueue.Open(b.TempDir(), nil)
	if err != nil {
		b.Fatal(err)
	}
	s := queue.New(e)
	b.Cleanup(func() { s.Close() })
	if err := s.CreateQueue(b.Context(), "default-dead", queue.Attributes{}, nil); err != nil {
		b.Fatal(err)
	}
	if err := s.CreateQueue(b.Context(), "default", queue.Attributes{DeadLetter: &queue.DeadLetter{Queue: "default-dead", MaxReceives: 5}}, nil); err != nil {
		b.Fatal(err)
	}
	return s.Queue("default")
}

// BenchmarkTasks enqueues no-op tasks while they are run, 16 callers and 16 at
// once, on the embedded engine: every enqueue and every acknowledgement is on
// disk. One op is one task from its Enqueue to its acknowledgement.
func BenchmarkTasks(b *testing.B) {
	for _, many := range []bool{false, true} {
		b.Run(map[bool]string{false: "singly", true: "in bulk"}[many], func(b *testing.B) {
			q := benchQueue(b)
			var left atomic.Int64
			left.Store(int64(b.N))
			done := make(chan struct{})
			noop := Define("noop", func(context.Context, int) error { return nil })
			w, err := NewWorker(q, WorkerOptions{Tasks: []Definition{noop}, Concurrency: 16, OnResult: func(Result) {
				if left.Add(-1) == 0 {
					close(done)
				}
			}})
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			stopped := make(chan error, 1)
			go func() { stopped <- w.Run(ctx) }()
			b.ReportAllocs()
			b.ResetTimer()
			feed(b, NewClient(q, nil), noop, many)
			<-done
			cancel()
			if err := <-stopped; err != nil {
				b.Error(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
		})
	}
}

func feed(b *testing.B, c *Client, t *Task[int], many bool) {
	if many {
		if _, err := t.EnqueueMany(b.Context(), c, make([]int, b.N)); err != nil {
			b.Fatal(err)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for next.Add(1) <= int64(b.N) {
				if _, err := t.Enqueue(b.Context(), c, 1); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkLatency is the time from a call of Enqueue to the start of the
// task, of 200 tasks a second on an idle worker.
func BenchmarkLatency(b *testing.B) {
	q := benchQueue(b)
	var mu sync.Mutex
	var took []time.Duration
	var wg sync.WaitGroup
	stamped := Define("stamped", func(_ context.Context, at time.Time) error {
		d := time.Since(at)
		mu.Lock()
		defer mu.Unlock()
		took = append(took, d)
		wg.Done()
		return nil
	})
	w, err := NewWorker(q, WorkerOptions{Tasks: []Definition{stamped}, Concurrency: 16})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- w.Run(ctx) }()
	c := NewClient(q, nil)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	b.ResetTimer()
	for range b.N {
		<-tick.C
		wg.Add(1)
		if _, err := stamped.Enqueue(b.Context(), c, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
	wg.Wait()
	b.StopTimer()
	cancel()
	if err := <-stopped; err != nil {
		b.Error(err)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(0, "ns/op")
}

func BenchmarkEncode(b *testing.B) {
	for b.Loop() {
		if _, err := example.Encode(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for b.Loop() {
		if _, err := Decode(exampleBody); err != nil {
			b.Fatal(err)
		}
	}
}
