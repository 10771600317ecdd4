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

// Delete removes messages, ten a request.
func (s *Service) Delete(ctx context.Context, name string, receipts []string) ([]error, error) {
	return s.inBatches(ctx, "delete from", name, len(receipts), func(ctx context.Context, url *string, from, to int) ([]types.BatchResultErrorEntry, error) {
		if failed, ok := s.direct.delete(ctx, *url, receipts[from:to], from); ok {
			return failed, nil
		}
		if to-from == 1 {
			_, err := s.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: &receipts[from]})
			return nil, err
		}
		in := &sqs.DeleteMessageBatchInput{QueueUrl: url}
		for i := from; i < to; i++ {
			in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: entryID(i), ReceiptHandle: &receipts[i]})
		}
		out, err := s.client.DeleteMessageBatch(ctx, in)
		if err != nil {
			return nil, err
		}
		return out.Failed, nil
	})
}

// ChangeVisibility sets when messages are visible again, ten a request.
func (s *Service) ChangeVisibility(ctx context.Context, name string, c []driver.VisibilityChange) ([]error, error) {
	return s.inBatches(ctx, "change visibility in", name, len(c), func(ctx context.Context, url *string, from, to int) ([]types.BatchResultErrorEntry, error) {
		if failed, ok := s.direct.changeVisibility(ctx, *url, c[from:to], from); ok {
			return failed, nil
		}
		if to-from == 1 {
			_, err := s.client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
				QueueUrl: url, ReceiptHandle: &c[from].Receipt, VisibilityTimeout: seconds(c[from].Visibility),
			})
			return nil, err
		}
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
	})
}

// inBatches calls do with spans of at most ten, and puts what failed where it
// belongs.
func (s *Service) inBatches(ctx context.Context, op, name string, n int,
	do func(ctx context.Context, url *string, from, to int) ([]types.BatchResultErrorEntry, error),
) ([]error, error) {
	errs := make([]error, n)
	err := s.onQueue(ctx, op, name, func(ctx context.Context, url *string) error {
		for from := 0; from < n; from += maxBatch {
			to := min(from+maxBatch, n)
			failed, err := do(ctx, url, from, to)
			if err != nil && to-from == 1 && s.aboutMessage(ctx, op, name, err, &errs[from]) {
				continue
			}
			if err != nil {
				return err
			}
			for _, f := range failed {
				i, err := strconv.Atoi(aws.ToString(f.Id))
				if err != nil || i < from || i >= to {
					return entryError(f)
				}
				errs[i] = entryError(f)
			}
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
