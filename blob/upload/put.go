package upload

import (
	"context"
	"crypto/md5" //nolint:gosec // what S3 names content by
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"
)

// Result says what Put did.
type Result struct {
	// Uploaded are the files that were put, or would be with Options.Dry, in the order
	// of their groups, with their sizes.
	Uploaded []File
	Bytes    int64 // of them
	Present  int   // files that were there already
}

// Put has the bucket hold these files. On error those of Result.Uploaded are
// there, and another Put goes on from there.
func (b *Bucket) Put(ctx context.Context, groups ...[]File) (Result, error) {
	var r Result
	due, err := b.compare(ctx, groups, &r)
	if err != nil {
		return r, err
	}
	p := progress{tell: b.opt.Progress}
	for _, g := range due {
		for _, f := range g {
			p.total += max(0, f.Size)
		}
	}
	for _, g := range due {
		if err := b.putGroup(ctx, g, &r, &p); err != nil {
			return r, errors.Join(err, b.writeRecord(ctx))
		}
	}
	return r, b.writeRecord(ctx)
}

// compare returns those of the files that are not there as they shall be.
func (b *Bucket) compare(ctx context.Context, groups [][]File, r *Result) ([][]*File, error) {
	given := make([][]*File, len(groups))
	for i, g := range groups {
		for _, f := range g {
			again, err := b.checked(&f)
			if err != nil {
				return nil, err
			}
			if !again {
				given[i] = append(given[i], &f)
			}
		}
	}
	all := slices.Concat(given...)
	same := make([]bool, len(all))
	err := b.each(ctx, len(all), func(i int) (err error) {
		same[i], err = b.has(ctx, all[i])
		return err
	})
	if err != nil {
		return nil, err
	}
	due := make([][]*File, len(groups))
	n := 0
	for i, g := range given {
		for _, f := range g {
			if same[n] {
				r.Present++
			} else {
				due[i] = append(due[i], f)
			}
			n++
		}
	}
	return due, nil
}

// each calls a function with 0 to n-1, several at once. After the first error no
// more are begun, and those under way are waited for: what was sent counts.
func (b *Bucket) each(ctx context.Context, n int, do func(i int) error) error {
	var g errgroup.Group
	var failed atomic.Bool
	g.SetLimit(b.opt.Requests)
	for i := range n {
		g.Go(func() error {
			if failed.Load() {
				return nil
			}
			err := ctx.Err()
			if err == nil {
				err = do(i)
			}
			if err != nil {
				failed.Store(true)
			}
			return err
		})
	}
	return g.Wait()
}

// putGroup puts files and adds them to the result.
func (b *Bucket) putGroup(ctx context.Context, files []*File, r *Result, p *progress) error {
	put := make([]bool, len(files))
	err := b.each(ctx, len(files), func(i int) (err error) {
		if put[i], err = b.put(ctx, files[i]); put[i] {
			p.add(files[i].Size)
		}
		return err
	})
	for i, f := range files {
		if put[i] {
			r.Uploaded = append(r.Uploaded, *f)
			r.Bytes += f.Size
		}
	}
	return err
}

// has reports whether the object of a file is as it shall be.
func (b *Bucket) has(ctx context.Context, f *File) (bool, error) {
	x, ok := b.there[f.Key]
	if !ok || b.opt.Force {
		return false, nil
	}
	if put := b.record.Files[f.Key]; put.ETag == x.etag && put.Sum == f.Sum && put.Header == f.Header.sum() {
		return true, nil
	}
	if f.Size >= 0 && f.Size != x.size {
		return false, nil
	}
	sum, err := md5Of(f)
	if err != nil || sum == "" || sum != strings.Trim(x.etag, `"`) {
		return false, err
	}
	is, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.opt.Bucket, Key: b.key(f.Key), IfMatch: &x.etag}, patient)
	if isStatus(err, 404, 412) { // somebody changes it at this moment
		return false, nil
	}
	if err != nil {
		return false, b.failed("look at", f.Key, err)
	}
	if (Header{aws.ToString(is.ContentType), aws.ToString(is.CacheControl), aws.ToString(is.ContentEncoding), aws.ToString(is.ContentLanguage),
		aws.ToString(is.ContentDisposition), aws.ToString(is.WebsiteRedirectLocation)}) != f.Header {
		return false, nil
	}
	b.note(f, x.etag)
	return true, nil
}

// md5Of is what the ETag of a file is where the bucket encrypts nothing with
// keys of KMS; "" for a file that shall not be there.
func md5Of(f *File) (string, error) {
	in, err := f.Open()
	if err != nil || in == nil {
		return "", err
	}
	defer in.Close()
	h := md5.New() //nolint:gosec // not against an attacker
	if _, err := io.Copy(h, in); err != nil {
		return "", fmt.Errorf("upload: read %s: %w", f.Key, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// patience is how long one object may take, all attempts together.
func patience(size int64) time.Duration {
	return 5*time.Minute + time.Duration(size/(32<<10))*time.Second
}

// put puts one file, and reports whether it did.
func (b *Bucket) put(ctx context.Context, f *File) (bool, error) {
	body, err := f.Open()
	if err != nil || body == nil {
		return false, err
	}
	defer body.Close()
	if f.Size, err = body.Seek(0, io.SeekEnd); err == nil {
		_, err = body.Seek(0, io.SeekStart)
	}
	if err != nil {
		return false, fmt.Errorf("upload: read %s: %w", f.Key, err)
	}
	if b.opt.Dry {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience(f.Size))
	defer cancel()
	h := f.Header
	out, err := b.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &b.opt.Bucket, Key: b.key(f.Key), Body: body, ContentLength: &f.Size,
		ContentType: unlessEmpty(h.ContentType), CacheControl: unlessEmpty(h.CacheControl), ContentEncoding: unlessEmpty(h.ContentEncoding),
		ContentLanguage: unlessEmpty(h.ContentLanguage), ContentDisposition: unlessEmpty(h.ContentDisposition),
		WebsiteRedirectLocation: unlessEmpty(h.Redirect)}, patient)
	if err != nil {
		return false, b.failed("put", f.Key, err)
	}
	b.note(f, aws.ToString(out.ETag))
	return true, nil
}

func unlessEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// delete deletes objects, as many at a time as S3 takes.
func (b *Bucket) delete(ctx context.Context, keys []string) error {
	const most = 1000
	for len(keys) > 0 {
		n := min(len(keys), most)
		var batch []types.ObjectIdentifier
		for _, key := range keys[:n] {
			batch = append(batch, types.ObjectIdentifier{Key: b.key(key)})
		}
		out, err := b.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &b.opt.Bucket, Delete: &types.Delete{Objects: batch, Quiet: aws.Bool(true)}}, patient)
		if err != nil {
			return b.failed("delete from", "", err)
		}
		if len(out.Errors) > 0 {
			e := out.Errors[0]
			return b.failed("delete", strings.TrimPrefix(aws.ToString(e.Key), b.opt.Prefix), refused(aws.ToString(e.Code), aws.ToString(e.Message)))
		}
		keys = keys[n:]
	}
	return nil
}

// progress tells of bytes, one call at a time.
type progress struct {
	mu          sync.Mutex
	done, total int64
	tell        func(done, total int64)
}

func (p *progress) add(n int64) {
	if p.tell == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += max(0, n)
	p.total = max(p.total, p.done)
	p.tell(p.done, p.total)
}
