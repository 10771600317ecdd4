package sqsserver

import "github.com/dayfly-dev/dayfly/queue"

// change is a receipt's visibility in the queue's terms.
func (r *receipt) change() (queue.VisibilityChange, error) {
	if r.handle == "" {
		return queue.VisibilityChange{}, missingParameter("ReceiptHandle")
	}
	if r.timeout == absent {
		return queue.VisibilityChange{}, missingParameter("VisibilityTimeout")
	}
	if err := inRange("VisibilityTimeout", r.timeout, 0, 43200); err != nil {
		return queue.VisibilityChange{}, err
	}
	return queue.VisibilityChange{Receipt: r.handle, Visibility: seconds(r.timeout)}, nil
}

func changeMessageVisibility(c *call, d *decoder, e *encoder) error {
	name, r, err := c.oneReceipt(d)
	if err != nil {
		return err
	}
	change, err := r.change()
	if err != nil {
		return err
	}
	errs, err := c.queues.ChangeVisibility(c.r.Context(), name, []queue.VisibilityChange{change})
	return emptyReply(e, first(errs, err))
}

func changeMessageVisibilityBatch(c *call, d *decoder, e *encoder) error {
	name, entries, err := c.manyReceipts(d, "ChangeMessageVisibilityBatchRequestEntry")
	if err != nil {
		return err
	}
	changes := make([]queue.VisibilityChange, 0, len(entries))
	to := make([]*receipt, 0, len(entries))
	for i := range entries {
		r := &entries[i]
		var change queue.VisibilityChange
		if change, r.failed = r.change(); r.failed == nil {
			changes, to = append(changes, change), append(to, r)
		}
	}
	errs, err := c.queues.ChangeVisibility(c.r.Context(), name, changes)
	return c.writeOutcomes(e, entries, to, errs, err)
}
