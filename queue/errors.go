package queue

import (
	"fmt"
	"strings"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// Errors that depend on state; test with errors.Is. They are the driver's own
// values, so it does not matter through which package a caller names them.
var (
	ErrQueueNotFound        = driver.ErrQueueNotFound        // there is no queue of that name
	ErrQueueExists          = driver.ErrQueueExists          // it exists with other attributes
	ErrReceiptInvalid       = driver.ErrReceiptInvalid       // the receipt was never issued by this queue
	ErrNotInFlight          = driver.ErrNotInFlight          // the message is not in flight under this receipt
	ErrVisibilityTooLong    = driver.ErrVisibilityTooLong    // it would end more than 12 hours after the receive
	ErrOverLimit            = driver.ErrOverLimit            // too many messages in flight
	ErrReceiptExpired       = driver.ErrReceiptExpired       // FIFO: its visibility is over
	ErrQueueDeletedRecently = driver.ErrQueueDeletedRecently // a queue of that name was deleted less than 60 s ago
	ErrNoDedupID            = driver.ErrNoDedupID            // FIFO without ContentDedup: the message needs a DedupID
	ErrMoveNotFound         = driver.ErrMoveNotFound         // no such move, or it is over
	ErrMoveActive           = driver.ErrMoveActive           // the queue is being moved already, or too many are
	ErrPurgeInProgress      = driver.ErrPurgeInProgress      // purged less than 60 s ago
	ErrTooLarge             = driver.ErrTooLarge             // the message is larger than the queue takes
	ErrMessageNotFound      = driver.ErrMessageNotFound      // no message of that id
	ErrNotWaiting           = driver.ErrNotWaiting           // the message is visible, or somebody may be at work on it
	ErrUnsupported          = driver.ErrUnsupported          // the driver has no such feature
	ErrFull                 = driver.ErrFull                 // no room on disk
	ErrClosed               = driver.ErrClosed               // closed, or refusing after a failed sync
)

// InvalidError is an argument outside what SQS takes. The operation was not
// tried.
type InvalidError struct {
	Field  string // as the Go type names it, e.g. "Attributes[priority].DataType"
	Value  string // what was given, shortened
	Reason string // what it must be
}

func (e *InvalidError) Error() string {
	return fmt.Sprintf("queue: %s %q %s", e.Field, e.Value, e.Reason)
}

// invalid makes an InvalidError; the value is shown up to 64 bytes, since it
// may be a whole body.
func invalid(field string, value any, reason string) *InvalidError {
	v := fmt.Sprint(value)
	if len(v) > 64 {
		v = strings.ToValidUTF8(v[:64], "") + "…"
	}
	return &InvalidError{Field: field, Value: v, Reason: reason}
}
