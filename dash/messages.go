package dash

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
)

const (
	messagesShown = 25
	bodyShown     = 8 << 10  // bytes of a payload in a list
	bodyWhole     = 1 << 20  // bytes of a payload on its own page
	bodyIndented  = 64 << 10 // bytes of JSON that are indented
	browseStep    = 100
)

// Attributes a task worker writes on a message it gives up.
const (
	attrPrefix   = "dayfly."
	attrError    = "dayfly.error"
	attrTask     = "dayfly.task"
	attrQueue    = "dayfly.queue"
	attrAttempts = "dayfly.attempts"
	attrFailedAt = "dayfly.failed_at"
	attrStack    = "dayfly.stack"
)

// queuePage is one queue and a page of its messages.
type queuePage struct {
	Queue     queueRow      `json:"queue"`
	Service   string        `json:"service"`
	Activity  *activity     `json:"activity,omitempty"`
	Pausable  bool          `json:"pausable"`
	Paused    *Pause        `json:"paused,omitempty"`  // nil: it is not
	Running   *running      `json:"running,omitempty"` // nil: nobody could say
	Limits    *LimitList    `json:"limits,omitempty"`  // those used most; nil: there are none, or they are not known
	Browsable bool          `json:"browsable"`
	Filter    messageFilter `json:"filter"`
	Looked    int           `json:"looked"` // messages that the filter was held against
	After     string        `json:"after"`
	Messages  []message     `json:"messages"`
	Next      string        `json:"next"`              // for ?after=; "" at the end
	Problem   string        `json:"problem,omitempty"` // why some messages are missing: the store is damaged
}

func (p queuePage) Title() string { return p.Queue.Name }

// View says which messages are shown, as a query.
func (p queuePage) View() string { return p.Filter.query(p.After).Encode() }

// First is the address of the first page.
func (p queuePage) First() string { return address(p.Filter.query(""), "queues", p.Queue.Name) }

// InFlight is the address of the messages that somebody received.
func (p queuePage) InFlight() string {
	return address(messageFilter{State: queue.StateInFlight}.query(""), "queues", p.Queue.Name)
}

// States are those that messages can be picked by.
func (queuePage) States() []queue.State { return states }

// NextPage goes on after the last message looked at.
func (p queuePage) NextPage() string { return address(p.Filter.query(p.Next), "queues", p.Queue.Name) }

// messagePage is one message whole.
type messagePage struct {
	Queue   queueRow `json:"queue"`
	Message message  `json:"message"`
}

func (p messagePage) Title() string { return "Message in " + p.Queue.Name }

// message as it is shown.
type message struct {
	ID        string      `json:"id"`
	State     queue.State `json:"state"`
	Sent      time.Time   `json:"sent"`
	VisibleAt time.Time   `json:"visible_at"`
	Receives  int         `json:"receives"`
	GroupID   string      `json:"group_id"`
	Source    string      `json:"source"`
	Waits     bool        `json:"waits"`      // nobody has it until then
	Limit     string      `json:"limit"`      // for which it waits
	NotBefore time.Time   `json:"not_before"` // of a task; zero: none

	Task     string    `json:"task"`
	TaskID   string    `json:"task_id"`
	Ref      string    `json:"ref"` // where its arguments are, when they are not in the body
	RefSize  int64     `json:"ref_size"`
	Chain    string    `json:"chain"` // id of the chain it is a step of
	Batch    string    `json:"batch"` // id of the batch it is of
	Error    string    `json:"error"`
	Stack    string    `json:"stack"`
	Attempts string    `json:"attempts"`
	FailedAt time.Time `json:"failed_at"`

	Body       string      `json:"body"`
	Size       int64       `json:"size"`
	Cut        bool        `json:"cut"` // Body is the beginning only
	JSON       bool        `json:"-"`
	Attributes []attribute `json:"attributes"`

	Open    bool     `json:"-"` // the payload is unfolded at first
	Queue   string   `json:"-"`
	Before  string   `json:"-"` // id of the message before it
	View    string   `json:"-"` // of the page it is shown on
	Cancels bool     `json:"-"` // workers can be told not to run it
	Moved   bool     `json:"-"` // its queue, not a worker, gave it up
	Targets []string `json:"-"` // queues it can be sent back to, the likeliest first
}

type attribute struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value string `json:"value"`
}

func (d *Dash) queue(r *http.Request) (model, error) {
	ctx, name, query := r.Context(), r.PathValue("queue"), r.URL.Query()
	row, err := d.queueRow(ctx, name)
	if err != nil {
		return nil, err
	}
	p := queuePage{Queue: row, Service: d.QueueService, Activity: d.activity(name), Browsable: true,
		Filter: newFilter(query), After: query.Get("after")}
	paused, err := d.pauses(ctx)
	if err != nil { // the messages are shown all the same
		d.Log.Warn("pauses not read", "error", err)
	}
	p.Pausable, p.Paused = d.Tasks != nil && d.Tasks.Activity(name).Pausable, paused[name]
	p.Running = d.running(ctx, row)
	p.Limits = d.queueLimits(ctx, name)
	l, err := d.lookThrough(ctx, name, p.After, p.Filter)
	if errors.Is(err, queue.ErrUnsupported) {
		p.Browsable = false
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	p.Next, p.Looked = l.next, l.looked
	if l.problem != nil {
		p.Problem = l.problem.Error()
	}
	for _, b := range l.messages {
		m := newMessage(row, b, bodyShown)
		m.View, m.Cancels = p.View(), p.Pausable && m.TaskID != "" && len(m.Targets) == 0
		p.Messages = append(p.Messages, m)
	}
	return p, nil
}

func (d *Dash) queueRow(ctx context.Context, name string) (queueRow, error) {
	if d.Queues == nil {
		return queueRow{}, ErrNotFound
	}
	desc, err := d.Queues.Describe(ctx, name)
	if err != nil {
		return queueRow{}, err
	}
	row := newQueueRow(name, desc)
	row.Sources, err = d.sources(ctx, name)
	return row, err
}

func (d *Dash) message(r *http.Request) (model, error) {
	row, err := d.queueRow(r.Context(), r.PathValue("queue"))
	if err != nil {
		return nil, err
	}
	b, err := d.find(r.Context(), row.Name, r.PathValue("id"), r.URL.Query().Get("at"))
	if err != nil {
		return nil, err
	}
	return messagePage{Queue: row, Message: newMessage(row, b, bodyWhole)}, nil
}

// find looks a message up by id, at first right after the one that was before
// it, then from the oldest on.
func (d *Dash) find(ctx context.Context, name, id, before string) (placed, error) {
	if found, err := d.Queues.Browse(ctx, name, before, 1); err == nil && len(found) == 1 && found[0].ID == id {
		return placed{found[0], before}, nil
	}
	for after := ""; ; {
		found, err := d.Queues.Browse(ctx, name, after, browseStep)
		for _, b := range found {
			if b.ID == id {
				return placed{b, after}, nil
			}
			after = b.ID
		}
		if len(found) == 0 && err != nil {
			return placed{}, err
		}
		if len(found) == 0 || err == nil && len(found) < browseStep {
			return placed{}, ErrNotFound
		}
		if err := ctx.Err(); err != nil {
			return placed{}, fmt.Errorf("message %s was not found in time among the many of %s: %w", id, name, err)
		}
	}
}

// newMessage makes a message fit to be shown, with at most limit bytes of body.
func newMessage(q queueRow, b placed, limit int) message {
	text := func(name string) string { return b.Attributes[name].String }
	m := message{
		ID: b.ID, State: b.State, Sent: b.Sent, VisibleAt: b.VisibleAt, Receives: b.Receives,
		GroupID: b.GroupID, Source: source(b.Browsed), Queue: q.Name, Moved: b.Source != "" && text(attrError) == "", Before: b.before,
		Task: strip(text(attrTask), 200), Error: strip(text(attrError), 4_000),
		Stack: strip(text(attrStack), 16_000), Attempts: strip(text(attrAttempts), 20),
		Size: int64(len(b.Body)), Body: b.Body,
	}
	m.FailedAt, _ = time.Parse(time.RFC3339Nano, text(attrFailedAt))
	if len(m.Body) <= bodyIndented {
		m.Body, m.JSON = pretty(m.Body)
		if e, ok := newEnvelope(b.Body); ok {
			m.TaskID, m.Ref, m.RefSize = strip(e.ID, 256), strip(e.DataRef, 1_024), e.DataSize
			m.Task = cmp.Or(m.Task, strip(e.Type, 200))
			m.Chain, m.Batch = part(e.Chain), part(e.Batch)
		}
	}
	if len(m.Body) > limit {
		m.Body, m.Cut = strip(m.Body, limit), true
	}
	for _, name := range slices.Sorted(maps.Keys(b.Attributes)) {
		if a := b.Attributes[name]; !strings.HasPrefix(name, attrPrefix) {
			m.Attributes = append(m.Attributes, newAttribute(name, a))
		}
	}
	m.Open = limit == bodyWhole || m.Error != "" && !m.Cut && m.Size < 1_200
	m.Targets = targets(q, b.Browsed)
	m.waits(b.Browsed)
	return m
}

func newAttribute(name string, a queue.Attribute) attribute {
	value := strip(a.String, 1_000)
	if len(a.Binary) > 0 {
		value = byteSize(int64(len(a.Binary))) + " of binary"
	}
	return attribute{Name: name, Type: a.DataType, Value: value}
}

// envelope is what is shown of the CloudEvent that a task is.
type envelope struct {
	SpecVersion string `json:"specversion"`
	ID          string `json:"id"`
	Type        string `json:"type"`    // the task's name
	DataRef     string `json:"dataref"` // where its arguments are, when they are not in it
	DataSize    int64  `json:"datasize"`
	NotBefore   string `json:"notbefore"`
	Chain       string `json:"dayflychain"` // JSON
	Batch       string `json:"dayflybatch"` // JSON
}

func newEnvelope(body string) (e envelope, ok bool) {
	if !strings.HasPrefix(strings.TrimSpace(body), "{") || json.Unmarshal([]byte(body), &e) != nil || e.SpecVersion == "" {
		return envelope{}, false
	}
	return e, true
}

// Path is the message's own page.
func (m message) Path() string {
	q := url.Values{}
	if m.Before != "" {
		q.Set("at", m.Before)
	}
	return address(q, "queues", m.Queue, "messages", m.ID)
}

// OfTask is the page of the messages of the same task.
func (m message) OfTask() string {
	return address(messageFilter{Task: m.Task}.query(""), "queues", m.Queue)
}
