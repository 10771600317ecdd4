package sqsqueue

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// failed wraps an error and gives it the driver's meaning.
func (s *Service) failed(ctx context.Context, op, name string, err error) error {
	if s.closing.Err() != nil && (ctx.Err() == nil || errors.Is(err, context.Canceled)) {
		return fmt.Errorf("sqsqueue: %s %s: %w", op, name, driver.ErrClosed)
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		if known := sentinel(api.ErrorCode(), api.ErrorMessage()); known != nil {
			if errors.Is(known, driver.ErrQueueNotFound) {
				s.urls.Delete(name) // it may come back under another URL
			}
			return fmt.Errorf("sqsqueue: %s %s: %w", op, name, known)
		}
	}
	return fmt.Errorf("sqsqueue: %s %s: %w", op, name, err)
}

// sentinel maps an error code, in either protocol's spelling, or returns nil.
func sentinel(code, message string) error {
	code = strings.TrimPrefix(code, "AWS.SimpleQueueService.")
	switch code {
	case "ReceiptHandleIsInvalid", "InvalidParameterValue", "InvalidParameterValueException", "UnsupportedOperation":
		// One code for many things; the texts are those of the service.
		for _, t := range texts {
			if strings.Contains(message, t.part) {
				return t.is
			}
		}
	}
	return codes[code]
}

var codes = map[string]error{
	"NonExistentQueue":       driver.ErrQueueNotFound,
	"QueueDoesNotExist":      driver.ErrQueueNotFound,
	"QueueAlreadyExists":     driver.ErrQueueExists,
	"QueueNameExists":        driver.ErrQueueExists,
	"QueueDeletedRecently":   driver.ErrQueueDeletedRecently,
	"ReceiptHandleIsInvalid": driver.ErrReceiptInvalid,
	"MessageNotInflight":     driver.ErrNotInFlight,
	"OverLimit":              driver.ErrOverLimit,
	"PurgeQueueInProgress":   driver.ErrPurgeInProgress,
	"UnsupportedOperation":   driver.ErrUnsupported,
}

// texts tell apart what has one code. A receipt that has expired has another
// code in a batch than by itself.
var texts = []struct {
	part string
	is   error
}{
	{"Message must be shorter", driver.ErrTooLarge},
	{"not available for visibility timeout change", driver.ErrNotInFlight},
	{"beyond the limit [43200 seconds]", driver.ErrVisibilityTooLong},
	{"The receipt handle has expired", driver.ErrReceiptExpired},
	{"ContentBasedDeduplication enabled or MessageDeduplicationId provided", driver.ErrNoDedupID},
	{"already a task running", driver.ErrMoveActive},
	{"message move tasks run", driver.ErrMoveActive},
}
