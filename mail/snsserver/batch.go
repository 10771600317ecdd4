package snsserver

import (
	"net/http"
	"strconv"

	"github.com/dayfly-dev/dayfly/internal/awsquery"
)

// maxBatch is how many entries a PublishBatch has at most.
const maxBatch = 10

// publishBatch publishes entries in their order. As SNS does, it refuses all
// for one that is malformed; that one could not be delivered fails it alone.
func publishBatch(c *call) (func(*awsquery.Writer), error) {
	t, err := c.topicOf("TopicArn", c.form.Get("TopicArn"))
	if err != nil {
		return nil, err
	}
	entries := c.form.List("PublishBatchRequestEntries.member")
	ids, err := batchIDs(entries)
	if err != nil {
		return nil, err
	}
	batch := make([]*notification, len(entries))
	size := 0
	for i, e := range entries {
		if batch[i], err = readNotification(e); err != nil {
			return nil, err
		}
		if err := batch[i].checkFor(t); err != nil {
			return nil, err
		}
		size += batch[i].size()
	}
	if size > t.maxMessageSize() {
		return nil, fault(http.StatusBadRequest, "BatchRequestTooLong", "The length of all the messages put together is more than the limit.")
	}
	errs := c.publishTo(t, batch)
	return func(w *awsquery.Writer) { c.writeBatch(w, ids, batch, errs) }, nil
}

// batchIDs checks and returns the ids of the entries.
func batchIDs(entries []*awsquery.Form) ([]string, error) {
	if len(entries) == 0 {
		return nil, fault(http.StatusBadRequest, "EmptyBatchRequest", "The batch request doesn't contain any entries.")
	}
	if len(entries) > maxBatch {
		return nil, fault(http.StatusBadRequest, "TooManyEntriesInBatchRequest", "The batch request contains more entries than permissible.")
	}
	seen := map[string]bool{}
	var ids []string
	for _, e := range entries {
		id := e.Get("Id")
		if seen[id] {
			return nil, fault(http.StatusBadRequest, "BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.")
		}
		seen[id] = true
		ids = append(ids, id)
	}
	for _, id := range ids {
		switch {
		case len(id) > 80:
			return nil, fault(http.StatusBadRequest, "InvalidBatchEntryId", "The Id of a batch entry in the batch request is too long: %s", id)
		case !validName(id, 80):
			return nil, fault(http.StatusBadRequest, "InvalidBatchEntryId", "The Id of a batch entry in the batch request contains an impermissible character: %s", id)
		}
	}
	return ids, nil
}

func (c *call) writeBatch(w *awsquery.Writer, ids []string, batch []*notification, errs []error) {
	w.Begin("Successful")
	for i, n := range batch {
		if errs[i] == nil {
			w.Begin("member")
			w.Text("Id", ids[i])
			writePublished(n)(w)
			w.End()
		}
	}
	w.End()
	w.Begin("Failed")
	for i, err := range errs {
		if err == nil {
			continue
		}
		f := c.failure("PublishBatch", err)
		w.Begin("member")
		w.Text("Id", ids[i])
		w.Text("Code", f.Code)
		w.Text("Message", f.Message)
		w.Text("SenderFault", strconv.FormatBool(f.Status < http.StatusInternalServerError))
		w.End()
	}
	w.End()
}
