// Package payload keeps the arguments of tasks that are too large for a
// message: they are stored as an object first, and the message carries a
// reference to it, its SHA-256 and its size (doc/formats/task-message.md; the
// pattern is Hohpe and Woolf's claim check, the attribute that of CloudEvents).
//
// What Put has stored is as durable as the bucket makes it (the embedded one:
// synced before Put returns), and is kept for Retention, counted from when its
// task is due. An object is deleted once, by the worker that ran its task and
// whose message is gone; what is left over, as after a crash, Sweep or a
// lifecycle rule deletes by its date.
//
// A reference comes from outside. It is followed only into the store's own
// bucket, below its prefix, to keys of its own form, and what it leads to
// counts only with the size and the sum it says.
package payload

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	gocloud "gocloud.dev/blob"

	"github.com/dayfly-dev/dayfly/blob"
)

const (
	// Retention is how long a payload is kept after its task was due. SQS
	// keeps a message for 14 days at most, and a dead letter for another 14;
	// one that is redriven then has as much again: 56 days, and some to spare.
	Retention = 60 * 24 * time.Hour
	// MaxDelay is how far ahead a task with a payload may be due.
	MaxDelay = 366 * 24 * time.Hour

	// DefaultMaxSize is the largest payload in bytes, unless Options say else.
	DefaultMaxSize = 32 << 20

	maxMaxSize     = 1 << 30
	defaultTimeout = 2 * time.Minute
	maxURL         = 512 // bytes of a store's address
)

// Options of a Store. Nil means the defaults.
type Options struct {
	// MaxSize is the largest payload in bytes that is stored or read, 1 to
	// 1 GiB; default 32 MiB. A worker holds one in memory for each task it
	// runs, and what it is decoded to.
	MaxSize int64
	// Timeout bounds one object's transfer, so that a store that hangs does
	// not keep a worker's slot; default 2 minutes, at least 1 ms.
	Timeout time.Duration
}

func (o *Options) normalised() (Options, error) {
	var n Options
	if o != nil {
		n = *o
	}
	if n.MaxSize == 0 {
		n.MaxSize = DefaultMaxSize
	}
	if n.Timeout == 0 {
		n.Timeout = defaultTimeout
	}
	if n.MaxSize < 1 || n.MaxSize > maxMaxSize {
		return n, fmt.Errorf("payload: Options.MaxSize is %d, not 1 to %d bytes", n.MaxSize, maxMaxSize)
	}
	if n.Timeout < time.Millisecond {
		return n, fmt.Errorf("payload: Options.Timeout is %v, not at least 1 ms", n.Timeout)
	}
	return n, nil
}

// Store is a place in one bucket. It may be used by any number of goroutines.
type Store struct {
	bucket *gocloud.Bucket
	owned  bool   // to be closed by Close
	base   string // what references begin with, to the slash: "s3://shop-payloads/x/"
	prefix string // what keys begin with: "x/" or ""
	o      Options
}

// Open opens the store at an address as PAYLOADS_URL has it,
// s3://BUCKET or s3://BUCKET/PREFIX. The S3 client is made from the AWS SDK's
// own configuration, as blob.Open does. It sends no request.
func Open(ctx context.Context, address string, o *Options) (*Store, error) {
	s, name, err := parse(address, o)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(address, "s3://") {
		return nil, fmt.Errorf("payload: %q does not begin with s3://; use New for a bucket of another kind", address)
	}
	if s.bucket, err = blob.Open(ctx, name, nil); err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	s.owned = true
	return s, nil
}

// New makes a store of a bucket that the caller opened and will close. address
// is what its references begin with: every program that shares the bucket has
// to give the same one.
func New(bucket *gocloud.Bucket, address string, o *Options) (*Store, error) {
	if bucket == nil {
		return nil, errors.New("payload: no bucket")
	}
	s, _, err := parse(address, o)
	if err != nil {
		return nil, err
	}
	s.bucket = bucket
	return s, nil
}

var (
	schemeForm  = regexp.MustCompile(`^[a-z][a-z0-9+-]*$`)
	elementForm = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]*$`)
)

// parse takes an address of the form scheme://bucket[/prefix].
func parse(address string, o *Options) (s *Store, bucket string, err error) {
	refuse := func(why string) (*Store, string, error) {
		return nil, "", fmt.Errorf("payload: the store's address %.80q %s: it is s3://BUCKET or s3://BUCKET/PREFIX (is PAYLOADS_URL set?)", address, why)
	}
	options, err := o.normalised()
	if err != nil {
		return nil, "", err
	}
	if len(address) > maxURL {
		return refuse("is too long")
	}
	u, err := url.Parse(address)
	if err != nil || !schemeForm.MatchString(u.Scheme) || u.User != nil || strings.ContainsAny(address, "?#%") {
		return refuse("is none")
	}
	path := strings.Trim(u.Path, "/")
	elements := []string{u.Host}
	if path != "" {
		elements = append(elements, strings.Split(path, "/")...)
	}
	for _, e := range elements {
		if !elementForm.MatchString(e) {
			return refuse(fmt.Sprintf("has the part %.40q", e))
		}
	}
	s = &Store{base: u.Scheme + "://" + strings.Join(elements, "/") + "/", o: options}
	if path != "" {
		s.prefix = path + "/"
	}
	return s, u.Host, nil
}

// BucketOf is the name of the bucket in an address, for those who open it
// themselves.
func BucketOf(address string) (string, error) {
	_, name, err := parse(address, nil)
	return name, err
}

// URL is the store's address, without a slash at its end.
func (s *Store) URL() string { return strings.TrimSuffix(s.base, "/") }

// Close closes the bucket if Open opened it.
func (s *Store) Close() error {
	if !s.owned {
		return nil
	}
	return s.bucket.Close()
}
