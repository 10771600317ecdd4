package respcache

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Other bounds leave what is kept; other rules do not.
func TestSet(t *testing.T) {
	s := newSite(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		io.WriteString(w, strings.Repeat("x", 300<<10))
	})
	paths := []string{"/1", "/2", "/3", "/4", "/5"}
	kept := func() (n uint64) {
		before := s.Stats().Hits
		for _, p := range paths {
			s.get(p)
		}
		return s.Stats().Hits - before
	}
	kept()
	if n := kept(); n != 5 {
		t.Fatalf("%d of 5 are kept", n)
	}
	set := func(o Options) {
		t.Helper()
		if err := s.Set(o); err != nil {
			t.Fatal(err)
		}
	}
	set(Options{MaxBody: 1 << 20, Obey: true})
	if n := kept(); n != 5 {
		t.Errorf("%d of 5 are kept with another MaxBody", n)
	}
	set(Options{Size: 1 << 20, MaxBody: 512 << 10})
	if n := s.Stats(); n.Memory > 1<<20 || n.Objects == 0 {
		t.Errorf("%d bytes of %d answers in a cache of 1 MiB", n.Memory, n.Objects)
	}
	set(Options{Size: 64 << 20, StaleIfError: time.Minute})
	if n := s.Stats().Objects; n != 0 {
		t.Errorf("%d answers stayed that were judged by other rules", n)
	}
	set(Options{Size: 1 << 20, MaxBody: 100 << 10, StaleIfError: time.Minute})
	kept()
	if n := kept(); n != 0 {
		t.Errorf("%d answers larger than MaxBody are kept", n)
	}
	for _, o := range []Options{{Size: 1}, {Dir: t.TempDir()}} {
		err := s.Set(o)
		if err == nil || o.Dir != "" && !errors.Is(err, ErrDir) || s.options().Size != 1<<20 {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
