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
	return withEffects(ctx, l, &Event{Type: "t", Data: json.RawMessage(args)})
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
		until := time.Now().Add(20 * time.Second)
		for _, err := range []error{&ledger.HeldError{Until: until}, &ledger.UncertainError{Until: until, Err: errors.New("lost")}} {
			after, ok := errors.AsType[*retryAfterError](retried(err))
			if !ok || after.after != 21*time.Second {
				t.Errorf("%v: %+v", err, after)
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
	if got := Collect(RetryAfter(a, time.Minute), Permanent(b)); got == nil {
		t.Error("nil")
	} else if after, ok := errors.AsType[*retryAfterError](got); !ok || after.after != time.Minute {
		t.Errorf("%v does not say when", got)
	}
}
