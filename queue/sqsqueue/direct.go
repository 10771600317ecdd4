package sqsqueue

import (
	"context"
	"net"
	"net/url"
	"reflect"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go/metrics"
	"github.com/aws/smithy-go/tracing"
)

// direct speaks to an endpoint on this machine with less work than the SDK:
// there the SDK's 100 to 200 µs of processor time a request are most of what a
// message costs. It does one thing only, requests that succeed. Whatever else
// comes of one, an error, a reply it does not understand, a broken connection,
// it reports that it did not do it, and the SDK does it again with its retries
// and its errors, as it would after a first attempt of its own.
type direct struct {
	conns       pool
	host        string
	region      string
	credentials aws.CredentialsProvider
	key         signingKey
	entries     atomic.Int32 // that a request may have, as the last reply said; 0: it did not
}

// newDirect returns nil where the SDK does everything: the endpoint is not
// plain HTTP on a loopback address, or its client was given something that
// wants to see the requests.
func newDirect(o sqs.Options) *direct {
	host, ok := loopback(aws.ToString(o.BaseEndpoint))
	if !ok || o.Region == "" || o.Credentials == nil || watched(o) {
		return nil
	}
	if _, anonymous := o.Credentials.(aws.AnonymousCredentials); anonymous {
		return nil
	}
	return &direct{conns: pool{host: host}, host: host, region: o.Region, credentials: o.Credentials}
}

// loopback returns host and port of an endpoint on this machine.
func loopback(endpoint string) (string, bool) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Path != "" && u.Path != "/" || u.Port() == "" {
		return "", false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Host, ip != nil && ip.IsLoopback()
}

// watched reports whether a client has anything beside what it has by default
// that takes part in a request.
func watched(o sqs.Options) bool {
	if _, ordinary := o.HTTPClient.(*awshttp.BuildableClient); !ordinary {
		return true
	}
	if _, none := o.TracerProvider.(*tracing.NopTracerProvider); !none {
		return true
	}
	if _, none := o.MeterProvider.(metrics.NopMeterProvider); !none {
		return true
	}
	if o.EndpointResolver != nil { //nolint:staticcheck // deprecated, and heeded by the SDK
		return true
	}
	if reflect.TypeOf(o.EndpointResolverV2) != reflect.TypeOf(sqs.NewDefaultEndpointResolverV2()) {
		return true
	}
	interceptors := reflect.ValueOf(o.Interceptors)
	for i := range interceptors.NumField() {
		if interceptors.Field(i).Len() > 0 {
			return true
		}
	}
	return len(o.APIOptions) > 0 || o.ClientLogMode != 0
}

// do makes one request and has its reply decoded, which may keep none of the
// bytes; false if it did not succeed.
func (d *direct) do(ctx context.Context, operation string, body []byte, decode func([]byte) bool) bool {
	if ctx.Err() != nil {
		return false
	}
	keys, err := d.credentials.Retrieve(ctx)
	if err != nil {
		return false
	}
	c, err := d.conns.get(ctx)
	if err != nil {
		return false
	}
	c.out = d.appendRequest(c.out[:0], operation, body, &keys)
	c.entries = 0
	text, ok := c.exchange(ctx)
	if !ok {
		c.entries = 0 // the next may be for another endpoint
	}
	if d.entries.Load() != c.entries {
		d.entries.Store(c.entries)
	}
	if ok {
		ok = decode(text)
	}
	if c.whole {
		d.conns.put(c)
	} else {
		c.close()
	}
	return ok
}

// batchSize is how many entries a request may have: ten, and more of an endpoint
// of dayfly, which says so in a header of its own (doc/queue.md).
func (d *direct) batchSize() int {
	if d == nil {
		return maxBatch
	}
	return max(maxBatch, int(d.entries.Load()))
}

func (d *direct) close() {
	if d != nil {
		d.conns.close()
	}
}
