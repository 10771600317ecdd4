package awstest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/records/driver"
)

// Faulty is a driver behind a Front.
type Faulty struct {
	// Open makes a front, and a store behind it that no other test has.
	Open func(testing.TB) (*Front, driver.Store)
	// Put and Delete choose the request that a write of one record, and the
	// deletion of one, consists of.
	Put, Delete func(*http.Request) bool
	// Refusal is the service's code for too many requests.
	Refusal string
}

// Faults tests what a driver makes of answers that get lost, come late or refuse.
func Faults(t *testing.T, f Faulty) {
	for name, test := range map[string]func(*testing.T, *Front, driver.Store){
		"Ambiguous": f.ambiguous, "Late": f.late, "Refused": f.refused, "RefusedAndDone": f.refusedAndDone,
	} {
		t.Run(name, func(t *testing.T) {
			front, s := f.Open(t)
			test(t, front, s)
		})
	}
}

// Put writes what must be taken, and returns the record at its new version.
func Put(t testing.TB, s driver.Store, r driver.Record) driver.Record {
	t.Helper()
	v, err := s.Put(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	r.Version = v
	return r
}

// ambiguous: a write that the service did, and whose answer did not say so, is
// told as neither done nor refused, is not sent again, and a write on top of what
// is read then settles it.
func (f Faulty) ambiguous(t *testing.T, front *Front, s driver.Store) {
	for _, fault := range []Fault{LoseAnswer, Fail} {
		for _, making := range []bool{true, false} {
			t.Run(fmt.Sprint(fault, making), func(t *testing.T) {
				r := driver.Record{Key: t.Name(), Value: []byte("old")}
				if !making {
					r = Put(t, s, r)
				}
				front.Requests()
				front.Once(fault, f.Put)
				r.Value = []byte("new")
				_, err := s.Put(t.Context(), r)
				front.unknown(t, err)
				got, err := s.Get(t.Context(), r.Key)
				if err != nil || string(got.Value) != "new" {
					t.Fatalf("got %q, %v", got.Value, err)
				}
				r = Put(t, s, got)
				front.Requests()
				front.Once(fault, f.Delete)
				front.unknown(t, s.Delete(t.Context(), r.Key, r.Version))
				if _, err := s.Get(t.Context(), r.Key); !errors.Is(err, driver.ErrNotFound) {
					t.Fatal(err)
				}
			})
		}
	}
}

// unknown expects an error that says neither done nor refused, and one request.
func (f *Front) unknown(t *testing.T, err error) {
	t.Helper()
	if err == nil || errors.Is(err, driver.ErrConflict) {
		t.Fatal(err)
	}
	if sent := f.Requests(); len(sent) != 1 {
		t.Errorf("sent were %q", sent)
	}
}

// late: an answer that does not come ends with the context.
func (f Faulty) late(t *testing.T, front *Front, s driver.Store) {
	r := Put(t, s, driver.Record{Key: "a", Value: []byte("old")})
	front.Do(func(*http.Request) Fault { return Late })
	for name, call := range map[string]func(context.Context) error{
		"get":    func(ctx context.Context) error { _, err := s.Get(ctx, "a"); return err },
		"list":   func(ctx context.Context) error { _, _, err := s.List(ctx, "m", "", 1); return err },
		"sweep":  func(ctx context.Context) error { _, err := s.Sweep(ctx, 1); return err },
		"put":    func(ctx context.Context) error { _, err := s.Put(ctx, r); return err },
		"delete": func(ctx context.Context) error { return s.Delete(ctx, "a", r.Version) },
	} {
		front.Requests()
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		err := call(ctx)
		cancel()
		if name == "sweep" && err == nil && len(front.Requests()) == 0 {
			continue // DynamoDB sweeps by itself
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// refused: what the service refuses is sent again, and nothing is done twice.
func (f Faulty) refused(t *testing.T, front *Front, s driver.Store) {
	refuse := func(n int) {
		front.Do(func(*http.Request) Fault {
			if n--; n >= 0 {
				return Refuse
			}
			return Pass
		})
	}
	refuse(2)
	r := Put(t, s, driver.Record{Key: "a", Value: []byte("old")})
	refuse(2)
	r.Value = []byte("new")
	r = Put(t, s, r)
	refuse(2)
	if got, err := s.Get(t.Context(), "a"); err != nil || got.Version != r.Version {
		t.Fatal(got, err)
	}
	// For as long as it lasts: then the error says so.
	refuse(1000)
	if _, err := s.Put(t.Context(), r); err == nil || errors.Is(err, driver.ErrConflict) || !strings.Contains(err.Error(), f.Refusal) {
		t.Fatal(err)
	}
	refuse(2)
	if err := s.Delete(t.Context(), "a", r.Version); err != nil {
		t.Fatal(err)
	}
}

// refusedAndDone: a service that refuses what it has done is not believed.
func (f Faulty) refusedAndDone(t *testing.T, front *Front, s driver.Store) {
	for _, r := range []driver.Record{{Key: "a", Value: []byte("made")}, {Key: "b", Value: []byte("old")}} {
		if r.Key == "b" {
			r = Put(t, s, r)
		}
		front.Once(DoAndRefuse, f.Put)
		r = Put(t, s, r)
		if got, err := s.Get(t.Context(), r.Key); err != nil || got.Version != r.Version {
			t.Fatal(got, err)
		}
	}
}
