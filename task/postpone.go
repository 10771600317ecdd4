package task

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"strconv"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task/limit"
)

// AttributeFailures is a Number on a message that was postponed: how many times
// it was delivered before, and failed. The queue counts the deliveries of the
// copy that took its place from 1.
const AttributeFailures = "dayfly.failures"

// AttributeLimit is a String on a message that was postponed for a limit: its
// name, with the key it has. What a person is to know; nothing goes by it.
const AttributeLimit = "dayfly.limit"

type postponedError struct {
	err   error
	after time.Duration
}

func (e *postponedError) Error() string { return e.err.Error() }
func (e *postponedError) Unwrap() error { return e.err }

// Postpone marks err as the reason why a task was not begun, and is to come
// again d from now (0–15 min, in whole seconds): what it needs is not there, or
// asked for patience. It is no failure and no attempt is used up, however often
// it happens. Postpone(nil, d) is nil.
//
// The queue counts deliveries all the same, so the message is sent again and
// then deleted: a crash in between leaves two. On a FIFO queue, where a copy
// would lose its place, the worker holds the message and what follows it of its
// group; for at most an hour, and until it stops: then it is put back and the
// delivery counts, except on the last attempt.
func Postpone(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &postponedError{err, min(max(d, 0), maxDelay)}
}

// IsPostponed reports whether err, or an error it wraps, is of Postpone.
func IsPostponed(err error) bool {
	_, ok := errors.AsType[*postponedError](err)
	return ok
}

// comeAgain sees to the message of a task that was postponed.
func (s *shift) comeAgain(d *delivery, err error) Outcome {
	e, _ := errors.AsType[*postponedError](err)
	after := wholeSeconds(e.after)
	if busy, ok := errors.AsType[*limit.BusyError](err); ok && busy.Err == nil {
		d.limit = busy.Name
	}
	level := slog.LevelInfo
	if errors.Is(err, ErrLedgerUnreachable) {
		level = slog.LevelDebug // the outage logs itself, once for all
	}
	s.about(d).Log(context.Background(), level, "task postponed", "reason", err, "pause", after)
	if s.hold(d, after, nil) {
		return Postponed
	}
	return s.uncounted(d, after, Postponed)
}

// uncounted puts back a message whose delivery is not to count as an attempt.
func (s *shift) uncounted(d *delivery, after time.Duration, outcome Outcome) Outcome {
	if isFIFO(s.q.Name()) && !s.lastDelivery(d) {
		s.putBack(d, after)
		return outcome
	}
	if failures := d.run.Attempt - 1; failures > 0 {
		d.msg.Attributes = withFailures(d.msg.Attributes, failures)
	}
	s.resend(d, after)
	return outcome
}

// withFailures adds the count, if the message has room for another attribute.
func withFailures(attributes map[string]queue.Attribute, n int) map[string]queue.Attribute {
	a := make(map[string]queue.Attribute, len(attributes)+1)
	maps.Copy(a, attributes)
	if _, ok := a[AttributeFailures]; ok || len(a) < maxAttributes {
		a[AttributeFailures] = queue.Attribute{DataType: "Number", String: strconv.Itoa(n)}
	}
	return a
}

// unlimited are the attributes without the limit that the message waited for.
func unlimited(attributes map[string]queue.Attribute) map[string]queue.Attribute {
	if _, ok := attributes[AttributeLimit]; !ok {
		return attributes
	}
	a := maps.Clone(attributes)
	delete(a, AttributeLimit)
	return a
}

// withLimit are the attributes with the limit that a message waits for, if there
// is one and the message has room for it, in the place of the last.
func withLimit(m queue.Message, name string) map[string]queue.Attribute {
	attributes := unlimited(m.Attributes)
	room := MaxMessage - queue.Size(queue.Outgoing{Body: m.Body, Attributes: attributes}) - len(AttributeLimit) - len("String")
	name = bounded(name, min(limit.MaxName, room))
	if name == "" || len(attributes) >= maxAttributes {
		return attributes
	}
	a := make(map[string]queue.Attribute, len(attributes)+1)
	maps.Copy(a, attributes)
	a[AttributeLimit] = queue.Attribute{DataType: "String", String: name}
	return a
}

// earlierFailures reads what withFailures wrote; 0 if it is not there or is not
// a count.
func earlierFailures(m queue.Message) int {
	a, ok := m.Attributes[AttributeFailures]
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(a.String)
	if err != nil || n < 0 || n > maxAttempts {
		return 0
	}
	return n
}
