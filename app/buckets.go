package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	gocloud "gocloud.dev/blob"

	"github.com/dayfly-dev/dayfly/blob"
	"github.com/dayfly-dev/dayfly/blob/s3server"
	"github.com/dayfly-dev/dayfly/dash"
)

// buckets opens the application's buckets; it is the dashboard's Buckets.
type buckets struct {
	app    *App
	server *s3server.Server // nil when not embedded
	client *s3.Client

	mu   sync.Mutex
	open map[string]*gocloud.Bucket
}

// startBuckets makes the manifest's buckets and proves that the store works.
func (a *App) startBuckets(ctx context.Context) error {
	if a.buckets == nil {
		a.buckets = &buckets{app: a}
	}
	b := a.buckets
	b.open = map[string]*gocloud.Bucket{}
	if err := b.connect(ctx); err != nil {
		return err
	}
	a.onStop("buckets", func(context.Context) error { return b.close() })
	if b.server != nil {
		if err := b.server.Prove(ctx); err != nil {
			return err
		}
	}
	for _, name := range sortedKeys(a.manifest.Bucket) {
		if err := b.make(ctx, name); err != nil {
			return err
		}
		bucket, key := b.name(name), "BUCKET_"+envName(name)
		a.variables.set(key, bucket)
		a.variables.set(key+"_URL", b.url(name))
	}
	return nil
}

func (b *buckets) connect(ctx context.Context) error {
	a := b.app
	// Nothing of the shell's AWS configuration is read for the embedded store.
	cfg := aws.Config{Region: region, Credentials: credentials.NewStaticCredentialsProvider(a.keys.AccessKey, a.keys.SecretKey, "")}
	if a.external.AWS {
		var err error
		if cfg, err = config.LoadDefaultConfig(ctx); err != nil {
			return fmt.Errorf("AWS configuration: %w", err)
		}
	}
	endpoint := a.variables.get("AWS_ENDPOINT_URL")
	b.client = s3.NewFromConfig(cfg, func(o *s3.Options) {
		if endpoint != "" {
			o.BaseEndpoint, o.UsePathStyle = aws.String(endpoint), true
		}
	})
	return nil
}

func (b *buckets) make(ctx context.Context, name string) error {
	m := b.app.manifest.Bucket[name]
	if b.server != nil {
		return b.server.MakeBucket(ctx, name, s3server.BucketOptions{Public: m.Public, AllowOrigins: m.Origins})
	}
	return b.makeElsewhere(ctx, b.name(name))
}

// makeElsewhere makes a bucket that is missing on S3; who may read it is the
// deployment's to decide.
func (b *buckets) makeElsewhere(ctx context.Context, bucket string) error {
	input := &s3.CreateBucketInput{Bucket: &bucket}
	if r := b.client.Options().Region; r != "us-east-1" {
		input.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(r)}
	}
	_, err := b.client.CreateBucket(ctx, input)
	var mine *types.BucketAlreadyOwnedByYou
	if err != nil && !errors.As(err, &mine) {
		return fmt.Errorf("bucket %s: %w", bucket, err)
	}
	return nil
}

// system opens the bucket in which the dayfly processes of an application agree
// with each other, where the stores are shared.
func (b *buckets) system(ctx context.Context) (*gocloud.Bucket, error) {
	name := b.app.external.bucket(b.app.manifest, "dayfly")
	if err := b.makeElsewhere(ctx, name); err != nil {
		return nil, err
	}
	bucket, err := blob.Open(ctx, name, &blob.Options{Client: b.client})
	if err != nil {
		return nil, err
	}
	b.app.onStop("bucket "+name, func(context.Context) error { return bucket.Close() })
	return bucket, nil
}

func (b *buckets) name(name string) string {
	if b.server != nil {
		return name
	}
	return b.app.external.bucket(b.app.manifest, name)
}

// url is where browsers load a bucket's objects.
func (b *buckets) url(name string) string {
	if v := b.app.external.env["BUCKET_"+envName(name)+"_URL"]; b.server == nil && v != "" {
		return strings.TrimSuffix(v, "/")
	}
	if endpoint := b.app.variables.get("AWS_ENDPOINT_URL"); endpoint != "" {
		return endpoint + "/" + b.name(name)
	}
	return "https://" + b.name(name) + ".s3." + b.client.Options().Region + ".amazonaws.com"
}

// Buckets lists the manifest's buckets.
func (b *buckets) Buckets(context.Context) ([]dash.Bucket, error) {
	var all []dash.Bucket
	for _, name := range sortedKeys(b.app.manifest.Bucket) {
		all = append(all, dash.Bucket{Name: name, Public: b.app.manifest.Bucket[name].Public, URL: b.url(name)})
	}
	return all, nil
}

// Bucket opens one of the manifest's buckets; it stays open until Stop.
func (b *buckets) Bucket(ctx context.Context, name string) (*gocloud.Bucket, error) {
	if b.app.manifest.Bucket[name] == nil {
		return nil, fmt.Errorf("bucket %q: %w", name, dash.ErrNotFound)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if open := b.open[name]; open != nil {
		return open, nil
	}
	open, err := blob.Open(ctx, b.name(name), &blob.Options{Client: b.client})
	if err != nil {
		return nil, err
	}
	b.open[name] = open
	return open, nil
}

func (b *buckets) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	for _, open := range b.open {
		errs = append(errs, open.Close())
	}
	b.open = nil
	return errors.Join(errs...)
}
