package task

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task/payload"
)

const (
	// MaxSteps of a chain.
	MaxSteps = 100

	chainExtension = "dayflychain"
	apartStep      = 8 << 10 // bytes of arguments from which those of a later step are stored apart
)

// Step is a call of a task, to be one of a chain or a batch.
type Step struct {
	name   string
	data   json.RawMessage
	result bool
	err    error
}

// With is a call of the task with args.
func (t *Task[A]) With(args A) Step {
	s := Step{name: t.name, err: t.err}
	if s.err == nil {
		if s.data, s.err = json.Marshal(args); s.err != nil {
			s.err = fmt.Errorf("task %s: arguments: %w", t.name, s.err)
		}
	}
	return s
}

// WithResult is a call of the task whose arguments are what the step before it
// in the chain gave to SetResult, or returned if it is of DefineResult; none if
// it gave nothing.
func (t *Task[A]) WithResult() Step { return Step{name: t.name, result: true, err: t.err} }

// Named is a call of a task known only by name, with its arguments as JSON, nil
// for none.
func Named(name string, args json.RawMessage) Step {
	return Step{name: name, data: args, err: CheckName(name)}
}

// Chain of calls, each enqueued when the one before it has succeeded.
type Chain struct{ steps []Step }

// NewChain makes a chain of 1–100 steps.
func NewChain(steps ...Step) Chain { return Chain{steps} }

// chain is what a message carries of what comes after it.
type chain struct {
	ID   string     `json:"id"`   // of the first step
	Step int        `json:"step"` // which this is, from 1
	Rest []restStep `json:"rest,omitempty"`
}

type restStep struct {
	Type   string          `json:"type"`
	Data   json.RawMessage `json:"data,omitempty"`
	Ref    string          `json:"dataref,omitempty"`
	SHA256 string          `json:"datasha256,omitempty"`
	Size   int64           `json:"datasize,omitempty"`
	Result bool            `json:"result,omitempty"` // its data is the result of the one before
}

// Enqueue stores the first step, whose message carries the rest, and returns its
// id; step n has that id, a slash and n. Options are those of the first step; a
// message group is that of all.
//
// A step is enqueued before the message of the one before it is deleted: a crash
// in between repeats it, with the same id, and never loses it. All steps go into
// one queue. A step that fails for good is a dead letter that carries the rest;
// redriven, it goes on. Cancel with the id of the chain, or of the step at hand,
// ends the chain.
func (c Chain) Enqueue(ctx context.Context, client *Client, options ...EnqueueOption) (id string, err error) {
	if err := checkSteps(c.steps, MaxSteps); err != nil {
		return "", fmt.Errorf("task: chain: %w", err)
	}
	if c.steps[0].result {
		return "", errors.New("task: chain: the first step has no result before it: use With")
	}
	d, err := client.draft(ctx, c.steps[0].name, c.steps[0].data, options)
	if err != nil {
		return "", err
	}
	if len(d.event.ID)+len("/100") > MaxID {
		return "", fmt.Errorf("task: chain: id of %d bytes, more than %d: the steps have it with a number", len(d.event.ID), MaxID-len("/100"))
	}
	carried := chain{ID: d.event.ID, Step: 1}
	for _, step := range c.steps[1:] {
		next, err := client.rest(ctx, step, d.due)
		if err != nil {
			return "", err
		}
		carried.Rest = append(carried.Rest, next)
	}
	if d.event.Extensions, err = extend(d.event.Extensions, chainExtension, carried); err != nil {
		return "", err
	}
	return client.enqueueDraft(ctx, d)
}

// enqueueDraft stores one call by way of the middleware.
func (c *Client) enqueueDraft(ctx context.Context, d draft) (id string, err error) {
	ids := make([]string, 1)
	if err := c.many(ctx, []draft{d}, ids); err != nil {
		return "", err
	}
	return d.event.ID, nil
}

// rest is a later step as the message carries it. Large arguments are stored
// apart, so that a chain of large calls fits into a message.
func (c *Client) rest(ctx context.Context, step Step, due time.Time) (restStep, error) {
	r := restStep{Type: step.name, Result: step.result}
	if c.o.Payloads == nil || len(step.data) < apartStep {
		r.Data = step.data
		return r, nil
	}
	ref, err := c.o.Payloads.Refer(step.data, due)
	if err == nil {
		err = c.o.Payloads.Put(ctx, ref, step.data)
	}
	if err != nil {
		return r, fmt.Errorf("task %s: arguments: %w", step.name, err)
	}
	r.Ref, r.SHA256, r.Size = ref.URL, ref.SHA256, ref.Size
	return r, nil
}

func checkSteps(steps []Step, most int) error {
	if len(steps) == 0 || len(steps) > most {
		return fmt.Errorf("%d calls, not 1–%d", len(steps), most)
	}
	for i, s := range steps {
		err := s.err
		if err == nil {
			err = CheckName(s.name)
		}
		if err == nil && s.data != nil && !json.Valid(s.data) {
			err = fmt.Errorf("task %s: data is not JSON", s.name)
		}
		if err != nil {
			return fmt.Errorf("call %d: %w", i+1, err)
		}
	}
	return nil
}

// extend adds an extension with v as JSON.
func extend(x map[string]string, name string, v any) (map[string]string, error) {
	text, err := plainJSON(v)
	if err != nil {
		return nil, err
	}
	if x == nil {
		x = map[string]string{}
	}
	x[name] = text
	return x, nil
}

// readChain reads the extension of a message.
func readChain(text string) (*chain, error) {
	fail := func(why string) (*chain, error) {
		return nil, &FormatError{chainExtension + ": " + why}
	}
	var c chain
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return fail(err.Error())
	}
	switch {
	case c.ID == "" || len(c.ID) > MaxID-len("/100") || hasControl(c.ID):
		return fail("its id is not one of a chain")
	case c.Step < 1 || len(c.Rest) > MaxSteps || c.Step+len(c.Rest) > MaxSteps:
		return fail(fmt.Sprintf("step %d with %d to come: a chain has at most %d", c.Step, len(c.Rest), MaxSteps))
	}
	for _, r := range c.Rest {
		if err := CheckName(r.Type); err != nil {
			return fail(err.Error())
		}
		if r.Ref != "" {
			ref := payload.Ref{URL: r.Ref, SHA256: r.SHA256, Size: r.Size}
			if err := ref.Check(); err != nil {
				return fail(err.Error())
			}
		}
	}
	return &c, nil
}

// next is the event of the step after this one.
func (c *chain) next(e *Event, result json.RawMessage) (*Event, error) {
	step := c.Rest[0]
	n := &Event{ID: c.ID + "/" + strconv.Itoa(c.Step+1), Source: e.Source, Type: step.Type, Time: time.Now(),
		Traceparent: e.Traceparent, Tracestate: e.Tracestate, Data: step.Data}
	switch {
	case step.Result:
		n.Data = result
	case step.Ref != "":
		n.Data, n.Ref = nil, &payload.Ref{URL: step.Ref, SHA256: step.SHA256, Size: step.Size}
	}
	var err error
	n.Extensions, err = extend(nil, chainExtension, chain{c.ID, c.Step + 1, c.Rest[1:]})
	return n, err
}

// what lists the tasks that are still to come, for people.
func (c *chain) what() string {
	names := make([]string, len(c.Rest))
	for i, r := range c.Rest {
		names[i] = r.Type
	}
	return strings.Join(names, ", ")
}

// enqueueNext sends the next step into the queue of this one.
func (s *shift) enqueueNext(d *delivery, c *chain, result json.RawMessage) error {
	event, err := c.next(d.event, result)
	if err != nil {
		return err
	}
	return s.enqueueEvent(event, d.msg.GroupID)
}

// enqueueEvent sends what follows from a run.
func (s *shift) enqueueEvent(event *Event, group string) error {
	body, err := event.Encode()
	if err != nil {
		return Permanent(err)
	}
	out := queue.Outgoing{Body: body, Delay: -1, GroupID: group}
	if err := forFIFO(s.q.Name(), &out, event, false); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
	defer cancel()
	_, err = s.q.Send(ctx, out)
	return err
}
