package s3records_test

import (
	"context"
	"errors"
	"fmt"
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

func put(t *testing.T, s driver.Store, r driver.Record) driver.Record {
	t.Helper()
	v, err := s.Put(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	r.Version = v
	return r
}

// TestAmbiguous: a write that the service did, and whose answer did not say so,
// is told as neither done nor refused, is not sent again, and a write on top of
// what is read then settles it.
func TestAmbiguous(t *testing.T) {
	f, s := front(t)
	for _, fault := range []awstest.Fault{awstest.LoseAnswer, awstest.Fail} {
		for _, making := range []bool{true, false} {
			t.Run(fmt.Sprint(fault, making), func(t *testing.T) {
				r := driver.Record{Key: t.Name(), Value: []byte("old")}
				if !making {
					r = put(t, s, r)
				}
				f.Requests()
				f.Once(fault, method("PUT"))
				r.Value = []byte("new")
				_, err := s.Put(t.Context(), r)
				if err == nil || errors.Is(err, driver.ErrConflict) {
					t.Fatalf("put: %v", err)
				}
				if sent := f.Requests(); len(sent) != 1 {
					t.Errorf("sent were %q", sent)
				}
				got, err := s.Get(t.Context(), r.Key)
				if err != nil || string(got.Value) != "new" {
					t.Fatalf("got %q, %v", got.Value, err)
				}
				r = put(t, s, got)
				f.Requests()
				f.Once(fault, method("DELETE"))
				if err := s.Delete(t.Context(), r.Key, r.Version); err == nil || errors.Is(err, driver.ErrConflict) {
					t.Fatalf("delete: %v", err)
				}
				if sent := f.Requests(); len(sent) != 1 {
					t.Errorf("sent were %q", sent)
				}
				if _, err := s.Get(t.Context(), r.Key); !errors.Is(err, driver.ErrNotFound) {
					t.Fatal(err)
				}
			})
		}
	}
}

// TestLate: an answer that does not come ends with the context.
func TestLate(t *testing.T) {
	f, s := front(t)
	r := put(t, s, driver.Record{Key: "a", Value: []byte("old")})
	f.Do(func(*http.Request) awstest.Fault { return awstest.Late })
	for name, call := range map[string]func(context.Context) error{
		"get":    func(ctx context.Context) error { _, err := s.Get(ctx, "a"); return err },
		"list":   func(ctx context.Context) error { _, _, err := s.List(ctx, "m", "", 1); return err },
		"sweep":  func(ctx context.Context) error { _, err := s.Sweep(ctx, 1); return err },
		"put":    func(ctx context.Context) error { _, err := s.Put(ctx, r); return err },
		"delete": func(ctx context.Context) error { return s.Delete(ctx, "a", r.Version) },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
}

// TestRefused: what the service refuses is sent again, and nothing is done twice.
func TestRefused(t *testing.T) {
	f, s := front(t)
	refuse := func(n int) {
		f.Do(func(*http.Request) awstest.Fault {
			if n--; n >= 0 {
				return awstest.Refuse
			}
			return awstest.Pass
		})
	}
	refuse(2)
	r := put(t, s, driver.Record{Key: "a", Value: []byte("old")})
	refuse(2)
	r.Value = []byte("new")
	r = put(t, s, r)
	refuse(2)
	if got, err := s.Get(t.Context(), "a"); err != nil || got.Version != r.Version {
		t.Fatal(got, err)
	}
	// For as long as it lasts: then the error says so.
	refuse(1000)
	if _, err := s.Put(t.Context(), r); err == nil || errors.Is(err, driver.ErrConflict) || !strings.Contains(err.Error(), "SlowDown") {
		t.Fatal(err)
	}
	refuse(2)
	if err := s.Delete(t.Context(), "a", r.Version); err != nil {
		t.Fatal(err)
	}
}

// TestRefusedAndDone: a service that refuses what it has done is not believed.
func TestRefusedAndDone(t *testing.T) {
	f, s := front(t)
	for _, r := range []driver.Record{{Key: "a", Value: []byte("made")}, {Key: "b", Value: []byte("old")}} {
		if r.Key == "b" {
			r = put(t, s, r)
		}
		f.Once(awstest.DoAndRefuse, method("PUT"))
		r = put(t, s, r)
		if got, err := s.Get(t.Context(), r.Key); err != nil || got.Version != r.Version {
			t.Fatal(got, err)
		}
	}
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
