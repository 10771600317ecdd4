package s3records

import (
	"context"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/dayfly-dev/dayfly/internal/awsclient"
)

// FromURL returns the options that an address says:
//
//	s3://bucket/prefix?region=eu-central-1&endpoint=https://s3.example.com
//
// All but the bucket may be left out. What is left out, and the credentials, are
// the AWS SDK's own configuration: AWS_REGION, AWS_ENDPOINT_URL, AWS_PROFILE,
// files, the machine's role. At another endpoint than Amazon's, buckets are named
// in the path. It sends no request.
func FromURL(ctx context.Context, u *url.URL) (Options, error) {
	a, err := awsclient.Form{Package: "s3records", Scheme: "s3", Place: "bucket"}.Read(ctx, u)
	if err != nil {
		return Options{}, err
	}
	if err := checkPrefix(a.Prefix); err != nil {
		return Options{}, err
	}
	client := s3.NewFromConfig(a.Config, func(o *s3.Options) { o.UsePathStyle = o.BaseEndpoint != nil })
	return Options{Bucket: a.Place, Prefix: a.Prefix, Client: client}, nil
}
