package s3records_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/records/awstest"
	"github.com/dayfly-dev/dayfly/records/driver"
	"github.com/dayfly-dev/dayfly/records/s3records"
)

// front stands before the embedded store.
func front(t testing.TB) (*awstest.Front, *s3records.Store) {
	t.Helper()
	f := awstest.NewFront(t, bucketAt(t, embedded(t)), func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>`)
	})
	s := open(t, f.URL, "app")
	f.Requests()
	t.Cleanup(func() { s.Close() })
	return f, s
}

// method chooses requests for records by their method.
func method(m string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return r.Method == m && strings.Contains(r.URL.Path, "/records/app/records/")
	}
}

var put = awstest.Put

func TestFaults(t *testing.T) {
	awstest.Faults(t, awstest.Faulty{Put: method("PUT"), Delete: method("DELETE"), Refusal: "SlowDown",
		Open: func(t testing.TB) (*awstest.Front, driver.Store) { return front(t) }})
}

// TestRequests holds what doc/records.md says of them.
func TestRequests(t *testing.T) {
	f, s := front(t)
	soon, later := time.Now().Add(time.Hour).Truncate(time.Second), time.Now().Add(9*time.Hour).Truncate(time.Second)
	r := driver.Record{Key: "a"}
	for _, c := range []struct {
		what string
		do   func()
		want map[string]int
	}{
		{"make", func() { r = put(t, s, r) }, map[string]int{"PUT records": 1}},
		{"write", func() { r = put(t, s, r) }, map[string]int{"PUT records": 1}},
		{"an expiry and a mark", func() { r.Expires, r.Mark = soon, "m"; r = put(t, s, r) }, map[string]int{"PUT records": 1, "PUT expiry": 1, "PUT marks": 1}},
		{"the same", func() { r = put(t, s, r) }, map[string]int{"PUT records": 1}},
		{"a little later", func() { r.Expires = soon.Add(3 * time.Hour); r = put(t, s, r) }, map[string]int{"PUT records": 1}},
		{"much later", func() { r.Expires = later; r = put(t, s, r) }, map[string]int{"PUT records": 1, "PUT expiry": 1}},
		{"another mark", func() { r.Mark = "n"; r = put(t, s, r) }, map[string]int{"PUT records": 1, "PUT marks": 1, "DELETE marks": 1}},
		{"get", func() { s.Get(t.Context(), "a") }, map[string]int{"GET records": 1}},
		{"conflict", func() { s.Put(t.Context(), driver.Record{Key: "a", Version: r.Version[1:]}) }, map[string]int{}},
		{"list", func() { s.List(t.Context(), "n", "", 10) }, map[string]int{"LIST": 1, "GET records": 1}},
		{"sweep", func() { s.Sweep(t.Context(), 10) }, map[string]int{"LIST": 1}},
		{"delete", func() { s.Delete(t.Context(), "a", r.Version) }, map[string]int{"DELETE records": 1, "DELETE marks": 1}},
	} {
		c.do()
		s.Quiet()
		if diff := cmp.Diff(c.want, count(f.Requests())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.what, diff)
		}
	}
}

// count is how many requests there were of a method for a folder.
func count(requests []string) map[string]int {
	n := map[string]int{}
	for _, r := range requests {
		method, path, _ := strings.Cut(r, " ")
		if method == "LIST" {
			n["LIST"]++
			continue
		}
		n[method+" "+strings.Split(path, "/")[3]]++ // "", bucket, prefix, folder
	}
	return n
}

// TestProbe: a service that does not look at conditions is found out, each one.
func TestProbe(t *testing.T) {
	url := bucketAt(t, awstest.Moto(t)) // which does not verify signatures
	for _, header := range []string{"If-None-Match of PUT", "If-Match of PUT", "If-Match of DELETE"} {
		name, method, _ := strings.Cut(header, " of ")
		transport := without{name, method, client(t, url).Options().HTTPClient.(*http.Client).Transport}
		c := client(t, url, transport)
		_, err := s3records.Open(t.Context(), s3records.Options{Client: c, Bucket: bucket})
		if err == nil || !strings.Contains(err.Error(), "does not look at") {
			t.Errorf("%s ignored: %v", header, err)
		}
	}
	_, err := s3records.Open(t.Context(), s3records.Options{Client: client(t, url), Bucket: "none-there"})
	if err == nil || !strings.Contains(err.Error(), "NoSuchBucket") {
		t.Error(err)
	}
}

// without makes a service that does not know a header, which is taken away after
// the request was signed.
type without struct {
	header, method string
	to             http.RoundTripper
}

func (w without) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == w.method {
		r = r.Clone(r.Context())
		r.Header.Del(w.header)
	}
	return w.to.RoundTrip(r)
}
