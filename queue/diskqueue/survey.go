package diskqueue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/dayfly-dev/dayfly/internal/vfs"
	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// CorruptError is damage to something that was on the disk: file, offset and
// what is wrong there.
type CorruptError = seglog.CorruptError

// ErrNoStore: the folder holds no queue store.
var ErrNoStore = errors.New("there is no queue store here")

// Progress is told, from one goroutine, how many bytes of about how many are
// read or written.
type Progress func(done, total int64)

// A survey is what can be known of a store without changing it, whole or
// damaged. Of a whole one it knows what Open would.
//
// It rests on three sources: the checkpoint, the log after it, and the segments
// before it. The last are read only if the checkpoint lost something: they hold
// every message that is alive, but also some that are not any more, for the
// records of deletions are recycled like others. What only they know is doubtful.
type survey struct {
	ctx      context.Context
	fsys     vfs.FS
	lock     io.Closer
	format   int
	e        *Engine // the memory, without a log
	read     index   // of the checkpoint
	log      *replayer
	end      seglog.Found
	extra    []extra  // in ascending order of queue and seq
	damage   []Damage // found so far, other than in the log
	progress func(bytes int64)
}

// extra is a message that the memory lost and the log knows.
type extra struct {
	q *state
	found
}

// found is a message of the store.
type found struct {
	m        entry
	f        flight // zero: never delayed nor received
	source   string
	doubtful bool
}

// newEngineMemory is an engine for its memory alone.
func newEngineMemory(format int) *Engine {
	return &Engine{format: format, nextSeq: 1, nextUID: 1, queues: map[string]*state{}, byUID: map[uint32]*state{},
		live: map[uint32]int64{}, dropped: map[string]int64{}}
}

// openSurvey takes the folder's lock, together with others who read alone.
func openSurvey(ctx context.Context, dir string, p Progress) (*survey, error) {
	fsys, err := vfs.ReadOnly(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoStore)
	}
	if err != nil {
		return nil, err
	}
	s, err := surveyOf(ctx, fsys, p)
	if err != nil {
		return nil, fmt.Errorf("queue store %s: %w", dir, err)
	}
	return s, nil
}

func surveyOf(ctx context.Context, fsys vfs.FS, p Progress) (*survey, error) {
	lock, err := fsys.Lock(lockName)
	if err != nil {
		return nil, err
	}
	s := &survey{ctx: ctx, fsys: fsys, lock: lock}
	s.progress, err = counted(fsys, p)
	if err == nil {
		err = s.run()
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

func (s *survey) close() error { return s.lock.Close() }

// passes is how often a survey and what follows it read the log at most.
const passes = 2

// counted returns what adds up bytes for a Progress, which may be nil.
func counted(fsys vfs.FS, p Progress) (func(int64), error) {
	if p == nil {
		return func(int64) {}, nil
	}
	names, err := fsys.List()
	if err != nil {
		return nil, err
	}
	var total, done int64
	for _, name := range names {
		if !seglog.IsSegment(name) && name != checkpointName {
			continue
		}
		if f, err := fsys.Open(name); err == nil {
			if size, err := f.Size(); err == nil {
				total += size
			}
			f.Close()
		}
	}
	total *= passes
	return func(n int64) {
		done = min(done+n, total)
		p(done, total)
	}, nil
}

func (s *survey) run() error {
	if err := s.checkFormat(); err != nil {
		return err
	}
	s.e = newEngineMemory(s.format)
	s.log = newReplayer(s, s.e)
	if err := s.loadIndex(); err != nil {
		return err
	}
	var err error
	if s.e.identity, err = newIdentity(s.e.secret); err != nil {
		return err
	}
	if err := s.replay(); err != nil {
		return err
	}
	if s.read.headed && (s.read.lostBlocks || len(s.log.unnamed) > 0) {
		if err := s.recall(); err != nil {
			return err
		}
	}
	s.nameUnnamed()
	s.weighIndex()
	return nil
}

// checkFormat finds out whether there is a store and of which format.
func (s *survey) checkFormat() error {
	names, err := s.fsys.List()
	if err != nil {
		return err
	}
	isStore := slices.ContainsFunc(names, func(name string) bool {
		return name == formatName || name == checkpointName || seglog.IsSegment(name)
	})
	if !isStore {
		return ErrNoStore
	}
	e := &Engine{fsys: s.fsys}
	b, err := vfs.ReadFile(s.fsys, formatName, 100)
	switch v, ok := parseFormat(b); {
	case errors.Is(err, fs.ErrNotExist):
		s.note(formatName, 0, "file is missing", costsNothing)
	case err != nil:
		s.note(formatName, 0, fmt.Sprintf("the disk cannot read it: %v", err), costsNothing)
	case !ok:
		s.note(formatName, 0, "it does not name a format", costsNothing)
	default:
		e.format = v
		if err := e.knowsFormat(); err != nil {
			return err
		}
	}
	if s.format = e.format; s.format == 0 {
		s.format = version
	}
	return nil
}

// note adds damage that is not to the log.
func (s *survey) note(file string, off int64, reason, cost string) {
	s.damage = append(s.damage, Damage{File: file, Offset: off, Reason: reason, Cost: cost})
}

// queues returns the queues in ascending order of name.
func (s *survey) queues() []*state {
	var list []*state
	for _, q := range s.e.byUID {
		list = append(list, q)
	}
	slices.SortFunc(list, func(a, b *state) int { return cmp.Compare(a.name, b.name) })
	return list
}

// messages calls visit for each message of a queue, in order of sending.
func (s *survey) messages(q *state, visit func(found) error) (err error) {
	i, _ := slices.BinarySearchFunc(s.extra, q.uid, func(x extra, uid uint32) int { return cmp.Compare(x.q.uid, uid) })
	extras := s.extra[i:]
	before := func(seq uint64) bool {
		for ; err == nil && len(extras) > 0 && extras[0].q == q && extras[0].m.seq() < seq; extras = extras[1:] {
			err = visit(extras[0].found)
		}
		return err == nil
	}
	n := 0
	q.messages.from(0, func(m *entry) bool {
		if n++; n%1024 == 0 {
			err = s.ctx.Err()
		}
		if err == nil && before(m.seq()) {
			err = visit(s.describe(m))
		}
		return err == nil
	})
	before(1 << 63)
	return err
}

func (s *survey) describe(m *entry) found {
	x := describe(s.e, m)
	x.doubtful = m.seq() < s.log.doubtBelow
	return x
}

func describe(e *Engine, m *entry) found {
	x := found{m: *m}
	if m.flight != 0 {
		x.f = *e.flights.get(m.flight)
		x.source = e.sources.name(x.f.source)
	}
	return x
}

// state of the message at a time, Unix milliseconds.
func (x *found) state(at int64) driver.State {
	switch {
	case x.f.state == delayed && x.f.visibleAt > at:
		return driver.StateDelayed
	case x.f.state == inFlight && x.f.visibleAt > at:
		return driver.StateInFlight
	}
	return driver.StateVisible
}

// unnamedQueue is what a queue is called whose name was lost; the suffix of FIFO
// queues is added once one of its messages shows that it is one.
func unnamedQueue(uid uint32) string { return fmt.Sprintf("recovered-queue-%d", uid) }

// place makes a queue of which nothing is known but messages.
func (s *survey) place(e *Engine, uid uint32) *state {
	q := newState(uid, unnamedQueue(uid), &e.flights)
	q.attrs = unnamedAttributes
	if e.queues[q.name] != nil { // somebody's queue has that very name
		q.name = strings.Replace(q.name, "queue", "lost-queue", 1)
	}
	e.addQueue(q)
	return q
}
