package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/app/control"
	"github.com/dayfly-dev/dayfly/dash"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/ledger"
	"github.com/dayfly-dev/dayfly/task/push"
)

// byDashboard is who says what is said on the dashboard, which has no login.
const byDashboard = "somebody on the dashboard"

// pausesAge is how old what is known of pauses may be where the store of records
// is not a file here, and each look at it may cost.
const pausesAge = 30 * time.Second

// tasks is what the dashboard knows and does of tasks.
type tasks struct {
	app *App

	mu     sync.Mutex
	looked time.Time // zero: the pauses are to be asked for
	paused []dash.Pause
	heard  map[string]heard // by the queue's name in the service

	backlogs backlogs
}

// pushers are those that run, by the queue's name in the service.
type pushers struct {
	mu  sync.Mutex
	all map[string]*pushing
}

// pushing is one, and why it does not run at the moment.
type pushing struct {
	pusher *push.Pusher
	url    string
	halted error
	since  time.Time
}

func (p *pushers) add(service, url string, x *push.Pusher) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil {
		p.all = map[string]*pushing{}
	}
	p.all[service] = &pushing{pusher: x, url: redact(url)}
}

// halt notes that a pusher does not run, for err; nil: it is about to run.
func (p *pushers) halt(service string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.all[service]
	if x == nil {
		return
	}
	if x.halted == nil {
		x.since = time.Now()
	}
	x.halted = err
}

// status is nil for a queue whose tasks are not pushed.
func (p *pushers) status(service string) *dash.Push {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.all[service]
	if x == nil {
		return nil
	}
	s := x.pusher.Status()
	d := &dash.Push{URL: x.url, Down: s.Down, Since: s.Since, Next: s.Next, Error: s.Error}
	if x.halted != nil {
		d.Down, d.Since, d.Error = true, x.since, x.halted.Error()
	}
	return d
}

// Activity is what goes through a queue.
func (t *tasks) Activity(name string) dash.Activity {
	a := t.app
	_, err := a.serviceQueue(name)
	x := dash.Activity{Samples: a.samples.of(name), Push: a.pushers.status(name), Pausable: err == nil && a.records != nil}
	if x.Push != nil {
		x.Push.Outcomes = a.outcomes.byQueue()[name]
	}
	return x
}

// Unknown lists effects of which nobody knows whether they happened.
func (t *tasks) Unknown(ctx context.Context, most int) ([]dash.Effect, error) {
	found, err := t.app.unknown(ctx, most)
	if errors.Is(err, errNoRecords) {
		return nil, fmt.Errorf("%w: %w", dash.ErrNotFound, err)
	}
	out := make([]dash.Effect, len(found))
	for i, e := range found {
		out[i] = dash.Effect(e)
	}
	return out, err
}

// Resolve is a person's word about an effect.
func (t *tasks) Resolve(ctx context.Context, key string, sent bool) (string, error) {
	done, err := t.app.Resolve(ctx, control.Resolve{Key: key, Sent: sent, By: byDashboard})
	if errors.Is(err, ledger.ErrNoEntry) || errors.Is(err, errNoRecords) {
		err = fmt.Errorf("%w: %w", dash.ErrNotFound, err)
	}
	if err != nil {
		return "", err
	}
	text := "On record: it was sent"
	if !sent {
		text = "On record: it is to be sent again"
	}
	if done.Redriven > 0 {
		text += fmt.Sprintf("; sent %d dead letters back to %s, to go on", done.Redriven, done.Queue)
	}
	if done.Note != "" {
		text += "; " + done.Note
	}
	return text, nil
}

// Pauses lists the paused queues by their names in the service.
func (t *tasks) Pauses(ctx context.Context) ([]dash.Pause, error) {
	a := t.app
	if a.records == nil {
		return nil, fmt.Errorf("%w: %w", dash.ErrNotFound, errNoOrders)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !a.recordsHere() && time.Since(t.looked) < pausesAge {
		return t.paused, nil
	}
	ctx, cancel := context.WithTimeout(ctx, pausesPatience)
	defer cancel()
	found, err := a.Pauses(ctx)
	if err != nil {
		return nil, err
	}
	t.paused, t.looked = nil, time.Now()
	for _, p := range found {
		t.paused = append(t.paused, dash.Pause{Queue: p.Service, At: p.At, By: p.By, Why: p.Reason})
	}
	return t.paused, nil
}

// recordsHere reports whether the store of records is a file on this machine.
func (a *App) recordsHere() bool {
	return strings.HasPrefix(a.variables.get("RECORDS_URL"), "sqlite:")
}

func (t *tasks) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.looked = time.Time{}
}

// Pause a queue.
func (t *tasks) Pause(ctx context.Context, queue, why string) (string, error) {
	defer t.forget()
	p, err := t.app.Pause(ctx, control.Pause{Queue: queue, By: byDashboard, Reason: why})
	if err != nil {
		return "", notFound(err)
	}
	if !p.Changed {
		return queue + " was paused already", nil
	}
	return queue + " is paused", nil
}

// Resume ends a pause.
func (t *tasks) Resume(ctx context.Context, queue string) (string, error) {
	defer t.forget()
	p, err := t.app.Resume(ctx, control.Pause{Queue: queue, By: byDashboard})
	if err != nil {
		return "", notFound(err)
	}
	if !p.Changed {
		return queue + " was not paused", nil
	}
	return queue + " goes on", nil
}

// Task is what is on record of a task.
func (t *tasks) Task(ctx context.Context, id string) (dash.TaskStatus, error) {
	if t.app.records == nil {
		return dash.TaskStatus{}, dash.ErrNotFound
	}
	c, ordered, err := task.CancellationOf(ctx, t.app.records, id)
	if err != nil {
		return dash.TaskStatus{}, err
	}
	x, err := task.StatusOf(ctx, t.app.records, id)
	if err != nil {
		return dash.TaskStatus{}, err
	}
	s := dash.TaskStatus{ID: id}
	if s.Batch, err = t.batch(ctx, id); err != nil {
		return s, err
	}
	if x.State != task.Unseen {
		s = dash.TaskStatus{ID: id, State: string(x.State), Task: x.Task, Queue: x.Queue, Attempt: x.Attempt, Started: x.Started, At: x.At,
			Done: x.Done, Text: x.Text, Error: x.Error, Result: string(x.Result)}
	} else if !ordered && s.Batch == nil {
		return s, dash.ErrNotFound
	}
	if ordered {
		s.Cancelled = &dash.Cancellation{At: c.At, By: c.By, Why: c.Reason, Applied: c.Applied,
			Running: c.Running, Finished: c.Finished, Task: c.Task, Queue: c.Queue}
	}
	return s, nil
}

// batch is nil if the id is that of none.
func (t *tasks) batch(ctx context.Context, id string) (*dash.Batch, error) {
	b, err := task.BatchOf(ctx, t.app.records, id)
	if errors.Is(err, task.ErrNoBatch) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	d := &dash.Batch{Members: b.Members, Enqueued: b.Enqueued, Settled: b.Settled, Complete: b.Complete, Failed: len(b.Failed)}
	for _, f := range b.Failed {
		d.Failures = append(d.Failures, dash.Failure{ID: f.ID, Error: f.Error})
	}
	return d, nil
}

// Cancel a task.
func (t *tasks) Cancel(ctx context.Context, id, why string) (string, error) {
	c, err := t.app.Cancel(ctx, control.Cancel{ID: id, By: byDashboard, Reason: why})
	if err != nil {
		return "", err
	}
	return "Cancelled: " + c.Text, nil
}
