package upload

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// A Record is what was put, as JSON beside it:
// {"version": 1, "files": {NAME: {"sum": …, "header": …, "etag": …}}}.
type Record struct {
	Version int            `json:"version"` // 1
	Files   map[string]Put `json:"files"`
}

// A Put is one file as it was put.
type Put struct {
	Sum    string `json:"sum"`              // of the content
	Header string `json:"header,omitempty"` // sum of the headers, in a bucket
	ETag   string `json:"etag,omitempty"`   // that the bucket answered
}

const (
	maxRecord   = 256 << 20        // bytes of one
	recordAfter = 30 * time.Second // an upload that is ended is remembered until then
)

// ReadRecord reads a record of at most 256 MiB. name is for errors.
func ReadRecord(name string, r io.Reader) (Record, error) {
	var record Record
	data, err := io.ReadAll(io.LimitReader(r, maxRecord+1))
	switch {
	case err != nil:
		return record, fmt.Errorf("read %s: %w", name, err)
	case len(data) > maxRecord:
		return record, fmt.Errorf("%s has more than %d bytes; remove it to have all files compared anew", name, maxRecord)
	}
	if err := json.Unmarshal(data, &record); err != nil {
		return record, fmt.Errorf("%s is damaged; remove it to have all files compared anew: %w", name, err)
	}
	if record.Version != 1 {
		return record, fmt.Errorf("%s is of version %d, and this dayfly knows version 1", name, record.Version)
	}
	return record, nil
}

// Write writes a record.
func (r Record) Write(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

func (b *Bucket) readRecord(ctx context.Context) error {
	b.record = Record{Version: 1, Files: map[string]Put{}}
	if _, ok := b.there[b.opt.Record]; !ok {
		return nil
	}
	o, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.opt.Bucket, Key: b.key(b.opt.Record)}, patient)
	if err != nil {
		return b.failed("get", b.opt.Record, err)
	}
	defer o.Body.Close()
	r, err := ReadRecord(b.opt.Record, o.Body)
	if err != nil {
		return fmt.Errorf("bucket %s: %w", b.opt.Bucket, err)
	}
	for key, put := range r.Files {
		if _, ok := b.there[key]; ok {
			b.record.Files[key] = put
		} else {
			b.dirty = true
		}
	}
	return nil
}

// writeRecord puts the record if it has changed. It does so also when the upload
// was ended, so that the next one need not look at what was put.
func (b *Bucket) writeRecord(ctx context.Context) error {
	if b.opt.Dry || !b.dirty {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordAfter)
	defer cancel()
	var data bytes.Buffer
	if err := b.record.Write(&data); err != nil {
		return err
	}
	_, err := b.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &b.opt.Bucket, Key: b.key(b.opt.Record), Body: bytes.NewReader(data.Bytes()),
		ContentType: aws.String("application/json"), CacheControl: aws.String("no-store")}, patient)
	if err != nil {
		return b.failed("put", b.opt.Record, err)
	}
	b.dirty = false
	return nil
}

// note has the record know of an object that is there.
func (b *Bucket) note(f *File, etag string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.record.Files[f.Key] = Put{Sum: f.Sum, Header: f.Header.sum(), ETag: etag}
	b.dirty = true
}

func (b *Bucket) key(name string) *string { return aws.String(b.opt.Prefix + name) }

// sum tells headers apart.
func (h Header) sum() string {
	s := sha256.New()
	fmt.Fprintf(s, "%q", []string{h.ContentType, h.CacheControl, h.ContentEncoding, h.ContentLanguage, h.ContentDisposition, h.Redirect})
	return hex.EncodeToString(s.Sum(nil)[:8])
}
