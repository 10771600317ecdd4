package payload

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob/memblob"
)

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
