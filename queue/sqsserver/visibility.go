package sqsserver

import "github.com/dayfly-dev/dayfly/queue"

const changeEntry = "ChangeMessageVisibilityBatchRequestEntry"

// change is a receipt's visibility in the queue's terms.
func (r *receipt) change(reason string) (queue.VisibilityChange, error) {
	if err := inRange("VisibilityTimeout", r.timeout, 0, 43200, reason); err != nil {
		return queue.VisibilityChange{}, err
	}
	return queue.VisibilityChange{Receipt: r.handle, Visibility: seconds(r.timeout), GivenBack: r.given}, nil
}

func changeMessageVisibility(c *call, d *decoder, _ *encoder) error {
	name, r, err := c.oneReceipt(d)
	if err != nil {
		return err
	}
	if r.timeout == absent {
		return missingParameter("VisibilityTimeout")
	}
	change, err := r.change("Must be between 0 and 43200.")
	if err != nil {
		return err
	}
	errs, err := c.queues.ChangeVisibility(c.r.Context(), name, []queue.VisibilityChange{change})
	return r.answer(first(errs, err))
}

func changeMessageVisibilityBatch(c *call, d *decoder, e *encoder) error {
	name, entries, err := c.manyReceipts(d, changeEntry)
	if err != nil {
		return err
	}
	changes := make([]queue.VisibilityChange, 0, len(entries))
	to := make([]*receipt, 0, len(entries))
	for i := range entries {
		r := &entries[i]
		var change queue.VisibilityChange
		switch {
		case r.handle == "":
			r.failed = missingParameter("ReceiptHandle")
		case r.timeout == absent:
			r.failed = missingParameter(entryMember(changeEntry, i, "VisibilityTimeout"))
		default:
			change, r.failed = r.change("VisibilityTimeout must be an integer between 0 and 43200.")
		}
		if r.failed == nil {
			changes, to = append(changes, change), append(to, r)
		}
	}
	errs, err := c.queues.ChangeVisibility(c.r.Context(), name, changes)
	return c.writeOutcomes(e, name, entries, to, errs, err)
}
