package dash

import (
	"context"
	"errors"
	"net/http"
)

// pauses are the paused queues by name; nil where queues cannot be paused.
func (d *Dash) pauses(ctx context.Context) (map[string]*Pause, error) {
	if d.Tasks == nil {
		return nil, nil
	}
	list, err := d.Tasks.Pauses(ctx)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	byQueue := make(map[string]*Pause, len(list))
	for i := range list {
		byQueue[list[i].Queue] = &list[i]
	}
	return byQueue, err
}

func (d *Dash) pause(r *http.Request) (done, error) {
	name := r.PathValue("queue")
	if d.Tasks == nil {
		return done{}, ErrNotFound
	}
	if _, err := d.queueRow(r.Context(), name); err != nil { // an order for a queue that is none would lie in wait for one
		return done{}, err
	}
	text, err := d.Tasks.Pause(r.Context(), name, strip(r.PostForm.Get("why"), 500))
	return done{Text: text, Next: back(r)}, err
}

func (d *Dash) resume(r *http.Request) (done, error) {
	if d.Tasks == nil {
		return done{}, ErrNotFound
	}
	text, err := d.Tasks.Resume(r.Context(), r.PathValue("queue"))
	return done{Text: text, Next: back(r)}, err
}
