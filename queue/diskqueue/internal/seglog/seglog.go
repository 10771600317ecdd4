// Package seglog is a log of records in segments of one size, each written
// ahead with zeros, so that syncing a record needs no change of metadata. One
// sync serves everybody who waits for one.
//
// The page doc/formats/queue-log.md describes every byte. In short: a record
// is bound to its place by checksums that cover a random number of its segment,
// the segment's id and the offset, so a recycled segment's old records are
// never taken for new ones. Each record also says up to where the segment was
// known to be on the disk when the record was made; so recovery can tell a
// torn end, which is cut, from damage to what was synced, which is an error.
// All of a segment is on the disk before the first byte of the next is written.
//
// The caller serialises Room and Append (the order of records is the order of
// its state); everything else may be called from any number of goroutines.
package seglog

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/dayfly-dev/dayfly/internal/vfs"
)

var (
	// ErrFull: no further segment could be made for lack of room.
	ErrFull = errors.New("no room on disk for another log segment")
	// ErrFailed: a write or sync failed, and the log takes nothing more until it
	// is opened again.
	ErrFailed = errors.New("log refuses writes after a failure")
	// ErrClosed: the log was closed.
	ErrClosed = errors.New("log is closed")
	// ErrUsed: a segment that was to be removed is in use.
	ErrUsed = errors.New("holds records")
	// ErrNoSegment: Room needs a segment that is not ready yet; WaitRoom, then
	// ask again.
	ErrNoSegment = errors.New("next segment is not ready")
)

// CorruptError is damage to something that was on the disk.
type CorruptError struct {
	File   string
	Offset int64
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s is damaged at offset %d: %s", e.File, e.Offset, e.Reason)
}

// Pos is a place in the log: segment id and offset. Later places are greater.
type Pos uint64

// At returns the place at an offset of a segment.
func At(segment, offset uint32) Pos { return Pos(segment)<<32 | Pos(offset) }

// Segment id of the place.
func (p Pos) Segment() uint32 { return uint32(p >> 32) }

// Offset of the place in its segment, bytes.
func (p Pos) Offset() uint32 { return uint32(p) }

// File is the name of the place's segment.
func (p Pos) File() string { return fileName(p.Segment()) }

func (p Pos) String() string { return fmt.Sprintf("%s+%d", p.File(), p.Offset()) }

// Start is where the first record of a new log is.
var Start = At(1, headerSize)

// Options of Open.
type Options struct {
	SegmentSize uint32       // bytes, a multiple of 4096; required
	Log         *slog.Logger // required
	Rotated     func()       // called when a segment is full; must return at once; may be nil
}

// reserve is the number of ready segments that ordinary appends leave alone:
// one for what must go on when the disk is full, one to be given up for the
// room it takes.
const reserve = 2

// Log is an open log.
type Log struct {
	fsys vfs.FS
	o    Options

	mu       sync.Mutex
	segments map[uint32]*segment // all that hold or may hold records, cur included
	cur      *segment            // being appended to
	off      uint32              // offset of the next record in cur
	pending  []chunk             // appended and not written
	buffers  [][]byte            // for chunks to come
	ready    []*segment          // the next ones, ids following on cur's
	spares   []string            // names of files whose records are all dead
	nextID   uint32              // of the next segment to be made ready
	open     int                 // open files
	clock    uint64              // of uses, for closing the file used longest ago
	prepared chan struct{}       // closed when the preparer has tried
	prepErr  error               // of its last try
	closed   bool

	prepMu  sync.Mutex // held while making or giving up a ready segment
	wmu     sync.Mutex // held while writing
	last    *segment   // written to last
	smu     sync.Mutex // held while syncing, after wmu
	written atomic.Uint64

	synced  atomic.Uint64
	failure atomic.Pointer[error]
	turn    turn

	kick chan struct{}
	stop chan struct{}
	done sync.WaitGroup

	appended atomic.Int64 // bytes, since Open
}

// chunk is bytes to be written at one place.
type chunk struct {
	seg *segment
	off uint32
	buf []byte
}

// End is where the next record will be; committing it commits all there is.
func (l *Log) End() Pos {
	l.mu.Lock()
	defer l.mu.Unlock()
	return At(l.cur.id, l.off)
}

// Synced is up to where the log is on the disk.
func (l *Log) Synced() Pos { return Pos(l.synced.Load()) }

// Appended returns the bytes appended since Open.
func (l *Log) Appended() int64 { return l.appended.Load() }

// Err returns why the log refuses writes, or nil.
func (l *Log) Err() error {
	if p := l.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// fail makes the log refuse from now on; the first reason stays.
func (l *Log) fail(cause error) error {
	err := fmt.Errorf("%w: %w", ErrFailed, cause)
	if l.failure.CompareAndSwap(nil, &err) {
		l.o.Log.Error("queue log failed; nothing more is acknowledged until the store is opened again", "error", cause)
	}
	return l.Err()
}

// Close writes and syncs what was appended, stops the preparer and closes the
// files.
func (l *Log) Close() error {
	err := l.Commit(l.End())
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	close(l.stop)
	l.done.Wait()
	closed := ErrClosed
	l.failure.CompareAndSwap(nil, &closed)
	l.wmu.Lock() // no write under way
	defer l.wmu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.segments {
		err = errors.Join(err, s.close())
	}
	for _, s := range l.ready {
		err = errors.Join(err, s.close())
	}
	return err
}
