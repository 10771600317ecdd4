package s3records

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

var (
	errNone    = errors.New("no such object")
	errChanged = errors.New("the object is in another state") // a condition did not hold: nothing was done

	// errRefusedFirst comes with errChanged where the service had refused the same
	// write before. It says that it did nothing then; a write that finds its own
	// trace knows better.
	errRefusedFirst = errors.New("the write was refused before")
)

// get reads an object and its ETag, or fails with errNone. A body that breaks off
// is asked for again.
func (s *Store) get(ctx context.Context, name string) (body []byte, etag string, err error) {
	for range 3 {
		var out *s3.GetObjectOutput
		out, err = s.reads.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &name})
		if code(err) == "NoSuchKey" {
			return nil, "", errNone
		}
		if err != nil {
			return nil, "", fmt.Errorf("read %s: %w", name, err)
		}
		body, err = io.ReadAll(io.LimitReader(out.Body, maxObject+1))
		if err = errors.Join(err, out.Body.Close()); err != nil {
			continue
		}
		if etag = bare(out.ETag); !goodETag(etag) || len(body) > maxObject {
			return nil, "", fmt.Errorf("read %s: it has %d bytes and the ETag %.80q: it is no record", name, len(body), etag)
		}
		return body, etag, nil
	}
	return nil, "", fmt.Errorf("read %s: %w", name, err)
}

// fetch reads the record of a hash, or fails with errNone.
func (s *Store) fetch(ctx context.Context, hash string) (object, string, error) {
	name := s.recordName(hash)
	body, etag, err := s.get(ctx, name)
	if err != nil {
		return object{}, "", err
	}
	o, err := decode(body)
	if err == nil && hashOf(o.Key) != hash {
		err = errors.New("the record is that of another key")
	}
	if err != nil {
		return object{}, "", fmt.Errorf("read %s: %w", name, err)
	}
	return o, etag, nil
}

// put writes an object in the state given by match: "" for whatever is there, "*"
// for none, else the ETag. It fails with errChanged where another is the state.
func (s *Store) put(ctx context.Context, name string, body []byte, match string, opts ...func(*s3.Options)) (etag string, err error) {
	in := &s3.PutObjectInput{Bucket: &s.bucket, Key: &name, ContentType: aws.String("application/octet-stream")}
	switch match {
	case "":
	case "*":
		in.IfNoneMatch = &match
	default:
		in.IfMatch = aws.String(`"` + match + `"`)
	}
	err = unlessRefused(ctx, func() error {
		in.Body = bytes.NewReader(body)
		out, err := s.writes.PutObject(ctx, in, opts...)
		if err == nil {
			etag = bare(out.ETag)
		}
		return err
	})
	return etag, written("write", name, err)
}

// remove deletes an object in the state given by match: "" for any, also none,
// else the ETag. It fails with errChanged where another is the state.
func (s *Store) remove(ctx context.Context, name, match string) error {
	in := &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &name}
	if match != "" {
		in.IfMatch = aws.String(`"` + match + `"`)
	}
	err := unlessRefused(ctx, func() error {
		_, err := s.writes.DeleteObject(ctx, in)
		return err
	})
	return written("delete", name, err)
}

func written(op, name string, err error) error {
	switch c := code(err); {
	case err == nil:
		return nil
	case (c == "PreconditionFailed" || c == "NoSuchKey") && errors.Is(err, errRefusedFirst):
		return errors.Join(errChanged, errRefusedFirst)
	case c == "PreconditionFailed" || c == "NoSuchKey":
		return errChanged
	}
	return fmt.Errorf("%s %s: %w", op, name, err)
}

// refusals is how often a write is sent that is refused each time, and
// firstPause how long it rests then: a random time up to that, doubled each time.
const (
	refusals   = 6
	firstPause = 50 * time.Millisecond
)

// unlessRefused sends a write, and again if it was refused: S3 says of a
// ConditionalRequestConflict and an OperationAborted (another write of that object
// was under way) and of a
// SlowDown that nothing was done. An InternalError or a ServiceUnavailable says no
// such thing and is not repeated, let alone a lost answer.
func unlessRefused(ctx context.Context, send func() error) error {
	for try := 0; ; try++ {
		err := send()
		switch code(err) {
		case "ConditionalRequestConflict", "OperationAborted", "SlowDown":
		default:
			if err != nil && try > 0 {
				err = errors.Join(err, errRefusedFirst)
			}
			return err
		}
		if try == refusals-1 {
			return fmt.Errorf("%d times in a row: %w", refusals, err)
		}
		t := time.NewTimer(rand.N(firstPause << try))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return errors.Join(ctx.Err(), err)
		}
	}
}

// code is the service's name of an error, "" where it is none of the service's.
func code(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return ""
	}
	var res *awshttp.ResponseError
	if errors.As(err, &res) && res.HTTPStatusCode() == http.StatusPreconditionFailed {
		return "PreconditionFailed"
	}
	return api.ErrorCode()
}

func bare(etag *string) string { return strings.Trim(aws.ToString(etag), `"`) }
