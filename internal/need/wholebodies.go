package need

import (
	"bytes"
	"io"
	"net/http"
)

// WholeBodies is an HTTP client for SDKs of AWS that try once. It hands requests
// to net/http with their body in memory. As the SDK makes them (smithy-go 1.28),
// it closes the body as soon as an answer begins, while net/http, where the
// server was fast, may not have finished with it; then net/http closes the
// connection, and a longer answer ends in the middle ("use of closed network
// connection", aws-sdk-go-v2 issue 2737). The SDK tries again, which some tests
// must not: a publish is to be one publish.
type WholeBodies struct{ *http.Client }

// Do sends the request.
func (c WholeBodies) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(b))
	}
	return c.Client.Do(r)
}
