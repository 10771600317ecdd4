// Package s3records keeps records as objects of an S3 bucket, under a prefix, by
// conditional requests: If-None-Match: * makes a record, If-Match with the ETag
// of what was read writes or deletes one. S3 decides and writes in one step and
// reads are strongly consistent, so that a bucket alone is enough to agree.
//
// An object's body has a random name of the write in it, so that no two bodies,
// and no two ETags, are equal. Objects beside the records say which records have
// a mark (List) and when they expire (Sweep); they are written before the record
// they tell of, checked against it by who reads them, and removed when nothing
// stands behind them. doc/formats/records-s3.md has all names and bodies.
//
// A Put is one request; two or three, of which the first two run together, where
// the mark is new or the expiry has moved by hours. A Get is one; a List is one,
// and one for each record. None of a write's requests is repeated but one that
// was refused before it did anything.
//
// Amazon S3's general purpose buckets qualify, and the store that dayfly embeds.
// Open tries the conditions out, and fails on a service that takes them and does
// not look.
package s3records

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/dayfly-dev/dayfly/internal/awsclient"
	"github.com/dayfly-dev/dayfly/records/driver"
)

// Options say where the records are.
type Options struct {
	// Client reaches the service. Required. Of its retries only those of reads
	// are used.
	Client *s3.Client
	// Bucket is the bucket's name; it must exist. Required. Its own lifecycle
	// rules must leave what is under Prefix alone.
	Bucket string
	// Prefix is what the names of all objects begin with, up to 512 bytes of
	// letters, digits and !_.*'()- in parts divided by "/". Stores of different
	// prefixes know nothing of each other. Default: the bucket is for records
	// alone.
	Prefix string
}

// patience is how long one call may take where its context sets no end.
const patience = time.Minute

// Store implements driver.Store.
type Store struct {
	reads  *s3.Client // tries again, as the client given does
	writes *s3.Client // asks once
	bucket string
	prefix string // ends in "/", or is ""

	mu         sync.Mutex
	closed     bool
	forgetting int
	background sync.WaitGroup
}

var _ driver.Store = (*Store)(nil)

// Open returns the store after it has tried out, with an object of its own, that
// the service honours conditions: six requests. Several stores may be open on the
// same records.
func Open(ctx context.Context, opts Options) (*Store, error) {
	if opts.Client == nil || opts.Bucket == "" {
		return nil, errors.New("s3records: Options.Client and Options.Bucket are both needed")
	}
	prefix := strings.TrimSuffix(opts.Prefix, "/")
	if err := checkPrefix(prefix); err != nil {
		return nil, err
	}
	if prefix != "" {
		prefix += "/"
	}
	client := s3.New(opts.Client.Options(), func(o *s3.Options) { o.APIOptions = append(o.APIOptions, awsclient.SteadyBody) })
	once := s3.New(client.Options(), func(o *s3.Options) { o.Retryer = aws.NopRetryer{} })
	s := &Store{reads: client, writes: once, bucket: opts.Bucket, prefix: prefix}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := s.probe(ctx); err != nil {
		return nil, fmt.Errorf("s3records: bucket %s: %w", opts.Bucket, err)
	}
	return s, nil
}

const maxPrefix = 512

func checkPrefix(prefix string) error {
	bad := func(why string) error { return fmt.Errorf("s3records: prefix %.100q %s", prefix, why) }
	if len(prefix) > maxPrefix {
		return bad(fmt.Sprintf("is %d bytes long, the most is %d", len(prefix), maxPrefix))
	}
	if prefix == "" {
		return nil
	}
	for part := range strings.SplitSeq(prefix, "/") {
		if part == "" || part == "." || part == ".." {
			return bad(`has a part between slashes that is empty, "." or ".."`)
		}
		if strings.Trim(part, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!_.*'()-") != "" {
			return bad("has other characters than letters, digits and !_.*'()-")
		}
	}
	return nil
}

// begin is what every call begins with.
func (s *Store) begin(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, driver.ErrClosed
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	return ctx, cancel, nil
}

// Close implements driver.Store. It waits for the removal of objects that tell
// of records no more, each for some seconds at most.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.background.Wait()
	return nil
}
