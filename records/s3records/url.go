package s3records

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
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
	bad := func(why string) (Options, error) {
		return Options{}, errors.New("s3records: the address " + why + "; it is s3://BUCKET/PREFIX?region=REGION")
	}
	if u.Scheme != "s3" || u.Host == "" || u.Opaque != "" {
		return bad("names no bucket")
	}
	if u.User != nil || u.Port() != "" || u.Fragment != "" {
		return bad("has more than a bucket, a prefix and parameters")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return bad("has a query that cannot be read")
	}
	var with []func(*config.LoadOptions) error
	for name, values := range query {
		if len(values) != 1 || values[0] == "" {
			return bad("has the parameter " + name + " empty, or more than once")
		}
		switch name {
		case "region":
			with = append(with, config.WithRegion(values[0]))
		case "endpoint":
			if e, err := url.Parse(values[0]); err != nil || e.Scheme != "http" && e.Scheme != "https" || e.Host == "" {
				return bad("has an endpoint that is no http or https address")
			}
			with = append(with, config.WithBaseEndpoint(values[0]))
		default:
			return bad("has the parameter " + name + ", which is not known")
		}
	}
	opts := Options{Bucket: u.Host, Prefix: strings.Trim(u.Path, "/")}
	if err := checkPrefix(opts.Prefix); err != nil {
		return Options{}, err
	}
	cfg, err := config.LoadDefaultConfig(ctx, with...)
	if err != nil {
		return Options{}, fmt.Errorf("s3records: AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		return Options{}, errors.New("s3records: no region: set AWS_REGION, or add ?region=REGION to the address")
	}
	opts.Client = s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = o.BaseEndpoint != nil })
	return opts, nil
}
