package upload

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/blob/s3server"
)

// store is an S3 store with a bucket named files, behind a door at which
// requests are counted and can be refused.
type store struct {
	*s3.Client
	opt         s3.Options
	under, most atomic.Int64

	mu     sync.Mutex
	asked  []string                      // "PUT a/b.css"
	refuse func(r *http.Request) (n int) // a status, 0: none
}

func newStore(t *testing.T, dir string) *store {
	t.Helper()
	s, err := s3server.Open(s3server.Options{Dir: dir, AccessKey: "AKIATEST", SecretKey: "secret", Region: "eu-central-1"})
	if err != nil {
		t.Fatal(err)
	}
	d := &store{}
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		d.most.Store(max(d.most.Load(), d.under.Add(1)))
		defer d.under.Add(-1)
		status := 0
		if d.refuse != nil {
			status = d.refuse(r)
		}
		if status == 0 {
			d.asked = append(d.asked, r.Method+" "+strings.TrimPrefix(r.URL.Path, "/files/"))
		}
		d.mu.Unlock()
		if status != 0 {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(status)
			fmt.Fprintf(w, "<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>")
			return
		}
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		h.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	if err := s.MakeBucket(t.Context(), "files", s3server.BucketOptions{}); err != nil {
		t.Fatal(err)
	}
	d.opt = s3.Options{BaseEndpoint: &h.URL, UsePathStyle: true, Region: "eu-central-1",
		Retryer:     retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Millisecond }),
		Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", "")}
	d.Client = s3.New(d.opt)
	return d
}

// puts are the keys that were put since it was last called, but for the record.
func (d *store) puts() (keys []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.asked {
		if key, ok := strings.CutPrefix(a, "PUT "); ok && !strings.HasSuffix(key, ".json") {
			keys = append(keys, key)
		}
	}
	d.asked = nil
	return keys
}

func (d *store) refuses(f func(r *http.Request) int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refuse = f
}

type content struct{ *bytes.Reader }

func (content) Close() error { return nil }

func file(key, text string, h Header) File {
	sum := sha256.Sum256([]byte(text))
	return File{Key: key, Header: h, Size: int64(len(text)), Sum: hex.EncodeToString(sum[:]),
		Open: func() (io.ReadSeekCloser, error) { return content{bytes.NewReader([]byte(text))}, nil }}
}

// put opens the bucket and puts groups of files.
func put(t *testing.T, d *store, o Options, groups ...[]File) (Result, error) {
	t.Helper()
	o.Bucket, o.Prefix = "files", "www"
	b, err := Open(t.Context(), d.Client, o)
	if err != nil {
		t.Fatal(err)
	}
	return b.Put(t.Context(), groups...)
}

func expect(t *testing.T, d *store, step string, want ...string) {
	t.Helper()
	got := d.puts()
	slices.Sort(got)
	for i := range want {
		want[i] = "www/" + want[i]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: %s", step, diff)
	}
}

var css = Header{ContentType: "text/css; charset=utf-8", CacheControl: "public, max-age=31536000, immutable", ContentEncoding: "br",
	ContentLanguage: "de", ContentDisposition: "inline", Redirect: "/other"}

// TestPut puts what is not there, or not so.
func TestPut(t *testing.T) {
	d := newStore(t, t.TempDir())
	page := Header{ContentType: "text/html"}
	files := []File{file("a.css", "a{}", css), file("b.css", "b{}", css)}
	pages := []File{file("index.html", "<p>", page), file("ä/x y.html", "<q>", page), file("none.html", "", page)}
	pages[2].Size, pages[2].Open = -1, func() (io.ReadSeekCloser, error) { return nil, nil }
	try := func(step string, o Options, want ...string) Result {
		t.Helper()
		r, err := put(t, d, o, files, pages)
		if err != nil {
			t.Error(step, err)
		}
		expect(t, d, step, want...)
		return r
	}
	if r := try("a rehearsal", Options{Dry: true}); len(r.Uploaded) != 4 || r.Bytes != 12 || r.Present != 0 {
		t.Errorf("a rehearsal: %+v", r)
	}
	var told []int64
	r := try("the first", Options{Progress: func(done, total int64) { told = append(told, done, total) }}, "a.css", "b.css", "index.html", "ä/x y.html")
	if len(r.Uploaded) != 4 || r.Uploaded[0].Key != "a.css" || len(told) != 8 || told[6] != 12 || told[7] != 12 {
		t.Errorf("the first: %+v, told %d", r, told)
	}
	is, err := d.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("files"), Key: aws.String("www/a.css")})
	if err != nil {
		t.Fatal(err)
	}
	if got := (Header{aws.ToString(is.ContentType), aws.ToString(is.CacheControl), aws.ToString(is.ContentEncoding), aws.ToString(is.ContentLanguage),
		aws.ToString(is.ContentDisposition), aws.ToString(is.WebsiteRedirectLocation)}); got != css {
		t.Errorf("kept beside it: %+v", got)
	}
	if r := try("the second", Options{}); r.Present != 4 || len(r.Uploaded) != 0 {
		t.Errorf("the second: %+v", r)
	}
	pages[0] = file("index.html", "<p>!", page)
	try("another content", Options{}, "index.html")
	pages[0].Header.CacheControl = "no-cache"
	try("another header", Options{}, "index.html")
	for key, text := range map[string]string{"www/a.css": "x{}", "www/" + ".dayfly-upload.json": ""} {
		if text == "" {
			_, err = d.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("files"), Key: &key})
		} else {
			_, err = d.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("files"), Key: &key, Body: strings.NewReader(text)})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	d.puts()
	// Somebody else's object has one of the keys, and the record is gone.
	try("compared anew", Options{}, "a.css")
	try("after that", Options{})
	try("all of it", Options{Force: true}, "a.css", "b.css", "index.html", "ä/x y.html")
}

// TestNothingSecond has a second upload ask for nothing but the list and the
// record.
func TestNothingSecond(t *testing.T) {
	d := newStore(t, t.TempDir())
	var files []File
	for i := range 30 {
		files = append(files, file(fmt.Sprintf("%d.txt", i), fmt.Sprint(i), Header{ContentType: "text/plain"}))
	}
	if _, err := put(t, d, Options{Requests: 3}, files); err != nil {
		t.Fatal(err)
	}
	if most := d.most.Load(); most > 3 {
		t.Errorf("%d requests at once", most)
	}
	d.puts()
	if _, err := put(t, d, Options{}, files); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"GET /files", "GET www/.dayfly-upload.json"}, d.asked); diff != "" {
		t.Error(diff)
	}
}

// TestEachFault has each request that changes something be refused in turn: what
// is there is whole and refers to nothing that is not there, and the next upload
// puts the rest and nothing twice. In every other round the record cannot be
// written either, as where the uploader was killed.
func TestEachFault(t *testing.T) {
	const groups, each = 3, 2
	var files [][]File
	for g := range groups {
		files = append(files, nil)
		for i := range each {
			files[g] = append(files[g], file(fmt.Sprintf("%d/%d", g, i), fmt.Sprint(g, i), css))
		}
	}
	for n := range 2 * (groups*each + 1) {
		fault, killed := n/2, n%2 == 1
		d := newStore(t, t.TempDir())
		var seen atomic.Int64
		d.refuses(func(r *http.Request) int {
			isRecord := strings.HasSuffix(r.URL.Path, ".json")
			if r.Method == "PUT" && (isRecord && killed && fault < groups*each || !isRecord && seen.Add(1) == int64(fault)+1) {
				return http.StatusForbidden
			}
			return 0
		})
		r, err := put(t, d, Options{}, files...)
		if (err != nil) != (fault < groups*each) {
			t.Fatalf("fault %d: %v", fault, err)
		}
		if err != nil && !strings.Contains(err.Error(), "the credentials need s3:PutObject on files/www/*") {
			t.Errorf("fault %d: %v", fault, err)
		}
		first := d.puts()
		slices.Sort(first)
		if len(first) != len(r.Uploaded) {
			t.Errorf("fault %d: %d were put and %d told", fault, len(first), len(r.Uploaded))
		}
		for _, key := range first {
			for g := range int(key[len("www/")] - '0') {
				for i := range each {
					if !slices.Contains(first, fmt.Sprintf("www/%d/%d", g, i)) {
						t.Errorf("fault %d: %s is there and %d/%d is not", fault, key, g, i)
					}
				}
			}
		}
		d.refuses(nil)
		if _, err := put(t, d, Options{}, files...); err != nil {
			t.Fatal(err)
		}
		all := append(first, d.puts()...)
		slices.Sort(all)
		if len(all) != groups*each || len(slices.Compact(all)) != groups*each {
			t.Errorf("fault %d: put were %q", fault, all)
		}
	}
}

// TestRetried has a busy store answer each request badly once.
func TestRetried(t *testing.T) {
	d := newStore(t, t.TempDir())
	seen := map[string]bool{}
	d.refuses(func(r *http.Request) int {
		if key := r.Method + r.URL.Path; !seen[key] {
			seen[key] = true
			return http.StatusServiceUnavailable
		}
		return 0
	})
	if _, err := put(t, d, Options{}, []File{file("a", "a", css), file("b", "b", css)}); err != nil {
		t.Error(err)
	}
	expect(t, d, "all", "a", "b")
}

func TestStale(t *testing.T) {
	d := newStore(t, t.TempDir())
	files := []File{file("a", "a", css), file("b", "b", css), file("c", "c", css)}
	if _, err := put(t, d, Options{}, files); err != nil {
		t.Fatal(err)
	}
	if _, err := d.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("files"), Key: aws.String("www/c"), Body: strings.NewReader("theirs")}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		o     Options
		prune bool
		stale []string
		left  int
	}{{Options{}, false, []string{"b", "c"}, 4}, {Options{Dry: true}, true, []string{"b", "c"}, 4}, {Options{}, true, []string{"b", "c"}, 3}, {Options{}, true, nil, 3}} {
		c.o.Bucket, c.o.Prefix = "files", "www"
		b, err := Open(t.Context(), d.Client, c.o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Put(t.Context(), files[:1]); err != nil {
			t.Fatal(err)
		}
		stale, err := b.Stale(t.Context(), c.prune)
		slices.Sort(stale)
		l, listErr := d.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("files")})
		if err != nil || listErr != nil || !slices.Equal(stale, c.stale) || len(l.Contents) != c.left {
			t.Errorf("%+v: %q, %v, %v, %d are left", c, stale, err, listErr, len(l.Contents))
		}
	}
}

func TestParseTarget(t *testing.T) {
	for target, want := range map[string]string{"s3://b": "b ", "s3://b/": "b ", "s3://b/x/y/": "b x/y/",
		"b": "", "s3://": "", "s3:///x": "", "s3://b/../x": "", "s3://b?x": "", "https://b": ""} {
		bucket, prefix, err := ParseTarget(target)
		if want == "" && err == nil || want != "" && (err != nil || bucket+" "+prefix != want) {
			t.Errorf("%s: %q %q %v", target, bucket, prefix, err)
		}
	}
}
