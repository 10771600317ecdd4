package schedule

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// ErrNoRecord: the tick store has no record of that key.
var ErrNoRecord = errors.New("schedule: no such record")

// Ticks is the store in which processes agree who fires a tick. Its one
// demand is that of two Creates of a key, by whatever processes, exactly one
// returns true, and that what Create made true survives the machine, as far as
// the processes that share the store do.
//
// Keys are parts of [A-Za-z0-9_.:-] separated by /. Methods may be called from
// any number of goroutines.
type Ticks interface {
	// Create stores a record unless there is one of that key. After an error
	// it may or may not be stored.
	Create(ctx context.Context, key string, body []byte) (created bool, err error)
	// Read returns a record, or ErrNoRecord.
	Read(ctx context.Context, key string) ([]byte, error)
	// Delete removes a record; none is no error.
	Delete(ctx context.Context, key string) error
	// List returns the keys that begin with prefix and are not less than
	// from, ascending, at most max.
	List(ctx context.Context, prefix, from string, max int) ([]string, error)
}

const maxRecord = 4 << 10 // bytes; what we write is some 200

// BucketTicks keeps ticks in a bucket whose conditional writes hold between
// processes: S3 (If-None-Match), Google Cloud Storage, Azure. Not for
// gocloud.dev's fileblob, which looks whether the file is there and then
// renames over it, each writer under a lock of its own (as of 0.47): of two
// processes both may succeed. For a folder there is FolderTicks.
//
// The bucket stays the caller's to close.
func BucketTicks(b *blob.Bucket) Ticks { return bucketTicks{b} }

type bucketTicks struct{ b *blob.Bucket }

func (t bucketTicks) Create(ctx context.Context, key string, body []byte) (bool, error) {
	err := t.b.WriteAll(ctx, key, body, &blob.WriterOptions{IfNotExist: true, ContentType: "application/json"})
	switch {
	case err == nil:
		return true, nil
	case gcerrors.Code(err) != gcerrors.FailedPrecondition:
		return false, fmt.Errorf("schedule: create %s: %w", key, err)
	}
	// The client repeats a request whose answer was lost, and the repetition
	// finds the record of the first: bodies say whose it is.
	have, err := t.Read(ctx, key)
	return err == nil && bytes.Equal(have, body), err
}

func (t bucketTicks) Read(ctx context.Context, key string) ([]byte, error) {
	r, err := t.b.NewReader(ctx, key, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, fmt.Errorf("%w: %s", ErrNoRecord, key)
	}
	if err != nil {
		return nil, fmt.Errorf("schedule: read %s: %w", key, err)
	}
	body, err := io.ReadAll(io.LimitReader(r, maxRecord))
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("schedule: read %s: %w", key, err)
	}
	return body, nil
}

func (t bucketTicks) Delete(ctx context.Context, key string) error {
	if err := t.b.Delete(ctx, key); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return fmt.Errorf("schedule: delete %s: %w", key, err)
	}
	return nil
}

func (t bucketTicks) List(ctx context.Context, prefix, from string, max int) ([]string, error) {
	var keys []string
	it := t.b.List(&blob.ListOptions{Prefix: prefix})
	for len(keys) < max {
		o, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("schedule: list %s: %w", prefix, err)
		}
		if o.Key >= from {
			keys = append(keys, o.Key)
		}
	}
	return keys, nil
}
