package task

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/dayfly-dev/dayfly/queue"
)

// Attributes a worker adds to a message it dead-letters, all Strings but
// AttributeAttempts, a Number.
const (
	AttributeError    = "dayfly.error"     // why, at most 4 KiB
	AttributeTask     = "dayfly.task"      // the task's name; absent if the message has none
	AttributeQueue    = "dayfly.queue"     // name of the queue it comes from
	AttributeAttempts = "dayfly.attempts"  // times it was delivered
	AttributeFailedAt = "dayfly.failed_at" // RFC 3339, UTC
	AttributeStack    = "dayfly.stack"     // of a panic, at most 8 KiB
)

const (
	maxErrorText  = 4 << 10
	maxAttributes = 10
)

// deadLetter moves the message to the dead-letter queue: it is sent there and
// then deleted here, so a crash in between leaves it in both, never in none.
func (s *shift) deadLetter(d *delivery, reason error) Outcome {
	s.settledFor(d, reason)
	log := s.about(d).With("error", reason)
	ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
	defer cancel()
	m := s.letter(d, reason)
	_, err := s.o.DeadLetter.Send(ctx, m)
	if _, tooLarge := errors.AsType[*queue.InvalidError](err); tooLarge || errors.Is(err, queue.ErrTooLarge) {
		// The message fills the queue's limit by itself: the reason is in
		// the log alone.
		m.Attributes = d.msg.Attributes
		_, err = s.o.DeadLetter.Send(ctx, m)
	}
	if err != nil {
		log.Error("task failed for good, and cannot be dead-lettered; it stays in its queue",
			"dead-letter queue", s.o.DeadLetter.Name(), "cause", err)
		s.putBack(d, min(s.o.Backoff.Max, time.Minute))
		return Retried
	}
	log.Error("task failed for good and is dead-lettered", "dead-letter queue", s.o.DeadLetter.Name())
	s.park(d, reason)
	s.free(d)
	s.deletes.add(d)
	return Dead
}

// letter is the message as it goes to the dead-letter queue: as it was, with
// what happened in attributes.
func (s *shift) letter(d *delivery, reason error) queue.Outgoing {
	m := queue.Outgoing{Body: d.msg.Body, System: d.msg.System, Delay: -1, GroupID: d.msg.GroupID}
	if isFIFO(s.o.DeadLetter.Name()) {
		m.DedupID = uuid.NewString()
		if m.GroupID == "" {
			m.GroupID = "dead"
		}
	}
	ours := []struct {
		name, kind, value string
		max               int
	}{
		{AttributeError, "String", reason.Error(), maxErrorText},
		{AttributeTask, "String", d.run.Task, MaxName},
		{AttributeQueue, "String", s.q.Name(), 80},
		{AttributeAttempts, "Number", strconv.Itoa(d.run.Attempt), 10},
		{AttributeFailedAt, "String", time.Now().UTC().Format(time.RFC3339Nano), 40},
		{AttributeStack, "String", stackOf(reason), maxStack},
	}
	m.Attributes = make(map[string]queue.Attribute, len(d.msg.Attributes)+len(ours))
	for name, a := range d.msg.Attributes {
		if !strings.HasPrefix(name, "dayfly.") { // of an earlier failure, then redriven
			m.Attributes[name] = a
		}
	}
	for _, a := range ours { // the message's own stay; SQS takes ten in all
		room := MaxMessage - queue.Size(m) - len(a.name) - len(a.kind)
		value := bounded(a.value, min(a.max, room))
		if value != "" && len(m.Attributes) < maxAttributes {
			m.Attributes[a.name] = queue.Attribute{DataType: a.kind, String: value}
		}
	}
	return m
}

func stackOf(err error) string {
	if p, ok := errors.AsType[*PanicError](err); ok {
		return string(p.Stack)
	}
	return ""
}

// bounded makes text that an attribute takes: at most max bytes of the
// characters of XML 1.0.
func bounded(s string, max int) string {
	if max <= 0 {
		return ""
	}
	s = strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return utf8.RuneError
		}
		return r
	}, s[:min(len(s), max)])
	for len(s) > max || !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}
