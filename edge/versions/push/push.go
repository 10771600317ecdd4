// Package push uploads static files under their addresses to a bucket, from which
// a CDN or the bucket itself serves them.
//
// What is there already is not sent again, and nothing is deleted: pages that
// are open somewhere still name the versions of before. Everything that a file
// refers to is there before the file, and files under their plain names come
// last, pages after all others; so a push that ends halfway leaves no reference
// to what is not there.
package push

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/dayfly-dev/dayfly/blob/upload"
	"github.com/dayfly-dev/dayfly/edge"
	"github.com/dayfly-dev/dayfly/edge/versions"
)

const (
	immutable   = "public, max-age=31536000, immutable"
	revalidated = "no-cache"
)

// Options of a push.
type Options struct {
	// Bucket is its name. Required.
	Bucket string
	// Key is put before each path, such as "site/"; default none.
	Key string
	// Prefix is the path of the folder on the site; default "/static/".
	Prefix string
	// Siblings adds each compressible file with .br and .gz after its address, for a
	// CDN that chooses between them. Default false: the CDN compresses itself.
	Siblings bool
	// Force uploads what is there already, too.
	Force bool
	// DryRun uploads nothing.
	DryRun bool
	// Progress is called with bytes done of all, one call at a time.
	Progress func(done, total int64)
}

// An Object is one that was or would be uploaded.
type Object struct {
	Key      string `json:"key"`
	Size     int64  `json:"size"`
	Type     string `json:"type"`
	Cache    string `json:"cache_control"`
	Encoding string `json:"encoding,omitempty"`
}

// Result says what a push did.
type Result struct {
	Uploaded []Object `json:"uploaded"` // in the order of uploading; of a dry run, what would be
	Present  int      `json:"present"`  // objects that were there already
	Bytes    int64    `json:"bytes"`    // of Uploaded
}

// Push uploads files, which are in the order of edge.ReadStatic. On error what
// was uploaded stays, and another Push goes on from there.
func Push(ctx context.Context, client *s3.Client, files []edge.StaticFile, o Options) (Result, error) {
	result := Result{Uploaded: []Object{}}
	if o.Prefix == "" {
		o.Prefix = "/static/"
	}
	base := o.Key + strings.TrimPrefix(o.Prefix, "/")
	b, err := upload.Open(ctx, client, upload.Options{Bucket: o.Bucket, Prefix: base, Force: o.Force, Dry: o.DryRun, Progress: o.Progress})
	if err != nil {
		return result, err
	}
	done, err := b.Put(ctx, groups(files, o.Siblings)...)
	result.Present, result.Bytes = done.Present, done.Bytes
	for _, f := range done.Uploaded {
		result.Uploaded = append(result.Uploaded, Object{base + f.Key, f.Size, f.Header.ContentType, f.Header.CacheControl, f.Header.ContentEncoding})
	}
	return result, err
}

// groups are the files at their addresses, each group after those that it refers
// to, then those at their plain names, then pages.
func groups(files []edge.StaticFile, siblings bool) [][]upload.File {
	var addressed [][]upload.File
	var named, pages []upload.File
	for _, f := range files {
		for len(addressed) <= f.Level {
			addressed = append(addressed, nil)
		}
		sum := sha256.Sum256(f.Data)
		plain := upload.File{Key: f.Name, Header: upload.Header{ContentType: f.ContentType, CacheControl: revalidated},
			Size: int64(len(f.Data)), Sum: hex.EncodeToString(sum[:]), Open: func() (io.ReadSeekCloser, error) { return content{bytes.NewReader(f.Data)}, nil }}
		if versions.Entry(f.Name) {
			pages = append(pages, plain)
		} else {
			named = append(named, plain)
		}
		kept := plain
		kept.Key, kept.Header.CacheControl = f.Address, immutable
		addressed[f.Level] = append(addressed[f.Level], kept)
		if siblings && f.Compressible {
			addressed[f.Level] = append(addressed[f.Level], sibling(f, kept, "br", ".br"), sibling(f, kept, "gzip", ".gz"))
		}
	}
	return append(addressed, named, pages)
}

// sibling is a file that is compressed when it is known to be missing.
func sibling(f edge.StaticFile, of upload.File, encoding, ext string) upload.File {
	of.Key, of.Header.ContentEncoding = of.Key+ext, encoding
	of.Size, of.Sum = -1, encoding+" of "+of.Sum
	of.Open = func() (io.ReadSeekCloser, error) {
		if data := f.Compress(encoding); data != nil {
			return content{bytes.NewReader(data)}, nil
		}
		return nil, nil // it would not be smaller
	}
	return of
}

// content is what is in memory.
type content struct{ *bytes.Reader }

func (content) Close() error { return nil }
