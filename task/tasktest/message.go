package tasktest

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/google/uuid"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

type memoryQueue struct {
	attributes driver.Attributes
	created    time.Time
	messages   []*message // in the order of sending
	known      map[string]duplicate
}

type message struct {
	driver.Message
	delay    time.Duration // with which it was sent
	visible  time.Time     // from when on it may be received
	inFlight bool
	turned   time.Duration // of the clock when it was sent
}

type duplicate struct {
	at   time.Time
	sent driver.Sent
}

// add stores one message, unless it is a duplicate of one of the last five
// minutes; mu is held.
func (m *memory) add(q *memoryQueue, o driver.Outgoing) driver.Sent {
	now := m.now()
	if known, ok := q.known[o.DedupID]; ok && q.attributes.FIFO && now.Sub(known.at) < 5*time.Minute {
		return known.sent
	}
	m.count++
	x := &message{delay: max(0, o.Delay), turned: m.turned, Message: driver.Message{ID: uuid.NewString(), Body: o.Body,
		Attributes: maps.Clone(o.Attributes), System: maps.Clone(o.System), Sent: now, GroupID: o.GroupID, DedupID: o.DedupID}}
	x.visible = now.Add(x.delay)
	sent := driver.Sent{ID: x.ID}
	if q.attributes.FIFO {
		x.Sequence = fmt.Sprintf("%020d", m.count)
		sent.Sequence = x.Sequence
		q.known[o.DedupID] = duplicate{now, sent}
	}
	q.messages = append(q.messages, x)
	m.log = append(m.log, x)
	return sent
}

// next is the oldest message that may be received now; if there is none, when
// the first will be, and whether one is in flight. On a FIFO queue none is
// received while one before it in its group is there.
func (q *memoryQueue) next(now time.Time) (x *message, at time.Time, busy bool) {
	behind := map[string]bool{}
	for _, y := range q.messages {
		first := !q.attributes.FIFO || !behind[y.GroupID]
		behind[y.GroupID] = true
		switch {
		case y.inFlight:
			busy = true
		case !first:
		case !y.visible.After(now):
			return y, time.Time{}, busy
		case at.IsZero() || y.visible.Before(at):
			at = y.visible
		}
	}
	return nil, at, busy
}

// turnedBack is the body with its notbefore d earlier: the task layer reads it
// by the real clock, which the queue's has left behind by d since.
func turnedBack(body string, d time.Duration) string {
	var event map[string]json.RawMessage
	var before time.Time
	if d == 0 || json.Unmarshal([]byte(body), &event) != nil || event["notbefore"] == nil ||
		json.Unmarshal(event["notbefore"], &before) != nil {
		return body
	}
	event["notbefore"], _ = json.Marshal(before.Add(-d)) // a time of the years JSON has, as it came from there
	text, _ := json.Marshal(event)                       // of what was JSON
	return string(text)
}
