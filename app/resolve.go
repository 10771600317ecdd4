package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dayfly-dev/dayfly/app/control"
	"github.com/dayfly-dev/dayfly/task/ledger"
)

// Resolve puts a person's word about an effect on record, as sent or as to be
// sent again, and then sends the dead letters whose runs met it back to their
// queue, where they go on. It can be repeated.
func (a *App) Resolve(ctx context.Context, r control.Resolve) (control.Resolved, error) {
	l, err := a.ledger()
	if err != nil {
		return control.Resolved{}, err
	}
	resolve, to := l.ResolveNotSent, ledger.StateNotSent
	if r.Sent {
		resolve, to = l.ResolveSent, ledger.StateSent
	}
	var e ledger.Entry
	before, err := l.Get(ctx, r.Key)
	if err == nil {
		e, err = resolve(ctx, r.Key, r.By)
	}
	if err != nil {
		return control.Resolved{}, unresolved(err, r.Key)
	}
	done := control.Resolved{Key: r.Key, State: string(e.State), Queue: e.Queue, Already: before.State == to}
	if !done.Already {
		a.log.Info("an effect was resolved by a person", "key", r.Key, "state", e.State, "by", r.By)
	}
	x := redrive{queues: a.queues, of: e}
	err = x.run(ctx)
	done.Redriven = x.sent
	if err == nil && x.missed == "" {
		err = l.SentBack(ctx, e)
	}
	done.Note = note(done, e, x.missed, err)
	return done, nil
}

// unresolved is an error with the next step.
func unresolved(err error, key string) error {
	no, decided := errors.AsType[*ledger.NotUnknownError](err)
	switch {
	case errors.Is(err, ledger.ErrNoEntry):
		return fmt.Errorf("%w: no task has begun it, or that is more than %d days ago; keys are written as `dayfly task unknown` lists them, "+
			"those of mail and text messages with the recipient at the end", err, int(ledger.DefaultRetention/(24*time.Hour)))
	case decided && no.Entry.State == ledger.StateSent && no.Entry.Parked != "":
		return fmt.Errorf("%w; `dayfly task sent %q` sends the dead letters back that wait for that", err, key)
	case decided && no.Entry.State == ledger.StateNotSent && no.Entry.Parked != "":
		return fmt.Errorf("%w; `dayfly task resend %q` sends the dead letters back that wait for that", err, key)
	}
	return err
}

// note says what a person has to know beside what was done.
func note(done control.Resolved, e ledger.Entry, missed string, err error) string {
	since := "since " + e.At.UTC().Format(time.RFC3339)
	if e.Error != "" {
		since += " (" + e.Error + ")"
	}
	switch {
	case err != nil:
		return fmt.Sprintf("the record says %s, and not all dead letters are sent back (%v): run this command again, or redrive them in the dashboard", e.State, err)
	case missed != "":
		return missed
	case done.Redriven > 0:
		return ""
	case done.Already && e.State == ledger.StateSent:
		return "so it was already, " + since + ", and no dead letter waits for that: there is nothing to do"
	case done.Already:
		return "so it was already, " + since + ", and no dead letter waits for that: it is sent when its task runs; if that is in no queue any more, enqueue it anew"
	case e.State == ledger.StateSent:
		return "no dead letter waited for that"
	}
	return "no dead letter waited for that: it is sent when its task runs; if that is in no queue any more, enqueue it anew"
}
