package seglog

import (
	"fmt"
	"runtime"
	"sync"
)

// How records get to the disk.
//
// Append puts a record into memory. Flush writes what is in memory; Commit
// flushes and syncs. One caller at a time writes and one syncs, each for
// everybody: whoever wants a sync and finds none under way does it himself;
// whoever finds one under way waits, and when it is over it has either been
// enough for him, or the first of those it was not enough for does the next.
//
// So a single producer pays no switch to another goroutine, and n producers
// share one sync among n. (A goroutine of its own for syncing was tried: as fast
// with many producers, a fifth slower with one.) Writing goes on while a sync is under way, which
// Receive needs: it waits for the write alone.
//
// Invariants:
//   - bytes are written in the order of their places, under wmu;
//   - nothing is written to a segment before the one before it is synced whole;
//   - synced never exceeds written; both only grow;
//   - after a write or sync failed neither grows again;
//   - syncs follow one another: Linux reports a failed write back to one of
//     those who sync the file at the time, and the other must not go by its nil.

// turn is whose turn it is to sync.
type turn struct {
	mu      sync.Mutex
	taken   bool
	waiters []*waiter
	idle    []*waiter // for the next to wait; guarded by mu
}

type waiter struct {
	end  Pos
	wake chan struct{}
}

// bufferLimit is the largest buffer kept for the next chunk, bytes.
const bufferLimit = 4 << 20

// Flush returns when the log is written up to end: it then survives the
// process, not the machine.
func (l *Log) Flush(end Pos) error {
	if Pos(l.written.Load()) >= end {
		return nil
	}
	runtime.Gosched() // others that are ready append first, and one write serves all
	if Pos(l.written.Load()) >= end {
		return nil
	}
	return l.flush()
}

// Commit returns when the log is on the disk up to end.
func (l *Log) Commit(end Pos) error {
	t := &l.turn
	for {
		if l.Synced() >= end {
			return nil
		}
		if err := l.Err(); err != nil {
			return err
		}
		t.mu.Lock()
		if l.Synced() >= end {
			t.mu.Unlock()
			return nil
		}
		if !t.taken {
			t.taken = true
			t.mu.Unlock()
			l.sync()
			l.passTurn()
			continue
		}
		w := t.wait(end)
		t.mu.Unlock()
		<-w.wake
		t.mu.Lock()
		t.idle = append(t.idle, w)
		t.mu.Unlock()
	}
}

// wait registers a waiter; mu is held. Waiters are kept for reuse here and not
// in a sync.Pool: a channel made in a testing/synctest bubble must not leave it.
func (t *turn) wait(end Pos) *waiter {
	var w *waiter
	if k := len(t.idle); k > 0 {
		w, t.idle = t.idle[k-1], t.idle[:k-1]
	} else {
		w = &waiter{wake: make(chan struct{}, 1)}
	}
	w.end = end
	t.waiters = append(t.waiters, w)
	return w
}

// passTurn ends the turn: it wakes the first who still waits, to take the next
// one, and all for whom the sync was enough. After a failure it wakes all.
func (l *Log) passTurn() {
	t := &l.turn
	synced, failed := l.Synced(), l.Err() != nil
	t.mu.Lock()
	defer t.mu.Unlock()
	t.taken = false
	rest := t.waiters[:0]
	first := true
	for _, w := range t.waiters {
		if w.end > synced && !failed && !first {
			rest = append(rest, w)
			continue
		}
		if w.end > synced {
			first = false
		}
		w.wake <- struct{}{}
	}
	clear(t.waiters[len(rest):])
	t.waiters = rest
}

// sync writes what is pending and syncs it, having let others join.
func (l *Log) sync() {
	l.gather()
	if l.flush() != nil {
		return
	}
	l.wmu.Lock()
	s, end := l.last, Pos(l.written.Load())
	l.wmu.Unlock()
	_ = l.syncTo(s, end) // Err has it
}

// gather steps aside, so that those whom the sync before has just woken append
// their next records and this sync serves them too; again as long as that brings
// records, for who consumes appends twice before he waits, but not for ever. For
// a single producer it costs nothing.
//
// Records a sync, stepping aside never, once, and as here: 16 producers about
// 8, 14.1, 15.2; 16 consumers –, 10.7, 12.8; 64 consumers –, 35, 45.
func (l *Log) gather() {
	before := int64(-1)
	for range 4 {
		runtime.Gosched()
		now := l.appended.Load()
		if now == before {
			return
		}
		before = now
	}
}

// syncTo syncs a segment, upon which the log is on the disk up to end.
func (l *Log) syncTo(s *segment, end Pos) error {
	l.smu.Lock()
	defer l.smu.Unlock()
	if err := l.Err(); err != nil {
		return err
	}
	f, err := l.fileOf(s)
	if err == nil {
		err = f.Datasync()
	}
	if err != nil {
		return l.fail(fmt.Errorf("sync %s: %w", fileName(s.id), err))
	}
	l.raiseSynced(end)
	return nil
}

func (l *Log) raiseSynced(end Pos) {
	for {
		old := l.synced.Load()
		if old >= uint64(end) || l.synced.CompareAndSwap(old, uint64(end)) {
			return
		}
	}
}

// flush writes what is pending.
func (l *Log) flush() error {
	l.wmu.Lock()
	defer l.wmu.Unlock()
	if err := l.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	chunks, end := l.pending, At(l.cur.id, l.off)
	l.pending = nil
	l.mu.Unlock()
	for _, c := range chunks {
		if err := l.write(c); err != nil {
			return err
		}
	}
	l.written.Store(uint64(end))
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range chunks {
		if cap(c.buf) <= bufferLimit && len(l.buffers) < 2 {
			l.buffers = append(l.buffers, c.buf)
		}
	}
	return nil
}

// write writes one chunk; wmu is held.
func (l *Log) write(c chunk) error {
	if c.seg != l.last {
		if err := l.syncTo(l.last, At(c.seg.id, headerSize)); err != nil {
			return err
		}
		l.mu.Lock()
		l.last = c.seg
		l.mu.Unlock()
	}
	// Zeros where the next head will be: so recovery can tell an end from damage.
	var zeros [recordHead]byte
	room := c.seg.size - c.off - uint32(len(c.buf))
	f, err := l.fileOf(c.seg)
	if err == nil {
		_, err = f.WriteAt(append(c.buf, zeros[:min(recordHead, room)]...), int64(c.off))
	}
	if err != nil {
		return l.fail(fmt.Errorf("write %s: %w", At(c.seg.id, c.off), err))
	}
	return nil
}
