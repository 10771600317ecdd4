package s3server

import (
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// status is that of an answer; 200 for any success.
func status(err error) int {
	var res *awshttp.ResponseError
	switch {
	case err == nil:
		return http.StatusOK
	case errors.As(err, &res):
		return res.HTTPStatusCode()
	}
	return 0
}

func TestConditions(t *testing.T) {
	s := open(t, t.TempDir())
	s.bucket(t, "files", BucketOptions{})
	ctx, bucket := t.Context(), aws.String("files")
	put := func(key, match, none string) (string, error) {
		in := &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader("body of " + match + none)}
		if match != "" {
			in.IfMatch = &match
		}
		if none != "" {
			in.IfNoneMatch = &none
		}
		out, err := s.s3.PutObject(ctx, in)
		if err != nil {
			return "", err
		}
		return *out.ETag, nil
	}
	remove := func(key, match string) error {
		_, err := s.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: &key, IfMatch: &match})
		return err
	}
	first, err := put("k", "", "*")
	if err != nil {
		t.Fatal(err)
	}
	second, err := put("k", first, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		do   func() error
		want int
	}{
		{"put over what is there", func() error { _, err := put("k", "", "*"); return err }, 412},
		{"put over an older state", func() error { _, err := put("k", first, ""); return err }, 412},
		{"put over nothing", func() error { _, err := put("none", first, ""); return err }, 404},
		{"delete an older state", func() error { return remove("k", first) }, 412},
		{"delete nothing", func() error { return remove("none", first) }, 404},
		{"delete nothing, any state", func() error { return remove("none", "*") }, 404},
		{"delete below a file", func() error { return remove("k/below", first) }, 404},
		{"delete a key that cannot be", func() error { return remove("a//b", first) }, 404},
		{"delete", func() error { return remove("k", second) }, 200},
		{"delete again", func() error { return remove("k", second) }, 404},
		{"put again over what was deleted", func() error { _, err := put("k", second, ""); return err }, 404},
		{"put anew", func() error { _, err := put("k", "", "*"); return err }, 200},
		{"delete any state", func() error { return remove("k", "*") }, 200},
	} {
		if err := c.do(); status(err) != c.want {
			t.Errorf("%s: %v, want %d", c.name, err, c.want)
		}
	}
}

func TestConditionsOfManyDeletes(t *testing.T) {
	s := open(t, t.TempDir())
	s.bucket(t, "files", BucketOptions{})
	s.put(t, "files", "d/kept", "x")
	s.put(t, "files", "d/gone", "x")
	wrong, right := aws.String(`"0"`), aws.String(`"9dd4e461268c8034f5c8564e155c67a6"`) // MD5 of x
	out, err := s.s3.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String("files"), Delete: &types.Delete{
		Objects: []types.ObjectIdentifier{{Key: aws.String("d/kept"), ETag: wrong}, {Key: aws.String("d/gone"), ETag: right}, {Key: aws.String("d/none")}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Deleted) != 2 || len(out.Errors) != 1 || *out.Errors[0].Key != "d/kept" || *out.Errors[0].Code != "PreconditionFailed" {
		t.Errorf("deleted %+v, errors %+v", out.Deleted, out.Errors)
	}
	if keys := fmt.Sprint(s.keys(t, "files")); keys != "[d/kept]" {
		t.Errorf("left are %s", keys)
	}
}

// TestConditionsHoldUnderConcurrency: clients create, replace and delete one
// object, each only in the state it knows. Then every state was followed by at
// most one success, and what a GET gives belongs together.
func TestConditionsHoldUnderConcurrency(t *testing.T) {
	const clients, rounds = 8, 60
	s := open(t, t.TempDir())
	s.bucket(t, "files", BucketOptions{})
	h := &history{next: map[string]int{}}
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for i := range rounds {
				if err := h.step(t, s, fmt.Sprintf("%d.%d", c, i), (c+i)%3 == 0); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	for state, n := range h.next {
		if n > 1 {
			t.Errorf("%d writes succeeded in the state %q", n, state)
		}
	}
	// Each successful creation but the first followed a deletion.
	if d := h.created.Load() - h.deleted.Load(); d != 0 && d != 1 {
		t.Errorf("%d were created and %d deleted", h.created.Load(), h.deleted.Load())
	}
	t.Logf("%d created, %d deleted, %d states", h.created.Load(), h.deleted.Load(), len(h.next))
	if h.created.Load() < 2 || h.deleted.Load() < 2 {
		t.Error("the clients hardly met")
	}
}

type history struct {
	mu               sync.Mutex
	next             map[string]int // by ETag: how often a write succeeded on top of it
	created, deleted atomic.Int64
}

// step reads the object and then replaces, creates or deletes it.
func (h *history) step(t *testing.T, s *site, body string, remove bool) error {
	bucket, key, ctx := aws.String("files"), aws.String("d/k"), t.Context()
	out, err := s.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key})
	if status(err) == http.StatusNotFound {
		_, err := s.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader(body), IfNoneMatch: aws.String("*")})
		if err == nil {
			h.created.Add(1)
		}
		return unexpected(err)
	}
	if err != nil {
		return err
	}
	content, err := io.ReadAll(out.Body)
	out.Body.Close()
	if want := md5Quoted(string(content)); err != nil || *out.ETag != want {
		return fmt.Errorf("the content %q came with ETag %s, which is not its own (%v)", content, *out.ETag, err)
	}
	if remove {
		_, err = s.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: key, IfMatch: out.ETag})
	} else {
		_, err = s.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader(body), IfMatch: out.ETag})
	}
	if err == nil {
		h.mu.Lock()
		h.next[*out.ETag]++
		h.mu.Unlock()
		if remove {
			h.deleted.Add(1)
		}
	}
	return unexpected(err)
}

// unexpected is an error that tells of anything but another writer.
func unexpected(err error) error {
	switch status(err) {
	case http.StatusOK, http.StatusNotFound, http.StatusPreconditionFailed:
		return nil
	}
	return err
}

func md5Quoted(s string) string { return fmt.Sprintf("%q", fmt.Sprintf("%x", md5.Sum([]byte(s)))) }
