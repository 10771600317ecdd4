package export

import (
	"context"
	"encoding/hex"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/dayfly-dev/dayfly/blob/upload"
)

// Bucket is a bucket of S3, or of a store that speaks its protocol.
type Bucket struct {
	to         *upload.Bucket
	prune, dry bool
}

// BucketOptions say which bucket, and how.
type BucketOptions struct {
	Name   string
	Prefix string // of keys; default none
	// Prune deletes objects of an earlier export that are not in this one, unless
	// they were changed since.
	Prune bool
	// Dry changes nothing, and Put tells what would be written.
	Dry bool
	// Progress is told of bytes written, of all to be written. One call at a time.
	Progress func(done, total int64)
}

// OpenBucket makes a bucket ready to take an export, or one more: it lists what
// is there.
func OpenBucket(ctx context.Context, client *s3.Client, o BucketOptions) (*Bucket, error) {
	b, err := upload.Open(ctx, client, upload.Options{Bucket: o.Name, Prefix: o.Prefix, Record: RecordName, Dry: o.Dry, Progress: o.Progress})
	if err != nil {
		return nil, err
	}
	return &Bucket{b, o.Prune, o.Dry}, nil
}

// Put implements Destination. An object is left alone if it is the one that the
// last export put, with the same content and headers.
func (b *Bucket) Put(ctx context.Context, groups [][]*File) (written int, err error) {
	all := make([][]upload.File, len(groups))
	for i, g := range groups {
		for _, f := range g {
			all[i] = append(all[i], upload.File{Key: f.Name, Size: f.Size, Sum: hex.EncodeToString(f.Sum[:]), Open: f.Open, Header: headerOf(f)})
		}
	}
	done, err := b.to.Put(ctx, all...)
	return len(done.Uploaded), err
}

// headerOf is what is kept beside the content of an object.
func headerOf(f *File) upload.Header {
	h := upload.Header{ContentType: f.Header.Get("Content-Type"), CacheControl: f.Header.Get("Cache-Control"),
		ContentLanguage: f.Header.Get("Content-Language"), ContentDisposition: f.Header.Get("Content-Disposition")}
	if strings.HasPrefix(f.Redirect, "/") || strings.HasPrefix(f.Redirect, "http://") || strings.HasPrefix(f.Redirect, "https://") {
		h.Redirect = f.Redirect
	}
	return h
}

// End implements Destination.
func (b *Bucket) End(ctx context.Context) (stale []string, pruned bool, err error) {
	stale, err = b.to.Stale(ctx, b.prune)
	return stale, b.prune && !b.dry && err == nil, err
}
