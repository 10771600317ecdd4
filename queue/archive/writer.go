package archive

import (
	"bufio"
	"encoding/json"
	"io"
	"time"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// Writer writes an archive: Begin, queues and messages, each queue before its
// messages, then End. One goroutine at a time.
type Writer struct {
	w     *bufio.Writer
	e     *json.Encoder
	wrote End
}

// NewWriter returns a Writer to w, which it writes in large pieces.
func NewWriter(w io.Writer) *Writer {
	b := bufio.NewWriterSize(w, 256<<10)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	return &Writer{w: b, e: e}
}

// Begin writes the first line.
func (w *Writer) Begin() error {
	return w.e.Encode(headerLine{Type: typeHeader, Version: Version, Written: time.Now().UTC().Truncate(time.Millisecond)})
}

// Queue writes a queue.
func (w *Writer) Queue(q Queue) error {
	a := q.Attributes
	line := queueLine{
		Type: typeQueue, Name: q.Name, Created: when(q.Created), Modified: when(q.Modified), Tags: q.Tags,
		Attributes: attributesOf{
			Visibility: duration(a.Visibility), Delay: duration(a.Delay), Retention: duration(a.Retention),
			ReceiveWait: duration(a.ReceiveWait), MaxMessageSize: a.MaxMessageSize,
			FIFO: a.FIFO, ContentDedup: a.ContentDedup, GroupDedup: a.GroupDedup, Extra: a.Extra,
		},
	}
	if d := a.DeadLetter; d != nil {
		line.Attributes.DeadLetter = &deadLetterOf{d.Queue, d.MaxReceives}
	}
	w.wrote.Queues++
	return w.e.Encode(line)
}

// Message writes a message.
func (w *Writer) Message(m Message) error {
	line := messageLine{
		Type: typeMessage, Queue: m.Queue, ID: m.ID, Sequence: m.Sequence, Sent: when(m.Sent),
		State: m.State, Receives: m.Receives, ReceivesBefore: m.ReceivesBefore,
		FirstReceived: when(m.FirstReceived), Source: m.Source, Doubtful: m.Doubtful,
		GroupID: m.GroupID, DedupID: m.DedupID,
		Attributes: valuesOf(m.Attributes), System: valuesOf(m.System),
	}
	if m.State != driver.StateVisible {
		line.VisibleAt = when(m.VisibleAt)
	}
	line.Body, line.BodyBase64 = text(m.Body)
	w.wrote.Messages++
	return w.e.Encode(line)
}

// End writes the last line, which says how much was written, and flushes.
func (w *Writer) End(lost int64, damaged bool) (End, error) {
	w.wrote.Lost, w.wrote.Damaged = lost, damaged
	err := w.e.Encode(endLine{typeEnd, w.wrote.Queues, w.wrote.Messages, lost, damaged})
	if err == nil {
		err = w.w.Flush()
	}
	return w.wrote, err
}
