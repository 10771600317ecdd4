package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/dayfly-dev/dayfly/app/control"
	"github.com/dayfly-dev/dayfly/dash"
	"github.com/dayfly-dev/dayfly/task/unique"
)

// Keys lists the unique keys that are held.
func (t *tasks) Keys(ctx context.Context, ask dash.Ask) (l dash.KeyList, err error) {
	a := t.app
	if a.records == nil {
		return l, fmt.Errorf("%w: %w", dash.ErrNotFound, errNoOrders)
	}
	keys := unique.New(a.records)
	look := listing[unique.Held]{
		list: func(from string, n int) ([]unique.Held, string, error) { return keys.List(ctx, from, n) },
		pass: func(h unique.Held) bool { return asked(ask, h.Key+"\n"+h.ID+"\n"+h.Queue, h.Queue) },
	}
	l.Next, l.Looked, l.Problem, err = look.run(ask)
	for _, h := range look.found {
		l.Keys = append(l.Keys, heldKey(h))
	}
	return l, err
}

func heldKey(h unique.Held) dash.Key {
	return dash.Key{Key: h.Key, Task: h.Task(), Name: h.Name(), ID: h.ID, Queue: h.Queue, State: h.State, Since: h.Since, Until: h.Until}
}

// Release frees a unique key, and returns who held it.
func (a *App) Release(ctx context.Context, r control.Release) (dash.Key, error) {
	if a.records == nil {
		return dash.Key{}, errNoOrders
	}
	keys := unique.New(a.records)
	h, err := keys.Get(ctx, r.Key)
	if err == nil && r.ID == "" {
		r.ID = h.ID
	}
	if err == nil {
		err = keys.Release(ctx, r.Key, r.ID)
	}
	switch {
	case errors.Is(err, unique.ErrNotHeld) && r.ID == "":
		return dash.Key{}, fmt.Errorf("no task holds the key %q: it is free, or it is written as `dayfly task keys` lists it", r.Key)
	case errors.Is(err, unique.ErrNotHeld):
		return dash.Key{}, fmt.Errorf("the task %s does not hold the key %q any more", r.ID, r.Key)
	case errors.Is(err, unique.ErrPending):
		return dash.Key{}, fmt.Errorf("the key %q cannot be released yet: a program is about to enqueue its task; in %s at most that is decided", r.Key, unique.Lease)
	case err != nil:
		return dash.Key{}, err
	}
	a.log.Info("unique key released", "key", r.Key, "id", r.ID, "by", r.By)
	return heldKey(h), nil
}

// ReleaseKey is a person's word on the dashboard.
func (t *tasks) ReleaseKey(ctx context.Context, key, id string) (string, error) {
	k, err := t.app.Release(ctx, control.Release{Key: key, ID: id, By: byDashboard})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("The key %s is free; the task %s that held it is left alone", k.Key, k.ID), nil
}

func (c *controller) release(w http.ResponseWriter, r *http.Request) { answer(w, r, c.app.Release) }
