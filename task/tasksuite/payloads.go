package tasksuite

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task"
)

var payloadTests = map[string]func(*rig){
	"Large":        large,
	"LargeFails":   largeFails,
	"LargeMissing": largeMissing,
}

// text is arguments that do not fit into a message.
var text = strings.Repeat("ä", 700_000)

// large arguments arrive whole, and nothing of them is left.
func large(r *rig) {
	got := make(chan string, 1)
	t := task.Define("t", func(_ context.Context, s string) error { got <- s; return nil })
	if _, err := t.Enqueue(r.Context(), r.c, text); err != nil {
		r.Fatal(err)
	}
	e := r.look()
	r.work(worker(t))
	if s := <-got; s != text {
		r.Errorf("%d bytes arrived", len(s))
	}
	r.rest()
	r.eventually("the object is deleted", func() bool {
		_, err := r.h.Payloads.Load(r.Context(), *e.Ref)
		return err != nil
	})
}

// look reads the one message and leaves it in the queue.
func (r *rig) look() *task.Event {
	r.Helper()
	var found []queue.Message
	r.eventually("the message", func() bool {
		m, err := r.q.Receive(r.Context(), queue.ReceiveOptions{Max: 1, Wait: time.Second})
		if err != nil {
			r.Fatal(err)
		}
		found = m
		return len(m) == 1
	})
	e, err := task.Decode(found[0].Body)
	if err != nil || e.Ref == nil {
		r.Fatalf("%v: not a reference: %.200q", err, found[0].Body)
	}
	if _, err := r.q.ChangeVisibility(r.Context(), queue.VisibilityChange{Receipt: found[0].Receipt, Visibility: 0}); err != nil {
		r.Fatal(err)
	}
	return e
}

// largeFails: the object stays as long as there is a message, also a dead one.
func largeFails(r *rig) {
	t := task.Define("t", func(_ context.Context, s string) error { return fmt.Errorf("%d bytes", len(s)) })
	if _, err := t.Enqueue(r.Context(), r.c, text); err != nil {
		r.Fatal(err)
	}
	r.work(worker(t))
	m := r.letter(fmt.Sprint(len(text), " bytes"))
	e, err := task.Decode(m.Body)
	if err != nil || e.Ref == nil {
		r.Fatalf("%v: not a reference: %.200q", err, m.Body)
	}
	if data, err := r.h.Payloads.Load(r.Context(), *e.Ref); err != nil || len(data) < len(text) {
		r.Errorf("the dead letter's arguments: %d bytes, %v", len(data), err)
	}
}

// largeMissing: a task never runs without its arguments, and says why it died.
func largeMissing(r *rig) {
	t := task.Define("t", func(context.Context, string) error { return errors.New("it ran") })
	if _, err := t.Enqueue(r.Context(), r.c, text); err != nil {
		r.Fatal(err)
	}
	if err := r.h.Payloads.Delete(r.Context(), *r.look().Ref); err != nil {
		r.Fatal(err)
	}
	r.work(worker(t))
	r.letter("arguments")
}
