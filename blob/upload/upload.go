// Package upload puts a set of files into a bucket of S3, or of a store that
// speaks its protocol: only what differs from what is there, with the right
// headers, several at once, those that others refer to first.
//
// What differs is told without reading objects: beside them is a record of what
// was put, with the ETag that the bucket answered. An object that is not in the
// record, or that somebody has put anew since, is compared by its ETag where that
// is an MD5, and by its headers. Changed headers under the same content, put by
// somebody else since, are not seen; Options.Force puts everything.
//
// Files come in groups. Nothing of a group is put before all of those before it
// are there, so an upload that ends halfway leaves no reference to what is not
// there. What was put stays, and the same call goes on from there. Two uploads to
// one place at a time are safe; what one has put the other may compare anew.
//
// A request that failed in a way that passes is sent again by the SDK, with
// growing pauses. Memory is in proportion to the number of objects under the
// prefix, and not to their size.
package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	// MaxSize is the size in bytes of the largest file: S3 takes no more in one
	// request.
	MaxSize = 5 << 30

	maxKey   = 1024 // bytes
	attempts = 6    // of one request
)

// Header is what is kept beside an object's content and answered with it. What is
// "" is not answered.
type Header struct {
	ContentType, CacheControl, ContentEncoding, ContentLanguage, ContentDisposition string
	// Redirect is where a website endpoint of S3 leads those who ask for the
	// object: a path with a slash at its front, or an address of http or https.
	Redirect string
}

// A File is one that shall be in the bucket.
type File struct {
	// Key is its name below Options.Prefix.
	Key    string
	Header Header
	// Size in bytes; -1: only Open tells.
	Size int64
	// Sum tells the contents of one key apart: the SHA-256 of the content, or of
	// whatever the content is made from.
	Sum string
	// Open returns the content, each time the same. nil without an error: there
	// shall be no such object after all, and none is put.
	Open func() (io.ReadSeekCloser, error)
}

// Options say where and how files are put.
type Options struct {
	// Bucket is its name. Required.
	Bucket string
	// Prefix is put before each key. A slash is added if it has none at its end.
	// Default none.
	Prefix string
	// Record is the name of the record below the prefix. Default
	// ".dayfly-upload.json".
	Record string
	// Requests is how many are under way at once, 1–256; default 16.
	Requests int
	// Force puts what is there already, too.
	Force bool
	// Dry changes nothing: Put tells what would be put.
	Dry bool
	// Progress, if set, is told of bytes put, of all to be put. One call at a time.
	Progress func(done, total int64)
}

func (o *Options) normalize() error {
	if o.Bucket == "" {
		return errors.New("upload: the bucket has no name")
	}
	if o.Prefix = strings.Trim(o.Prefix, "/"); o.Prefix != "" {
		o.Prefix += "/"
	}
	if o.Record == "" {
		o.Record = ".dayfly-upload.json"
	}
	if o.Requests == 0 {
		o.Requests = 16
	}
	if o.Requests < 1 || o.Requests > 256 {
		return fmt.Errorf("upload: %d requests at once; it must be 1 to 256", o.Requests)
	}
	return nil
}

// A Bucket is one that files are put into. Its methods are called one at a time.
type Bucket struct {
	client *s3.Client
	opt    Options
	there  map[string]object // by key below the prefix
	given  map[string]string // sums of what was to be put, by key

	mu     sync.Mutex
	record Record
	dirty  bool // the record is not the one in the bucket
}

// object is one as the bucket lists it.
type object struct {
	size int64
	etag string
}

// Open lists what is in the bucket under the prefix, and reads the record.
func Open(ctx context.Context, client *s3.Client, o Options) (*Bucket, error) {
	if err := o.normalize(); err != nil {
		return nil, err
	}
	b := &Bucket{client: client, opt: o, there: map[string]object{}, given: map[string]string{}}
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &o.Bucket, Prefix: &b.opt.Prefix})
	for pages.HasMorePages() {
		p, err := pages.NextPage(ctx, patient)
		if err != nil {
			return nil, b.failed("list", "", err)
		}
		for _, x := range p.Contents {
			b.there[strings.TrimPrefix(aws.ToString(x.Key), o.Prefix)] = object{aws.ToInt64(x.Size), aws.ToString(x.ETag)}
		}
	}
	return b, b.readRecord(ctx)
}

// ParseTarget takes s3://BUCKET or s3://BUCKET/FOLDER apart; the prefix ends with a
// slash or is empty.
func ParseTarget(target string) (bucket, prefix string, err error) {
	rest, ok := strings.CutPrefix(target, "s3://")
	bucket, prefix, _ = strings.Cut(rest, "/")
	if !ok || bucket == "" || strings.ContainsAny(rest, "?#") {
		return "", "", fmt.Errorf("%q is not the address of a bucket; write it like s3://my-bucket or s3://my-bucket/folder", target)
	}
	if prefix = strings.Trim(prefix, "/"); prefix != "" && path.Clean("/"+prefix) != "/"+prefix {
		return "", "", fmt.Errorf("%q has a folder that cannot be; write it like s3://my-bucket/folder", target)
	}
	if prefix != "" {
		prefix += "/"
	}
	return bucket, prefix, nil
}

// patient has a request tried more often than the SDK does by itself: one of
// thousands is likely to meet a store that is busy.
func patient(o *s3.Options) { o.Retryer = retry.AddWithMaxAttempts(o.Retryer, attempts) }

// checked reports what is wrong with a file, and whether it was given before.
func (b *Bucket) checked(f *File) (again bool, err error) {
	sum, again := b.given[f.Key]
	switch {
	case f.Key == "" || f.Key[0] == '/' || len(b.opt.Prefix)+len(f.Key) > maxKey:
		return false, fmt.Errorf("upload: %.200q is no key that an object below %q can have", f.Key, b.opt.Prefix)
	case f.Key == b.opt.Record:
		return false, fmt.Errorf("upload: %s is the name of the record of what was uploaded; give the file another", f.Key)
	case again && sum != f.Sum:
		return false, fmt.Errorf("upload: two files have the key %s", f.Key)
	case f.Size > MaxSize:
		return false, fmt.Errorf("upload: %s has %d bytes; S3 takes %d in one request", f.Key, f.Size, int64(MaxSize))
	}
	b.given[f.Key] = f.Sum
	return again, nil
}

// Stale are the keys that an earlier upload put, that are still there, and that
// were not given to Put since Open. With prune those that are as they were put are
// deleted.
func (b *Bucket) Stale(ctx context.Context, prune bool) (stale []string, err error) {
	var gone []string
	for key, put := range b.record.Files {
		if _, ok := b.given[key]; ok {
			continue
		}
		stale = append(stale, key)
		if prune && !b.opt.Dry {
			b.dirty = true
			delete(b.record.Files, key)
			if b.there[key].etag == put.ETag { // else it is somebody's by now
				gone = append(gone, key)
			}
		}
	}
	if err := b.delete(ctx, gone); err != nil {
		return stale, err
	}
	return stale, b.writeRecord(ctx)
}
