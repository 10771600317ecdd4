// Package blob opens buckets of objects for applications: gocloud.dev/blob is
// the API, S3 the protocol. The same program talks to the store that `dayfly up`
// embeds and to Amazon S3; what differs is the environment.
package blob

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"
)

// Options change how Open reaches the store. Nil means the defaults.
type Options struct {
	// Client is the S3 client to use. Default: one made from the AWS SDK's own
	// configuration (AWS_ENDPOINT_URL or AWS_ENDPOINT_URL_S3, AWS_REGION,
	// credentials from the environment, files or the machine's role).
	Client *s3.Client
}

// Open returns the bucket of that name, which must exist already. It sends no
// request. The caller closes the bucket.
//
// Control characters and "../" in a key are escaped in the key that the store
// sees, as gocloud.dev/blob/s3blob does. Amazon S3 takes every other key; what the
// embedded store refuses is in doc/objects.md.
// To write only where nothing is yet, set gocloud.dev's WriterOptions.IfNotExist.
func Open(ctx context.Context, bucket string, opts *Options) (*blob.Bucket, error) {
	if bucket == "" {
		return nil, errors.New("blob: the bucket's name is empty (is BUCKET_<NAME> set?)")
	}
	var client *s3.Client
	if opts != nil {
		client = opts.Client
	}
	if client == nil {
		var err error
		if client, err = Client(ctx); err != nil {
			return nil, err
		}
	}
	b, err := s3blob.OpenBucket(ctx, client, bucket, nil)
	if err != nil {
		return nil, fmt.Errorf("blob: open bucket %q: %w", bucket, err)
	}
	return b, nil
}

// Client returns an S3 client made from the AWS SDK's own configuration, as Open
// makes it.
func Client(ctx context.Context) (*s3.Client, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("blob: AWS configuration: %w", err)
	}
	// A bucket's name in the host would need a DNS entry at any endpoint
	// that is not Amazon's own; the path always works.
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = o.BaseEndpoint != nil }), nil
}
