package upload

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/dayfly-dev/dayfly/internal/need"
)

// TestErrors has each say what to do.
func TestErrors(t *testing.T) {
	d := newStore(t, t.TempDir())
	with := func(change func(*s3.Options)) *s3.Client { return s3.New(d.opt, change) }
	for name, c := range map[string]struct {
		client *s3.Client
		bucket string
		want   string
	}{
		"no bucket": {d.Client, "none", "list bucket none: The specified bucket does not exist (NoSuchBucket); create it, or give another"},
		"no name":   {d.Client, "", "the bucket has no name"},
		"unknown key": {with(func(o *s3.Options) {
			o.Credentials = credentials.NewStaticCredentialsProvider("AKIAOTHER", "secret", "")
		}), "files", "look at AWS_ACCESS_KEY_ID"},
		"bad secret": {with(func(o *s3.Options) { o.Credentials = credentials.NewStaticCredentialsProvider("AKIATEST", "other", "") }), "files", "look at AWS_ACCESS_KEY_ID"},
		"no store":   {with(func(o *s3.Options) { o.BaseEndpoint = aws.String("http://127.0.0.1:1") }), "files", "connection refused"},
		"no credentials": {with(func(o *s3.Options) {
			o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, errors.New("none here") })
		}), "files", "no credentials were found"},
	} {
		_, err := Open(t.Context(), c.client, Options{Bucket: c.bucket})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, files := range map[string][]File{
		"no key":     {file("", "x", css)},
		"slash":      {file("/a", "x", css)},
		"long":       {file(strings.Repeat("x", 1022), "x", css)},
		"the record": {file(".dayfly-upload.json", "x", css)},
		"twice":      {file("a", "x", css), file("a", "y", css)},
		"large":      {{Key: "a", Size: MaxSize + 1}},
		"unreadable": {{Key: "a", Open: func() (io.ReadSeekCloser, error) { return nil, os.ErrPermission }}},
	} {
		if r, err := put(t, d, Options{}, files); err == nil || len(r.Uploaded) != 0 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	expect(t, d, "refused")
}

// TestFullDisk has the store's disk fill up while files are put: what is there is
// whole, and when there is room the rest is put.
func TestFullDisk(t *testing.T) {
	dir := need.Disk(t, "size=4m")
	d := newStore(t, filepath.Join(dir, "objects"))
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, 1<<20)
	rand.Read(noise)
	groups := [][]File{{file("small", "small", css)}, {file("a", string(noise), css), file("b", string(noise[1:]), css)}, {file("page", "names a and b", css)}}
	r, err := put(t, d, Options{Requests: 1}, groups...)
	var failed *Error
	if !errors.As(err, &failed) || failed.Code != "InsufficientStorage" || !strings.Contains(err.Error(), "make room, and run it again") {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, f := range r.Uploaded {
		o, err := d.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("files"), Key: aws.String("www/" + f.Key)})
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(o.Body)
		in, _ := f.Open()
		if want, _ := io.ReadAll(in); !bytes.Equal(got, want) || f.Key == "page" {
			t.Errorf("%s has %d bytes", f.Key, len(got))
		}
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	again, err := put(t, d, Options{}, groups...)
	if err != nil || len(again.Uploaded)+len(r.Uploaded) != 4 {
		t.Errorf("%d and then %d were put, %v", len(r.Uploaded), len(again.Uploaded), err)
	}
}

// FuzzReadRecord: what is not a record is an error.
func FuzzReadRecord(f *testing.F) {
	for _, s := range []string{"", "{}", `{"version":1,"files":{"a":{"sum":"x","etag":"y"}}}`, `{"version":2}`, `{"version":1,"files":null}`, "[]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ReadRecord("record", strings.NewReader(text))
		if err == nil && r.Version != 1 {
			t.Errorf("%q: %+v", text, r)
		}
		if err == nil {
			var out bytes.Buffer
			if err := r.Write(&out); err != nil {
				t.Fatal(err)
			}
			if again, err := ReadRecord("record", &out); err != nil || len(again.Files) != len(r.Files) {
				t.Errorf("%q: %+v, %v", text, again, err)
			}
		}
	})
}
