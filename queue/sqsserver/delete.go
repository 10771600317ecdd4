package sqsserver

import (
	"errors"
	"strconv"

	"github.com/dayfly-dev/dayfly/queue"
)

// receipt is a receipt handle of a request, and what became of it.
type receipt struct {
	id      entryID
	handle  string
	timeout int  // visibility, seconds; absent when not given
	given   bool // back, by a client of our own: it only waits from now on
	failed  error
}

func (r *receipt) field(d *decoder, key []byte) {
	switch string(key) {
	case "Id":
		r.id.decode(d)
	case "ReceiptHandle":
		r.handle = d.str()
	case "VisibilityTimeout":
		r.timeout = d.integer(absent)
	case "GivenBack":
		if r.given = d.peek() == 't' && d.literal("true"); !r.given {
			d.skip() // nothing that SQS knows: no error, whatever it is
		}
	default:
		d.skip()
	}
}

// answer puts what the queue says of a receipt in SQS's words, which repeat it.
func (r *receipt) answer(err error) error {
	switch {
	case errors.Is(err, queue.ErrReceiptInvalid):
		return &apiError{receiptHandleIsInvalid, `The input receipt handle "` + r.handle + `" is not a valid receipt handle.`}
	case errors.Is(err, queue.ErrReceiptExpired):
		return wrongValue(r.handle, "ReceiptHandle", "The receipt handle has expired.")
	case errors.Is(err, queue.ErrNotInFlight):
		return wrongValue(r.handle, "ReceiptHandle", "Message does not exist or is not available for visibility timeout change.")
	case errors.Is(err, queue.ErrVisibilityTooLong):
		return wrongValue(strconv.Itoa(r.timeout), "VisibilityTimeout", "Total VisibilityTimeout for the message is beyond the limit [43200 seconds].")
	}
	return err
}

// answerInBatch is answer for an entry of a batch, whose code and words differ
// for a message that is not in flight: gocloud.dev's Nack passes over the first
// and fails with any other.
func (r *receipt) answerInBatch(err error) error {
	if errors.Is(err, queue.ErrNotInFlight) {
		return &apiError{receiptHandleIsInvalid, "Message does not exist or is not available for visibility timeout change"}
	}
	return r.answer(err)
}

// oneReceipt decodes the arguments of an action on one message.
func (c *call) oneReceipt(d *decoder) (name string, r receipt, err error) {
	var url string
	r.timeout = absent
	d.object(func(key []byte) {
		if string(key) == "QueueUrl" {
			url = d.str()
		} else {
			r.field(d, key)
		}
	})
	if err := d.done(); err != nil {
		return "", r, err
	}
	if name, err = c.queueName(url); err != nil {
		return "", r, err
	}
	if r.handle == "" {
		return "", r, missingParameter("ReceiptHandle")
	}
	return name, r, nil
}

// manyReceipts decodes the arguments of an action on a batch.
func (c *call) manyReceipts(d *decoder, entryName string) (name string, entries []receipt, err error) {
	var url string
	entries = make([]receipt, 0, maxBatch)
	d.object(func(key []byte) {
		switch string(key) {
		case "QueueUrl":
			url = d.str()
		case "Entries":
			d.list(func() {
				r := receipt{timeout: absent}
				d.object(func(key []byte) { r.field(d, key) })
				entries = append(entries, r)
			})
		default:
			d.skip()
		}
	})
	if err := d.done(); err != nil {
		return "", nil, err
	}
	if name, err = c.queueName(url); err != nil {
		return "", nil, err
	}
	return name, entries, checkBatch(entries, c.maxEntries(), func(r *receipt) entryID { return r.id }, entryName)
}

func deleteMessage(c *call, d *decoder, _ *encoder) error {
	name, r, err := c.oneReceipt(d)
	if err != nil {
		return err
	}
	errs, err := c.queues.Delete(c.r.Context(), name, []string{r.handle})
	return r.answer(first(errs, err))
}

// first is the error of a batch of one.
func first(errs []error, err error) error {
	if err == nil && len(errs) > 0 {
		return errs[0]
	}
	return err
}

func deleteMessageBatch(c *call, d *decoder, e *encoder) error {
	name, entries, err := c.manyReceipts(d, "DeleteMessageBatchRequestEntry")
	if err != nil {
		return err
	}
	handles := make([]string, 0, len(entries))
	to := make([]*receipt, 0, len(entries))
	for i := range entries {
		r := &entries[i]
		if r.handle == "" {
			r.failed = missingParameter("ReceiptHandle")
			continue
		}
		handles, to = append(handles, r.handle), append(to, r)
	}
	errs, err := c.queues.Delete(c.r.Context(), name, handles)
	return c.writeOutcomes(e, name, entries, to, errs, err)
}

// writeOutcomes joins the errors of the entries that were tried to the others.
func (c *call) writeOutcomes(e *encoder, name string, entries []receipt, tried []*receipt, errs []error, err error) error {
	if len(tried) == 0 { // then nothing asked the queue whether it is there
		_, err = c.queues.Describe(c.r.Context(), name)
	}
	if err != nil {
		return err
	}
	for i, err := range errs {
		tried[i].failed = tried[i].answerInBatch(err)
	}
	writeBatch(c, e, entries, func(r *receipt) (string, error) { return r.id.text, r.failed }, nil)
	return nil
}
