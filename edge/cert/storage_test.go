package cert_test

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/edge/cert"
	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/memrecords"
)

func TestStorage(t *testing.T) {
	ctx := t.Context()
	s, end := cert.NewStorage(records.New(memrecords.New()))
	defer end()
	if _, err := s.Load(ctx, "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("load of nothing: %v", err)
	}
	if _, err := s.List(ctx, "a", true); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("list of nothing: %v", err)
	}
	if err := s.Delete(ctx, "a"); err != nil {
		t.Errorf("delete of nothing: %v", err)
	}
	for _, key := range []string{"a/b/c.crt", "a/b/c.key", "a/d", "ab/c"} {
		for _, value := range []string{"before", key} {
			if err := s.Store(ctx, key, []byte(value)); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := s.Load(ctx, key); string(got) != key || err != nil {
			t.Errorf("%s: %q, %v", key, got, err)
		}
	}
	for _, tt := range []struct {
		path      string
		recursive bool
		want      []string
	}{
		{"", false, []string{"a", "ab"}},
		{"a", false, []string{"a/b", "a/d"}},
		{"a", true, []string{"a/b/c.crt", "a/b/c.key", "a/d"}},
		{"a/b", false, []string{"a/b/c.crt", "a/b/c.key"}},
	} {
		got, err := s.List(ctx, tt.path, tt.recursive)
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("%q, recursive %t: %v %s", tt.path, tt.recursive, err, diff)
		}
	}
	if i, err := s.Stat(ctx, "a/d"); err != nil || !i.IsTerminal || i.Size != 3 || time.Since(i.Modified) > time.Hour {
		t.Errorf("%+v, %v", i, err)
	}
	if i, err := s.Stat(ctx, "a/b"); err != nil || i.IsTerminal {
		t.Errorf("of a folder: %+v, %v", i, err)
	}
	if err := s.Delete(ctx, "a/b"); err != nil {
		t.Fatal(err)
	}
	if s.Exists(ctx, "a/b") || s.Exists(ctx, "a/b/c.key") || !s.Exists(ctx, "a") || !s.Exists(ctx, "ab/c") {
		t.Error("a delete took too little or too much")
	}
}

// TestLock: a lock is one process's at a time, for as long as it lives; that of
// one that died is free within a minute, and of one that ended at once.
func TestLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, store := t.Context(), records.New(memrecords.New())
		first, endFirst := cert.NewStorage(store)
		second, endSecond := cert.NewStorage(store)
		defer endSecond()
		if err := first.Lock(ctx, "host"); err != nil {
			t.Fatal(err)
		}
		short, cancel := context.WithTimeout(ctx, time.Hour)
		defer cancel()
		if err := second.Lock(short, "host"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("a lock that another has renewed for an hour: %v", err)
		}
		if err := second.Lock(ctx, "another"); err != nil {
			t.Fatal(err)
		}
		if err := first.Unlock(ctx, "host"); err != nil {
			t.Fatal(err)
		}
		if err := first.Unlock(ctx, "host"); err == nil {
			t.Error("a lock was given back twice")
		}
		if err := second.Lock(ctx, "host"); err != nil {
			t.Fatal(err)
		}
		if err := second.Unlock(ctx, "host"); err != nil {
			t.Fatal(err)
		}
		if err := first.Lock(ctx, "host"); err != nil {
			t.Fatal(err)
		}
		endFirst()
		began := time.Now()
		if err := second.Lock(ctx, "host"); err != nil || time.Since(began) > time.Second {
			t.Errorf("after the holder ended: %v in %s", err, time.Since(began))
		}
		// One that died did not give its lock back.
		if _, err := store.Put(ctx, records.Record{Key: "certificate-lock/dead", Value: []byte("dead"), Expires: time.Now().Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
		began = time.Now()
		if err := second.Lock(ctx, "dead"); err != nil || time.Since(began) > 65*time.Second {
			t.Errorf("after the holder died: %v in %s", err, time.Since(began))
		}
	})
}
