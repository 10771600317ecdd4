package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/ledger"
)

// Bounds of one look through dead letters.
const (
	lettersMost = 10_000 // that a queue shows
	lettersStep = 100
	// A queue that shows none, as SQS, has its letters received and given back.
	// They are hidden meanwhile, and for lettersHide should dayfly die.
	lettersTime   = 25 * time.Second
	lettersHide   = time.Minute
	lettersReturn = 20 * time.Second
)

// redrive sends the dead letters of one effect back to their queue: those that
// its run became, and those whose reason names its key.
type redrive struct {
	queues *queue.Service
	of     ledger.Entry

	sent   int
	missed string // why there may be more, and what to do; "" if there are none
}

func (r *redrive) run(ctx context.Context) error {
	if r.of.Queue == "" {
		return nil
	}
	d, err := r.queues.Describe(ctx, r.of.Queue)
	if errors.Is(err, queue.ErrQueueNotFound) {
		return fmt.Errorf("the queue %s, of which its task came, is not there any more", r.of.Queue)
	}
	if err != nil || d.Attributes.DeadLetter == nil {
		return err
	}
	dead := d.Attributes.DeadLetter.Queue
	if err = r.browse(ctx, dead); errors.Is(err, queue.ErrUnsupported) {
		return r.receive(ctx, dead)
	}
	return err
}

// browse goes through the letters where the queue shows them.
func (r *redrive) browse(ctx context.Context, dead string) error {
	inFlight := 0
	for after, looked := "", 0; looked < lettersMost; looked += lettersStep {
		found, err := r.queues.Browse(ctx, dead, after, lettersStep)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			r.inFlight(dead, inFlight)
			return nil
		}
		for _, b := range found {
			after = b.ID
			if !r.met(b.Message) {
				continue
			}
			if b.State == queue.StateInFlight {
				inFlight++
				continue
			}
			if err := r.send(ctx, b.Message); err != nil {
				return err
			}
			if _, err := r.queues.DeleteID(ctx, dead, b.ID); err != nil {
				return err
			}
		}
	}
	r.missed = fmt.Sprintf("%d dead letters of %s were looked at, and there are more: redrive or delete some, and run this command again", lettersMost, dead)
	return nil
}

// receive goes through the letters where they are only seen by who receives
// them. One that was looked at has a receive more, and is visible again at the
// end: not before, else it would be received again and again.
func (r *redrive) receive(ctx context.Context, dead string) (err error) {
	d, err := r.queues.Describe(ctx, dead)
	if err != nil {
		return err
	}
	if d.Attributes.DeadLetter != nil {
		return fmt.Errorf("%s has a dead-letter queue of its own, so each look at its letters would count", dead)
	}
	var back []queue.VisibilityChange
	defer func() { err = errors.Join(err, r.giveBack(ctx, dead, back)) }()
	for end := time.Now().Add(lettersTime); ; {
		// A second, as SQS asks only some of its servers where it need not wait.
		got, err := r.queues.Receive(ctx, dead, queue.ReceiveOptions{Max: 10, Visibility: lettersHide, Wait: time.Second})
		if err != nil {
			return err
		}
		if len(got) == 0 {
			break
		}
		for i, m := range got {
			if !r.met(m) {
				back = append(back, queue.VisibilityChange{Receipt: m.Receipt})
				continue
			}
			if err := r.take(ctx, dead, m); err != nil {
				for _, m := range got[i:] {
					back = append(back, queue.VisibilityChange{Receipt: m.Receipt})
				}
				return err
			}
		}
		if time.Now().After(end) {
			r.missed = fmt.Sprintf("%d dead letters of %s were looked at in %v, and there are more: run this command again, which may come by others, or redrive or delete some",
				len(back)+r.sent, dead, lettersTime)
			return nil
		}
	}
	return r.others(ctx, dead, len(back))
}

// others says that there are letters which could not be looked at: in flight, or
// of a FIFO queue behind the first ten of their group.
func (r *redrive) others(ctx context.Context, dead string, mine int) error {
	d, err := r.queues.Describe(ctx, dead)
	if err != nil {
		return err
	}
	r.inFlight(dead, int(d.InFlight)-mine)
	if n := int(d.Visible); n > 0 && r.missed == "" && strings.HasSuffix(dead, ".fifo") {
		r.missed = fmt.Sprintf("%d dead letters of %s could not be looked at, as they are behind others of their group: redrive or delete those, and run this command again", n, dead)
	}
	return nil
}

func (r *redrive) inFlight(dead string, n int) {
	if n > 0 {
		r.missed = fmt.Sprintf("%d dead letters of %s could not be looked at, as somebody has them in flight: run this command again in a minute", n, dead)
	}
}

// take sends one letter back and deletes it.
func (r *redrive) take(ctx context.Context, dead string, m queue.Message) error {
	if err := r.send(ctx, m); err != nil {
		return err
	}
	errs, err := r.queues.Delete(ctx, dead, []string{m.Receipt})
	if err != nil {
		return err
	}
	return errs[0]
}

func (r *redrive) send(ctx context.Context, m queue.Message) error {
	if _, err := r.queues.Send(ctx, r.of.Queue, []queue.Outgoing{beforeFailure(m, r.of.Queue)}); err != nil {
		return err
	}
	r.sent++
	return nil
}

// giveBack makes letters visible again, also when ctx has ended.
func (r *redrive) giveBack(ctx context.Context, dead string, all []queue.VisibilityChange) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lettersReturn)
	defer cancel()
	for len(all) > 0 {
		n := min(10, len(all))
		// A letter that was deleted meanwhile, or redriven, is not given back.
		if _, err := r.queues.ChangeVisibility(ctx, dead, all[:n]); err != nil {
			return fmt.Errorf("letters that were looked at are hidden for up to %v: %w", lettersHide, err)
		}
		all = all[n:]
	}
	return nil
}

// met reports whether a dead letter is that of the effect's run, or was
// dead-lettered by the queue of this effect with its key as the reason.
func (r *redrive) met(m queue.Message) bool {
	if from := m.Attributes[task.AttributeQueue].String; from != "" && from != r.of.Queue {
		return false
	}
	if strings.Contains(m.Attributes[task.AttributeError].String, strconv.Quote(r.of.Key)) {
		return true
	}
	event, err := task.Decode(m.Body)
	return err == nil && r.of.Run != "" && event.ID == r.of.Run && event.Type == r.of.Task
}

// beforeFailure is the message without what the worker wrote about its failure.
func beforeFailure(m queue.Message, to string) queue.Outgoing {
	o := queue.Outgoing{Body: m.Body, Attributes: maps.Clone(m.Attributes), System: maps.Clone(m.System), Delay: -1, GroupID: m.GroupID}
	maps.DeleteFunc(o.Attributes, func(name string, _ queue.Attribute) bool { return strings.HasPrefix(name, "dayfly.") })
	if strings.HasSuffix(to, ".fifo") {
		o.DedupID = "redrive-" + m.ID
	}
	return o
}
