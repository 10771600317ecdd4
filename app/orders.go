package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/dayfly-dev/dayfly/app/control"
	"github.com/dayfly-dev/dayfly/task"
)

// errNoOrders: there is nothing by which workers could be told.
var errNoOrders = errors.New("there is no store of records here, by which workers are told: set RECORDS_URL")

// serviceQueue is the name in the service of a queue, which may be named as in
// the manifest or as in the service.
func (a *App) serviceQueue(name string) (string, error) {
	if service, ok := a.names[name]; ok {
		return service, nil
	}
	for _, service := range a.names {
		if service == name {
			return service, nil
		}
	}
	return "", &UnknownError{Kind: "queue", Name: name, Known: sortedKeys(a.manifest.Queue)}
}

// manifestQueue is the manifest's name of a queue, or the service's.
func (a *App) manifestQueue(service string) string {
	for name, s := range a.names {
		if s == service {
			return name
		}
	}
	return service
}

// Pause has no task of a queue begun, by any worker on any machine. A queue that
// is paused already stays so.
func (a *App) Pause(ctx context.Context, p control.Pause) (control.Paused, error) {
	if a.records == nil {
		return control.Paused{}, errNoOrders
	}
	service, err := a.serviceQueue(p.Queue)
	if err != nil {
		return control.Paused{}, err
	}
	x, first, err := task.Pause(ctx, a.records, service, task.By(p.By), task.Because(p.Reason))
	if err != nil {
		return control.Paused{}, err
	}
	if first {
		a.log.Info("queue paused", "queue", service, "by", p.By, "reason", p.Reason)
	}
	answer := a.paused(x)
	answer.Changed = first
	return answer, nil
}

// Resume ends the pause of a queue.
func (a *App) Resume(ctx context.Context, p control.Pause) (control.Paused, error) {
	if a.records == nil {
		return control.Paused{}, errNoOrders
	}
	service, err := a.serviceQueue(p.Queue)
	if err != nil {
		return control.Paused{}, err
	}
	was, err := task.Resume(ctx, a.records, service)
	if err != nil {
		return control.Paused{}, err
	}
	if was {
		a.log.Info("queue resumed", "queue", service, "by", p.By)
	}
	return control.Paused{Queue: a.manifestQueue(service), Service: service, Changed: was}, nil
}

// Pauses lists the queues of the application that are paused.
func (a *App) Pauses(ctx context.Context) ([]control.Paused, error) {
	if a.records == nil {
		return nil, nil
	}
	found, err := task.Pauses(ctx, a.records)
	if err != nil {
		return nil, err
	}
	all := []control.Paused{}
	for _, p := range found {
		if _, err := a.serviceQueue(p.Queue); err == nil { // else of another application with the same records
			all = append(all, a.paused(p))
		}
	}
	return all, nil
}

func (a *App) paused(p task.Paused) control.Paused {
	return control.Paused{Queue: a.manifestQueue(p.Queue), Service: p.Queue, Paused: true, At: p.At, By: p.By, Reason: p.Reason}
}

// Cancel has the task of an id not run, or no longer.
func (a *App) Cancel(ctx context.Context, x control.Cancel) (control.Cancellation, error) {
	if a.records == nil {
		return control.Cancellation{}, errNoOrders
	}
	c, err := task.Cancel(ctx, a.records, x.ID, task.By(x.By), task.Because(x.Reason))
	if err != nil {
		return control.Cancellation{}, err
	}
	answer := control.Cancellation{ID: c.ID, At: c.At, By: c.By, Reason: c.Reason, Applied: c.Applied, Running: c.Running,
		Finished: c.Finished, Task: c.Task, Queue: c.Queue}
	answer.State, answer.Text = cancelled(c)
	return answer, nil
}

func cancelled(c task.Cancellation) (state, text string) {
	switch {
	case c.Finished:
		return "finished", "it finished before it could be cancelled"
	case c.Applied.IsZero():
		return "ordered", "it is removed when a worker receives it, and ended within about a second if it runs"
	case c.Running:
		return "cancelled", "its run was ended"
	}
	return "cancelled", "it was removed before it ran"
}

// pausesPatience is how long `dayfly ps` waits for the records.
const pausesPatience = 3 * time.Second

// pausesNow are the pauses for a page that shows other things too.
func (a *App) pausesNow(ctx context.Context) []control.Paused {
	ctx, cancel := context.WithTimeout(ctx, pausesPatience)
	defer cancel()
	all, err := a.Pauses(ctx)
	if err != nil {
		a.log.Warn("cannot tell which queues are paused", "error", err)
	}
	return all
}

func (c *controller) pause(w http.ResponseWriter, r *http.Request)  { answer(w, r, c.app.Pause) }
func (c *controller) resume(w http.ResponseWriter, r *http.Request) { answer(w, r, c.app.Resume) }
func (c *controller) cancel(w http.ResponseWriter, r *http.Request) { answer(w, r, c.app.Cancel) }

// answer reads one JSON value and writes what do makes of it.
func answer[Q, A any](w http.ResponseWriter, r *http.Request, do func(context.Context, Q) (A, error)) {
	var q Q
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&q); err != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("not understood: %w", err))
		return
	}
	a, err := do(r.Context(), q)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, err)
		return
	}
	reply(w, a)
}
