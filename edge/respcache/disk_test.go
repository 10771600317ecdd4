package respcache

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// onDisk is a site that keeps answers in a folder.
func onDisk(t *testing.T, dir string, o Options) *site {
	t.Helper()
	o.Dir = dir
	return newSite(t, o, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=6000")
		w.Header().Set("Surrogate-Key", "k"+r.URL.Path)
		w.Header().Set("Vary", "Accept-Language")
		fmt.Fprintf(w, "%s in %s: %s", r.URL.Path, r.Header.Get("Accept-Language"), strings.Repeat("x", 1000))
	})
}

func filesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestDiskRestart: what was stored is there after a restart, with its variants
// and keys, and what was purged is not.
func TestDiskRestart(t *testing.T) {
	dir := t.TempDir()
	s := onDisk(t, dir, Options{})
	var want []answer
	for i := range 20 {
		want = append(want, s.get(fmt.Sprintf("/%d", i), "Accept-Language", "en"), s.get(fmt.Sprintf("/%d", i), "Accept-Language", "de"))
	}
	if n, err := s.Purge(Purge{Keys: []string{"k/3"}}); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	s.Close()
	if n := len(filesIn(t, dir)); n != 38 {
		t.Errorf("%d files", n)
	}

	s = onDisk(t, dir, Options{})
	for i := range 20 {
		for j, lang := range []string{"en", "de"} {
			before := s.fetches()
			a := s.get(fmt.Sprintf("/%d", i), "Accept-Language", lang)
			if a.body != want[2*i+j].body {
				t.Errorf("/%d in %s is %.20q", i, lang, a.body)
			}
			if asked := s.fetches() > before; asked != (i == 3) {
				t.Errorf("/%d was fetched: %v", i, asked)
			}
		}
	}
	if n, err := s.Purge(Purge{Keys: []string{"k/5"}}); n != 2 || err != nil {
		t.Errorf("by key: %d, %v", n, err)
	}
	if st := s.Stats(); st.DiskHits != 38 {
		t.Errorf("%+v", st)
	}
}

// TestDiskDamage flips a bit of each byte of a file in turn, and cuts it off
// there: it is a miss or the same answer, never another.
func TestDiskDamage(t *testing.T) {
	dir := t.TempDir()
	s := onDisk(t, dir, Options{})
	want := s.get("/").body
	s.Close()
	path := filesIn(t, dir)[0]
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(whole); i += 11 {
		for _, cut := range []bool{false, true} {
			text := bytes.Clone(whole)
			if cut {
				text = text[:i]
			} else {
				text[i] ^= 1 << (i % 8)
			}
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			s := onDisk(t, dir, Options{})
			if a := s.get("/"); a.body != want {
				t.Fatalf("byte %d, cut off %v: got %.40q", i, cut, a.body)
			}
			if s.fetches() == 0 {
				t.Fatalf("byte %d, cut off %v: the damage was not found", i, cut)
			}
			s.Close()
			for _, name := range filesIn(t, dir) {
				os.Remove(name)
			}
		}
	}
}

// TestDiskBounds: bytes and files stay within their bounds, and so does memory;
// what left memory is read from disk.
func TestDiskBounds(t *testing.T) {
	dir := t.TempDir()
	s := newSite(t, Options{Dir: dir, Size: 1 << 20, MaxBody: 100_000, Disk: 4 << 20, Files: 30}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=6000")
		io.WriteString(w, strings.Repeat(r.URL.Path, 10_000))
	})
	written := func() {
		deadline := time.Now().Add(time.Minute)
		for s.disk.waiting() > 0 && time.Now().Before(deadline) {
			time.Sleep(time.Millisecond)
		}
	}
	for i := range 100 {
		s.get(fmt.Sprintf("/%03d", i))
		written()
		if st := s.Stats(); st.Memory > 1<<20 || st.Disk > 4<<20 || st.Files > 30 {
			t.Fatalf("%+v", st)
		}
	}
	st := s.Stats()
	if st.Files != 30 || len(filesIn(t, dir)) != 30 {
		t.Errorf("%d files, %d in the folder", st.Files, len(filesIn(t, dir)))
	}
	n := s.fetches()
	for i := 75; i < 100; i++ {
		if a := s.get(fmt.Sprintf("/%03d", i)); a.body != strings.Repeat(fmt.Sprintf("/%03d", i), 10_000) {
			t.Fatalf("/%d is %.20q", i, a.body)
		}
	}
	if s.fetches() != n || s.Stats().DiskHits == 0 {
		t.Errorf("%d were fetched again; %+v", s.fetches()-n, s.Stats())
	}
}

// TestDiskFull: a folder that cannot be written costs files, not answers.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	s := onDisk(t, dir, Options{})
	for i := range fileFolders {
		if err := os.RemoveAll(filepath.Join(dir, fmt.Sprintf("%x", i))); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if a := s.get("/"); a.StatusCode != 200 {
			t.Errorf("%d", a.StatusCode)
		}
	}
	s.Close()
	if st := s.Stats(); st.Hits != 1 || st.DiskDropped != 1 {
		t.Errorf("%+v", st)
	}
}

// FuzzRecord: whatever a file holds, reading it ends with an object within its
// bounds or an error.
func FuzzRecord(f *testing.F) {
	dir := f.TempDir()
	c, err := New(Options{Dir: dir})
	if err != nil {
		f.Fatal(err)
	}
	h := c.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=6000")
		io.WriteString(w, "hello")
	}))
	r, err := http.NewRequest("GET", "http://www.example.com/", nil)
	if err != nil {
		f.Fatal(err)
	}
	h.ServeHTTP(&discard{header: http.Header{}}, r)
	c.Close()
	names, _ := filepath.Glob(filepath.Join(dir, "*", "*"))
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, false)
		f.Add(b[:headBytes], true)
		f.Add(b, true)
	}
	f.Fuzz(func(t *testing.T, b []byte, seal bool) {
		if seal { // the sums are right, what they are of is not
			b = sealed(b)
		}
		h, r, err := readRecord(bytes.NewReader(b))
		if err != nil {
			return
		}
		o, ok := r.object(c, h)
		if !ok {
			return
		}
		if m := o.meta.Load(); m.size > 2*maxHeader || len(o.vary) > maxVary || len(m.tags) > maxTags || len(o.key) > maxKey+16 {
			t.Fatalf("%+v", m)
		}
		o.memory()
		c.useless(o, time.Now())
	})
}

// sealed is a file with the content of b and right sums.
func sealed(b []byte) []byte {
	text := b[min(len(b), headBytes):]
	h := head{record: int64(len(text)), recordSum: sum(text)}
	return append(h.encode(), text...)
}
