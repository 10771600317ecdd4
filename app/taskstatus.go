package app

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/dayfly-dev/dayfly/app/control"
	"github.com/dayfly-dev/dayfly/task"
)

// TaskStatus is what is on record of an id: that of a task, or of a batch.
func (a *App) TaskStatus(ctx context.Context, id string) (st control.TaskStatus, err error) {
	if a.records == nil {
		return st, errNoOrders
	}
	b, err := task.BatchOf(ctx, a.records, id)
	if err == nil {
		st.Batch, err = json.Marshal(b)
		return st, err
	} else if !errors.Is(err, task.ErrNoBatch) {
		return st, err
	}
	t, err := task.StatusOf(ctx, a.records, id)
	if err == nil {
		st.Task, err = json.Marshal(t)
	}
	return st, err
}

func (c *controller) taskStatus(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("id")
	if id == "" || len(id) > task.MaxID {
		refuse(w, http.StatusBadRequest, errors.New("id must be that of a task, 1–256 bytes"))
		return
	}
	st, err := c.app.TaskStatus(r.Context(), id)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, err)
		return
	}
	reply(w, st)
}
