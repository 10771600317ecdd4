package dynamorecords_test

import (
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
	awstest.Faults(t, awstest.Faulty{Put: action("PutItem"), Delete: action("DeleteItem"), Refusal: "ThrottlingException",
		Open: func(t testing.TB) (*awstest.Front, driver.Store) { return front(t, url) }})
	t.Run("Requests", func(t *testing.T) {
		f, s := front(t, url)
		testRequests(t, f, s)
	})
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

var put = awstest.Put

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
