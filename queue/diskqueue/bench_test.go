package diskqueue

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dayfly-dev/dayfly/internal/vfs"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// Each operation of these benchmarks is one message, so ns/op compares across
// them, and msg/s is printed beside it. BenchmarkDisk is what the disk alone
// does: a record of the same size written to a preallocated file and synced.

const benchBody = 200

func BenchmarkDisk(b *testing.B) {
	fsys, err := vfs.OS(benchDir(b))
	if err != nil {
		b.Fatal(err)
	}
	f, err := fsys.Create("preallocated")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	const size = 8 << 20
	if _, err := f.WriteAt(make([]byte, size), 0); err != nil {
		b.Fatal(err)
	}
	if err := f.Datasync(); err != nil {
		b.Fatal(err)
	}
	record := []byte(strings.Repeat("x", 256))
	off := int64(0)
	for b.Loop() {
		if _, err := f.WriteAt(record, off); err != nil {
			b.Fatal(err)
		}
		if err := f.Datasync(); err != nil {
			b.Fatal(err)
		}
		off = (off + int64(len(record))) % size
	}
	rate(b, 1)
}

func BenchmarkSend(b *testing.B) {
	for _, producers := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("producers=%d", producers), func(b *testing.B) {
			e := benchEngine(b)
			b.ResetTimer()
			spread(b, producers, 1, func(n int) error {
				_, err := e.Send(context.Background(), "q", benchMessages[:n])
				return err
			})
		})
	}
}

func BenchmarkSendBatch10(b *testing.B) {
	for _, producers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("producers=%d", producers), func(b *testing.B) {
			e := benchEngine(b)
			b.ResetTimer()
			spread(b, producers, 10, func(n int) error {
				_, err := e.Send(context.Background(), "q", benchMessages[:n])
				return err
			})
		})
	}
}

func BenchmarkReceiveDelete(b *testing.B) {
	for _, consumers := range []int{1, 16, 64, 256} {
		for _, max := range []int{1, 10} {
			b.Run(fmt.Sprintf("consumers=%d/batch=%d", consumers, max), func(b *testing.B) {
				e := benchEngine(b)
				fill(b, e, b.N)
				b.ResetTimer()
				spread(b, consumers, max, func(n int) error { return consume(e, n) })
			})
		}
	}
}

// consume receives and deletes n messages.
func consume(e *Engine, n int) error {
	ctx := context.Background()
	for n > 0 {
		m, err := e.Receive(ctx, "q", driver.ReceiveOptions{Max: n, Visibility: -1})
		if err != nil || len(m) == 0 {
			return fmt.Errorf("received %d: %w", len(m), err)
		}
		receipts := make([]string, len(m))
		for i := range m {
			receipts[i] = m[i].Receipt
		}
		if _, err := e.Delete(ctx, "q", receipts); err != nil {
			return err
		}
		n -= len(m)
	}
	return nil
}

var benchMessages = func() []driver.Outgoing {
	m := make([]driver.Outgoing, 10)
	for i := range m {
		m[i] = driver.Outgoing{Body: strings.Repeat("b", benchBody), Delay: -1}
	}
	return m
}()

// benchDir is on the disk the working directory is on: a temporary folder may
// be in memory.
func benchDir(b *testing.B) string {
	b.Helper()
	dir, err := os.MkdirTemp(".", "bench-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "store")
}

func benchEngine(b *testing.B) *Engine {
	b.Helper()
	e, err := Open(benchDir(b), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { e.Close() })
	a := driver.Attributes{Visibility: 3600e9, Retention: 96 * 3600e9, MaxMessageSize: 1 << 20}
	if err := e.CreateQueue(context.Background(), "q", a, nil); err != nil {
		b.Fatal(err)
	}
	return e
}

func fill(b *testing.B, e *Engine, n int) {
	b.Helper()
	spreadN(b, n, 64, 10, func(n int) error {
		_, err := e.Send(context.Background(), "q", benchMessages[:n])
		return err
	})
}

// spread does b.N messages by a number of goroutines, batch at a time.
func spread(b *testing.B, goroutines, batch int, do func(n int) error) {
	b.Helper()
	spreadN(b, b.N, goroutines, batch, do)
	b.StopTimer()
	rate(b, 1)
}

func spreadN(b *testing.B, total, goroutines, batch int, do func(n int) error) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(total))
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for {
				n := left.Add(-int64(batch)) + int64(batch)
				if n <= 0 {
					return
				}
				if err := do(int(min(n, int64(batch)))); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func rate(b *testing.B, perOp float64) {
	b.ReportMetric(perOp*float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}
