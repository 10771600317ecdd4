package diskqueue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
	"github.com/dayfly-dev/dayfly/internal/vfs"
	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

const damageSegment = 32 << 10

// written is a store with messages 0, 1, 2… of about 500 bytes over several
// segments, as a killed process leaves it.
func written(t *testing.T, n int, checkpointed bool) *faultfs.FS {
	t.Helper()
	fsys := faultfs.New()
	e, err := open(fsys, smallOptions(damageSegment))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ctx := context.Background()
	if err := e.CreateQueue(ctx, "q", testAttributes, nil); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if _, err := e.Send(ctx, "q", []driver.Outgoing{{Body: damageBody(i), Delay: -1}}); err != nil {
			t.Fatal(err)
		}
	}
	if checkpointed {
		e.upkeep.Lock()
		defer e.upkeep.Unlock()
		if err := e.checkpoint(); err != nil {
			t.Fatal(err)
		}
	}
	return fsys.Kill()
}

func damageBody(i int) string { return fmt.Sprintf("%d %s", i, strings.Repeat("d", 500)) }

// survivors opens a damaged store and returns how many of the first messages
// are there and whole; all others must be missing, not wrong.
func survivors(t *testing.T, fsys *faultfs.FS, n int) (int, error) {
	t.Helper()
	e, err := open(fsys, smallOptions(damageSegment))
	if err != nil {
		return 0, err
	}
	defer e.Close()
	list, err := e.Browse(context.Background(), "q", "", n+1)
	for i, m := range list {
		if err == nil && m.Body != damageBody(i) {
			t.Errorf("message %d is %.20q", i, m.Body)
		}
	}
	return len(list), err
}

// TestFlippedBits flips one bit at a time, all over the files. Whatever was
// damaged, no message may be wrong, and none may be missing without an error,
// but for the last of the log: whether it was synced cannot be told any more.
func TestFlippedBits(t *testing.T) {
	const n = 100
	for _, checkpointed := range []bool{false, true} {
		t.Run(fmt.Sprintf("checkpointed=%v", checkpointed), func(t *testing.T) {
			whole := written(t, n, checkpointed)
			names, err := whole.List()
			if err != nil {
				t.Fatal(err)
			}
			rng := seededRand(t)
			reported := 0
			for _, name := range names {
				size := fileSize(t, whole, name)
				for range min(size, 150) {
					at, bit := rng.Int64N(size), byte(1)<<rng.IntN(8)
					fsys := whole.Kill()
					fsys.Corrupt(name, func(b []byte) []byte { b[at] ^= bit; return b })
					got, err := survivors(t, fsys, n)
					var damage *seglog.CorruptError
					switch {
					case errors.As(err, &damage):
						reported++
						if damage.File == "" {
							t.Errorf("%s at %d: the error names no file: %v", name, at, err)
						}
					case err != nil && name == formatName:
					case err != nil:
						t.Errorf("%s at %d: %v", name, at, err)
					case got < n-1:
						t.Errorf("%s at %d: %d of %d messages, and no error", name, at, got, n)
					}
				}
			}
			if reported < 50 {
				t.Errorf("%d damages reported: too few for this test to mean anything", reported)
			}
		})
	}
}

// TestTruncatedFiles cuts files short. What is cut off was synced: it is an
// error, never a loss without one.
func TestTruncatedFiles(t *testing.T) {
	const n = 100
	whole := written(t, n, true)
	names, err := whole.List()
	if err != nil {
		t.Fatal(err)
	}
	rng := seededRand(t)
	for _, name := range names {
		size := fileSize(t, whole, name)
		for range 10 {
			to := rng.Int64N(max(size, 1))
			fsys := whole.Kill()
			fsys.Corrupt(name, func(b []byte) []byte { return b[:min(to, int64(len(b)))] })
			if got, err := survivors(t, fsys, n); err == nil && got != n {
				t.Errorf("%s cut to %d of %d: %d of %d messages, and no error", name, to, size, got, n)
			}
		}
	}
}

// TestMissingFiles removes files one at a time.
func TestMissingFiles(t *testing.T) {
	const n = 100
	whole := written(t, n, true)
	names, err := whole.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		fsys := whole.Kill()
		if err := fsys.Remove(name); err != nil {
			t.Fatal(err)
		}
		if got, err := survivors(t, fsys, n); err == nil && got != n {
			t.Errorf("without %s: %d of %d messages, and no error", name, got, n)
		}
	}
}

// TestTornTail loses any part of a write that was not synced.
func TestTornTail(t *testing.T) {
	rng := seededRand(t)
	for range 200 {
		fsys := written(t, 20, false)
		e, err := open(fsys, smallOptions(damageSegment))
		if err != nil {
			t.Fatal(err)
		}
		fsys.SetFault(func(op faultfs.Op) error { // from here on nothing is synced
			if op.Kind == "datasync" && op.Name == "00000001.seg" {
				return faultfs.ErrInjected
			}
			return nil
		})
		// Written but not synced: receives are, several records of them.
		for range 3 {
			if _, err := e.Receive(context.Background(), "q", driver.ReceiveOptions{Max: 3, Visibility: -1}); err != nil {
				t.Fatal(err)
			}
		}
		after := fsys.Crash(rng)
		e.Close()
		if got, err := survivors(t, after, 20); err != nil || got != 20 {
			t.Fatalf("%d messages, %v; want 20", got, err)
		}
		// The cut is clean: the next opening finds nothing to cut.
		if got, err := survivors(t, after, 20); err != nil || got != 20 {
			t.Fatalf("the second time: %d messages, %v; want 20", got, err)
		}
	}
}

// TestDamagedBody: a message that cannot be read is an error that names file
// and offset, and does not keep others from being received.
func TestDamagedBody(t *testing.T) {
	fsys := written(t, 3, true)
	fsys.Corrupt("00000001.seg", func(b []byte) []byte {
		b[strings.Index(string(b), damageBody(0))+5] ^= 4
		return b
	})
	e, err := open(fsys, smallOptions(damageSegment))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	o := driver.ReceiveOptions{Max: 1, Visibility: -1}
	var damage *seglog.CorruptError
	if _, err = e.Receive(context.Background(), "q", o); !errors.As(err, &damage) || damage.File != "00000001.seg" || damage.Offset == 0 {
		t.Errorf("error is %v, want one naming 00000001.seg and an offset", err)
	}
	m, err := e.Receive(context.Background(), "q", o)
	if err != nil || len(m) != 1 || m[0].Body != damageBody(1) {
		t.Errorf("received %d, %v; want the second message", len(m), err)
	}
}

func fileSize(t *testing.T, fsys vfs.FS, name string) int64 {
	t.Helper()
	f, err := fsys.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	size, err := f.Size()
	if err != nil {
		t.Fatal(err)
	}
	return size
}
