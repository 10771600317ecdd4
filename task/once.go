package task

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/task/ledger"
)

// ErrUnknown: nobody knows whether an effect happened; the error of Once is
// Permanent then, and a person decides with `dayfly task sent` or `dayfly task
// resend`.
var ErrUnknown = ledger.ErrUnknown

// ErrLedgerUnreachable: the ledger does not answer, and the effect was not begun.
// The task waits without an attempt used up.
var ErrLedgerUnreachable = ledger.ErrUnreachable

// ErrNoLedger: Once was called where no ledger was given.
var ErrNoLedger = errors.New("task: there is no ledger: set WorkerOptions.Ledger, or pass task.WithLedger")

// NotSent marks the error of an effect after which it certainly has not
// happened, so that the next attempt may begin it. NotSent(nil) is nil.
func NotSent(err error) error { return ledger.NotSent(err) }

// OnceOption of one Once.
type OnceOption func(*once) error

type once struct {
	ledger *ledger.Ledger
	call   ledger.Call
	hashed bool
	away   *outage   // of the worker's ledger; nil: of another
	due    time.Time // of the task; zero: not known
}

// AtLeastOnce has an effect whose end is unknown begin again, after the
// ledger's quarantine: it may then happen twice. Default is that it is parked
// for a person, and never happens twice.
func AtLeastOnce() OnceOption {
	return func(o *once) error {
		o.call.Policy = ledger.AtLeastOnce
		return nil
	}
}

// Payload says what the effect is about; v is anything encoding/json marshals.
// The same key with another payload is an error. Default are the task's name
// and the arguments of its run, compared as JSON values: a key that leaves out
// what tells two effects apart, as the day of a digest, is then told at once,
// where it would pass for sent. Give a payload where arguments differ between
// runs that mean the same; nil compares nothing.
func Payload(v any) OnceOption {
	return func(o *once) error {
		o.hashed, o.call.Payload = true, ""
		if v == nil {
			return nil
		}
		text, err := json.Marshal(v)
		o.call.Payload = ledger.Hash(text)
		return err
	}
}

// Prepare has f run before the effect, while the key is claimed and nothing
// can have happened: rendering, looking up, whatever may fail or die without
// harm. It should take less than the ledger's lease.
func Prepare(f func(context.Context) error) OnceOption {
	return func(o *once) error {
		o.call.Prepare = f
		return nil
	}
}

// WithLedger uses l instead of the worker's ledger, also outside of a run.
func WithLedger(l *ledger.Ledger) OnceOption {
	return func(o *once) error {
		o.ledger = l
		return nil
	}
}

// Once brings an effect about, and never again: when the key is on record as
// sent it returns nil without calling effect. The key is a business key with
// who gets it ("digest/2026-11-21/ann@example.com"), 1–480 bytes of UTF-8; it
// is not the task's id, since what must happen once may be enqueued twice.
//
// The effect returns nil when it happened; NotSent(err) when it certainly did
// not: the run fails with err and its next attempt begins again. After any
// other error, a panic, or the death of the worker nobody knows, and Once
// returns ErrUnknown, Permanent, now and in every later run: the task is
// dead-lettered with that reason until a person has decided. Under
// AtLeastOnce it begins again after a quarantine instead. The effect must not
// try again by itself, and it should return soon after its context ended. A
// lost lease of the message does not end that context: the ledger, not the
// lease, keeps other workers from it.
//
// Where another worker has the key, or the ledger does not answer, nothing is
// sent and Once returns an error of Postpone: the task comes again without an
// attempt used up, for up to 14 days after it was due. A key that is none is a
// Permanent error.
//
// A handler with several recipients calls Once for each, goes on after an
// error, and returns Collect of the errors.
func Once(ctx context.Context, key string, effect func(context.Context) error, options ...OnceOption) error {
	if effect == nil {
		return fmt.Errorf("task: once %q: there is no effect", key)
	}
	_, err := OnceResult(ctx, key, func(ctx context.Context) (string, error) { return "", effect(ctx) }, options...)
	return err
}

// OnceResult is Once for an effect that returns something to be kept, as the
// id a provider gave, at most 1 KiB: it is returned to later runs as well.
func OnceResult(ctx context.Context, key string, effect func(context.Context) (string, error), options ...OnceOption) (string, error) {
	if effect == nil {
		return "", fmt.Errorf("task: once %q: there is no effect", key)
	}
	run, _ := Info(ctx)
	given, _ := ctx.Value(effectsKey{}).(*effects)
	o := once{call: ledger.Call{Key: key, Task: run.Task, Run: run.ID, Queue: run.Queue}}
	if given != nil {
		o.ledger = given.ledger
	}
	for _, option := range options {
		if err := option(&o); err != nil {
			return "", fmt.Errorf("task: once %q: %w", key, err)
		}
	}
	if o.ledger == nil {
		return "", ErrNoLedger
	}
	if err := ledger.CheckKey(key); err != nil {
		return "", Permanent(err)
	}
	if given != nil {
		o.due = given.due
		if o.ledger == given.ledger {
			o.away = given.away
		}
		if !o.hashed {
			o.call.Payload = given.payload()
		}
	}
	o.call.Effect = func(ctx context.Context) (result string, err error) {
		o.away.answers() // long before a long effect ends
		defer func() {
			if v := recover(); v != nil {
				err = &PanicError{Value: v, Stack: stack()}
			}
		}()
		return effect(ctx)
	}
	return o.do(ctx)
}

// do asks the ledger, and says when the task runs again.
func (o *once) do(ctx context.Context) (string, error) {
	ctx, cancel := outliving(ctx)
	defer cancel()
	begun := time.Now()
	r, err := o.ask(ctx, begun)
	return r.Result, o.retried(ctx, err, time.Since(begun))
}

// ask asks the ledger, unless that is known not to answer.
func (o *once) ask(ctx context.Context, begun time.Time) (r ledger.Receipt, err error) {
	if err := o.away.enter(o.call.Key); err != nil {
		return r, err
	}
	defer func() { o.away.leave(ctx, err, time.Since(begun)) }() // also of a panic in Prepare
	return o.ledger.Do(ctx, o.call)
}

// outliving is ctx without the end that a lost lease or a cancellation brings:
// an effect broken off is one more of which nobody knows.
func outliving(ctx context.Context) (context.Context, func()) {
	if ctx.Err() != nil {
		return ctx, func() {}
	}
	inner, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if cause := context.Cause(ctx); !errors.Is(cause, ErrLeaseLost) && !errors.Is(cause, ErrCancelled) {
			cancel(cause)
		}
	})
	return inner, func() {
		stop()
		cancel(nil)
	}
}

// retried says of an error of the ledger when the task runs again.
func (o *once) retried(ctx context.Context, err error, took time.Duration) error {
	var (
		held      *ledger.HeldError
		uncertain *ledger.UncertainError
		payload   *ledger.PayloadError
	)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrUnknown), errors.As(err, &payload):
		return Permanent(err)
	case errors.As(err, &held):
		return o.wait(err, pauseUntil(held.Until))
	case errors.As(err, &uncertain):
		return RetryAfter(err, pauseUntil(uncertain.Until))
	case errors.Is(err, ErrLedgerUnreachable) && !stoppedEarly(ctx, err, took):
		return o.wait(err, o.away.pause(err))
	}
	return err
}

// wait has the task come again without an attempt used up, while it may.
func (o *once) wait(err error, d time.Duration) error {
	if !o.due.IsZero() && time.Since(o.due) > waitMost {
		return RetryAfter(err, d)
	}
	return Postpone(err, d)
}

// pauseUntil is the time to a moment by somebody's clock, and a second more, as
// far as a task can be put back at once.
func pauseUntil(t time.Time) time.Duration {
	return min(max(0, time.Until(t)), maxVisibility-time.Second) + time.Second
}

type effectsKey struct{}

// effects is what Once finds in the context of a run.
type effects struct {
	ledger  *ledger.Ledger
	away    *outage
	due     time.Time
	payload func() string
}

// withEffects gives a run's context what Once needs.
func withEffects(ctx context.Context, l *ledger.Ledger, away *outage, event *Event) context.Context {
	if l == nil {
		return ctx
	}
	due := event.Time
	if event.NotBefore.After(due) {
		due = event.NotBefore
	}
	return context.WithValue(ctx, effectsKey{}, &effects{l, away, due, sync.OnceValue(func() string {
		return ledger.Hash(append([]byte(event.Type+"\n"), canonical(event.Data)...))
	})})
}

// canonical is the same for the same JSON value: the order of members, space and
// escapes make no difference, the digits of a number do.
func canonical(data json.RawMessage) []byte {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return data
	}
	text, err := json.Marshal(v)
	if err != nil {
		return data
	}
	return text
}
