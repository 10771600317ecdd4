package task

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue/driver"
	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/memrecords"
)

// links are tasks that write down what they were called with.
type links struct {
	ran  []string
	fail func(id string) error
}

func (l *links) note(ctx context.Context, what string) error {
	i, _ := Info(ctx)
	l.ran = append(l.ran, i.ID+" "+what)
	if l.fail != nil {
		return l.fail(i.ID)
	}
	return nil
}

func (l *links) tasks() (a Returning[int, int], b *Task[int], c *Task[string]) {
	a = DefineResult("a", func(ctx context.Context, n int) (int, error) {
		return n * 2, l.note(ctx, fmt.Sprint("a ", n))
	})
	b = Define("b", func(ctx context.Context, n int) error { return l.note(ctx, fmt.Sprint("b ", n)) })
	c = Define("c", func(ctx context.Context, s string) error { return l.note(ctx, "c "+s) })
	return a, b, c
}

// TestChain: steps run one after the other, with ids that follow from the
// first's, and the result of one is what the next is called with.
func TestChain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newRig(t, 5, nil), records.New(memrecords.New())
		var l links
		a, b, c := l.tasks()
		stop := r.work(WorkerOptions{Tasks: []Definition{a, b, c}, Records: s})
		id, err := NewChain(a.With(21), b.WithResult(), c.With("end"), b.With(3)).Enqueue(t.Context(), r.c, ID("x"))
		if err != nil || id != "x" {
			t.Fatal(id, err)
		}
		time.Sleep(time.Minute)
		r.stop(stop)
		if d := cmp.Diff([]string{"x a 21", "x/2 b 42", "x/3 c end", "x/4 b 3"}, l.ran); d != "" {
			t.Error(d)
		}
		r.expect("default", "0 0 0")
	})
}

// TestChainCrash: whatever request fails, before its effect or after, every step
// runs, in order, and a repeated one has the same id.
func TestChainCrash(t *testing.T) {
	for _, lost := range []bool{false, true} {
		for at := range 8 {
			synctest.Test(t, func(t *testing.T) {
				f := &faulty{lost: lost}
				r, s := newRig(t, 20, func(d driver.Service) driver.Service { f.Service = d; return f }), records.New(memrecords.New())
				var l links
				a, b, c := l.tasks()
				must[string](t)(NewChain(a.With(1), b.With(2), c.With("3")).Enqueue(t.Context(), r.c, ID("x")))
				var calls atomic.Int64
				fault := func() error {
					// Often enough that no repetition of the request gets through.
					if n := int(calls.Add(1)); n > at && n <= at+settleTries {
						return errInjected
					}
					return nil
				}
				f.send, f.delete = func(string) error { return fault() }, fault
				stop := r.work(WorkerOptions{Tasks: []Definition{a, b, c}, Records: s})
				time.Sleep(time.Hour)
				r.stop(stop)
				r.expect("default", "0 0 0")
				r.expect("default-dead", "0 0 0")
				seen, order := map[string]bool{}, []string{}
				for _, x := range l.ran {
					if !seen[x] {
						order = append(order, x)
					}
					seen[x] = true
				}
				if d := cmp.Diff([]string{"x a 1", "x/2 b 2", "x/3 c 3"}, order); d != "" {
					t.Errorf("lost=%v at %d: %s", lost, at, d)
				}
			})
		}
	}
}

// TestChainFails: a step that fails for good carries the rest into the
// dead-letter queue, and goes on with it when it is redriven.
func TestChainFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newRig(t, 5, nil), records.New(memrecords.New())
		broken := true
		l := links{fail: func(id string) error {
			if id == "x/2" && broken {
				return Permanent(errInjected)
			}
			return nil
		}}
		a, b, c := l.tasks()
		stop := r.work(WorkerOptions{Tasks: []Definition{a, b, c}, Records: s})
		must[string](t)(NewChain(a.With(1), b.With(2), c.With("3")).Enqueue(t.Context(), r.c, ID("x")))
		time.Sleep(time.Minute)
		r.expect("default-dead", "1 0 0")
		broken = false
		letter := r.letters()[0]
		if err := func() error { _, err := r.q.Send(t.Context(), queueOutgoing(letter.Body)); return err }(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		r.stop(stop)
		if d := cmp.Diff([]string{"x a 1", "x/2 b 2", "x/2 b 2", "x/3 c 3"}, l.ran); d != "" {
			t.Error(d)
		}
	})
}

// TestChainCancelled: by the id of the chain or of the step at hand, nothing
// after it is enqueued, and the record says what is not.
func TestChainCancelled(t *testing.T) {
	for _, c := range []struct{ id, finishes string }{{"x", ""}, {"x/2", ""}, {"x", "x/2"}, {"x/2", "x/2"}} {
		synctest.Test(t, func(t *testing.T) {
			r, s := newRig(t, 5, nil), records.New(memrecords.New())
			first := Define("first", func(context.Context, int) error { return nil })
			slow := Define("slow", func(ctx context.Context, _ int) error {
				<-ctx.Done()
				if i, _ := Info(ctx); i.ID == c.finishes {
					return nil
				}
				return ctx.Err()
			})
			last := Define("last", func(context.Context, int) error { t.Error("the last step ran"); return nil })
			stop := r.work(WorkerOptions{Tasks: []Definition{first, slow, last}, Records: s})
			must[string](t)(NewChain(first.With(1), slow.With(2), last.With(3)).Enqueue(t.Context(), r.c, ID("x")))
			time.Sleep(10 * time.Second)
			must[Cancellation](t)(Cancel(t.Context(), s, c.id))
			time.Sleep(time.Minute)
			r.stop(stop)
			r.expect("default", "0 0 0")
			r.expect("default-dead", "0 0 0")
			got, _, err := CancellationOf(t.Context(), s, c.id)
			if err != nil || got.Rest != "last" || got.Task != "slow" || !got.Running || got.Finished != (c.finishes != "") {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestChainRefused(t *testing.T) {
	r := newRig(t, 5, nil)
	ok := Define("ok", func(context.Context, int) error { return nil })
	many := make([]Step, MaxSteps+1)
	for i := range many {
		many[i] = ok.With(i)
	}
	for what, steps := range map[string][]Step{
		"none": {}, "too many": many, "a result before the first": {ok.WithResult()},
		"no name": {ok.With(1), Named("", nil)}, "no JSON": {ok.With(1), Named("x", []byte("{"))},
		"too large": {ok.With(1), Named("x", []byte(`"`+strings.Repeat("x", MaxMessage)+`"`))},
	} {
		if _, err := NewChain(steps...).Enqueue(t.Context(), r.c); err == nil {
			t.Errorf("%s: it was taken", what)
		}
	}
	if _, err := NewChain(ok.With(1)).Enqueue(t.Context(), r.c, ID(strings.Repeat("x", MaxID))); err == nil {
		t.Error("an id without room for the steps' was taken")
	}
	r.expect("default", "0 0 0")
}

// TestChainUnreadable: a message whose chain cannot be followed is not run.
func TestChainUnreadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 5, nil)
		ok := Define("ok", func(context.Context, int) error { t.Error("it ran"); return nil })
		e := Event{ID: "x", Source: "s", Type: "ok", Extensions: map[string]string{chainExtension: `{"id":"x","step":0}`}}
		if _, err := r.q.Send(t.Context(), queueOutgoing(must[string](t)(e.Encode()))); err != nil {
			t.Fatal(err)
		}
		stop := r.work(WorkerOptions{Tasks: []Definition{ok}})
		time.Sleep(time.Minute)
		r.stop(stop)
		r.expect("default-dead", "1 0 0")
	})
}

func FuzzTrail(f *testing.F) {
	f.Add(`{"id":"x","step":1,"rest":[{"type":"b","data":{"n":1}},{"type":"c","result":true}]}`)
	f.Add(`{"id":"x","member":{"i":3,"n":10,"until":1800000000}}`)
	f.Add(`{"id":"x","then":{"failed":1}}`)
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := readChain(text); err == nil && len(c.Rest) > 0 {
			n, err := c.next(&Event{ID: "x", Source: "s", Type: "a"}, []byte(`1`))
			if err == nil {
				_, err = n.Encode()
			}
			if _, bad := errors.AsType[*FormatError](err); bad && c.Rest[0].Result == false && c.Rest[0].Ref == "" {
				t.Errorf("%s: the next step is no task: %v", text, err)
			}
		}
		m, then, err := readBatch(text)
		if err == nil && (m == nil) == (then == nil) {
			t.Error("neither or both")
		}
	})
}
