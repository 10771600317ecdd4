package archive

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// Error is a line that cannot be read.
type Error struct {
	Line int // from 1
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

var (
	// ErrCut: the file has no last line that says how much there is.
	ErrCut = errors.New("the file was cut short: its last line, of type \"end\", is missing; export again")
	// ErrForeign: the first line is not that of an archive.
	ErrForeign = errors.New("not an export of queues: the first line must have the type \"" + typeHeader + "\"")
)

// Item is what a line holds: one of the three.
type Item struct {
	Line    int
	Queue   *Queue
	Message *Message
	End     *End
}

// Reader reads an archive line by line. One goroutine at a time.
type Reader struct {
	r      *bufio.Reader
	buf    []byte
	line   int
	queues map[string]bool
	read   End
	over   bool
}

// NewReader returns a Reader from r.
func NewReader(r io.Reader) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, 256<<10), queues: map[string]bool{}}
}

// Next returns what is next; after the End, io.EOF. Errors are an *Error or
// those of the underlying reader.
func (r *Reader) Next() (Item, error) {
	if r.line == 0 {
		if err := r.header(); err != nil {
			return Item{}, err
		}
	}
	b, err := r.next()
	switch {
	case errors.Is(err, io.EOF) && r.over:
		return Item{}, io.EOF
	case errors.Is(err, io.EOF):
		return Item{}, r.wrong(ErrCut)
	case err != nil:
		return Item{}, err
	case r.over:
		return Item{}, r.wrong(errors.New("something follows the last line, of type \"end\""))
	}
	item, err := r.parse(b)
	if err != nil {
		return Item{}, r.wrong(err)
	}
	item.Line = r.line
	return item, nil
}

func (r *Reader) wrong(err error) error { return &Error{r.line, err} }

// next returns the next line, valid until the one after.
func (r *Reader) next() ([]byte, error) {
	r.buf = r.buf[:0]
	r.line++
	for {
		part, err := r.r.ReadSlice('\n')
		r.buf = append(r.buf, part...)
		if len(r.buf) > MaxLine {
			return nil, r.wrong(fmt.Errorf("longer than %d bytes", MaxLine))
		}
		switch {
		case err == nil:
			return r.buf, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(r.buf) > 0:
			return nil, r.wrong(ErrCut)
		default:
			return nil, err
		}
	}
}

func (r *Reader) header() error {
	b, err := r.next()
	if errors.Is(err, io.EOF) {
		return r.wrong(ErrForeign)
	}
	if err != nil {
		return err
	}
	var h struct {
		Type    string `json:"type"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(b, &h); err != nil || h.Type != typeHeader {
		return r.wrong(ErrForeign)
	}
	if h.Version > Version {
		return r.wrong(fmt.Errorf("version %d of the format, and this dayfly knows up to %d: use a newer dayfly", h.Version, Version))
	}
	if h.Version < 1 {
		return r.wrong(fmt.Errorf("%d is no version", h.Version))
	}
	return nil
}

func (r *Reader) parse(b []byte) (item Item, err error) {
	var kind struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(b, &kind); err != nil {
		return item, fmt.Errorf("not JSON: %w", err)
	}
	switch kind.Type {
	case typeQueue:
		item.Queue, err = r.queue(b)
	case typeMessage:
		item.Message, err = r.message(b)
	case typeEnd:
		item.End, err = r.end(b)
	default:
		err = fmt.Errorf("unknown type %q", kind.Type)
	}
	return item, err
}

// strict decodes a line all of whose fields must be known: what is not could
// only be lost.
func strict(b []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(to)
}

func (r *Reader) queue(b []byte) (*Queue, error) {
	var l queueLine
	if err := strict(b, &l); err != nil {
		return nil, err
	}
	a := l.Attributes
	q := &Queue{Name: l.Name, Tags: l.Tags, Created: at(l.Created), Modified: at(l.Modified), Attributes: driver.Attributes{
		Visibility: time.Duration(a.Visibility), Delay: time.Duration(a.Delay), Retention: time.Duration(a.Retention),
		ReceiveWait: time.Duration(a.ReceiveWait), MaxMessageSize: a.MaxMessageSize,
		FIFO: a.FIFO, ContentDedup: a.ContentDedup, GroupDedup: a.GroupDedup, Extra: a.Extra,
	}}
	if d := a.DeadLetter; d != nil {
		q.Attributes.DeadLetter = &driver.DeadLetter{Queue: d.Queue, MaxReceives: d.MaxReceives}
	}
	if r.queues[q.Name] {
		return nil, fmt.Errorf("queue %q a second time", q.Name)
	}
	if err := queue.CheckQueue(q.Name, q.Attributes, q.Tags); err != nil {
		return nil, err
	}
	r.queues[q.Name] = true
	r.read.Queues++
	return q, nil
}

func (r *Reader) message(b []byte) (*Message, error) {
	var l messageLine
	if err := strict(b, &l); err != nil {
		return nil, err
	}
	m := &Message{Queue: l.Queue, ReceivesBefore: l.ReceivesBefore, Doubtful: l.Doubtful, Browsed: driver.Browsed{
		State: l.State, VisibleAt: at(l.VisibleAt), Message: driver.Message{
			ID: l.ID, Sequence: l.Sequence, Sent: at(l.Sent), FirstReceived: at(l.FirstReceived), Receives: l.Receives,
			Source: l.Source, GroupID: l.GroupID, DedupID: l.DedupID,
			Attributes: attributes(l.Attributes), System: attributes(l.System), Body: l.Body + string(l.BodyBase64),
		},
	}}
	if !r.queues[m.Queue] {
		return nil, fmt.Errorf("message of queue %q, which no line before names", m.Queue)
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	r.read.Messages++
	return m, nil
}

// check judges what package queue cannot, and then has it judge the rest.
func (m *Message) check() error {
	switch m.State {
	case driver.StateVisible, driver.StateDelayed, driver.StateInFlight:
	default:
		return fmt.Errorf("state %q: must be %q, %q or %q", m.State, driver.StateVisible, driver.StateDelayed, driver.StateInFlight)
	}
	if m.State != driver.StateVisible && m.VisibleAt.IsZero() {
		return fmt.Errorf("a message %s must have a visible_at", m.State)
	}
	if m.Receives < 0 || m.Receives > 1<<31-1 || m.ReceivesBefore < 0 || m.ReceivesBefore > m.Receives {
		return fmt.Errorf("receives %d, before %d: must be 0 to 2147483647, and not more before than in all", m.Receives, m.ReceivesBefore)
	}
	for _, t := range []time.Time{m.VisibleAt, m.FirstReceived, m.Sent} {
		if !t.IsZero() && t.UnixMilli() < 0 {
			return fmt.Errorf("%s is before 1970", t.Format(time.RFC3339))
		}
	}
	if len(m.Source) > 80 {
		return fmt.Errorf("source %.20q… is no queue's name", m.Source)
	}
	return queue.CheckMessage(m.Queue, m.Outgoing())
}

// Outgoing returns what of the message is sent.
func (m *Message) Outgoing() driver.Outgoing {
	return driver.Outgoing{Body: m.Body, Attributes: m.Attributes, System: m.System, Delay: -1, GroupID: m.GroupID, DedupID: m.DedupID}
}

func (r *Reader) end(b []byte) (*End, error) {
	var l endLine
	if err := strict(b, &l); err != nil {
		return nil, err
	}
	if l.Queues != r.read.Queues || l.Messages != r.read.Messages {
		return nil, fmt.Errorf("%d queues and %d messages came before, and it says %d and %d: lines are missing; export again",
			r.read.Queues, r.read.Messages, l.Queues, l.Messages)
	}
	r.over = true
	return &End{l.Queues, l.Messages, l.Lost, l.Damaged}, nil
}
