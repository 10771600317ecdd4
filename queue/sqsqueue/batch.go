package sqsqueue

import (
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// batchReply is the reply to a request of several entries, which are named by
// their place.
type batchReply struct {
	Successful []storedEntry
	Failed     []failedEntry
}

type (
	storedEntry struct{ Id, MessageId, SequenceNumber string }
	failedEntry struct{ Id, Code, Message string }
)

// sent is what became of n messages. Where some were stored and others not, the
// error is a *driver.PartialError.
func (r *batchReply) sent(n int) ([]driver.Sent, error) {
	sent, errs := make([]driver.Sent, n), make([]error, n)
	for _, s := range r.Successful {
		i, err := strconv.Atoi(s.Id)
		if err != nil || i < 0 || i >= n {
			return nil, fmt.Errorf("the service acknowledged an entry %q that was not sent", s.Id)
		}
		sent[i] = driver.Sent{ID: s.MessageId, Sequence: s.SequenceNumber}
	}
	for _, f := range r.Failed {
		err := entryError(types.BatchResultErrorEntry{Id: &f.Id, Code: &f.Code, Message: &f.Message})
		i, conv := strconv.Atoi(f.Id)
		if conv != nil || i < 0 || i >= n {
			return nil, err
		}
		errs[i] = err
	}
	var first error
	for i := range sent {
		if sent[i].ID == "" && errs[i] == nil {
			return nil, fmt.Errorf("the service did not say what became of entry %d", i)
		}
		if first == nil {
			first = errs[i]
		}
	}
	switch {
	case first == nil:
		return sent, nil
	case len(r.Successful) == 0:
		return nil, first
	}
	return nil, &driver.PartialError{Errs: errs}
}

// entryError is the failure of one entry.
func entryError(f types.BatchResultErrorEntry) error {
	code, message := aws.ToString(f.Code), aws.ToString(f.Message)
	if known := sentinel(code, message); known != nil {
		return fmt.Errorf("sqsqueue: %s: %w", message, known)
	}
	return fmt.Errorf("sqsqueue: %s: %s", code, message)
}
