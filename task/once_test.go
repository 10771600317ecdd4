package task

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/memrecords"
	"github.com/dayfly-dev/dayfly/task/ledger"
)

func newLedger(t *testing.T) *ledger.Ledger {
	l, err := ledger.New(records.New(memrecords.New()), nil)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// inRun is the context of a run of a task with these arguments.
func inRun(t *testing.T, l *ledger.Ledger, args string) context.Context {
	ctx := context.WithValue(t.Context(), runKey{}, Run{Task: "t", ID: "id", Queue: "default"})
	return withEffects(ctx, l, nil, &Event{Type: "t", Data: json.RawMessage(args)})
}

func TestOnceInWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, sent := newLedger(t), map[string]int{}
		send := func(ctx context.Context, name string) error {
			return Once(ctx, "greet/"+name, func(context.Context) error {
				sent[name]++
				switch {
				case name == "unknown":
					return errors.New("connection lost")
				case name == "later" && sent[name] == 1:
					return NotSent(errors.New("refused"))
				case name == "panics":
					panic("oh")
				}
				return nil
			}, Payload(name))
		}
		greet := Define("greet", func(ctx context.Context, names []string) error {
			var errs []error
			for _, name := range names {
				errs = append(errs, send(ctx, name))
			}
			return Collect(errs...)
		})
		r := newRig(t, 5, nil)
		for range 3 {
			must[string](t)(greet.Enqueue(t.Context(), r.c, []string{"unknown", "later", "good", "panics"}))
		}
		stop := r.work(WorkerOptions{Tasks: []Definition{greet}, Ledger: l, Concurrency: 1})
		for r.left("default") != "0 0 0" {
			time.Sleep(time.Second) // of the bubble
		}
		r.stop(stop)
		for name, want := range map[string]int{"unknown": 1, "later": 2, "good": 1, "panics": 1} {
			if sent[name] != want {
				t.Errorf("%s was sent %d times, want %d", name, sent[name], want)
			}
		}
		letters := r.letters()
		if len(letters) != 3 {
			t.Fatalf("%d dead letters", len(letters))
		}
		for _, x := range letters {
			if why := x.Attributes[AttributeError].String; !strings.Contains(why, `"greet/unknown"`) || !strings.Contains(why, `"greet/panics"`) ||
				!strings.Contains(why, "dayfly task resend") || strings.Contains(why, "greet/later") {
				t.Errorf("dead letter: %s", why)
			}
		}
	})
}

func TestOnceErrors(t *testing.T) {
	l := newLedger(t)
	effect := func(context.Context) error { return nil }
	if err := Once(t.Context(), "k", effect); !errors.Is(err, ErrNoLedger) {
		t.Errorf("without a ledger: %v", err)
	}
	if err := Once(t.Context(), "k", nil, WithLedger(l)); err == nil {
		t.Error("no effect was taken")
	}
	for _, key := range []string{"", "a\nb", strings.Repeat("k", ledger.MaxKey+1), "\xff"} {
		if err := Once(inRun(t, l, "1"), key, effect); !IsPermanent(err) {
			t.Errorf("the key %.10q: %v", key, err)
		}
	}
	if err := Once(inRun(t, l, `{"day":1}`), "k", effect); err != nil {
		t.Error(err)
	}
	if err := Once(inRun(t, l, `{ "day" : 1 }`), "k", effect); err != nil {
		t.Errorf("the same arguments written otherwise: %v", err)
	}
	var other *ledger.PayloadError
	if err := Once(inRun(t, l, `{"day":2}`), "k", effect); !errors.As(err, &other) || !IsPermanent(err) {
		t.Errorf("other arguments: %v", err)
	}
	if err := Once(inRun(t, l, `{"day":2}`), "k", effect, Payload(nil)); err != nil {
		t.Errorf("no payload: %v", err)
	}
}

// TestOnceOutlivesLease: a lost lease does not break off an effect, an end of
// another kind does, and before it begins both keep it from beginning.
func TestOnceOutlivesLease(t *testing.T) {
	for cause, want := range map[error]bool{ErrLeaseLost: true, ErrDraining: false} {
		l := newLedger(t)
		ctx, cancel := context.WithCancelCause(inRun(t, l, "1"))
		ended := false
		err := Once(ctx, "k", func(inner context.Context) error {
			cancel(cause)
			if !want {
				<-inner.Done()
			}
			ended = inner.Err() != nil
			return inner.Err()
		})
		if (err == nil) != want || ended == want {
			t.Errorf("%v: %v, the effect's context ended: %v", cause, err, ended)
		}
		if err := Once(ctx, "another", func(context.Context) error { t.Error("it began"); return nil }); err == nil {
			t.Errorf("%v: it was passed for sent", cause)
		}
	}
}

func TestRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, until := &once{}, time.Now().Add(20*time.Second)
		after, ok := errors.AsType[*retryAfterError](o.retried(t.Context(), &ledger.UncertainError{Until: until, Err: errors.New("lost")}, 0))
		if !ok || after.after != 21*time.Second {
			t.Errorf("uncertain: %+v", after)
		}
		held, ok := errors.AsType[*postponedError](o.retried(t.Context(), &ledger.HeldError{Until: until}, 0))
		if !ok || held.after != 21*time.Second {
			t.Errorf("held: %+v", held)
		}
		o.due = time.Now().Add(-waitMost - time.Second)
		for _, err := range []error{&ledger.HeldError{Until: until}, ErrLedgerUnreachable} {
			if err := o.retried(t.Context(), err, 0); err == nil || IsPostponed(err) || IsPermanent(err) {
				t.Errorf("after %v: %v", waitMost, err)
			}
		}
	})
}

func TestCollect(t *testing.T) {
	a, b := errors.New("a"), errors.New("b")
	for name, c := range map[string]struct {
		err       error
		permanent bool
		is        []error
	}{
		"nothing": {Collect(nil, nil), false, nil},
		"all":     {Collect(Permanent(a), nil, Permanent(b)), true, []error{a, b}},
		"some":    {Collect(Permanent(a), nil, b), false, []error{a, b}},
		"none":    {Collect(a, b), false, []error{a, b}},
		"waits":   {Collect(Postpone(a, time.Minute), Permanent(b)), false, []error{a, b}},
	} {
		if (c.err == nil) != (c.is == nil) || IsPermanent(c.err) != c.permanent {
			t.Errorf("%s: %v, permanent %v", name, c.err, IsPermanent(c.err))
		}
		for _, e := range c.is {
			if !errors.Is(c.err, e) || !strings.Contains(c.err.Error(), e.Error()) {
				t.Errorf("%s: %v is not %v", name, c.err, e)
			}
		}
	}
	for name, c := range map[string]struct {
		err   error
		waits bool
	}{
		"all wait":        {err: Collect(Postpone(a, time.Minute), Postpone(b, time.Hour)), waits: true},
		"waits, parked":   {err: Collect(Permanent(b), Postpone(a, time.Minute)), waits: true},
		"waits and fails": {err: Collect(Postpone(a, time.Minute), b)},
	} {
		if IsPostponed(c.err) != c.waits || !errors.Is(c.err, a) || !errors.Is(c.err, b) {
			t.Errorf("%s: %v, postponed: %v", name, c.err, !c.waits)
		}
	}
	if got := Collect(RetryAfter(a, time.Minute), Permanent(b)); got == nil {
		t.Error("nil")
	} else if after, ok := errors.AsType[*retryAfterError](got); !ok || after.after != time.Minute {
		t.Errorf("%v does not say when", got)
	}
}
