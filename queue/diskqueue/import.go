package diskqueue

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"

	"github.com/dayfly-dev/dayfly/internal/vfs"
	"github.com/dayfly-dev/dayfly/queue/archive"
	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// ErrPresent: a queue to be imported is in the store already, and
// ImportOptions.Add was not set.
var ErrPresent = errors.New("the store has a queue of that name already")

// ImportOptions say what Import takes; nil means all of the archive, into queues
// that are not there yet.
type ImportOptions struct {
	Queue   string // this one alone; "": all
	Certain bool   // leave out messages that may have been deleted already
	// Add messages to queues that are there. Those keep their attributes and tags.
	Add bool
	// Log: nil discards.
	Log *slog.Logger
}

// ImportReport says what Import took.
type ImportReport struct {
	Queues   []ImportedQueue `json:"queues"`
	Messages int64           `json:"messages"`
	Doubtful int64           `json:"doubtful"` // of Messages: may have been deleted
	LeftOut  int64           `json:"left_out"` // doubtful, and not imported for it
	Present  int64           `json:"present"`  // were in the store under their ids: not imported again
	NewIDs   int64           `json:"new_ids"`  // of Messages: could not keep id and sequence number
	// What the archive says of the store it is from.
	Lost    int64 `json:"lost"`
	Damaged bool  `json:"damaged"`
}

// ImportedQueue is one of them.
type ImportedQueue struct {
	Name     string `json:"name"`
	Messages int64  `json:"messages"` // imported
	Added    bool   `json:"added"`    // the queue was there before
}

// Import reads an archive into the store of a folder, which it makes if it is
// missing. No other process may have the store open: vfs.ErrLocked.
//
// It happens whole or not at all. The messages are written and synced, unknown
// to anybody; the checkpoint that then replaces the last one makes them known.
// After an error, or a crash before that, the store is as it was, and Import may
// be called again.
//
// A message keeps what is known of it: time of sending, receives, when it is
// visible, group, deduplication, where it was dead-lettered from, and its place
// in the order. It keeps id and sequence number where it can: always in a store
// without messages, which takes over the ids' tag, and in the store it is from;
// one that is there still is not imported again. Receipts do not outlive the
// store. A dead letter of a FIFO queue is kept for the whole retention again.
//
// Errors are those of Open, *archive.Error, ErrPresent, driver.ErrFull (the disk
// has no room), driver.ErrQueueNotFound (the archive has no such Queue).
// Messages are held one at a time; the memory is that of the store opened.
func Import(ctx context.Context, dir string, r *archive.Reader, options *ImportOptions) (ImportReport, error) {
	var i ImportOptions
	if options != nil {
		i = *options
	}
	first, err := r.Next() // what is no archive makes no store
	if err != nil {
		return ImportReport{}, err
	}
	o, err := (&Options{Log: i.Log}).withDefaults()
	if err != nil {
		return ImportReport{}, err
	}
	fsys, err := vfs.OS(dir)
	if err != nil {
		return ImportReport{}, err
	}
	report, err := importTo(ctx, fsys, o, i, first, r)
	var line *archive.Error
	if err != nil && !errors.As(err, &line) {
		err = fmt.Errorf("import to queue store %s: %w", dir, logError(err))
	}
	return report, err
}

// importTo imports to any folder; item is the first of the archive.
func importTo(ctx context.Context, fsys vfs.FS, o Options, i ImportOptions, item archive.Item, r *archive.Reader) (ImportReport, error) {
	e, err := load(fsys, o)
	if err != nil {
		return ImportReport{}, err
	}
	m := &importer{e: e, o: i, queues: map[string]*importing{}}
	for err == nil && item.End == nil {
		if err = m.take(ctx, item); err == nil {
			item, err = r.Next()
		}
	}
	if err == nil {
		_, err = r.Next() // nothing may follow
		if errors.Is(err, io.EOF) {
			err = m.commit()
		}
	}
	if err != nil {
		e.abandon()
		if !m.arrived(fsys, o) {
			return ImportReport{}, err
		}
	} else if err := e.Close(); err != nil {
		o.Log.Warn("closing the store after the import, which is on the disk", "error", err)
	}
	m.report.Lost, m.report.Damaged = item.End.Lost, item.End.Damaged
	return m.done(), nil
}

// abandon closes a store as a crash would leave it.
func (e *Engine) abandon() {
	e.closed = true
	if err := errors.Join(e.log.Close(), e.lock.Close()); err != nil {
		e.o.Log.Warn("abandoning an import", "error", err)
	}
}

// arrived opens the store again after an error. It recycles the room that was
// taken, and reports whether the import is there after all: whether the last step
// was done, its error does not always tell.
func (m *importer) arrived(fsys vfs.FS, o Options) (whole bool) {
	e, err := load(fsys, o)
	if err == nil {
		whole = m.committing
		for _, x := range m.order {
			q := e.queues[x.Name]
			whole = whole && q != nil && (x.last == 0 || q.messages.get(x.last) != nil)
		}
		if err = e.checkpoint(); err == nil {
			_, err = e.log.Reclaim(e.last.from.Segment())
		} else {
			whole = false
		}
		err = errors.Join(err, e.Close())
	}
	if err != nil {
		o.Log.Warn("what an import left behind is cleared at the next opening", "error", err)
	}
	return whole
}

// importing is a queue that is being imported.
type importing struct {
	q    *state
	last uint64 // seq of the message imported last
	ImportedQueue
}

type importer struct {
	e      *Engine
	o      ImportOptions
	queues map[string]*importing // nil: is left out
	order  []*importing
	report ImportReport
	begun  bool // a message was taken
	// committing: the last step was begun.
	committing bool
	buf        []byte
	pending    int // bytes appended and not written
}

// importFlush is how much is kept in memory before it is written, bytes.
const importFlush = 1 << 20

func (m *importer) take(ctx context.Context, item archive.Item) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var err error
	if item.Queue != nil {
		err = m.queue(item.Queue)
	} else {
		err = m.message(item.Message)
	}
	if errors.Is(err, ErrPresent) || errors.Is(err, errTime) {
		return &archive.Error{Line: item.Line, Err: err}
	}
	return err
}

func (m *importer) queue(a *archive.Queue) error {
	if m.o.Queue != "" && a.Name != m.o.Queue {
		m.queues[a.Name] = nil
		return nil
	}
	e, at := m.e, now()
	q := e.queues[a.Name]
	added := q != nil
	if added && !m.o.Add {
		return fmt.Errorf("queue %q: %w", a.Name, ErrPresent)
	}
	if !added {
		q = newState(e.nextUID, a.Name, &e.flights)
		q.attrs, q.tags = clone(a.Attributes), maps.Clone(a.Tags)
		q.created, q.modified = milliOr(a.Created, at), milliOr(a.Modified, at)
		e.addQueue(q)
		delete(e.dropped, q.name)
	}
	x := &importing{q: q, ImportedQueue: ImportedQueue{Name: a.Name, Added: added}}
	m.queues[a.Name] = x
	m.order = append(m.order, x)
	return nil
}

// commit makes known what was imported. The records of new queues follow the
// checkpoint, for the day that is lost: before it they would have made them.
func (m *importer) commit() error {
	e := m.e
	if m.o.Queue != "" && len(m.order) == 0 {
		return fmt.Errorf("queue %q is not in the archive: %w", m.o.Queue, driver.ErrQueueNotFound)
	}
	m.committing = true
	if err := e.checkpoint(); err != nil {
		if errors.Is(err, errNoSpace) {
			err = fmt.Errorf("%w: %w", driver.ErrFull, err)
		}
		return err
	}
	for _, x := range m.order {
		if x.Added {
			continue
		}
		if err := e.recordQueue(x.q); err != nil {
			e.o.Log.Warn("an imported queue is in the checkpoint alone", "queue", x.Name, "error", err)
		}
	}
	return nil
}

func (e *Engine) recordQueue(q *state) error {
	b := binary.AppendUvarint(putString(beginRecord(nil, kindCreate, q.uid), q.name), uint64(q.created))
	b = putMap(putQueueAttributes(b, q.attrs), q.tags)
	if err := e.lockRoom(seglog.RecordSize(len(b)), true); err != nil {
		return err
	}
	defer e.mu.Unlock()
	e.log.Append(b)
	return nil
}

func (m *importer) done() ImportReport {
	m.report.Queues = []ImportedQueue{}
	for _, x := range m.order {
		m.report.Queues = append(m.report.Queues, x.ImportedQueue)
		m.report.Messages += x.Messages
	}
	return m.report
}
