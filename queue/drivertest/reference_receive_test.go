package drivertest

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

const refLimit = 120_000

func (r *reference) Receive(ctx context.Context, name string, o driver.ReceiveOptions) (got []driver.Message, err error) {
	var until time.Time
	for {
		var changed chan struct{}
		var next time.Duration
		err := r.on(name, func(q *refQueue) error {
			if until.IsZero() {
				if o.Wait < 0 {
					o.Wait = q.attrs.ReceiveWait
				}
				if o.Visibility < 0 {
					o.Visibility = q.attrs.Visibility
				}
				until = time.Now().Add(o.Wait)
			}
			got = r.take(q, &o)
			changed, next = r.changed, q.next(time.Until(until))
			return nil
		})
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || len(got) > 0 || next <= 0 {
			return got, err
		}
		timer := time.NewTimer(next)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// next is how long until something is visible by itself, at most left.
func (q *refQueue) next(left time.Duration) time.Duration {
	for _, m := range q.messages {
		if m.hidden() {
			left = min(left, time.Until(m.visibleAt))
		}
	}
	return left
}

// take hands out what may be; mu is held.
func (r *reference) take(q *refQueue, o *driver.ReceiveOptions) (got []driver.Message) {
	if a := q.attempts[o.AttemptID]; a != nil && o.AttemptID != "" && r.good(q, a) {
		return r.repeat(a, o)
	}
	taken := r.choose(q, o.Max)
	a := &refAttempt{at: time.Now(), messages: taken}
	for _, m := range taken {
		m.Receives++
		if m.FirstReceived.IsZero() {
			m.FirstReceived = time.Now()
		}
		m.Receipt, m.visibleAt = r.receipt(m), time.Now().Add(o.Visibility)
		q.loud[m.GroupID]++
		got = append(got, m.Message)
		a.receipts = append(a.receipts, m.Receipt)
	}
	if o.AttemptID != "" && (len(taken) > 0 || r.wrong == "an attempt that got nothing is kept") {
		q.attempts[o.AttemptID] = a
	}
	return got
}

// good reports whether an attempt may be repeated.
func (r *reference) good(q *refQueue, a *refAttempt) bool {
	switch {
	case r.wrong == "attempts are not known":
		return false
	case time.Since(a.at) >= 5*time.Minute && r.wrong != "attempts are known for ever":
		return false
	case r.wrong == "attempts are good whatever became of the messages":
		return true
	}
	for i, m := range a.messages {
		if m.Receipt != a.receipts[i] || !slices.Contains(q.messages, m) {
			return false
		}
	}
	return true
}

func (r *reference) repeat(a *refAttempt, o *driver.ReceiveOptions) (got []driver.Message) {
	for i, m := range a.messages {
		if r.wrong != "a repeated attempt does not hide anew" {
			m.visibleAt = time.Now().Add(o.Visibility)
		}
		if r.wrong == "a repeated attempt has new receipts" {
			m.Receipt = r.receipt(m)
		}
		c := m.Message
		if r.wrong == "attempts are good whatever became of the messages" {
			c.Receipt = a.receipts[i]
		}
		got = append(got, c)
	}
	return got
}

// choose picks up to max messages, and moves those to the dead-letter queue that
// were picked too often.
func (r *reference) choose(q *refQueue, max int) (taken []*refMessage) {
	for len(taken) < max && r.inFlight(q, "", nil)+len(taken) < refLimit {
		m := r.standard(q, taken)
		if q.attrs.FIFO {
			m = r.fifo(q, taken)
		}
		if m == nil {
			break
		}
		if d := q.attrs.DeadLetter; d != nil && m.Receives-m.before >= d.MaxReceives && r.queues[d.Queue] != nil {
			r.bury(q, r.queues[d.Queue], m)
			continue
		}
		if n := len(taken); n > 0 && r.wrong == "one of a group at a time" && taken[n-1].GroupID == m.GroupID && q.attrs.FIFO {
			break
		}
		taken = append(taken, m)
	}
	return taken
}

// fifo is the next message of a FIFO queue, or nil: one with nothing hidden
// before it in its group, of the group just taken from if it has one.
func (r *reference) fifo(q *refQueue, taken []*refMessage) (best *refMessage) {
	behind := map[string]bool{}
	if r.wrong == "a group blocks until all of it is done" {
		for _, m := range q.messages {
			behind[m.GroupID] = behind[m.GroupID] || m.hidden()
		}
	}
	for _, m := range q.messages {
		switch {
		case slices.Contains(taken, m):
		case m.hidden():
			behind[m.GroupID] = r.wrong != "a group does not block"
		case behind[m.GroupID]:
		case len(taken) > 0 && taken[len(taken)-1].GroupID == m.GroupID && r.wrong != "groups are mixed in a receive":
			return m
		case best == nil || r.wrong == "the last of a group comes first" && m.GroupID == best.GroupID:
			best = m
		}
	}
	return best
}

// standard is the next message of a standard queue, or nil: the oldest that is
// not of a noisy tenant, else the oldest.
func (r *reference) standard(q *refQueue, taken []*refMessage) (first *refMessage) {
	for _, m := range q.messages {
		if m.hidden() || slices.Contains(taken, m) {
			continue
		}
		if r.wrong == "groups are not fair" || !r.noisy(q, m.GroupID, taken) {
			return m
		}
		if first == nil && r.wrong != "the noisy get nothing" {
			first = m
		}
	}
	return first
}

func (r *reference) noisy(q *refQueue, group string, taken []*refMessage) bool {
	if group == "" && r.wrong != "those without a group are one tenant" {
		return false
	}
	of, all, least := r.inFlight(q, group, taken), r.inFlight(q, "", taken), 30
	switch r.wrong {
	case "those without a group are one tenant":
		if group == "" {
			of = all
		}
	case "flights of a tenant are counted for ever":
		of = q.loud[group]
	case "a tenant is noisy with 29":
		least = 29
	case "a tenant is noisy with 31":
		least = 31
	case "a tenant is noisy with a tenth":
		return of >= 30 && of*10 >= all
	case "a tenant is noisy whatever its share":
		return of >= 30
	}
	return of >= least && of*10 > all
}

// inFlight counts those of a tenant, or "" all.
func (r *reference) inFlight(q *refQueue, group string, taken []*refMessage) (n int) {
	for _, m := range q.messages {
		if (group == "" || m.GroupID == group) && (m.hidden() && !q.delayed(m) || slices.Contains(taken, m)) {
			n++
		}
	}
	return n
}

// bury moves a message to its dead-letter queue.
func (r *reference) bury(q, dead *refQueue, m *refMessage) {
	q.messages = slices.DeleteFunc(q.messages, func(o *refMessage) bool { return o == m })
	c := m.Message
	c.Source, c.Receipt = q.name, ""
	if q.attrs.FIFO {
		if r.wrong == "a dead letter's time is that of sending" {
			defer func(sent time.Time) { dead.messages[len(dead.messages)-1].Sent = sent }(m.Sent)
		}
		c.Sent = time.Now()
		if r.wrong != "a dead letter keeps its deduplication id" {
			c.DedupID = c.ID
		}
	}
	if r.wrong == "a dead letter has a new id" {
		c.ID = strings.ToLower(c.ID)
	}
	if r.wrong == "dead letters are deduplicated" {
		for _, o := range dead.messages {
			if o.Body == c.Body {
				return
			}
		}
	}
	moved := r.add(dead, c, 0)
	if r.wrong == "dead letters are in no order" && len(dead.messages) > 1 {
		n := len(dead.messages)
		dead.messages[n-1], dead.messages[n-2] = dead.messages[n-2], dead.messages[n-1]
	}
	moved.visibleAt = time.Time{}
	if r.wrong != "a dead letter wakes nobody" {
		r.change()
	}
}
