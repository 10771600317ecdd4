package export

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Bucket is a bucket of S3, or of a store that speaks its protocol.
type Bucket struct {
	client *s3.Client
	name   string
	prefix string // of keys: "" or with a slash at its end
	prune  bool
	dry    bool
	old    record
	there  map[string]string // ETags, by name

	mu  sync.Mutex
	now record
}

// OpenBucket makes a bucket ready to take an export under a prefix, or one more:
// it lists what is there. With prune, objects of an earlier export that are not in
// this one are deleted, unless they were changed since. With dry nothing is
// changed, and Put tells what would be written.
func OpenBucket(ctx context.Context, client *s3.Client, name, prefix string, prune, dry bool) (*Bucket, error) {
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	b := &Bucket{client: client, name: name, prefix: prefix, prune: prune, dry: dry,
		there: map[string]string{}, now: record{Version: 1, Files: map[string]put{}}}
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &name, Prefix: &prefix})
	for pages.HasMorePages() {
		p, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("export: list bucket %s: %w", name, err)
		}
		for _, o := range p.Contents {
			b.there[strings.TrimPrefix(aws.ToString(o.Key), prefix)] = aws.ToString(o.ETag)
		}
	}
	return b, b.begin(ctx)
}

func (b *Bucket) begin(ctx context.Context) error {
	if b.there[RecordName] == "" {
		return nil
	}
	o, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: aws.String(b.prefix + RecordName)})
	if err != nil {
		return fmt.Errorf("export: %s of bucket %s: %w", RecordName, b.name, err)
	}
	defer o.Body.Close()
	data, err := io.ReadAll(io.LimitReader(o.Body, maxRecord))
	if err != nil {
		return err
	}
	b.old, err = readRecord(data)
	return err
}

// Put implements Destination. An object is left alone if it is the one that the
// last export put, with the same content and headers.
func (b *Bucket) Put(ctx context.Context, f *File) (bool, error) {
	now := put{Sum: hex.EncodeToString(f.Sum[:]), Header: headerSum(f)}
	old := b.old.Files[f.Name]
	if old.Sum == now.Sum && old.Header == now.Header && old.ETag != "" && old.ETag == b.there[f.Name] {
		b.keep(f.Name, old)
		return false, nil
	}
	if b.dry {
		b.keep(f.Name, now)
		return true, nil
	}
	tag, err := b.put(ctx, f)
	if err != nil {
		return false, fmt.Errorf("export: put %s into bucket %s: %w", f.Name, b.name, err)
	}
	now.ETag = tag
	b.keep(f.Name, now)
	return true, nil
}

func (b *Bucket) keep(name string, p put) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now.Files[name] = p
}

func (b *Bucket) put(ctx context.Context, f *File) (etag string, err error) {
	body, err := f.Open()
	if err != nil {
		return "", err
	}
	defer body.Close()
	in := &s3.PutObjectInput{Bucket: &b.name, Key: aws.String(b.prefix + f.Name), ContentLength: &f.Size,
		ContentType: header(f.Header, "Content-Type"), CacheControl: header(f.Header, "Cache-Control"),
		ContentLanguage: header(f.Header, "Content-Language"), ContentDisposition: header(f.Header, "Content-Disposition")}
	if seeker, ok := body.(io.ReadSeeker); ok {
		in.Body = seeker
	} else {
		data, err := io.ReadAll(body) // what was rewritten is in memory anyway
		if err != nil {
			return "", err
		}
		in.Body = bytes.NewReader(data)
	}
	if strings.HasPrefix(f.Redirect, "/") || strings.HasPrefix(f.Redirect, "http://") || strings.HasPrefix(f.Redirect, "https://") {
		in.WebsiteRedirectLocation = &f.Redirect
	}
	out, err := b.client.PutObject(ctx, in)
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ETag), nil
}

func header(h http.Header, name string) *string {
	if v := h.Get(name); v != "" {
		return &v
	}
	return nil
}

// headerSum tells apart what is stored beside the content.
func headerSum(f *File) string {
	h := sha256.New()
	for _, name := range kept {
		fmt.Fprintf(h, "%s: %s\n", name, f.Header.Get(name))
	}
	fmt.Fprintf(h, "redirect: %s\n", f.Redirect)
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// End implements Destination.
func (b *Bucket) End(ctx context.Context) (stale []string, pruned bool, err error) {
	var gone []types.ObjectIdentifier
	for name, old := range b.old.Files {
		if _, ok := b.now.Files[name]; ok || b.there[name] == "" {
			continue
		}
		stale = append(stale, name)
		switch {
		case !b.prune:
			b.now.Files[name] = old // to be told next time, too
		case b.there[name] == old.ETag: // else it is somebody's by now
			gone = append(gone, types.ObjectIdentifier{Key: aws.String(b.prefix + name)})
		}
	}
	if b.dry {
		return stale, false, nil
	}
	for len(gone) > 0 {
		n := min(len(gone), 1000)
		out, err := b.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &b.name, Delete: &types.Delete{Objects: gone[:n], Quiet: aws.Bool(true)}})
		if err == nil && len(out.Errors) > 0 {
			err = errors.New(aws.ToString(out.Errors[0].Message))
		}
		if err != nil {
			return stale, false, fmt.Errorf("export: delete from bucket %s: %w", b.name, err)
		}
		gone = gone[n:]
	}
	data, err := json.Marshal(b.now)
	if err != nil {
		return stale, b.prune, err
	}
	_, err = b.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &b.name, Key: aws.String(b.prefix + RecordName),
		Body: bytes.NewReader(append(data, '\n')), ContentType: aws.String("application/json"), CacheControl: aws.String("no-store")})
	return stale, b.prune, err
}
