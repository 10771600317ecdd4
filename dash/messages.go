package dash

import (
	"context"
	"encoding/json"
	"errors"
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
	Queue     queueRow  `json:"queue"`
	Service   string    `json:"service"`
	Browsable bool      `json:"browsable"`
	After     string    `json:"after"`
	Messages  []message `json:"messages"`
	Next      string    `json:"next"`              // for ?after=; "" at the end
	Problem   string    `json:"problem,omitempty"` // why some messages are missing: the store is damaged
}

func (p queuePage) Title() string { return p.Queue.Name }

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

	Task     string    `json:"task"`
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
	Targets []string `json:"-"` // queues it can be sent back to, the likeliest first
}

type attribute struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value string `json:"value"`
}

func (d *Dash) queue(r *http.Request) (model, error) {
	ctx, name := r.Context(), r.PathValue("queue")
	row, err := d.queueRow(ctx, name)
	if err != nil {
		return nil, err
	}
	p := queuePage{Queue: row, Service: d.QueueService, Browsable: true, After: r.URL.Query().Get("after")}
	found, err := d.Queues.Browse(ctx, name, p.After, messagesShown+1)
	if errors.Is(err, queue.ErrUnsupported) {
		p.Browsable = false
		return p, nil
	}
	if err != nil && len(found) == 0 {
		return nil, err
	}
	if len(found) > messagesShown {
		found = found[:messagesShown]
		p.Next = found[messagesShown-1].ID
	}
	if err != nil { // how many are missing is not known, so there may be more
		p.Problem, p.Next = err.Error(), found[len(found)-1].ID
	}
	for _, b := range found {
		p.Messages = append(p.Messages, newMessage(row, b, bodyShown))
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
	b, err := d.find(r.Context(), row.Name, r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return messagePage{Queue: row, Message: newMessage(row, b, bodyWhole)}, nil
}

// find looks a message up by id, from the oldest on.
func (d *Dash) find(ctx context.Context, name, id string) (queue.Browsed, error) {
	after := ""
	for {
		found, err := d.Queues.Browse(ctx, name, after, browseStep)
		for _, b := range found {
			if b.ID == id {
				return b, nil
			}
		}
		if len(found) == 0 && err != nil {
			return queue.Browsed{}, err
		}
		if len(found) == 0 || err == nil && len(found) < browseStep {
			return queue.Browsed{}, ErrNotFound
		}
		after = found[len(found)-1].ID
	}
}

// newMessage makes a message fit to be shown, with at most limit bytes of body.
func newMessage(q queueRow, b queue.Browsed, limit int) message {
	text := func(name string) string { return b.Attributes[name].String }
	m := message{
		ID: b.ID, State: b.State, Sent: b.Sent, VisibleAt: b.VisibleAt, Receives: b.Receives,
		GroupID: b.GroupID, Source: source(b), Queue: q.Name,
		Task: strip(text(attrTask), 200), Error: strip(text(attrError), 4_000),
		Stack: strip(text(attrStack), 16_000), Attempts: strip(text(attrAttempts), 20),
		Size: int64(len(b.Body)), Body: b.Body,
	}
	m.FailedAt, _ = time.Parse(time.RFC3339Nano, text(attrFailedAt))
	if len(m.Body) <= bodyIndented {
		m.Body, m.JSON = pretty(m.Body)
		if m.Task == "" && m.JSON {
			m.Task = strip(eventType(b.Body), 200)
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
	m.Targets = targets(q, b)
	return m
}

func newAttribute(name string, a queue.Attribute) attribute {
	value := strip(a.String, 1_000)
	if len(a.Binary) > 0 {
		value = byteSize(int64(len(a.Binary))) + " of binary"
	}
	return attribute{Name: name, Type: a.DataType, Value: value}
}

// eventType is the task's name in a CloudEvents envelope, else "".
func eventType(body string) string {
	var e struct {
		SpecVersion string `json:"specversion"`
		Type        string `json:"type"`
	}
	if json.Unmarshal([]byte(body), &e) != nil || e.SpecVersion == "" {
		return ""
	}
	return e.Type
}

// Path is the message's own page.
func (m message) Path() string { return address(url.Values{}, "queues", m.Queue, "messages", m.ID) }
