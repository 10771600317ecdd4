package dynamorecords_test

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
	"github.com/dayfly-dev/dayfly/records/dynamorecords"
)

func TestFaults(t *testing.T) {
	url := awstest.Moto(t)
	for name, test := range map[string]func(*testing.T, *awstest.Front, *dynamorecords.Store){
		"Ambiguous": testAmbiguous, "Late": testLate, "Refused": testRefused, "RefusedAndDone": testRefusedAndDone, "Requests": testRequests,
	} {
		t.Run(name, func(t *testing.T) {
			f, s := front(t, url)
			test(t, f, s)
		})
	}
}

// front stands before the service.
func front(t testing.TB, url string) (*awstest.Front, *dynamorecords.Store) {
	t.Helper()
	f := awstest.NewFront(t, url, func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"Throughput exceeds the current capacity of your table."}`)
	})
	s := open(t, f.URL, t.Name())
	f.Requests()
	t.Cleanup(func() { s.Close() })
	return f, s
}

// action chooses requests by their action.
func action(a string) func(*http.Request) bool {
	return func(r *http.Request) bool { return strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+a) }
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

// testAmbiguous: a write that the service did, and whose answer did not say so,
// is told as neither done nor refused, is not sent again, and a write on top of
// what is read then settles it.
func testAmbiguous(t *testing.T, f *awstest.Front, s *dynamorecords.Store) {
	for _, fault := range []awstest.Fault{awstest.LoseAnswer, awstest.Fail} {
		for _, making := range []bool{true, false} {
			t.Run(fmt.Sprint(fault, making), func(t *testing.T) {
				r := driver.Record{Key: t.Name(), Value: []byte("old")}
				if !making {
					r = put(t, s, r)
				}
				f.Requests()
				f.Once(fault, action("PutItem"))
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
				f.Once(fault, action("DeleteItem"))
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

// testLate: an answer that does not come ends with the context.
func testLate(t *testing.T, f *awstest.Front, s *dynamorecords.Store) {
	r := put(t, s, driver.Record{Key: "a", Value: []byte("old")})
	f.Do(func(*http.Request) awstest.Fault { return awstest.Late })
	for name, call := range map[string]func(context.Context) error{
		"get":    func(ctx context.Context) error { _, err := s.Get(ctx, "a"); return err },
		"list":   func(ctx context.Context) error { _, _, err := s.List(ctx, "m", "", 1); return err },
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

// testRefused: what the service refuses is sent again, and nothing is done twice.
func testRefused(t *testing.T, f *awstest.Front, s *dynamorecords.Store) {
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
	if _, err := s.Put(t.Context(), r); err == nil || errors.Is(err, driver.ErrConflict) || !strings.Contains(err.Error(), "ThrottlingException") {
		t.Fatal(err)
	}
	refuse(2)
	if err := s.Delete(t.Context(), "a", r.Version); err != nil {
		t.Fatal(err)
	}
}

// testRefusedAndDone: a service that refuses what it has done is not believed.
func testRefusedAndDone(t *testing.T, f *awstest.Front, s *dynamorecords.Store) {
	for _, r := range []driver.Record{{Key: "a", Value: []byte("made")}, {Key: "b", Value: []byte("old")}} {
		if r.Key == "b" {
			r = put(t, s, r)
		}
		f.Once(awstest.DoAndRefuse, action("PutItem"))
		r = put(t, s, r)
		if got, err := s.Get(t.Context(), r.Key); err != nil || got.Version != r.Version {
			t.Fatal(got, err)
		}
	}
}

// testRequests holds what doc/records.md says of them.
func testRequests(t *testing.T, f *awstest.Front, s *dynamorecords.Store) {
	r := driver.Record{Key: "a", Mark: "m", Expires: time.Now().Add(time.Hour).Truncate(time.Second)}
	for _, c := range []struct {
		what string
		do   func()
		want map[string]int
	}{
		{"make", func() { r = put(t, s, r) }, map[string]int{"PutItem": 1}},
		{"write", func() { r.Mark = "n"; r = put(t, s, r) }, map[string]int{"PutItem": 1}},
		{"get", func() { s.Get(t.Context(), "a") }, map[string]int{"GetItem": 1}},
		{"list", func() { s.List(t.Context(), "n", "", 10) }, map[string]int{"Query": 8, "BatchGetItem": 1}},
		{"sweep", func() { s.Sweep(t.Context(), 10) }, map[string]int{}},
		{"delete", func() { s.Delete(t.Context(), "a", r.Version) }, map[string]int{"DeleteItem": 1}},
	} {
		c.do()
		got := map[string]int{}
		for _, request := range f.Requests() {
			got[request[strings.LastIndexByte(request, '.')+1:]]++
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.what, diff)
		}
	}
}
