package sqsqueue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// StartMove starts a message move task. SQS moves only out of queues that are
// the dead-letter queue of another.
func (s *Service) StartMove(ctx context.Context, m driver.Move) (handle string, err error) {
	ctx, cancel := s.scope(ctx)
	defer cancel()
	in := &sqs.StartMessageMoveTaskInput{}
	if in.SourceArn, err = s.movesAt(ctx, m.Source); err != nil {
		return "", err
	}
	if m.Destination != "" {
		if in.DestinationArn, err = s.movesAt(ctx, m.Destination); err != nil {
			return "", err
		}
	}
	if m.Rate > 0 {
		in.MaxNumberOfMessagesPerSecond = aws.Int32(int32(m.Rate))
	}
	out, err := s.client.StartMessageMoveTask(ctx, in)
	if err != nil {
		return "", s.failedMove(ctx, "start move from", m.Source, err, driver.ErrQueueNotFound)
	}
	return aws.ToString(out.TaskHandle), nil
}

// movesAt is the ARN of a queue that a move is about.
func (s *Service) movesAt(ctx context.Context, name string) (*string, error) {
	arn, err := s.arn(ctx, name)
	if err != nil {
		return nil, s.failed(ctx, "move messages of", name, err)
	}
	return &arn, nil
}

// failedMove gives an error its meaning: that a resource was not found is said
// of queues, and of tasks; too many tasks are an OverLimit, as too many messages
// are.
func (s *Service) failedMove(ctx context.Context, op, name string, err, notFound error) error {
	var missing *types.ResourceNotFoundException
	var many *types.OverLimit
	switch {
	case errors.As(err, &missing):
		return fmt.Errorf("sqsqueue: %s %s: %w", op, name, notFound)
	case errors.As(err, &many):
		return fmt.Errorf("sqsqueue: %s %s: %w", op, name, driver.ErrMoveActive)
	}
	return s.failed(ctx, op, name, err)
}

// CancelMove cancels a message move task. SQS has three ways to say that it
// cannot be: no such task, a handle it never gave, a task that is over.
func (s *Service) CancelMove(ctx context.Context, handle string) (moved int64, err error) {
	ctx, cancel := s.scope(ctx)
	defer cancel()
	out, err := s.client.CancelMessageMoveTask(ctx, &sqs.CancelMessageMoveTaskInput{TaskHandle: &handle})
	var api smithy.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode() {
		case "InvalidParameterValue", "InvalidParameterValueException", "UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation":
			return 0, fmt.Errorf("sqsqueue: cancel move: %s: %w", api.ErrorMessage(), driver.ErrMoveNotFound)
		}
	}
	if err != nil {
		return 0, s.failedMove(ctx, "cancel", "move", err, driver.ErrMoveNotFound)
	}
	return out.ApproximateNumberOfMessagesMoved, nil
}

// ListMoves lists the message move tasks of a queue.
func (s *Service) ListMoves(ctx context.Context, source string, max int) ([]driver.MoveTask, error) {
	ctx, cancel := s.scope(ctx)
	defer cancel()
	arn, err := s.movesAt(ctx, source)
	if err != nil {
		return nil, err
	}
	out, err := s.client.ListMessageMoveTasks(ctx, &sqs.ListMessageMoveTasksInput{SourceArn: arn, MaxResults: aws.Int32(int32(max))})
	if err != nil {
		return nil, s.failedMove(ctx, "list moves from", source, err, driver.ErrQueueNotFound)
	}
	tasks := make([]driver.MoveTask, len(out.Results))
	for i := range out.Results {
		tasks[i] = moveTask(&out.Results[i])
	}
	return tasks, nil
}

func moveTask(r *types.ListMessageMoveTasksResultEntry) driver.MoveTask {
	return driver.MoveTask{
		Move: driver.Move{
			Source: nameOf(aws.ToString(r.SourceArn)), Destination: nameOf(aws.ToString(r.DestinationArn)),
			Rate: int(aws.ToInt32(r.MaxNumberOfMessagesPerSecond)),
		},
		Handle: aws.ToString(r.TaskHandle), Status: driver.MoveStatus(aws.ToString(r.Status)),
		Moved: r.ApproximateNumberOfMessagesMoved, ToMove: aws.ToInt64(r.ApproximateNumberOfMessagesToMove),
		Started: time.UnixMilli(r.StartedTimestamp).UTC(), Failure: aws.ToString(r.FailureReason),
	}
}
