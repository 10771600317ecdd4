package respcache

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/edge/compress"
)

// compressed puts compression around a site, as the edge does.
func compressed(t *testing.T, o Options, application http.HandlerFunc) *site {
	t.Helper()
	s := newSite(t, o, application)
	h, err := compress.New(s.Handler, compress.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.Handler = h
	return s
}

func prose(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "max-age=60")
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Etag", `"v1"`)
	io.WriteString(w, strings.Repeat("As it was written, so it is sent. ", 500))
}

// awaitCoded asks until the answer is one that is kept compressed.
func awaitCoded(t *testing.T, s *site, path, coding, end string) answer {
	t.Helper()
	for until := time.Now().Add(20 * time.Second); ; {
		a := s.do("GET", path, "Accept-Encoding", coding)
		if strings.HasSuffix(a.Header.Get("Etag"), end) {
			return a
		}
		if time.Now().After(until) {
			t.Fatalf("never kept: %v", a.Header)
		}
	}
}

// TestCodedOnce: however many ask at once, a form is made once, and all get a
// body that decodes to the stored one.
func TestCodedOnce(t *testing.T) {
	s := compressed(t, Options{}, prose)
	want := s.get("/").body
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			a := s.do("GET", "/", "Accept-Encoding", "gzip")
			z, err := gzip.NewReader(strings.NewReader(a.body))
			if err != nil {
				t.Error(err)
				return
			}
			if got, err := io.ReadAll(z); string(got) != want || err != nil || a.Header.Get("Vary") != "Accept-Encoding" {
				t.Errorf("%d bytes, %v, %v", len(got), err, a.Header)
			}
		})
	}
	wg.Wait()
	first := awaitCoded(t, s, "/", "gzip", `-kgzip"`)
	again := s.do("GET", "/", "Accept-Encoding", "gzip, deflate")
	if n := s.Stats().Coded; n != 1 || first.body != again.body {
		t.Errorf("made %d times", n)
	}
	awaitCoded(t, s, "/", "br", `-kbr"`)
	awaitCoded(t, s, "/", "zstd", `-kzstd"`)
	if n := s.Stats().Coded; n != 3 || s.fetches() != 1 {
		t.Errorf("made %d times, %d fetched", n, s.fetches())
	}
}

// TestCodedConditional: HEAD, conditions and ranges beside what is kept compressed.
func TestCodedConditional(t *testing.T) {
	s := compressed(t, Options{}, prose)
	plain := s.get("/")
	get := awaitCoded(t, s, "/", "gzip", `-kgzip"`)
	head := s.do("HEAD", "/", "Accept-Encoding", "gzip")
	for _, name := range []string{"Etag", "Content-Length", "Content-Encoding", "Vary", "Content-Type"} {
		if head.Header.Get(name) != get.Header.Get(name) || get.Header.Get(name) == "" {
			t.Errorf("%s: GET %q, HEAD %q", name, get.Header.Get(name), head.Header.Get(name))
		}
	}
	for _, c := range []struct {
		encoding, condition string
		status              int
		etag                string
	}{
		{"gzip", `"v1-kgzip"`, 304, `"v1-kgzip"`}, {"gzip", `"v1-gzip"`, 304, `"v1-gzip"`}, {"gzip", `"v1"`, 304, ""},
		{"br", `"v1-kgzip"`, 304, `"v1-kgzip"`}, {"", `"v1"`, 304, `"v1"`}, {"gzip", `"v2-kgzip"`, 200, `"v1-kgzip"`},
	} {
		a := s.do("GET", "/", "Accept-Encoding", c.encoding, "If-None-Match", c.condition)
		if a.StatusCode != c.status || c.etag != "" && a.Header.Get("Etag") != c.etag || c.status == 304 && (a.body != "" || a.Header["Content-Encoding"] != nil) {
			t.Errorf("%+v: %d %v", c, a.StatusCode, a.Header)
		}
	}
	a := s.do("GET", "/", "Accept-Encoding", "gzip", "Range", "bytes=3-5")
	if a.StatusCode != 206 || a.body != plain.body[3:6] || a.Header["Content-Encoding"] != nil || a.Header.Get("Etag") != `"v1"` {
		t.Errorf("a range: %d %q %v", a.StatusCode, a.body, a.Header)
	}
	if a := s.do("GET", "/", "Accept-Encoding", "gzip", "Range", "bytes=3-5", "If-Range", `"v1-kgzip"`); a.StatusCode != 200 || a.body != get.body {
		t.Errorf("a range of what is compressed: %d, %d bytes", a.StatusCode, len(a.body))
	}
	if s.fetches() != 1 {
		t.Errorf("%d fetched", s.fetches())
	}
}

// TestCodedCounted: what is kept compressed counts, is bounded, and goes with its
// answer; a new answer has none of the old.
func TestCodedCounted(t *testing.T) {
	version := "one"
	s := compressed(t, Options{Size: 1 << 20, MaxBody: 400 << 10}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Etag", `"`+version+`"`)
		rnd := rand.New(rand.NewPCG(1, 2))
		for range 3000 { // shrinks to a third or so
			fmt.Fprintf(w, "%s %s %d\n", version, r.URL.Path, rnd.Uint64())
		}
	})
	s.get("/")
	before := s.Stats().Memory
	a := awaitCoded(t, s, "/", "gzip", `-kgzip"`)
	if grown := s.Stats().Memory - before; grown < int64(len(a.body)) {
		t.Errorf("%d bytes more for %d", grown, len(a.body))
	}
	for i := range 20 {
		path := fmt.Sprint("/", i)
		s.get(path)
		awaitCoded(t, s, path, "gzip", `-kgzip"`)
		if n := s.Stats(); n.Memory > n.MemoryMax {
			t.Fatalf("%d bytes of %d", n.Memory, n.MemoryMax)
		}
	}
	version = "two"
	if _, err := s.Purge(Purge{All: true}); err != nil {
		t.Fatal(err)
	}
	if n := s.Stats(); n.Memory != 0 || n.Objects != 0 {
		t.Errorf("after a purge: %+v", n)
	}
	s.get("/")
	awaitCoded(t, s, "/", "gzip", `"two-kgzip"`)
}

// TestCodedLarger: what does not shrink is tried once and sent as it is.
func TestCodedLarger(t *testing.T) {
	noise := make([]byte, 5000)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(rnd.Uint32())
	}
	s := compressed(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Content-Type", "text/plain")
		w.Write(noise)
	})
	s.get("/")
	for until := time.Now().Add(20 * time.Second); ; {
		a := s.do("GET", "/", "Accept-Encoding", "gzip")
		if a.Header["Content-Encoding"] == nil {
			if a.body != string(noise) || a.Header.Get("Vary") != "Accept-Encoding" {
				t.Errorf("%d bytes, %v", len(a.body), a.Header)
			}
			break
		}
		if time.Now().After(until) {
			t.Fatal("still compressed")
		}
	}
	if n := s.Stats().Coded; n != 1 {
		t.Errorf("tried %d times", n)
	}
}

// TestCodedEvicted: a form that is ready when its body has left memory is not kept.
func TestCodedEvicted(t *testing.T) {
	s := newSite(t, Options{}, prose)
	s.get("/")
	var o *object
	for i := range s.shards {
		for _, list := range s.shards[i].objects {
			o = list[0]
		}
	}
	body := *o.body.Load()
	if _, err := s.Purge(Purge{All: true}); err != nil {
		t.Fatal(err)
	}
	s.keepForm(o, 1, &form{bytes.Repeat([]byte("x"), 100)}, body)
	if n := s.Stats(); n.Memory != 0 || n.Coded != 0 || o.coded.bytes() != 0 {
		t.Errorf("%+v", n)
	}
}
