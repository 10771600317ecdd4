package snsserver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// What a subscriber that cannot be reached does to a publish:
//
//   - A queue that does not exist, or never takes the message (it is too large
//     for it, or has more than ten attributes and goes raw), loses the message, as
//     on SNS: it goes to the subscription's dead-letter queue, else a line in the
//     log is all there is of it. The publish succeeds.
//   - Any other failure (the disk is full, the service is ending) is tried again
//     after each of retryAfter. If it lasts, the publish fails, though other
//     queues have the message: whoever published sends it again, and those get it
//     twice, as SNS's promise of at least once allows; FIFO queues do not, as they
//     know its deduplication id.

// retryAfter are the pauses before a delivery is tried again.
var retryAfter = []time.Duration{50 * time.Millisecond, 250 * time.Millisecond}

// maxAtOnce bounds the subscriptions that one publish delivers to at a time. The
// queues have one log, and those that wait at a time share its sync.
const maxAtOnce = 64

// publishTo delivers notifications to all subscriptions of a topic; errs[i] is
// nil when each of them has notification i on disk.
func (c *call) publishTo(t *topic, batch []*notification) (errs []error) {
	if t.fifo() {
		return c.publishInOrder(t, batch)
	}
	return c.deliver(t, batch)
}

func (c *call) deliver(t *topic, batch []*notification) []error {
	errs := make([]error, len(batch))
	var (
		mu    sync.Mutex
		wg    sync.WaitGroup
		slots = make(chan struct{}, maxAtOnce)
	)
	for _, s := range t.Subscriptions {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			for i, err := range c.deliverTo(t, s, batch) {
				if err == nil {
					continue
				}
				mu.Lock()
				if errs[i] == nil {
					errs[i] = fmt.Errorf("deliver to %s: %w", s.ID, err)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return errs
}

// deliverTo delivers what the filter of one subscription lets through.
func (c *call) deliverTo(t *topic, s *subscription, batch []*notification) []error {
	errs := make([]error, len(batch))
	var (
		index    []int
		messages []Message
	)
	for i, n := range batch {
		if !s.filter.lets(n.text(s.Protocol), n.attributes) {
			continue
		}
		if s.Protocol == protocolSMS {
			errs[i] = c.textTo(t, s, n)
			continue
		}
		m, ok, err := c.messageFor(t, s, n)
		switch {
		case err != nil:
			errs[i] = err
		case !ok:
			errs[i] = c.giveUp(t, s, n, m, fmt.Errorf("%w: it has more than %d attributes", ErrUndeliverable, maxRawAttributes))
		default:
			index, messages = append(index, i), append(messages, m)
		}
	}
	for at, err := range c.sendAll(s.queue(), messages) {
		if errors.Is(err, ErrUndeliverable) {
			err = c.giveUp(t, s, batch[index[at]], messages[at], err)
		}
		errs[index[at]] = err
	}
	return errs
}

// sendAll stores messages in a queue, together, or each for itself when one of
// them is undeliverable.
func (c *call) sendAll(queue string, messages []Message) []error {
	errs := make([]error, len(messages))
	if len(messages) == 0 {
		return errs
	}
	err := c.send(queue, messages)
	if len(messages) > 1 && errors.Is(err, ErrUndeliverable) {
		for i := range messages {
			if err = c.send(queue, messages[i:i+1]); err != nil && !errors.Is(err, ErrUndeliverable) {
				return failed(errs, i, err) // what follows must not overtake it
			}
			errs[i] = err
		}
		return errs
	}
	return failed(errs, 0, err)
}

// failed gives all errors from a place on.
func failed(errs []error, from int, err error) []error {
	for i := range errs[from:] {
		errs[from+i] = err
	}
	return errs
}

// send outlasts the client: what some queues have, the others get too.
func (c *call) send(queue string, messages []Message) error {
	return c.insist(func(ctx context.Context) error { return c.Queues.Send(ctx, queue, messages) })
}

// insist tries again what fails and may not the next time.
func (c *call) insist(do func(context.Context) error) error {
	ctx := context.WithoutCancel(c.r.Context())
	for try := 0; ; try++ {
		err := do(ctx)
		if err == nil || errors.Is(err, ErrUndeliverable) || try == len(retryAfter) {
			return err
		}
		time.Sleep(retryAfter[try])
	}
}

// giveUp puts a message that a queue does not take into the subscription's
// dead-letter queue.
func (c *call) giveUp(t *topic, s *subscription, n *notification, m Message, why error) error {
	log := c.Log.With("topic", t.Name, "message", n.id, "queue", s.queue(), "err", why)
	dead := s.deadLetter()
	if dead == "" {
		log.Warn("sns: message lost: its queue does not take it, and the subscription has no dead-letter queue")
		return nil
	}
	switch err := c.send(dead, []Message{explain(m, why)}); {
	case err == nil:
		log.Info("sns: message set aside", "dead_letter_queue", dead)
	case errors.Is(err, ErrUndeliverable):
		log.Warn("sns: message lost: neither its queue nor the dead-letter queue takes it", "dead_letter_queue", dead, "dead_letter_err", err)
	default:
		return err
	}
	return nil
}

// explain adds why a message was set aside, where there is room, and leaves out
// attributes beyond those a queue takes.
func explain(m Message, why error) Message {
	kept := map[string]Attribute{
		"ErrorCode":    {DataType: "String", String: "Undeliverable"},
		"ErrorMessage": {DataType: "String", String: why.Error()},
	}
	for name, a := range m.Attributes {
		if _, taken := kept[name]; taken || len(kept) < maxRawAttributes {
			kept[name] = a
		}
	}
	m.Attributes = kept
	return m
}
