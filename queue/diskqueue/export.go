package diskqueue

import (
	"context"
	"fmt"
	"strings"

	"github.com/dayfly-dev/dayfly/queue/archive"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// ExportOptions say what Export writes; nil means all.
type ExportOptions struct {
	Queue   string // this one alone; "": all
	Certain bool   // leave out messages that may have been deleted already
	// Progress and Damage, which may be nil, are called as by Verify.
	Progress Progress
	Damage   func(Damage) error
}

// Export writes the queues of a store with all their messages, in order of name
// and of sending, and changes nothing. Of a damaged store it writes all that can
// still be read, also where Open refuses; what cannot is told as by Verify, which
// it does first. Errors are those of Verify, driver.ErrQueueNotFound, and of w.
// Messages are held one at a time; the memory is that of an opened store.
func Export(ctx context.Context, dir string, w *archive.Writer, options *ExportOptions) (archive.End, error) {
	var o ExportOptions
	if options != nil {
		o = *options
	}
	s, err := openSurvey(ctx, dir, o.Progress)
	if err != nil {
		return archive.End{}, err
	}
	defer s.close()
	return s.export(w, o)
}

func (s *survey) export(w *archive.Writer, o ExportOptions) (archive.End, error) {
	if o.Queue != "" && s.e.queues[o.Queue] == nil {
		return archive.End{}, fmt.Errorf("export %q: %w", o.Queue, driver.ErrQueueNotFound)
	}
	c := newCheck(s, o.Damage)
	if err := c.run(); err != nil {
		return archive.End{}, err
	}
	if err := w.Begin(); err != nil {
		return archive.End{}, err
	}
	x := &exporter{s: s, c: c, w: w, at: now(), certain: o.Certain, read: newRecordReader(s.fsys)}
	defer x.read.close()
	for _, q := range s.queues() {
		if o.Queue != "" && q.name != o.Queue {
			continue
		}
		if err := x.queue(q); err != nil {
			return archive.End{}, err
		}
	}
	lost := c.lost
	if o.Queue != "" {
		lost = c.lostOf[o.Queue] + c.lostOf[""]
	}
	return w.End(lost, c.damages > 0)
}

type exporter struct {
	s       *survey
	c       *check
	w       *archive.Writer
	at      int64
	certain bool
	read    *recordReader
}

func (x *exporter) queue(q *state) error {
	err := x.w.Queue(archive.Queue{Name: q.name, Attributes: q.attrs, Tags: q.tags, Created: fromMilli(q.created), Modified: fromMilli(q.modified)})
	if err != nil {
		return err
	}
	return x.s.messages(q, func(f found) error {
		if f.doubtful && x.certain {
			return nil
		}
		return x.message(q, f)
	})
}

func (x *exporter) message(q *state, f found) error {
	s, m, err := x.read.message(&f.m)
	if err != nil { // it could be read a moment ago
		l := x.s.lostMessage(x.read, q, &f.m)
		return x.c.tell(Damage{File: f.m.pos.File(), Offset: int64(f.m.pos.Offset()), Reason: err.Error(), Cost: "a message is lost", Lost: []Lost{l}})
	}
	if x.s.read.headed {
		m.ID = x.s.e.id(f.m.seq(), s.sent)
	}
	if strings.HasSuffix(q.name, ".fifo") {
		m.Sequence = sequence(f.m.seq())
	}
	m.Receives, m.FirstReceived, m.Source = int(f.f.receives), fromMilli(f.f.first), f.source
	out := archive.Message{Queue: q.name, ReceivesBefore: int(f.f.before), Doubtful: f.doubtful,
		Browsed: driver.Browsed{Message: m, State: f.state(x.at)}}
	if out.State != driver.StateVisible {
		out.VisibleAt = fromMilli(f.f.visibleAt)
	}
	return x.w.Message(out)
}
