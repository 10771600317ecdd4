package task

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task/payload"
)

// defaultThreshold: queues made before SQS took 1 MiB take 256 KiB, and a dead
// letter needs room for its reason. SQS counts a request for each 64 KiB, sent
// and received; an object costs one PUT and one GET, which is as much as the
// requests of about 500 KiB. So a larger default would save little, and would
// fail on old queues.
const defaultThreshold = 240 << 10

// call is a message to be sent, and what has to be stored before.
type call struct {
	queue.Outgoing
	ref  *payload.Ref // nil: all is in the message
	data []byte
}

// seal writes the body of a call. Where it would be larger than the threshold,
// its data becomes a payload and the body refers to it; nothing is stored yet.
func (c *Client) seal(d draft) (call, error) {
	event, out := &d.event, d.out
	threshold := c.o.Threshold
	switch {
	case threshold == 0:
		threshold = defaultThreshold
	case threshold < 0 || threshold > MaxMessage:
		return call{}, fmt.Errorf("task: ClientOptions.Threshold is %d, not 1 to %d bytes", threshold, MaxMessage)
	}
	var err error
	if c.o.Payloads == nil || event.Data == nil {
		out.Body, err = event.Encode()
		return call{Outgoing: out}, err
	}
	if len(event.Data) <= threshold {
		// What is in the queue's message besides the body counts too.
		out.Body, err = event.encode()
		if err != nil || queue.Size(out) <= threshold {
			return call{Outgoing: out}, err
		}
	} else if !json.Valid(event.Data) || !utf8.Valid(event.Data) {
		return call{}, fmt.Errorf("task %s: data is not JSON in UTF-8", event.Type)
	}
	data := event.Data
	ref, err := c.o.Payloads.Refer(data, d.due)
	if err != nil {
		return call{}, fmt.Errorf("task %s: arguments: %w", event.Type, err)
	}
	event.Data, event.Ref = nil, &ref
	out.Body, err = event.Encode()
	return call{Outgoing: out, ref: &ref, data: data}, err
}

// send sends calls, at most ten, after what they refer to is stored: a message
// is never there before its payload. What is stored and not sent, after an
// error or a crash, is swept, for the queue may have taken a message whose
// acknowledgement was lost.
func (c *Client) send(ctx context.Context, calls ...call) error {
	out := make([]queue.Outgoing, len(calls))
	errs := make([]error, len(calls))
	var wg sync.WaitGroup
	for i, call := range calls {
		out[i] = call.Outgoing
		if call.ref != nil {
			wg.Go(func() { errs[i] = c.o.Payloads.Put(ctx, *call.ref, call.data) })
		}
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if len(out) == 1 && c.gather != nil {
		return c.gather.send(ctx, out[0])
	}
	_, err := c.q.Send(ctx, out...)
	return err
}

// PayloadError is the failure of a run whose arguments are stored apart and
// could not be had. It is retried like any failure: a store comes back, and
// another worker may be set up otherwise.
type PayloadError struct {
	Task string
	Err  error
}

func (e *PayloadError) Error() string {
	return fmt.Sprintf("task: arguments of %s, stored apart: %v", e.Task, e.Err)
}

// Unwrap returns the store's error: payload.ErrMissing, payload.ErrAltered, ….
func (e *PayloadError) Unwrap() error { return e.Err }

var errNoPayloads = errors.New("this worker has no WorkerOptions.Payloads (made of PAYLOADS_URL)")

// complete returns the event with its data in it, wherever that is.
func (s *shift) complete(ctx context.Context, e *Event) (*Event, error) {
	if e.Ref == nil {
		return e, nil
	}
	if s.o.Payloads == nil {
		return nil, &PayloadError{e.Type, fmt.Errorf("%s: %w", e.Ref.URL, errNoPayloads)}
	}
	data, err := s.o.Payloads.Load(ctx, *e.Ref)
	if err != nil {
		return nil, &PayloadError{e.Type, err}
	}
	whole := *e
	whole.Data, whole.Ref = data, nil
	return &whole, nil
}

const (
	removeLimit   = 1000             // payloads waiting to be deleted; more are left to be swept
	removeTimeout = 10 * time.Second // of one round of deletions, and of all at a stop
)

// spent deletes the payload of a task that is done, once its message is
// deleted: were it the other way round, a crash in between would leave a
// message without its arguments. Nothing waits for it, and nothing is lost when
// it fails: the payload is swept.
func (s *shift) spent(d *delivery) {
	if d.done && d.event.Ref != nil && s.o.Payloads != nil {
		s.removals.offer(*d.event.Ref)
	}
}

func (s *shift) removeBatch(refs []payload.Ref) {
	ctx, cancel := context.WithTimeout(s.removing, removeTimeout)
	defer cancel()
	var wg sync.WaitGroup
	for _, r := range refs {
		wg.Go(func() {
			if err := s.o.Payloads.Delete(ctx, r); err != nil {
				s.log.Warn("cannot delete the arguments of a task that is done; they are left to be swept", "error", err)
			}
		})
	}
	wg.Wait()
}

// endRemovals waits for the deletions under way, but not long.
func (s *shift) endRemovals() {
	defer time.AfterFunc(removeTimeout, s.stopRemoving).Stop()
	s.removals.wait()
	s.stopRemoving()
}

// checkRef reports what is wrong with the reference of an event.
func (e *Event) checkRef() error {
	switch {
	case e.Ref == nil:
		return nil
	case e.Data != nil:
		return &FormatError{"it has both data and a reference to it"}
	}
	if err := e.Ref.Check(); err != nil {
		return &FormatError{"dataref: " + err.Error()}
	}
	return nil
}

// reference reads dataref, datasha256 and datasize. Where data is in the
// message too, that counts and the reference is ignored: CloudEvents says both
// are the same.
func (m members) reference(e *Event) error {
	if raw := m.get("dataref"); raw == nil || string(raw) == "null" || e.Data != nil && string(e.Data) != "null" {
		return nil
	}
	e.Data = nil
	url, err := m.text("dataref")
	if err != nil {
		return err
	}
	sum, err := m.text("datasha256")
	if err != nil {
		return err
	}
	// A whole number, as CloudEvents' Integer is written, or its digits as text,
	// as some of its libraries write every extension.
	digits, err := m.text("datasize")
	if err != nil {
		digits = string(m.get("datasize"))
	}
	size, err := strconv.ParseUint(digits, 10, 31)
	if err != nil {
		return &FormatError{fmt.Sprintf("datasize %.40q is not a whole number of bytes, which dataref needs", digits)}
	}
	e.Ref = &payload.Ref{URL: url, SHA256: sum, Size: int64(size)}
	return nil
}
