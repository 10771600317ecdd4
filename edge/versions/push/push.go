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
	"context"
	"crypto/md5" //nolint:gosec // what S3 names content by
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"gocloud.dev/blob"
	"golang.org/x/sync/errgroup"

	"github.com/dayfly-dev/dayfly/edge"
	"github.com/dayfly-dev/dayfly/edge/versions"
)

const (
	immutable   = "public, max-age=31536000, immutable"
	revalidated = "no-cache"
	requests    = 16 // at once
)

// Options of a push. Nil means the defaults.
type Options struct {
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
	// Progress is called with bytes done of all, from one goroutine.
	Progress func(done, total int64)
}

// An Object is one that was or would be uploaded.
type Object struct {
	Key      string `json:"key"`
	Size     int64  `json:"size"`
	Type     string `json:"type"`
	Cache    string `json:"cache_control"`
	Encoding string `json:"encoding,omitempty"`

	data []byte
}

// Result says what a push did.
type Result struct {
	Uploaded []Object `json:"uploaded"` // in the order of uploading; of a dry run, what would be
	Present  int      `json:"present"`  // objects that were there already
	Bytes    int64    `json:"bytes"`    // of Uploaded
}

// Push uploads files, which are in the order of edge.ReadStatic. On error what
// was uploaded stays, and another Push goes on from there.
func Push(ctx context.Context, bucket *blob.Bucket, files []edge.StaticFile, o *Options) (Result, error) {
	if o == nil {
		o = &Options{}
	}
	if o.Prefix == "" {
		o.Prefix = "/static/"
	}
	base := o.Key + strings.TrimPrefix(o.Prefix, "/")
	there, err := list(ctx, bucket, base)
	if err != nil {
		return Result{}, err
	}
	groups, present := plan(files, base, there, o)
	result := Result{Present: present, Uploaded: []Object{}}
	var total int64
	for _, g := range groups {
		for _, x := range g {
			total += x.Size
		}
	}
	for _, g := range groups {
		if !o.DryRun {
			if err := upload(ctx, bucket, g); err != nil {
				return result, err
			}
		}
		for _, x := range g {
			result.Uploaded = append(result.Uploaded, x)
			result.Bytes += x.Size
		}
		if o.Progress != nil {
			o.Progress(result.Bytes, total)
		}
	}
	return result, nil
}

// list is what the bucket has, by key.
func list(ctx context.Context, bucket *blob.Bucket, prefix string) (map[string]*blob.ListObject, error) {
	there := map[string]*blob.ListObject{}
	all := bucket.List(&blob.ListOptions{Prefix: prefix})
	for {
		o, err := all.Next(ctx)
		if errors.Is(err, io.EOF) {
			return there, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list the bucket: %w", err)
		}
		there[o.Key] = o
	}
}

// plan returns the objects to upload in groups: those of one may go at once, and
// each group after the one before.
func plan(files []edge.StaticFile, base string, there map[string]*blob.ListObject, o *Options) (groups [][]Object, present int) {
	var named, pages []Object
	batch := []Object{}
	end := func() {
		if len(batch) > 0 {
			groups = append(groups, batch)
			batch = []Object{}
		}
	}
	level := 0
	for _, f := range files {
		if f.Level != level {
			level = f.Level
			end() // what it refers to is there before
		}
		for _, x := range addressed(f, base, o.Siblings) {
			if old := there[x.Key]; old != nil && !o.Force && (x.Encoding != "" || old.Size == int64(len(f.Data))) {
				present++
				continue
			}
			if x.Encoding != "" {
				if x.data = f.Compress(x.Encoding); x.data == nil {
					continue
				}
				x.Size = int64(len(x.data))
			}
			batch = append(batch, x)
		}
		if len(batch) >= 10*requests {
			end()
		}
		x := Object{Key: base + f.Name, Size: int64(len(f.Data)), Type: f.ContentType, Cache: revalidated, data: f.Data}
		sum := md5.Sum(f.Data) //nolint:gosec // not against an attacker
		switch old := there[x.Key]; {
		case old != nil && !o.Force && string(old.MD5) == string(sum[:]):
			present++
		case versions.Entry(f.Name):
			pages = append(pages, x)
		default:
			named = append(named, x)
		}
	}
	end()
	for _, g := range [][]Object{named, pages} {
		if len(g) > 0 {
			groups = append(groups, g)
		}
	}
	return groups, present
}

// addressed are the objects at a file's address; what is compressed has no data
// yet.
func addressed(f edge.StaticFile, base string, siblings bool) []Object {
	x := Object{Key: base + f.Address, Size: int64(len(f.Data)), Type: f.ContentType, Cache: immutable, data: f.Data}
	list := []Object{x}
	if siblings && f.Compressible {
		for _, e := range []struct{ name, ext string }{{"br", ".br"}, {"gzip", ".gz"}} {
			s := x
			s.Key, s.Encoding, s.data = x.Key+e.ext, e.name, nil
			list = append(list, s)
		}
	}
	return list
}

func upload(ctx context.Context, bucket *blob.Bucket, group []Object) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(requests)
	for _, x := range group {
		g.Go(func() error {
			sum := md5.Sum(x.data) //nolint:gosec // against damage on the way
			err := bucket.WriteAll(ctx, x.Key, x.data, &blob.WriterOptions{ContentType: x.Type, CacheControl: x.Cache,
				ContentEncoding: x.Encoding, ContentMD5: sum[:]})
			if err != nil {
				return fmt.Errorf("upload %s: %w", x.Key, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// ParseTarget takes s3://BUCKET/KEY apart; the key ends with a slash or is empty.
func ParseTarget(target string) (bucket, key string, err error) {
	rest, ok := strings.CutPrefix(target, "s3://")
	bucket, key, _ = strings.Cut(rest, "/")
	if !ok || bucket == "" || strings.ContainsAny(rest, "?#") {
		return "", "", fmt.Errorf("%q is not the address of a bucket; write it like s3://my-bucket or s3://my-bucket/folder", target)
	}
	if key = strings.Trim(key, "/"); key != "" && path.Clean("/"+key) != "/"+key {
		return "", "", fmt.Errorf("%q has a folder that cannot be; write it like s3://my-bucket/folder", target)
	}
	if key != "" {
		key += "/"
	}
	return bucket, key, nil
}
