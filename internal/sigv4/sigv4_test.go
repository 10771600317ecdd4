package sigv4_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/dayfly-dev/dayfly/internal/sigv4"
)

var (
	creds = sigv4.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
	noon  = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
)

func verifier(t testing.TB, now time.Time) *sigv4.Verifier {
	t.Helper()
	v, err := sigv4.New(sigv4.Options{Credentials: []sigv4.Credentials{creds}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func awsCreds() aws.Credentials {
	return aws.Credentials{AccessKeyID: creds.AccessKeyID, SecretAccessKey: creds.SecretAccessKey}
}

func hashOf(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// sign signs with the SDK's signer.
func sign(t testing.TB, r *http.Request, body, service string, at time.Time) {
	t.Helper()
	err := v4.NewSigner().SignHTTP(context.Background(), awsCreds(), r, hashOf(body), service, "eu-west-1", at)
	if err != nil {
		t.Fatal(err)
	}
}

// verify is the way the gateway goes.
func verify(v *sigv4.Verifier, r *http.Request, body string) error {
	c, err := sigv4.Parse(r)
	if err != nil {
		return err
	}
	return v.Verify(r, &c, whole([]byte(body)))
}

// whole is a body that was read already.
func whole(body []byte) func() ([]byte, error) {
	return func() ([]byte, error) { return body, nil }
}

func kindOf(t testing.TB, err error) sigv4.Kind {
	t.Helper()
	if err == nil {
		return 0
	}
	var e *sigv4.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is not an *Error", err)
	}
	return e.Kind
}

// overTheWire returns the request as a server would read it.
func overTheWire(t testing.TB, r *http.Request, body string) *http.Request {
	t.Helper()
	var got *http.Request
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, in *http.Request) {
		io.Copy(io.Discard, in.Body)
		got = in
	}))
	defer s.Close()
	r.Host = r.URL.Host
	to, _ := url.Parse(s.URL)
	r.URL.Host = to.Host
	r.Body = io.NopCloser(strings.NewReader(body))
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return got
}

// random makes requests of all shapes a client may sign.
func random(rng *rand.Rand) (r *http.Request, body string) {
	pick := func(of ...string) string { return of[rng.IntN(len(of))] }
	text := func(n int) string {
		const letters = "abzAZ019-._~ /+%&=;:,'\"!*()[]@é世\t"
		rs, b := []rune(letters), strings.Builder{}
		for range rng.IntN(n + 1) {
			b.WriteRune(rs[rng.IntN(len(rs))])
		}
		return b.String()
	}
	u := &url.URL{Scheme: "http", Host: pick("127.0.0.1:4566", "sqs.example.com", "localhost")}
	u.Path = "/" + strings.Join(strings.Fields(text(12)), "")
	u.Path = strings.ReplaceAll(u.Path, "//", "/")
	q := url.Values{}
	for range rng.IntN(4) {
		q.Add(pick("Action", "b", "a", "a-b", "a.b", "x y", "é"), text(6))
	}
	u.RawQuery = q.Encode()
	method := pick("POST", "GET", "PUT", "DELETE")
	if method == "POST" || method == "PUT" {
		body = text(200)
	}
	r, err := http.NewRequest(method, u.String(), strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	r.Header.Set("Content-Type", pick("application/x-amz-json-1.0", "application/json"))
	r.Header.Set("X-Amz-Target", "AmazonSQS.SendMessage")
	for range rng.IntN(3) {
		r.Header.Add(pick("X-Custom", "X-Amz-Meta-A", "Accept"), "  v"+strings.Repeat(" ", rng.IntN(4))+"w ")
	}
	if rng.IntN(3) == 0 {
		r.Header.Set("X-Amz-Content-Sha256", hashOf(body))
	}
	return r, body
}

func TestAcceptsWhatTheSDKSigns(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	v := verifier(t, noon)
	for range 300 {
		r, body := random(rng)
		sign(t, r, body, []string{"sqs", "ses", "sns"}[rng.IntN(3)], noon)
		if err := verify(v, overTheWire(t, r, body), body); err != nil {
			t.Fatalf("%s %s %q: %v", r.Method, r.URL, r.Header, err)
		}
	}
}

func TestAcceptsWhatTheSDKPresigns(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	v := verifier(t, noon.Add(time.Minute))
	for range 100 {
		r, body := random(rng)
		r.Header.Del("X-Amz-Target") // would be hoisted into the query
		r.Header.Del("X-Amz-Content-Sha256")
		q := r.URL.Query()
		q.Set("X-Amz-Expires", "120")
		r.URL.RawQuery = q.Encode()
		signed, header, err := v4.NewSigner().PresignHTTP(context.Background(), awsCreds(), r, hashOf(body), "sqs", "eu-west-1", noon)
		if err != nil {
			t.Fatal(err)
		}
		p, err := http.NewRequest(r.Method, signed, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		p.Header = header
		p.Header.Del("Host")
		if err := verify(v, overTheWire(t, p, body), body); err != nil {
			t.Fatalf("%s: %v", signed, err)
		}
		if got := kindOf(t, verify(verifier(t, noon.Add(121*time.Second)), p, body)); got != sigv4.Expired {
			t.Fatalf("after its time: kind %d, want Expired", got)
		}
		p.URL.RawQuery = strings.Replace(p.URL.RawQuery, "X-Amz-Expires=120", "X-Amz-Expires=9999", 1)
		if got := kindOf(t, verify(v, p, body)); got != sigv4.Mismatch {
			t.Fatalf("longer life: kind %d, want Mismatch", got)
		}
	}
}

// The two requests AWS publishes with all steps: IAM ListUsers of the signing
// guide, and get-vanilla-query-order-key-case of the test suite.
func TestPublishedVectors(t *testing.T) {
	for _, tc := range []struct {
		name, target, host, service, contentType, signature string
	}{
		{
			"list users", "/?Action=ListUsers&Version=2010-05-08", "iam.amazonaws.com", "iam",
			"application/x-www-form-urlencoded; charset=utf-8",
			"5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
		},
		{
			"query order", "/?Param2=value2&Param1=value1", "example.amazonaws.com", "service", "",
			"b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
		},
		{
			"vanilla", "/", "example.amazonaws.com", "service", "",
			"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", tc.target, nil)
			r.Host = tc.host
			r.Header.Set("X-Amz-Date", "20150830T123600Z")
			headers := "host;x-amz-date"
			if tc.contentType != "" {
				headers = "content-type;" + headers
				r.Header.Set("Content-Type", tc.contentType)
			}
			r.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/20150830/us-east-1/%s/aws4_request, SignedHeaders=%s, Signature=%s",
				creds.AccessKeyID, tc.service, headers, tc.signature))
			if err := verify(verifier(t, time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)), r, ""); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestTampering(t *testing.T) {
	const body = `{"QueueUrl":"http://127.0.0.1:4566/000000000000/a","MessageBody":"hello"}`
	for _, tc := range []struct {
		name   string
		tamper func(r *http.Request, body *string)
		want   sigv4.Kind
	}{
		{"nothing", func(*http.Request, *string) {}, 0},
		{"blanks in a header", func(r *http.Request, _ *string) { r.Header.Set("X-Custom", "a b") }, 0},
		{"token unsigned", func(r *http.Request, _ *string) { r.Header.Set("X-Amz-Security-Token", "x") }, sigv4.Mismatch},
		{"body", func(_ *http.Request, b *string) { *b = strings.Replace(*b, "hello", "hullo", 1) }, sigv4.Mismatch},
		{"body with a hash to match", func(r *http.Request, b *string) {
			*b += " "
			r.Header.Set("X-Amz-Content-Sha256", hashOf(*b))
		}, sigv4.Mismatch},
		{"unsigned payload", func(r *http.Request, _ *string) { r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD") }, sigv4.Mismatch},
		{"method", func(r *http.Request, _ *string) { r.Method = "PUT" }, sigv4.Mismatch},
		{"path", func(r *http.Request, _ *string) { r.RequestURI = "/other" }, sigv4.Mismatch},
		{"query", func(r *http.Request, _ *string) { r.URL.RawQuery = "a=2" }, sigv4.Mismatch},
		{"host", func(r *http.Request, _ *string) { r.Host = "elsewhere:4566" }, sigv4.Mismatch},
		{"target", func(r *http.Request, _ *string) { r.Header.Set("X-Amz-Target", "AmazonSQS.DeleteQueue") }, sigv4.Mismatch},
		{"target taken off", func(r *http.Request, _ *string) { r.Header.Del("X-Amz-Target") }, sigv4.Mismatch},
		{"date", func(r *http.Request, _ *string) { r.Header.Set("X-Amz-Date", "20260314T120001Z") }, sigv4.Mismatch},
		{"date of another day", func(r *http.Request, _ *string) { r.Header.Set("X-Amz-Date", "20260315T120000Z") }, sigv4.Mismatch},
		{"date nonsense", func(r *http.Request, _ *string) { r.Header.Set("X-Amz-Date", "yesterday") }, sigv4.Incomplete},
		{"no date", func(r *http.Request, _ *string) { r.Header.Del("X-Amz-Date") }, sigv4.Incomplete},
		{"no authorization", func(r *http.Request, _ *string) { r.Header.Del("Authorization") }, sigv4.Missing},
		{"two authorizations", func(r *http.Request, _ *string) { r.Header.Add("Authorization", "AWS4-HMAC-SHA256 x") }, sigv4.Incomplete},
		{"another scheme", edit("AWS4-HMAC-SHA256", "Bearer"), sigv4.Incomplete},
		{"another key", edit("AKIDEXAMPLE", "AKIDEXAMPLF"), sigv4.UnknownKey},
		{"another region", edit("eu-west-1", "eu-west-2"), sigv4.Mismatch},
		{"another service", edit("/sqs/", "/sns/"), sigv4.Mismatch},
		{"another end", edit("aws4_request", "aws5_request"), sigv4.Incomplete},
		{"host not signed", edit(";host", ""), sigv4.Mismatch},
		{"target not signed", edit(";x-amz-target", ""), sigv4.Mismatch},
		{"a header more", edit("x-amz-target", "x-amz-target;x-more"), sigv4.Mismatch},
		{"no signature", edit("Signature=", "Sign="), sigv4.Incomplete},
		{"short signature", edit("Signature=", "Signature=,"), sigv4.Incomplete},
		{"twice", edit("SignedHeaders=", "SignedHeaders=host, SignedHeaders="), sigv4.Incomplete},
		{"signature not hexadecimal", func(r *http.Request, _ *string) {
			a := r.Header.Get("Authorization")
			r.Header.Set("Authorization", a[:len(a)-1]+"x")
		}, sigv4.Incomplete},
		{"a digit of the signature", func(r *http.Request, _ *string) {
			a := []byte(r.Header.Get("Authorization"))
			a[len(a)-1] ^= 1 // one hexadecimal digit becomes another, except a and f
			if a[len(a)-1] == '`' || a[len(a)-1] == 'g' {
				a[len(a)-1] = '0'
			}
			r.Header.Set("Authorization", string(a))
		}, sigv4.Mismatch},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "http://127.0.0.1:4566/000000000000/a?a=1", strings.NewReader(body))
			r.RequestURI = "/000000000000/a?a=1"
			r.Header.Set("X-Amz-Target", "AmazonSQS.SendMessage")
			r.Header.Set("X-Custom", "a   b")
			sign(t, r, body, "sqs", noon)
			b := body
			tc.tamper(r, &b)
			v := verifier(t, noon)
			for range 2 { // the second time the key may be cached
				if got := kindOf(t, verify(v, r, b)); got != tc.want {
					t.Fatalf("kind %d, want %d", got, tc.want)
				}
			}
		})
	}
}

func edit(from, to string) func(*http.Request, *string) {
	return func(r *http.Request, _ *string) {
		a := r.Header.Get("Authorization")
		if !strings.Contains(a, from) {
			panic("nothing to edit in " + a)
		}
		r.Header.Set("Authorization", strings.Replace(a, from, to, 1))
	}
}

func TestClock(t *testing.T) {
	for _, tc := range []struct {
		ours time.Duration // after the client's
		want sigv4.Kind
	}{
		{-15*time.Minute - time.Second, sigv4.Skewed},
		{-15 * time.Minute, 0},
		{0, 0},
		{15 * time.Minute, 0},
		{15*time.Minute + time.Second, sigv4.Skewed},
	} {
		r := httptest.NewRequest("POST", "http://h/", nil)
		sign(t, r, "", "sqs", noon)
		if got := kindOf(t, verify(verifier(t, noon.Add(tc.ours)), r, "")); got != tc.want {
			t.Errorf("%v: kind %d, want %d", tc.ours, got, tc.want)
		}
	}
}

// A path that is not clean is signed as it is by some, cleaned by others.
func TestUncleanPath(t *testing.T) {
	for signed, want := range map[string]sigv4.Kind{"/a//b/../c": 0, "/a/c": 0, "/a/b/c": sigv4.Mismatch} {
		r := httptest.NewRequest("GET", "http://h"+signed, nil)
		sign(t, r, "", "sqs", noon)
		r.RequestURI = "/a//b/../c"
		if got := kindOf(t, verify(verifier(t, noon), r, "")); got != want {
			t.Errorf("signed %s: kind %d, want %d", signed, got, want)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []sigv4.Options{
		{},
		{Credentials: []sigv4.Credentials{{AccessKeyID: "a"}}},
		{Credentials: []sigv4.Credentials{creds}, MaxSkew: -1},
	} {
		if _, err := sigv4.New(o); err == nil {
			t.Errorf("New(%+v) succeeded", o)
		}
	}
}

func FuzzAuthorization(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260314/eu-west-1/sqs/aws4_request, SignedHeaders=host;x-amz-date, Signature="+strings.Repeat("0", 64), "", "20260314T120000Z")
	f.Add("AWS4-HMAC-SHA256 Credential=////,SignedHeaders=;,Signature=", "", "")
	f.Add("", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F20260314%2Fr%2Fs%2Faws4_request&X-Amz-Date=20260314T120000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature="+strings.Repeat("a", 64), "")
	v := verifier(f, noon)
	f.Fuzz(func(t *testing.T, authorization, query, date string) {
		r := &http.Request{Method: "POST", Host: "h", URL: &url.URL{Path: "/", RawQuery: query}, Header: http.Header{}}
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		r.Header.Set("X-Amz-Date", date)
		c, err := sigv4.Parse(r)
		if err != nil {
			kindOf(t, err)
			return
		}
		if c.AccessKeyID == "" || c.Service == "" || len(c.Signature) != 64 || c.Stamp[:8] != c.Date {
			t.Fatalf("accepted %+v", c)
		}
		if kindOf(t, v.Verify(r, &c, whole(nil))) == 0 {
			t.Fatalf("a signature was guessed: %q", authorization)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	body := []byte(`{"QueueUrl":"http://127.0.0.1:4566/000000000000/a","MessageBody":"` + strings.Repeat("x", 200) + `"}`)
	r := httptest.NewRequest("POST", "http://127.0.0.1:4566/", bytes.NewReader(body))
	r.RequestURI = "/"
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "AmazonSQS.SendMessage")
	r.Header.Set("Amz-Sdk-Request", "attempt=1; max=3")
	r.Header.Set("Amz-Sdk-Invocation-Id", "f7d0b1e2-0000-4000-8000-000000000000")
	sign(b, r, string(body), "sqs", noon)
	v := verifier(b, noon)
	b.ReportAllocs()
	for b.Loop() {
		c, err := sigv4.Parse(r)
		if err == nil {
			err = v.Verify(r, &c, whole(body))
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// TestBodyReadLast: of a request that cannot be right no body is read; an error
// of reading it is what Verify returns.
func TestBodyReadLast(t *testing.T) {
	torn := errors.New("the body is torn")
	for _, tc := range []struct {
		name  string
		now   time.Time
		alter func(*http.Request)
		reads int
	}{
		{"right so far", noon, func(*http.Request) {}, 1},
		{"unknown key", noon, func(r *http.Request) {
			a := r.Header.Get("Authorization")
			r.Header.Set("Authorization", strings.Replace(a, creds.AccessKeyID, "AKIDSOMEONE", 1))
		}, 0},
		{"too old", noon.Add(time.Hour), func(*http.Request) {}, 0},
		{"a header that is not signed", noon, func(r *http.Request) { r.Header.Set("X-Amz-Target", "AmazonSQS.PurgeQueue") }, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "http://localhost/", nil)
			sign(t, r, "", "sqs", noon)
			tc.alter(r)
			c, err := sigv4.Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			reads := 0
			err = verifier(t, tc.now).Verify(r, &c, func() ([]byte, error) { reads++; return nil, torn })
			if reads != tc.reads || err == nil || errors.Is(err, torn) != (tc.reads == 1) {
				t.Errorf("body read %d times, want %d; %v", reads, tc.reads, err)
			}
		})
	}
}
