package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/dayfly-dev/dayfly/app/manifest"
	"github.com/dayfly-dev/dayfly/blob"
	"github.com/dayfly-dev/dayfly/blob/s3server"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/payload"
)

const (
	sweepEvery   = 24 * time.Hour
	sweepTimeout = 10 * time.Minute
	sweepLimit   = 100_000        // objects of one sweep; the next day's takes the rest
	letterRoom   = 16 << 10       // bytes that a dead letter's reason and stack take at most
	uploadLife   = 24 * time.Hour // of an upload in parts, which a crash may leave unfinished
)

// startPayloads opens the bucket for arguments of tasks that are too large for a
// message, tells the processes of it, and keeps it swept.
func (a *App) startPayloads(ctx context.Context) error {
	if len(a.manifest.Queue) == 0 {
		return nil
	}
	if address := a.environ["PAYLOADS_URL"]; a.external.AWS && address != "" {
		return a.openPayloads(ctx, address) // whose it is to sweep is the deployment's affair
	}
	name := manifest.PayloadsBucket
	if a.external.AWS {
		name = a.external.bucket(a.manifest, name)
		if err := a.buckets.makeElsewhere(ctx, name); err != nil {
			return fmt.Errorf("%w\nmake it, or name one that there is: PAYLOADS_URL=s3://BUCKET", err)
		}
	} else if err := a.buckets.server.MakeBucket(ctx, name, s3server.BucketOptions{}); err != nil {
		return err
	}
	if err := a.openPayloads(ctx, "s3://"+name); err != nil {
		return err
	}
	run, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a.keepSwept(run, name)
	}()
	a.onStop("payload sweep", func(context.Context) error { cancel(); <-ended; return nil })
	return nil
}

func (a *App) openPayloads(ctx context.Context, address string) error {
	name, err := payload.BucketOf(address)
	if err != nil {
		return err
	}
	bucket, err := blob.Open(ctx, name, &blob.Options{Client: a.buckets.client})
	if err != nil {
		return err
	}
	a.onStop("payloads", func(context.Context) error { return bucket.Close() })
	if a.payloads, err = payload.New(bucket, address, nil); err != nil {
		return err
	}
	a.variables.set("PAYLOADS_URL", a.payloads.URL())
	return nil
}

// enqueuing is how dayfly itself puts tasks into queues. The embedded queue takes
// 1 MiB, and what fits into that is sent whole, for workers that know nothing of
// payloads; of a queue on SQS one does not know.
func (a *App) enqueuing() *task.ClientOptions {
	o := &task.ClientOptions{Payloads: a.payloads}
	if !a.external.AWS {
		o.Threshold = task.MaxMessage - letterRoom
	}
	return o
}

// keepSwept deletes payloads that nothing refers to any more, now and once a
// day. On S3 a lifecycle rule may do the same, whichever comes first.
func (a *App) keepSwept(ctx context.Context, bucket string) {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		a.sweepPayloads(ctx, bucket, time.Now())
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

func (a *App) sweepPayloads(ctx context.Context, bucket string, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	n, err := a.payloads.Sweep(ctx, now, sweepLimit)
	if n > 0 {
		a.log.Info("swept arguments of tasks that are long over", "objects", n)
	}
	aborted, errAbort := a.abortUploads(ctx, bucket, now.Add(-uploadLife))
	if aborted > 0 {
		a.log.Info("ended uploads of arguments that were never finished", "uploads", aborted)
	}
	if err = errors.Join(err, errAbort); err != nil && !errors.Is(err, context.Canceled) {
		a.log.Warn("cannot sweep the arguments of tasks that are over; tried again in a day", "error", err)
	}
}

// abortUploads ends uploads in parts that began before a time, at most as many
// as one listing has.
func (a *App) abortUploads(ctx context.Context, bucket string, before time.Time) (n int, err error) {
	list, err := a.buckets.client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &bucket})
	if err != nil {
		return 0, fmt.Errorf("uploads of bucket %s: %w", bucket, err)
	}
	for _, u := range list.Uploads {
		if u.Initiated == nil || !u.Initiated.Before(before) {
			continue
		}
		_, err := a.buckets.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &bucket, Key: u.Key, UploadId: u.UploadId})
		if err != nil {
			return n, fmt.Errorf("end the upload of %s: %w", *u.Key, err)
		}
		n++
	}
	return n, nil
}
