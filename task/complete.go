package task

import (
	"context"
	"fmt"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/records"
)

// completeBatch sends the completion task and then notes that. Two that do it at
// once, and a crash in between, send it twice, with one id.
func (s *shift) completeBatch(ctx context.Context, id, group string, h head) error {
	failures, err := readFailures(ctx, s.o.Records, id, h.N)
	if err != nil {
		return err
	}
	event, err := Decode(h.Then)
	if err != nil {
		return Permanent(err)
	}
	event.Time = time.Now()
	if event.Extensions, err = extend(event.Extensions, batchExtension, ofMember{ID: id, Then: &completion{Failed: len(failures)}}); err != nil {
		return err
	}
	if h.Policy == thenDeadLettered && len(failures) > 0 {
		err = s.deadLetterCompletion(ctx, event, group, h.N, failures)
	} else {
		err = s.enqueueEvent(event, group)
	}
	if err != nil {
		return err
	}
	_, err = changeHead(ctx, s.o.Records, id, func(h *head) error {
		if h.Complete != "" {
			return records.ErrUnchanged
		}
		h.Complete = stamp(time.Now())
		return nil
	})
	return err
}

func (s *shift) deadLetterCompletion(ctx context.Context, event *Event, group string, n int, failures []Failure) error {
	body, err := event.Encode()
	if err != nil {
		return Permanent(err)
	}
	why := fmt.Sprintf("task: %d of the %d members of the batch failed; the first is %s: %s", len(failures), n, failures[0].ID, failures[0].Error)
	text := func(s string) queue.Attribute { return queue.Attribute{DataType: "String", String: s} }
	out := queue.Outgoing{Body: body, Delay: -1, GroupID: group, Attributes: map[string]queue.Attribute{
		AttributeError: text(clipped(why, maxErrorText)), AttributeTask: text(event.Type), AttributeQueue: text(s.q.Name()),
		AttributeFailedAt: text(stamp(time.Now()))}}
	if err := forFIFO(s.o.DeadLetter.Name(), &out, event, false); err != nil {
		return err
	}
	_, err = s.o.DeadLetter.Send(ctx, out)
	s.log.Error("a batch has failed members: its completion task is dead-lettered", "task", event.Type, "id", event.ID, "error", why)
	return err
}
