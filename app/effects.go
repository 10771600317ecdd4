package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/dayfly-dev/dayfly/app/control"
	"github.com/dayfly-dev/dayfly/task/ledger"
)

// unknownMost effects are listed by one command.
const unknownMost = 10_000

// errNoRecords: the application has no store of records.
var errNoRecords = errors.New("there is no store of records here, so there is no ledger: set RECORDS_URL")

// ledger is that of the processes, which may have set other times for it.
func (a *App) ledger() (*ledger.Ledger, error) {
	if a.records == nil {
		return nil, errNoRecords
	}
	return ledger.New(a.records, &ledger.Options{Log: a.log})
}

// Unknown lists the effects a person has to see to: to decide about, or to have
// their dead letters sent back.
func (a *App) Unknown(ctx context.Context) ([]control.Effect, error) {
	return a.unknown(ctx, unknownMost)
}

// unknown lists at most most of them, at least 1.
func (a *App) unknown(ctx context.Context, most int) ([]control.Effect, error) {
	l, err := a.ledger()
	if err != nil {
		return nil, err
	}
	found := []control.Effect{}
	for e, err := range l.Unknown(ctx) {
		if err != nil && e.Key == "" {
			return nil, err
		}
		x := control.Effect{Key: e.Key, State: string(e.State), Policy: string(e.Policy), Attempt: e.Attempt, At: e.At,
			Worker: e.Worker, Task: e.Task, Run: e.Run, Queue: e.Queue, Error: e.Error}
		switch {
		case err != nil:
			x.Error = err.Error()
		case e.State == ledger.StateSent && e.Error == "":
			x.Error = "it was sent, says its worker, which had been silent for so long that others left it to a person"
		}
		if found = append(found, x); len(found) >= most {
			break
		}
	}
	return found, nil
}

func (c *controller) unknown(w http.ResponseWriter, r *http.Request) {
	found, err := c.app.Unknown(r.Context())
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, err)
		return
	}
	reply(w, found)
}

func (c *controller) resolve(w http.ResponseWriter, r *http.Request) {
	var word control.Resolve
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&word); err != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("not understood: %w", err))
		return
	}
	done, err := c.app.Resolve(r.Context(), word)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, err)
		return
	}
	reply(w, done)
}
