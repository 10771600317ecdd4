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
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
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

// TestOnlyItsOwn: a reference leads nowhere but below the store's own address.
func TestOnlyItsOwn(t *testing.T) {
	onEach(t, nil, func(t *testing.T, s *Store) {
		const data = "secret"
		good := put(t, s, data)
		name := good.URL[strings.LastIndexByte(good.URL, '/')+1:]
		date := strings.Split(good.URL, "/")[6]
		if err := s.bucket.WriteAll(t.Context(), "other/key", []byte(data), nil); err != nil {
			t.Fatal(err)
		}
		for _, url := range []string{
			"", "s3://", "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd",
			strings.Replace(good.URL, "//payloads/", "//payloads2/", 1),
			strings.Replace(good.URL, "//payloads/", "//other/", 1),
			strings.Replace(good.URL, "/a/b/", "/a/", 1),
			strings.Replace(good.URL, "/tasks/", "/tasks/../tasks/", 1),
			strings.Replace(good.URL, "/tasks/", "//tasks/", 1),
			strings.Replace(good.URL, "/tasks/", "/TASKS/", 1),
			strings.Replace(good.URL, date, "2026-02-30", 1),
			strings.Replace(good.URL, date, "..", 1),
			s.base + "tasks/" + date + "/", s.base + "tasks/" + date + "/..", s.base + "tasks/" + date + "/.hidden",
			s.base + "tasks/" + date + "/" + name + "/", s.base + "tasks/" + date + "/" + name + "?versionId=1",
			s.base + "tasks/" + date + "/" + name + "%00", s.base + "tasks/" + date + "/" + strings.Repeat("x", 129),
			s.base + "../../other/key", "other/key", "tasks/" + date + "/" + name,
		} {
			bad := good
			bad.URL = url
			var refused *RefError
			if _, err := s.Load(t.Context(), bad); !errors.As(err, &refused) {
				t.Errorf("load %q: %v", url, err)
			}
			if err := s.Delete(t.Context(), bad); !errors.As(err, &refused) {
				t.Errorf("delete %q: %v", url, err)
			}
			if err := s.Put(t.Context(), bad, []byte(data)); !errors.As(err, &refused) {
				t.Errorf("put %q: %v", url, err)
			}
		}
		for _, bad := range []Ref{
			{good.URL, good.SHA256[:63], good.Size}, {good.URL, strings.ToUpper(good.SHA256), good.Size},
			{good.URL, strings.Repeat("g", 64), good.Size}, {good.URL, "", good.Size}, {good.URL, good.SHA256, -1}, {good.URL, good.SHA256, 1 << 31},
		} {
			if _, err := s.Load(t.Context(), bad); err == nil {
				t.Errorf("%+v is loaded", bad)
			}
		}
		if got, err := s.Load(t.Context(), good); err != nil || string(got) != data {
			t.Errorf("the good one: %q, %v", got, err)
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

func TestDates(t *testing.T) {
	onEach(t, nil, func(t *testing.T, s *Store) {
		now := time.Now().UTC()
		for _, c := range []struct {
			due  time.Time
			want string
		}{
			{time.Time{}, "tasks/" + now.Format(dateForm)},
			{now.Add(-48 * time.Hour), "tasks/" + now.Format(dateForm)},
			{now.Add(23 * time.Hour), "tasks/" + now.Add(23*time.Hour).Format(dateForm)},
			{now.Add(25 * time.Hour), "delayed/" + now.Add(25*time.Hour).Format(dateForm)},
			{now.Add(300 * 24 * time.Hour), "delayed/" + now.Add(300*24*time.Hour).Format(dateForm)},
		} {
			r, err := s.Refer(nil, c.due)
			if err != nil || !strings.HasPrefix(r.URL, s.URL()+"/"+c.want+"/") {
				t.Errorf("due %v: %s, %v; want %s", c.due, r.URL, err, c.want)
			}
		}
		if r, err := s.Refer(nil, now.Add(MaxDelay+time.Hour)); err == nil {
			t.Errorf("due in more than a year: %s", r.URL)
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

func TestAddresses(t *testing.T) {
	b := memblob.OpenBucket(nil)
	defer b.Close()
	for address, want := range map[string]string{
		"s3://b": "s3://b", "s3://b/": "s3://b", "s3://b/x/y/": "s3://b/x/y", "gs://b-1": "gs://b-1",
	} {
		if s, err := New(b, address, nil); err != nil || s.URL() != want {
			t.Errorf("%q: %v, %v", address, s, err)
		}
	}
	for _, address := range []string{
		"", "b", "s3:b", "s3:///b", "//b/x", "s3://b?x=1", "s3://b#x", "s3://u@b", "s3://u:p@b", "s3://b:80", "s3://b/../c",
		"s3://b/x//y", "s3://b/.x", "s3://b/x y", "s3://b/%2e", "S 3://b", "s3://" + strings.Repeat("b", 600), "s3://b/ü",
	} {
		if s, err := New(b, address, nil); err == nil {
			t.Errorf("%q is taken for %s", address, s.URL())
		} else if !strings.Contains(err.Error(), "PAYLOADS_URL") {
			t.Errorf("%q: %v", address, err)
		}
	}
	if _, err := Open(t.Context(), "gs://b", nil); err == nil {
		t.Error("Open takes a bucket that is not on S3")
	}
	if _, err := New(nil, "s3://b", nil); err == nil {
		t.Error("New takes no bucket")
	}
	for _, o := range []Options{{MaxSize: -1}, {MaxSize: 2 << 30}, {Timeout: -1}} {
		if _, err := New(b, "s3://b", &o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

// FuzzRef: whatever a message refers to, no key is read that is not below the
// store's prefix and of a payload's form.
func FuzzRef(f *testing.F) {
	sum := strings.Repeat("0", 64)
	for _, url := range []string{
		"mem://b/p/tasks/2026-11-21/x", "mem://b/p/delayed/2026-11-21/x.json", "mem://b/p/tasks/2026-11-21/../x", "mem://b/p/../tasks/2026-11-21/x",
		"mem://b/q/tasks/2026-11-21/x", "mem://b/p/tasks/2026-13-21/x", "http://127.0.0.1/p/tasks/2026-11-21/x", "mem://b/p/tasks/2026-11-21/%2e%2e",
	} {
		f.Add(url, sum, int64(1))
	}
	b := memblob.OpenBucket(nil)
	f.Cleanup(func() { b.Close() })
	s, err := New(b, "mem://b/p", nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, url, sum string, size int64) {
		r := Ref{url, sum, size}
		key, err := s.key(r)
		if err != nil {
			if len(err.Error()) > 2000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		parts := strings.Split(key, "/")
		if len(parts) != 4 || parts[0] != "p" || parts[1] != "tasks" && parts[1] != "delayed" || len(parts[2]) != 10 ||
			strings.HasPrefix(parts[3], ".") || parts[3] == "" || "mem://b/"+key != url || strings.ContainsAny(key, "\\%?# \x00") {
			t.Errorf("%q is followed to %q", url, key)
		}
		if r.Check() != nil {
			t.Error("followed, and not a reference")
		}
	})
}
