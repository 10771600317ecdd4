package sqsqueue

import (
	"context"
	"errors"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// Delete removes messages, BatchSize a request.
func (s *Service) Delete(ctx context.Context, name string, receipts []string) ([]error, error) {
	return s.inBatches(ctx, "delete from", name, len(receipts), inBatch{
		direct: func(ctx context.Context, url string, from, to int) ([]types.BatchResultErrorEntry, bool) {
			return s.direct.delete(ctx, url, receipts[from:to], from)
		},
		one: func(ctx context.Context, url *string, i int) error {
			_, err := s.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: &receipts[i]})
			return err
		},
		many: func(ctx context.Context, url *string, from, to int) ([]types.BatchResultErrorEntry, error) {
			in := &sqs.DeleteMessageBatchInput{QueueUrl: url}
			for i := from; i < to; i++ {
				in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: entryID(i), ReceiptHandle: &receipts[i]})
			}
			out, err := s.client.DeleteMessageBatch(ctx, in)
			if err != nil {
				return nil, err
			}
			return out.Failed, nil
		},
	})
}

// ChangeVisibility sets when messages are visible again, BatchSize a request.
func (s *Service) ChangeVisibility(ctx context.Context, name string, c []driver.VisibilityChange) ([]error, error) {
	return s.inBatches(ctx, "change visibility in", name, len(c), inBatch{
		direct: func(ctx context.Context, url string, from, to int) ([]types.BatchResultErrorEntry, bool) {
			return s.direct.changeVisibility(ctx, url, c[from:to], from)
		},
		one: func(ctx context.Context, url *string, i int) error {
			_, err := s.client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
				QueueUrl: url, ReceiptHandle: &c[i].Receipt, VisibilityTimeout: seconds(c[i].Visibility),
			})
			return err
		},
		many: func(ctx context.Context, url *string, from, to int) ([]types.BatchResultErrorEntry, error) {
			in := &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: url}
			for i := from; i < to; i++ {
				in.Entries = append(in.Entries, types.ChangeMessageVisibilityBatchRequestEntry{
					Id: entryID(i), ReceiptHandle: &c[i].Receipt, VisibilityTimeout: seconds(c[i].Visibility),
				})
			}
			out, err := s.client.ChangeMessageVisibilityBatch(ctx, in)
			if err != nil {
				return nil, err
			}
			return out.Failed, nil
		},
	})
}

// inBatch is how a request about some of the messages of a call is made. Entries
// are named by their place in the call.
type inBatch struct {
	direct func(ctx context.Context, url string, from, to int) ([]types.BatchResultErrorEntry, bool) // BatchSize at most; false: not done
	one    func(ctx context.Context, url *string, i int) error
	many   func(ctx context.Context, url *string, from, to int) ([]types.BatchResultErrorEntry, error) // ten at most
}

// request makes one request about messages from the given place on, and returns
// the place after the last.
func (s *Service) request(ctx context.Context, url *string, from, n int, do *inBatch) (to int, failed []types.BatchResultErrorEntry, err error) {
	to = min(from+s.direct.batchSize(), n)
	if failed, ok := do.direct(ctx, *url, from, to); ok {
		return to, failed, nil
	}
	if to = min(from+maxBatch, n); to-from == 1 {
		return to, nil, do.one(ctx, url, from)
	}
	failed, err = do.many(ctx, url, from, to)
	return to, failed, err
}

// inBatches makes requests about all n messages, and puts what failed where it
// belongs.
func (s *Service) inBatches(ctx context.Context, op, name string, n int, do inBatch) ([]error, error) {
	errs := make([]error, n)
	err := s.onQueue(ctx, op, name, func(ctx context.Context, url *string) error {
		for from := 0; from < n; {
			to, failed, err := s.request(ctx, url, from, n, &do)
			if err != nil && (to-from > 1 || !s.aboutMessage(ctx, op, name, err, &errs[from])) {
				return err
			}
			for _, f := range failed {
				i, err := strconv.Atoi(aws.ToString(f.Id))
				if err != nil || i < from || i >= to {
					return entryError(f)
				}
				errs[i] = entryError(f)
			}
			from = to
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return errs, nil
}

// aboutMessage stores an error that is about one message and not the queue.
func (s *Service) aboutMessage(ctx context.Context, op, name string, err error, to *error) bool {
	err = s.failed(ctx, op, name, err)
	if !isMessageError(err) {
		return false
	}
	*to = err
	return true
}

func isMessageError(err error) bool {
	return errors.Is(err, driver.ErrReceiptInvalid) || errors.Is(err, driver.ErrReceiptExpired) ||
		errors.Is(err, driver.ErrNotInFlight) || errors.Is(err, driver.ErrVisibilityTooLong)
}
