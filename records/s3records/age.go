package s3records

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
)

// An object that tells of a record is written before it, and whoever finds one
// that nothing stands behind may have come in between. It is removed only when it
// is older than settled, and a record is not written later than that after it:
//
//   - The request is made within lateness after the objects were begun, else it is
//     not sent. This is looked at when it has been signed, so that a process that
//     is stopped just then for hours sends one that is signed of hours ago.
//   - S3 refuses a request whose signature is 15 minutes from its clock.
//
// The age is that of the service's clock, which made both times.
const (
	lateness = 10 * time.Minute
	settled  = time.Hour
)

// within is the first of these rules, for one request.
func within(begun time.Time) func(*s3.Options) {
	check := middleware.FinalizeMiddlewareFunc("WrittenInTime", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
		// By both clocks, as one stands still while a machine sleeps and the other
		// may be set.
		now := time.Now()
		if late := max(now.Sub(begun), now.Round(0).Sub(begun.Round(0))); late > lateness {
			return middleware.FinalizeOutput{}, middleware.Metadata{}, fmt.Errorf("the process was held up for %s and the record not written: try again", late.Round(time.Second))
		}
		return next.HandleFinalize(ctx, in)
	})
	return func(o *s3.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error { return stack.Finalize.Insert(check, "Signing", middleware.After) })
	}
}
