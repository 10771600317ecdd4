// Package awsclient is what our clients of AWS's services have in common: bodies
// of requests that do not end the connection under the reply, and the addresses
// of places at a service.
package awsclient

import (
	"context"
	"fmt"
	"io"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Body is a request's body without the method WriteTo. With it, smithy-go
// 1.28.8 tells net/http of an error (io.EOF out of WriteTo) when a reply comes
// before net/http is quite done with the request, and net/http then closes the
// connection under the reply: what the service did then looks as if nobody knew.
// Seen once in about 200 replies of 1 MiB on a busy machine, and in small ones on
// one that is busier (aws-sdk-go-v2#1825, #2737).
type Body struct{ io.ReadSeeker }

// SteadyBody makes all requests of a client have such bodies; it is one of the
// client's APIOptions.
func SteadyBody(stack *middleware.Stack) error {
	return stack.Serialize.Add(middleware.SerializeMiddlewareFunc("dayfly.steady", steady), middleware.After)
}

func steady(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (middleware.SerializeOutput, middleware.Metadata, error) {
	r, ok := in.Request.(*smithyhttp.Request)
	if !ok {
		return middleware.SerializeOutput{}, middleware.Metadata{}, fmt.Errorf("awsclient: the SDK made a request of type %T", in.Request)
	}
	if body, ok := r.GetStream().(io.ReadSeeker); ok {
		changed, err := r.SetStream(Body{body})
		if err != nil {
			return middleware.SerializeOutput{}, middleware.Metadata{}, err
		}
		*r = *changed
	}
	return next.HandleSerialize(ctx, in)
}
