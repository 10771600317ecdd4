package s3records

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
)

func TestVersion(t *testing.T) {
	whole := state{etag: strings.Repeat("e", maxETag), mark: strings.Repeat("m", 64), entry: strings.Repeat("n", entryLen), due: lastTime}
	for _, st := range []state{whole, {etag: "x"}, {etag: "a.b-2"}, {etag: "x", due: 1}, {etag: "x", mark: "m", entry: "0123456789"}} {
		v := st.version("key")
		if got, ok := parseVersion("key", v); !ok || got != st || len(v) > 128 {
			t.Errorf("%+v became %q (%d bytes) and that %+v, %v", st, v, len(v), got, ok)
		}
		if _, ok := parseVersion("other", v); ok {
			t.Errorf("%q is taken for a version of another key", v)
		}
	}
	if v := whole.version("key"); len(v) != 128 {
		t.Errorf("the longest version has %d bytes", len(v))
	}
	// What S3 would not notice: the ETag is the same.
	v := state{etag: "x", mark: "mm", entry: "0123456789", due: 36}.version("key")
	for _, other := range []string{v[1:], "m" + v, strings.Replace(v, "0123", "1123", 1), strings.Replace(v, ".10.", ".11.", 1), strings.Replace(v, ".10.", ".010.", 1), strings.Replace(v, ".10.", "..", 1)} {
		if _, ok := parseVersion("key", other); ok || other == v {
			t.Errorf("%q was taken, of which only %q is a version", other, v)
		}
	}
}

func FuzzVersion(f *testing.F) {
	f.Add("key", state{etag: "9e107d9d372bb6826bd81d3542a419d6", mark: "m", entry: "0123456789", due: 1}.version("key"))
	f.Add("", "....*")
	f.Fuzz(func(t *testing.T, key, version string) {
		if st, ok := parseVersion(key, version); ok {
			if st.version(key) != version || st.etag == "*" || strings.ContainsAny(st.etag, "\", \r\n") {
				t.Errorf("%q is taken as %+v", version, st)
			}
		}
	})
}

func FuzzObject(f *testing.F) {
	for _, o := range []object{
		{header{Key: "k", Write: "w"}, nil},
		{header{Key: "k\"<é", Write: "w", Expires: 5, Mark: "m-1", Entry: "0123456789", Due: 4}, []byte("a\nb")},
	} {
		body, err := o.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte(`{"version":1,"mark":"../x","entry":"0123456789"}` + "\n"))
	f.Add([]byte(`{"version":2}` + "\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := decode(body)
		if err != nil {
			return
		}
		if strings.Contains(o.Mark, "/") || strings.ContainsAny(o.Entry, "./") {
			t.Errorf("mark %q, entry %q", o.Mark, o.Entry)
		}
		again, err := o.encode()
		if err != nil {
			t.Fatal(err)
		}
		if len(again) > maxObject {
			return // of names in JSON that we do not write
		}
		back, err := decode(again)
		if err != nil && len(again)-len(o.value) <= maxHeader {
			t.Fatalf("%q: %v", again, err)
		}
		if err == nil && cmp.Diff(o.header, back.header) != "" {
			t.Errorf("%+v became %+v", o.header, back.header)
		}
	})
}

func FuzzNames(f *testing.F) {
	s := &Store{}
	hash := hashOf("k")
	f.Add(strings.TrimPrefix(s.markName("m", hash, "0123456789"), "marks/m/"))
	f.Add(strings.TrimPrefix(s.expiryName(hash, 1795233600), "expiry/"))
	f.Add("." + hash + ".0123456789.sgwtmp.1")
	f.Fuzz(func(t *testing.T, rest string) {
		if hash, entry, ok := parseMark(rest); ok && s.markName("m", hash, entry) != "marks/m/"+rest {
			t.Errorf("%q is taken for %q, %q", rest, hash, entry)
		}
		if due, hash, ok := parseExpiry(rest); ok && s.expiryName(hash, due) != "expiry/"+rest {
			t.Errorf("%q is taken for %d, %q", rest, due, hash)
		}
	})
}

// TestWrittenInTime: a record is not sent long after the objects that tell of it.
func TestWrittenInTime(t *testing.T) {
	sent := 0
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			t.Error("the request is not signed")
		}
		sent++
		w.Header().Set("ETag", `"x"`)
	}))
	defer h.Close()
	s := &Store{bucket: "b", writes: s3.New(s3.Options{Region: "us-east-1", BaseEndpoint: &h.URL, UsePathStyle: true, Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", "")})}
	for _, c := range []struct {
		ago  time.Duration
		sent int
	}{{0, 1}, {9 * time.Minute, 1}, {11 * time.Minute, 0}} {
		sent = 0
		_, err := s.put(t.Context(), "k", []byte("x"), "*", within(time.Now().Add(-c.ago)))
		if sent != c.sent || (err == nil) != (c.sent == 1) {
			t.Errorf("%s after: %d sent, %v", c.ago, sent, err)
		}
	}
}

func TestFromURL(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-central-1")
	t.Setenv("AWS_ENDPOINT_URL", "")
	for _, c := range []struct{ address, bucket, prefix, region, endpoint string }{
		{"s3://b", "b", "", "eu-central-1", ""},
		{"s3://my-bucket/", "my-bucket", "", "eu-central-1", ""},
		{"s3://b.example/a/b%20?region=us-east-2", "", "", "", ""}, // a blank
		{"s3://b.example/a/b/?region=us-east-2", "b.example", "a/b", "us-east-2", ""},
		{"s3://b/a?endpoint=http://127.0.0.1:9000", "b", "a", "eu-central-1", "http://127.0.0.1:9000"},
		{"s3:///a", "", "", "", ""},
		{"s3:b", "", "", "", ""},
		{"http://b", "", "", "", ""},
		{"s3://user:secret@b", "", "", "", ""},
		{"s3://b:80", "", "", "", ""},
		{"s3://b#a", "", "", "", ""},
		{"s3://b/a//b", "", "", "", ""},
		{"s3://b/../a", "", "", "", ""},
		{"s3://b?regoin=x", "", "", "", ""},
		{"s3://b?region=", "", "", "", ""},
		{"s3://b?region=a&region=b", "", "", "", ""},
		{"s3://b?endpoint=127.0.0.1:9000", "", "", "", ""},
		{"s3://b/" + strings.Repeat("x", 513), "", "", "", ""},
	} {
		u, err := url.Parse(c.address)
		if err != nil {
			t.Fatal(err)
		}
		opts, err := FromURL(context.Background(), u)
		if c.bucket == "" {
			if err == nil {
				t.Errorf("%s was taken", c.address)
			} else if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error repeats what may be a secret: %v", err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.address, err)
			continue
		}
		o := opts.Client.Options()
		if opts.Bucket != c.bucket || opts.Prefix != c.prefix || o.Region != c.region || aws.ToString(o.BaseEndpoint) != c.endpoint {
			t.Errorf("%s: bucket %q, prefix %q, region %q, endpoint %q", c.address, opts.Bucket, opts.Prefix, o.Region, aws.ToString(o.BaseEndpoint))
		}
	}
}
