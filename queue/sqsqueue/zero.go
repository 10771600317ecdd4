package sqsqueue

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/dayfly-dev/dayfly/internal/awsclient"
)

// The SDK leaves zeros out of a request, and SQS then takes the queue's own
// delay, visibility or wait. Where the caller means zero it is written into the
// request's JSON between its making and its signing.

// withZero puts `"member":0` at the beginning of each object that begins with
// an anchor. An anchor holds quotes that are not escaped, so it is not found
// inside of a string.
func withZero(member string, anchors ...string) func(*sqs.Options) {
	patch := func(body []byte) []byte {
		for _, a := range anchors {
			body = bytes.Replace(body, []byte(a), []byte(`{"`+member+`":0,`+a[1:]), 1)
		}
		return body
	}
	return func(o *sqs.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Serialize.Add(middleware.SerializeMiddlewareFunc("dayfly.zero."+member,
				func(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (middleware.SerializeOutput, middleware.Metadata, error) {
					if err := rewrite(in.Request, patch); err != nil {
						return middleware.SerializeOutput{}, middleware.Metadata{}, err
					}
					return next.HandleSerialize(ctx, in)
				}), middleware.After)
		})
	}
}

func rewrite(request any, patch func([]byte) []byte) error {
	r, ok := request.(*smithyhttp.Request)
	if !ok {
		return fmt.Errorf("sqsqueue: the SDK made a request of type %T", request)
	}
	body, err := io.ReadAll(r.GetStream())
	if err != nil {
		return err
	}
	changed, err := r.SetStream(awsclient.Body{ReadSeeker: bytes.NewReader(patch(body))})
	if err != nil {
		return err
	}
	*r = *changed
	return nil
}
