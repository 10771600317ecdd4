package payload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"gocloud.dev/blob/memblob"

	"github.com/dayfly-dev/dayfly/blob/s3server"
)

// serve starts the embedded object store and points the AWS SDK at it, as
// `dayfly up` does for an application.
func serve(t *testing.T) {
	t.Helper()
	s, err := s3server.Open(s3server.Options{Dir: t.TempDir(), AccessKey: "AKIATEST", SecretKey: "secret", Region: "eu-central-1"})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(func() {
		h.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	for k, v := range map[string]string{
		"AWS_ENDPOINT_URL": h.URL, "AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(k, v)
	}
	if err := s.MakeBucket(t.Context(), "payloads", s3server.BucketOptions{}); err != nil {
		t.Fatal(err)
	}
}

// onEach runs a test on the embedded S3 and on a bucket in memory.
func onEach(t *testing.T, o *Options, test func(t *testing.T, s *Store)) {
	t.Run("s3", func(t *testing.T) {
		serve(t)
		s, err := Open(t.Context(), "s3://payloads/a/b", o)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		test(t, s)
	})
	t.Run("memory", func(t *testing.T) {
		b := memblob.OpenBucket(nil)
		defer b.Close()
		s, err := New(b, "mem://payloads/a/b", o)
		if err != nil {
			t.Fatal(err)
		}
		test(t, s)
	})
}

func put(t *testing.T, s *Store, data string) Ref {
	t.Helper()
	r, err := s.Refer([]byte(data), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), r, []byte(data)); err != nil {
		t.Fatal(err)
	}
	return r
}

// overwrite puts something else where a payload is.
func overwrite(t *testing.T, s *Store, r Ref, data string) {
	t.Helper()
	key, err := s.key(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.bucket.WriteAll(t.Context(), key, []byte(data), nil); err != nil {
		t.Fatal(err)
	}
}

func TestStoreLoadDelete(t *testing.T) {
	onEach(t, nil, func(t *testing.T, s *Store) {
		for _, data := range []string{"", "{}", strings.Repeat("x", 1<<20), strings.Repeat("0123456789", 2<<20)} {
			r := put(t, s, data)
			got, err := s.Load(t.Context(), r)
			if err != nil || string(got) != data {
				t.Fatalf("%d bytes come back as %d, %v", len(data), len(got), err)
			}
			for range 2 { // a second delete is no error
				if err := s.Delete(t.Context(), r); err != nil {
					t.Error(err)
				}
			}
			if _, err := s.Load(t.Context(), r); !errors.Is(err, ErrMissing) {
				t.Errorf("a deleted payload: %v", err)
			}
		}
		a, b := put(t, s, "same"), put(t, s, "same")
		if a.URL == b.URL {
			t.Error("two payloads share an object")
		}
	})
}

func TestAlteredPayloads(t *testing.T) {
	onEach(t, nil, func(t *testing.T, s *Store) {
		const data = `{"n":1234567890}`
		for what, now := range map[string]string{
			"truncated": data[:9], "empty": "", "longer": data + " ", "of one other byte": `{"n":1234567891}`,
		} {
			r := put(t, s, data)
			overwrite(t, s, r, now)
			if got, err := s.Load(t.Context(), r); !errors.Is(err, ErrAltered) || got != nil {
				t.Errorf("%s: %q, %v", what, got, err)
			}
		}
	})
}

func TestMaxSize(t *testing.T) {
	onEach(t, &Options{MaxSize: 10}, func(t *testing.T, s *Store) {
		r := put(t, s, "0123456789")
		if _, err := s.Refer([]byte("0123456789A"), time.Time{}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("one byte more: %v", err)
		}
		// What the message claims is believed only as far as it bounds.
		overwrite(t, s, r, strings.Repeat("x", 1<<20))
		if _, err := s.Load(t.Context(), r); !errors.Is(err, ErrAltered) {
			t.Errorf("an object that grew: %v", err)
		}
		r.Size = 1 << 30
		if _, err := s.Load(t.Context(), r); !errors.Is(err, ErrTooLarge) {
			t.Errorf("a claim of 1 GiB: %v", err)
		}
	})
}

func TestSweep(t *testing.T) {
	onEach(t, nil, func(t *testing.T, s *Store) {
		ctx, start := t.Context(), time.Now()
		var soon, late []Ref
		for range 5 {
			soon = append(soon, put(t, s, "soon"))
			r, err := s.Refer([]byte("late"), start.Add(30*24*time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Put(ctx, r, []byte("late")); err != nil {
				t.Fatal(err)
			}
			late = append(late, r)
		}
		// A program that writes a wrong date loses nothing by it, and what is
		// not a payload is nobody's to delete.
		misdated := Ref{URL: s.base + "tasks/2001-01-01/x", SHA256: soon[0].SHA256, Size: soon[0].Size}
		if err := s.Put(ctx, misdated, []byte("soon")); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{s.prefix + "tasks/2001-01-01/sub/x", s.prefix + "tasks/notes", s.prefix + "else/2001-01-01/x", "tasks/2001-01-01/x"} {
			if err := s.bucket.WriteAll(ctx, key, []byte("kept"), nil); err != nil {
				t.Fatal(err)
			}
		}
		sweep := func(after time.Duration, limit, want int) {
			t.Helper()
			if n, err := s.Sweep(ctx, start.Add(after), limit); err != nil || n != want {
				t.Errorf("a sweep after %v deletes %d, %v; want %d", after, n, err, want)
			}
		}
		loads := func(refs []Ref, want bool) {
			t.Helper()
			for _, r := range refs {
				if _, err := s.Load(ctx, r); (err == nil) != want {
					t.Errorf("%s: %v", r.URL, err)
				}
			}
		}
		const day = 24 * time.Hour
		sweep(0, 100, 0)
		sweep(59*day, 100, 0)
		loads(append(soon, misdated), true)
		sweep(62*day, 2, 2)
		sweep(62*day, 100, 4)
		loads(append(soon, misdated), false)
		loads(late, true)
		sweep(88*day, 100, 0)
		loads(late, true)
		sweep(93*day, 100, 5)
		loads(late, false)
		for it, n := s.bucket.List(nil), 0; ; n++ {
			if _, err := it.Next(ctx); err != nil {
				if n != 4 {
					t.Errorf("%d other objects are left of 4", n)
				}
				break
			}
		}
	})
}

// TestManyAtOnce: payloads come and go in one folder, which the embedded store
// removes with its last object.
func TestManyAtOnce(t *testing.T) {
	onEach(t, nil, func(t *testing.T, s *Store) {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for j := range 25 {
					data := fmt.Appendf(nil, "%d %d", i, j)
					r, err := s.Refer(data, time.Time{})
					if err == nil {
						err = s.Put(t.Context(), r, data)
					}
					var got []byte
					if err == nil {
						got, err = s.Load(t.Context(), r)
					}
					if err == nil {
						err = s.Delete(t.Context(), r)
					}
					if err != nil || !bytes.Equal(got, data) {
						t.Errorf("%s: %q, %v", data, got, err)
						return
					}
				}
			})
		}
		wg.Wait()
	})
}
