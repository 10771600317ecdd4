package dash

import (
	"context"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dayfly-dev/dayfly/queue"
)

const (
	queuesShown  = 100
	queuesAsked  = 1_000 // looked through for those that name a dead-letter queue
	describeOnce = 8     // Describe calls at a time
)

// queuesPage lists queues by name.
type queuesPage struct {
	None     bool       `json:"none"` // the application has no queues
	Service  string     `json:"service"`
	Queues   []queueRow `json:"queues"`
	Next     string     `json:"next"` // for ?after=; "" at the end
	Outboxes []Outbox   `json:"outboxes"`
}

func (queuesPage) Title() string { return "Queues" }

// queueRow is one queue.
type queueRow struct {
	Name        string        `json:"name"`
	Visible     int64         `json:"visible"`
	Delayed     int64         `json:"delayed"`
	InFlight    int64         `json:"in_flight"`
	Oldest      time.Duration `json:"oldest_ns"` // -1: unknown
	Visibility  time.Duration `json:"visibility_ns"`
	Retention   time.Duration `json:"retention_ns"`
	DeadLetter  string        `json:"dead_letter"`
	MaxReceives int           `json:"max_receives"`
	Sources     []string      `json:"sources"` // queues whose dead letters come here
	Problem     string        `json:"problem"`

	Rated   bool    `json:"rated"` // In and Out are known
	In      float64 `json:"in"`
	Out     float64 `json:"out"`  // messages a second over the last minute
	Down    bool    `json:"down"` // its tasks wait for the endpoint they are pushed to
	DownWhy string  `json:"down_why"`
	Paused  *Pause  `json:"paused,omitempty"`
}

func (q queueRow) total() int64 { return q.Visible + q.Delayed + q.InFlight }

// Total is the number of messages, whatever their state.
func (q queueRow) Total() int64 { return q.total() }

func (d *Dash) queues(r *http.Request) (model, error) {
	p := queuesPage{None: d.Queues == nil, Service: d.QueueService}
	if p.None {
		return p, nil
	}
	var err error
	p.Queues, p.Next, err = d.queueRows(r.Context(), r.URL.Query().Get("after"))
	paused, problem := d.pauses(r.Context())
	if problem != nil { // the queues are shown all the same
		d.Log.Warn("pauses not read", "error", problem)
	}
	for i := range p.Queues {
		d.rate(&p.Queues[i])
		p.Queues[i].Paused = paused[p.Queues[i].Name]
	}
	if d.Tasks != nil {
		p.Outboxes = d.Tasks.Outboxes(r.Context())
	}
	return p, err
}

// rate fills in what goes through the queue.
func (d *Dash) rate(q *queueRow) {
	if d.Tasks == nil {
		return
	}
	a := activity{Activity: d.Tasks.Activity(q.Name)}
	if q.Rated = len(a.Samples) > 1; q.Rated {
		a.measure()
		q.In, q.Out = a.In, a.Out
	}
	if a.Push != nil && a.Push.Down {
		q.Down, q.DownWhy = true, a.Push.Error
	}
}

// queueRows describes one page of queues.
func (d *Dash) queueRows(ctx context.Context, after string) (rows []queueRow, next string, err error) {
	list, err := d.Queues.ListQueues(ctx, queue.ListOptions{After: after, Max: queuesShown})
	if err != nil {
		return nil, "", err
	}
	rows = d.describe(ctx, list.Names)
	link(rows)
	return rows, list.Next, nil
}

// describe asks for each queue; one that fails says so in its row. One
// deleted in the meantime is left out.
func (d *Dash) describe(ctx context.Context, names []string) []queueRow {
	rows := make([]queueRow, len(names))
	var g errgroup.Group
	g.SetLimit(describeOnce)
	for i, name := range names {
		g.Go(func() error {
			desc, err := d.Queues.Describe(ctx, name)
			rows[i] = newQueueRow(name, desc)
			if isNotFound(err) {
				rows[i].Name = ""
			} else if err != nil {
				rows[i].Problem = err.Error()
			}
			return nil
		})
	}
	g.Wait() //nolint:errcheck // a failure is told in its row
	return slices.DeleteFunc(rows, func(q queueRow) bool { return q.Name == "" })
}

func newQueueRow(name string, desc queue.Description) queueRow {
	q := queueRow{
		Name: name, Visible: desc.Visible, Delayed: desc.Delayed, InFlight: desc.InFlight,
		Oldest: desc.OldestAge, Visibility: desc.Attributes.Visibility, Retention: desc.Attributes.Retention,
	}
	if dl := desc.Attributes.DeadLetter; dl != nil {
		q.DeadLetter, q.MaxReceives = dl.Queue, dl.MaxReceives
	}
	return q
}

// link fills in the Sources.
func link(rows []queueRow) {
	at := make(map[string]int, len(rows))
	for i, q := range rows {
		at[q.Name] = i
	}
	for _, q := range rows {
		if i, ok := at[q.DeadLetter]; ok && q.DeadLetter != "" {
			rows[i].Sources = append(rows[i].Sources, q.Name)
		}
	}
}

// sources are the queues that name this one as their dead-letter queue.
func (d *Dash) sources(ctx context.Context, name string) (out []string, err error) {
	list, err := d.Queues.ListQueues(ctx, queue.ListOptions{Max: queuesAsked})
	if err != nil {
		return nil, err
	}
	for _, q := range d.describe(ctx, list.Names) {
		if q.DeadLetter == name {
			out = append(out, q.Name)
		}
	}
	return out, nil
}
