// Package diskqueue is the embedded queue engine: a folder of this machine in
// place of a service.
//
// What is sent is on the disk before Send returns. All queues share one log of
// preallocated segments (doc/formats/queue-log.md) and one sync serves all who
// wait for one. Bodies are not kept in memory: a waiting message costs about 25
// bytes there, one that is delayed or was received about 100. Sending, receiving
// and deleting cost the same whatever the backlog. Checkpoints of the memory
// bound what is replayed at start.
//
// Durable when they return: everything but Receive, which waits until its
// record is written but not until it is synced. After a machine's death
// messages in flight may therefore be visible again at once, and their receive
// count lower; after the death of the process alone they are not.
//
// A message of a FIFO queue, or with a group, costs about 100 bytes of memory
// while it waits, and a deduplication id 60 to 80 for its five minutes.
package diskqueue

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/internal/vfs"
	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// MaxInFlight is how many messages of one queue may be in flight, as on SQS.
const MaxInFlight = 120_000

// Options of Open; nil means the defaults.
type Options struct {
	// Log: nil discards.
	Log *slog.Logger
	// SegmentSize of the log in bytes: 4 MiB to 1 GiB, a multiple of 4096;
	// default 8 MiB. Four segments are on the disk even when no message is.
	SegmentSize int

	// Tests lower these.
	replay int64 // bytes of log after which a checkpoint is due
	spare  int64 // segments without a use that are tolerated before cleaning
}

// defaultSegment bounds the disk an idle store takes; rotating costs one more
// sync a segment, which at this size does not show.
const (
	defaultSegment = 8 << 20
	maxSegment     = 1 << 30
)

func (o *Options) withDefaults() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.SegmentSize == 0 {
		c.SegmentSize = defaultSegment
	}
	c.replay, c.spare = minReplay, spareSegments
	if c.SegmentSize < 4<<20 || c.SegmentSize > maxSegment || c.SegmentSize%4096 != 0 {
		return c, fmt.Errorf("diskqueue: SegmentSize %d: must be 4 MiB to 1 GiB and a multiple of 4096", c.SegmentSize)
	}
	return c, nil
}

// Engine keeps the queues of one folder. Its methods may be called from any
// number of goroutines.
type Engine struct {
	o      Options
	fsys   vfs.FS
	lock   io.Closer
	log    *seglog.Log
	secret secret
	format int // of the folder as it was found; 0: new
	identity

	// mu guards what follows, and the order of the log: what a record says is
	// done to memory under the same holding of mu that appends it.
	mu      sync.Mutex
	queues  map[string]*state
	byUID   map[uint32]*state
	dropped map[string]int64 // Unix milliseconds of deletion, by name; the last minute's
	moves   []*moveTask      // oldest first
	flights flights
	sources sources
	nextSeq uint64
	nextUID uint32
	epoch   uint64 // counts openings
	token   uint64 // of the last receive
	dying   []entries
	live    map[uint32]int64 // bytes by segment, while the log is being replayed
	closed  bool

	ending   chan struct{} // closed by Close
	kick     chan struct{}
	work     sync.WaitGroup
	upkeep   sync.Mutex // held while checkpointing and cleaning
	last     checkpointInfo
	lastFull time.Time
}

var (
	_ driver.Service  = (*Engine)(nil)
	_ driver.Browser  = (*Engine)(nil)
	_ driver.Replacer = (*Engine)(nil)
	_ driver.Mover    = (*Engine)(nil)
	_ driver.Batcher  = (*Engine)(nil)
)

// sources are the names of queues that messages were moved from.
type sources struct {
	names []string
	index map[string]uint32
}

func (s *sources) intern(name string) uint32 {
	if name == "" {
		return 0
	}
	if i, ok := s.index[name]; ok {
		return i
	}
	if s.index == nil {
		s.index, s.names = map[string]uint32{}, []string{""}
	}
	i := uint32(len(s.names))
	s.names = append(s.names, name)
	s.index[name] = i
	return i
}

func (s *sources) name(i uint32) string {
	if i == 0 {
		return ""
	}
	return s.names[i]
}

// BatchSize says that a call of 100 messages shares a sync and a lock that one
// of ten would have for itself.
func (e *Engine) BatchSize() int { return 100 }

// find returns a queue; mu is held.
func (e *Engine) find(name string) (*state, error) {
	if e.closed {
		return nil, driver.ErrClosed
	}
	q := e.queues[name]
	if q == nil {
		return nil, driver.ErrQueueNotFound
	}
	return q, nil
}

// lockRoom takes mu with room in the log for n bytes of records; urgent ones
// may use the reserve. On error mu is not held.
func (e *Engine) lockRoom(n uint32, urgent bool) error {
	for {
		e.mu.Lock()
		if e.closed {
			e.mu.Unlock()
			return driver.ErrClosed
		}
		err := e.log.Room(n, urgent)
		if err == nil {
			return nil
		}
		e.mu.Unlock()
		if errors.Is(err, seglog.ErrNoSegment) {
			if err = e.log.WaitRoom(); err == nil {
				continue
			}
		}
		if errors.Is(err, seglog.ErrFull) {
			e.wakeUpkeep()
		}
		return logError(err)
	}
}

// commit waits until the log is on the disk up to its present end.
func (e *Engine) commit(end seglog.Pos) error { return logError(e.log.Commit(end)) }

// logError puts the contract's error before one of the log.
func logError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, seglog.ErrFailed), errors.Is(err, seglog.ErrClosed):
		return fmt.Errorf("%w: %w", driver.ErrClosed, err)
	case errors.Is(err, seglog.ErrFull):
		return fmt.Errorf("%w: %w", driver.ErrFull, err)
	}
	return err
}

func opError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %q: %w", op, name, err)
}

// now is the time as the log keeps it, in Unix milliseconds.
func now() int64 { return milli(time.Now()) }

// later returns now plus d, rounded up: nothing is visible early.
func later(d time.Duration) int64 {
	return milli(time.Now().Add(d + time.Millisecond - 1))
}
