package seglog

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/dayfly-dev/dayfly/internal/vfs"
)

const (
	// busyReady is how many ordinary segments are made ready while segments are
	// used up quickly; else it is one.
	busyReady = 4
	// busyPeriod: a segment lasting less than this is used up quickly.
	busyPeriod = time.Second
	// maxSpares is how many dead segments are kept for their room instead of
	// being removed.
	maxSpares = 8
	// retryAfter is how long a failure to make a segment is answered from memory.
	retryAfter = time.Second
	// zeros written at once when a segment is made.
	zeroBlock = 1 << 20
)

// errNoSpace is what the system says when the disk is full.
var errNoSpace = error(syscall.ENOSPC)

// prepare keeps segments ready until the log is closed.
func (l *Log) prepare() {
	defer l.done.Done()
	var lastKick, failed time.Time
	for {
		select {
		case <-l.kick:
		case <-l.stop:
			l.tellPrepared(ErrClosed)
			return
		}
		now := time.Now()
		want := reserve + 1
		if now.Sub(lastKick) < busyPeriod {
			want = reserve + busyReady
		}
		lastKick = now
		var err error
		for err == nil && l.lacks(want) {
			if now.Sub(failed) < retryAfter && !l.hasSpare() {
				err = l.prepErr
				break
			}
			if err = l.makeReady(); err != nil {
				failed = now
			}
		}
		l.tellPrepared(err)
	}
}

func (l *Log) lacks(want int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.ready) < want && l.Err() == nil
}

func (l *Log) hasSpare() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.spares) > 0
}

func (l *Log) tellPrepared(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.prepErr = err
	close(l.prepared)
	l.prepared = make(chan struct{})
}

// WaitRoom waits until another segment has been made ready, after Room said
// ErrNoSegment. It fails with ErrFull when the disk has no room for one.
func (l *Log) WaitRoom() error {
	l.mu.Lock()
	tried := l.prepared
	l.mu.Unlock()
	l.wakePreparer()
	select {
	case <-tried:
	case <-l.stop:
		return ErrClosed
	}
	if err := l.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ready) > reserve {
		return nil
	}
	return l.prepErr
}

// Full reports whether the last try to make a segment failed for lack of room.
func (l *Log) Full() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Is(l.prepErr, ErrFull)
}

// makeReady makes the next segment: from a dead one, else a new file.
func (l *Log) makeReady() error {
	l.prepMu.Lock()
	defer l.prepMu.Unlock()
	l.mu.Lock()
	id := l.nextID
	spare := ""
	if k := len(l.spares); k > 0 {
		spare, l.spares = l.spares[k-1], l.spares[:k-1]
	}
	l.mu.Unlock()
	s, err := l.makeSegment(id, spare)
	if err != nil {
		if rerr := vfs.RemoveIfExists(l.fsys, fileName(id)); rerr != nil {
			err = errors.Join(err, rerr)
		}
		if errors.Is(err, errNoSpace) {
			err = fmt.Errorf("%w: %w", ErrFull, err)
		}
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready = append(l.ready, s)
	l.open++
	l.nextID++
	return nil
}

// makeSegment makes the file of a segment and syncs it and its name.
func (l *Log) makeSegment(id uint32, spare string) (*segment, error) {
	name := fileName(id)
	var f vfs.File
	var err error
	if spare != "" {
		if err := l.fsys.Rename(spare, name); err != nil {
			return nil, err
		}
		f, err = l.fsys.Open(name)
	} else {
		if err := vfs.RemoveIfExists(l.fsys, name); err != nil {
			return nil, err
		}
		f, err = l.fsys.Create(name)
		if err == nil {
			err = writeZeros(f, 0, int64(l.o.SegmentSize))
		}
	}
	h := newHeader(id, l.o.SegmentSize)
	if err == nil {
		_, err = f.WriteAt(h, 0)
	}
	if err == nil {
		err = f.Datasync()
	}
	if err == nil {
		err = l.fsys.SyncDir()
	}
	if err != nil {
		if f != nil {
			f.Close()
		}
		return nil, fmt.Errorf("make log segment %s: %w", name, err)
	}
	return &segment{id: id, size: l.o.SegmentSize, seed: seedOf(h), file: f}, nil
}

func writeZeros(f vfs.File, off, end int64) error {
	zeros := make([]byte, min(zeroBlock, end-off))
	for ; off < end; off += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), end-off)], off); err != nil {
			return err
		}
	}
	return nil
}

// GiveUpReady removes one segment of the reserve, so that the disk has room
// for something more urgent; false if there is none to give.
func (l *Log) GiveUpReady() bool {
	l.prepMu.Lock()
	defer l.prepMu.Unlock()
	l.mu.Lock()
	k := len(l.ready)
	if k == 0 {
		l.mu.Unlock()
		return false
	}
	s := l.ready[k-1]
	l.ready = l.ready[:k-1]
	l.nextID--
	s.close()
	l.open--
	l.mu.Unlock()
	return l.fsys.Remove(fileName(s.id)) == nil && l.fsys.SyncDir() == nil
}

// Reclaim takes back the segments below the given id in which nothing is live:
// the caller will not replay them again. It syncs the log first, so that what
// made their records dead is on the disk. It returns how many it took.
func (l *Log) Reclaim(below uint32) (int, error) {
	dead := l.dead(below)
	if len(dead) == 0 {
		return 0, nil
	}
	if err := l.Commit(l.End()); err != nil {
		return 0, err
	}
	n := 0
	var remove []string
	l.mu.Lock()
	for _, s := range dead {
		if s.pins.Load() != 0 || s.live.Load() != 0 {
			continue
		}
		delete(l.segments, s.id)
		if s.file != nil {
			s.close()
			l.open--
		}
		if s.size == l.o.SegmentSize && len(l.spares) < maxSpares {
			l.spares = append(l.spares, fileName(s.id))
		} else {
			remove = append(remove, fileName(s.id))
		}
		n++
	}
	l.mu.Unlock()
	l.wakePreparer()
	for _, name := range remove {
		if err := l.fsys.Remove(name); err != nil {
			return n, err
		}
	}
	return n, nil
}

func (l *Log) dead(below uint32) (dead []*segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, s := range l.segments {
		if id < below && s != l.cur && s.live.Load() == 0 && s.pins.Load() == 0 {
			dead = append(dead, s)
		}
	}
	return dead
}

// Usage of one segment, for choosing what to clean.
type Usage struct {
	ID   uint32
	Live int64 // bytes of live records
	Size int64 // bytes of the file
}

// Usage returns the segments that hold records, the current one left out.
func (l *Log) Usage() []Usage {
	l.mu.Lock()
	defer l.mu.Unlock()
	var u []Usage
	for id, s := range l.segments {
		if s != l.cur {
			u = append(u, Usage{id, s.live.Load(), int64(s.size)})
		}
	}
	return u
}
