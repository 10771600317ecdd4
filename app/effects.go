package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/dayfly-dev/dayfly/app/control"
	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/ledger"
)

// Bounds of what one command looks at.
const (
	unknownMost = 10_000 // effects listed
	lettersMost = 10_000 // dead letters looked through for those of one key
	lettersStep = 100
)

// errNoRecords: the application has no store of records.
var errNoRecords = errors.New("there is no store of records here, so there is no ledger: set RECORDS_URL")

// ledger is that of the processes, which may have set other times for it.
func (a *App) ledger() (*ledger.Ledger, error) {
	if a.records == nil {
		return nil, errNoRecords
	}
	return ledger.New(a.records, &ledger.Options{Log: a.log})
}

// Unknown lists the effects a person has to decide about.
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
		if err != nil {
			x.Error = err.Error()
		}
		if found = append(found, x); len(found) >= most {
			break
		}
	}
	return found, nil
}

// Resolve puts a person's word about an effect on record, as sent or as to be
// sent again, and then sends the dead letters whose runs met it back to their
// queue, where they go on. It can be repeated.
func (a *App) Resolve(ctx context.Context, r control.Resolve) (control.Resolved, error) {
	l, err := a.ledger()
	if err != nil {
		return control.Resolved{}, err
	}
	resolve := l.ResolveNotSent
	if r.Sent {
		resolve = l.ResolveSent
	}
	e, err := resolve(ctx, r.Key, r.By)
	if err != nil {
		return control.Resolved{}, err
	}
	a.log.Info("an effect was resolved by a person", "key", r.Key, "state", e.State, "by", r.By)
	done := control.Resolved{Key: r.Key, State: string(e.State), Queue: e.Queue}
	done.Redriven, err = a.redriveEffect(ctx, e)
	switch {
	case errors.Is(err, queue.ErrUnsupported):
		done.Note = "this queue does not show its dead letters: start a redrive of its dead-letter queue, on AWS in the console of SQS"
	case err != nil:
		done.Note = fmt.Sprintf("the record says %s, and the dead letters stay where they are (%v): run this command again, or redrive them in the dashboard", e.State, err)
	case done.Redriven == 0:
		done.Note = "no dead letter speaks of it; it takes effect when its task runs"
	}
	return done, nil
}

// redriveEffect sends back the dead letters that the effect's run became, and
// those whose reason names its key.
func (a *App) redriveEffect(ctx context.Context, e ledger.Entry) (redriven int, err error) {
	if e.Queue == "" {
		return 0, nil
	}
	d, err := a.queues.Describe(ctx, e.Queue)
	if err != nil || d.Attributes.DeadLetter == nil {
		return 0, err
	}
	dead := d.Attributes.DeadLetter.Queue
	for after, looked := "", 0; looked < lettersMost; looked += lettersStep {
		found, err := a.queues.Browse(ctx, dead, after, lettersStep)
		if err != nil || len(found) == 0 {
			return redriven, err
		}
		for _, b := range found {
			after = b.ID
			if b.State == queue.StateInFlight || !metEffect(b, e) {
				continue
			}
			if _, err := a.queues.Send(ctx, e.Queue, []queue.Outgoing{beforeFailure(b, e.Queue)}); err != nil {
				return redriven, err
			}
			redriven++
			if _, err := a.queues.DeleteID(ctx, dead, b.ID); err != nil {
				return redriven, err
			}
		}
	}
	return redriven, nil
}

// metEffect reports whether a dead letter is that of the effect's run, or was
// dead-lettered by the queue of this effect with its key as the reason.
func metEffect(b queue.Browsed, e ledger.Entry) bool {
	if from := b.Attributes[task.AttributeQueue].String; from != "" && from != e.Queue {
		return false
	}
	if strings.Contains(b.Attributes[task.AttributeError].String, strconv.Quote(e.Key)) {
		return true
	}
	event, err := task.Decode(b.Body)
	return err == nil && e.Run != "" && event.ID == e.Run && event.Type == e.Task
}

// beforeFailure is the message without what the worker wrote about its failure.
func beforeFailure(b queue.Browsed, to string) queue.Outgoing {
	o := queue.Outgoing{Body: b.Body, Attributes: maps.Clone(b.Attributes), System: maps.Clone(b.System), Delay: -1, GroupID: b.GroupID}
	maps.DeleteFunc(o.Attributes, func(name string, _ queue.Attribute) bool { return strings.HasPrefix(name, "dayfly.") })
	if strings.HasSuffix(to, ".fifo") {
		o.DedupID = "redrive-" + b.ID
	}
	return o
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
