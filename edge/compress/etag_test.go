package compress

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/edge/accept"
)

func TestOutside(t *testing.T) {
	for _, tc := range []struct {
		own  string
		e    accept.Encoding
		want string
	}{
		{`"abc"`, accept.Brotli, `"abc-br"`}, {`"abc"`, accept.Gzip, `"abc-gzip"`}, {`"abc"`, accept.Zstd, `"abc-zstd"`}, {`"abc"`, accept.Identity, `"abc"`},
		{`""`, accept.Gzip, `"-gzip"`}, {`"x-gzip"`, accept.Identity, `"x-gzip-id"`}, {`"x-gzip"`, accept.Gzip, `"x-gzip-gzip"`}, {`"x-id"`, accept.Identity, `"x-id-id"`},
		{`W/"abc"`, accept.Gzip, `W/"abc"`}, {`W/"x-gzip"`, accept.Identity, `W/"x-gzip"`}, {`abc`, accept.Gzip, `abc`}, {`"a"b"`, accept.Gzip, `"a"b"`}, {``, accept.Gzip, ``},
	} {
		if got := outside(tc.own, tc.e); got != tc.want {
			t.Errorf("%s in %v: %s", tc.own, tc.e, got)
		}
	}
}

func TestInside(t *testing.T) {
	for list, want := range map[string]string{
		`"abc-br"`: `"abc"`, `"abc"`: `"abc"`, `W/"abc-br"`: `W/"abc-br"`, `*`: `*`, ``: ``, `"abc-id"`: `"abc"`, `"x-gzip-id"`: `"x-gzip"`,
		`"a-br", W/"b-br" , "c,-gzip",,"d"`: `"a", W/"b-br" , "c,",,"d"`,
		`"a-br", b-br, "c-br"`:              `"a", b-br, "c-br"`, `"a-br`: `"a-br`, `abc-br`: `abc-br`,
	} {
		if got := insideList(list); got != want {
			t.Errorf("%s: got %s, want %s", list, got, want)
		}
	}
}

// What goes out comes back as it was, in a list too, and no two of an
// application's tags or encodings become one.
func FuzzETag(f *testing.F) {
	for _, s := range []string{"abc", "x-gzip", "-br", "a-id-id", "", `a"b`, "é,W/"} {
		f.Add(s, "other")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		tag, other := `"`+a+`"`, `"`+b+`"`
		insideList(a) // any text, without a panic
		if !strong(tag) || !strong(other) {
			return
		}
		seen := map[string]bool{}
		for e := range accept.Encodings {
			out := outside(tag, e)
			own, of, ok := parseOutside(out)
			if own != tag || of != e || !ok || seen[out] {
				t.Fatalf("%s in %v became %s, which is %s in %v", tag, e, out, own, of)
			}
			seen[out] = true
			if tag != other && out == outside(other, e) {
				t.Fatalf("%s and %s are both %s", tag, other, out)
			}
			for o := range accept.Encodings {
				if got, want := insideList(out+", "+outside(other, o)+`,W/"x-br"`), tag+", "+other+`,W/"x-br"`; got != want {
					t.Fatalf("the list became %s, not %s", got, want)
				}
				if got := confirmed([]string{out}, tag, o); got != out {
					t.Fatalf("a 304 for %s says %s", out, got)
				}
			}
		}
	})
}

func TestConfirmed(t *testing.T) {
	for _, tc := range []struct {
		asked string
		now   accept.Encoding
		want  string
	}{
		{`"a-br"`, accept.Brotli, `"a-br"`}, {`"a-br"`, accept.Identity, `"a-br"`}, {`"a", "a-br"`, accept.Brotli, `"a-br"`}, {`"a-gzip", "a"`, accept.Identity, `"a"`},
		{`"b-br", "a-gzip", "a-br"`, accept.Zstd, `"a-gzip"`}, {`W/"a"`, accept.Zstd, `W/"a"`}, {`*`, accept.Zstd, `"a"`}, {``, accept.Zstd, `"a"`},
	} {
		if got := confirmed([]string{tc.asked}, `"a"`, tc.now); got != tc.want {
			t.Errorf("%s: %s", tc.asked, got)
		}
	}
}

// Conditional requests end to end, over an application that has them right
// (http.ServeContent).
func TestConditional(t *testing.T) {
	modified := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	tag := `"v1"`
	s := httptest.NewServer(mustNew(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		if r.Method == "PUT" {
			if m := r.Header.Get("If-Match"); m != tag {
				w.WriteHeader(http.StatusPreconditionFailed)
			}
			return
		}
		if r.URL.Path == "/short" {
			http.ServeContent(w, r, "a.html", modified, strings.NewReader(page[:100]))
			return
		}
		http.ServeContent(w, r, "a.html", modified, strings.NewReader(page))
	}, Options{}))
	defer s.Close()
	for _, tc := range []struct {
		name, method, path string
		header             []string
		status             int
		tag, coding        string
		body               string
	}{
		{"first", "GET", "/", []string{"Accept-Encoding", "br"}, 200, `"v1-br"`, "br", page},
		{"again", "GET", "/", []string{"Accept-Encoding", "br", "If-None-Match", `"v1-br"`}, 304, `"v1-br"`, "", ""},
		{"again, HEAD", "HEAD", "/", []string{"Accept-Encoding", "br", "If-None-Match", `"v1-br"`}, 304, `"v1-br"`, "", ""},
		{"one of several", "GET", "/", []string{"Accept-Encoding", "gzip", "If-None-Match", `"v0-br", "v1"`, "If-None-Match", `"v1-gzip"`}, 304, `"v1-gzip"`, "", ""},
		{"weakly", "GET", "/", []string{"Accept-Encoding", "br", "If-None-Match", `W/"v1"`}, 304, `W/"v1"`, "", ""},
		{"any", "GET", "/", []string{"Accept-Encoding", "br", "If-None-Match", `*`}, 304, `"v1"`, "", ""},
		{"old", "GET", "/", []string{"Accept-Encoding", "br", "If-None-Match", `"v0-br"`}, 200, `"v1-br"`, "br", page},
		{"of another coding", "GET", "/", []string{"Accept-Encoding", "br", "If-None-Match", `"v1-gzip"`}, 304, `"v1-gzip"`, "", ""},
		{"match", "GET", "/", []string{"Accept-Encoding", "br", "If-Match", `"v1-br"`}, 200, `"v1-br"`, "br", page},
		{"no match", "GET", "/", []string{"Accept-Encoding", "br", "If-Match", `"v0-br"`}, 412, `"v1"`, "", ""},
		{"no match, weak", "GET", "/", []string{"Accept-Encoding", "br", "If-Match", `W/"v1"`}, 412, `"v1"`, "", ""},
		{"write back", "PUT", "/", []string{"Accept-Encoding", "br", "If-Match", `"v1-br"`}, 200, `"v1"`, "", ""},
		{"write back what is old", "PUT", "/", []string{"If-Match", `"v0-br"`}, 412, `"v1"`, "", ""},
		{"since", "GET", "/", []string{"Accept-Encoding", "br", "If-Modified-Since", modified.Format(http.TimeFormat)}, 304, `"v1"`, "", ""},
		{"unmodified since", "GET", "/", []string{"Accept-Encoding", "br", "If-Unmodified-Since", modified.Add(-time.Hour).Format(http.TimeFormat)}, 412, `"v1"`, "", ""},
		{"a part", "GET", "/", []string{"Accept-Encoding", "br", "Range", "bytes=3-7"}, 206, `"v1"`, "", page[3:8]},
		{"the last part", "GET", "/", []string{"Accept-Encoding", "br", "Range", "bytes=-5"}, 206, `"v1"`, "", page[len(page)-5:]},
		{"no such part", "GET", "/", []string{"Accept-Encoding", "br", "Range", "bytes=999999-"}, 416, "", "", "invalid range: failed to overlap\n"},
		{"a part of the same", "GET", "/", []string{"Accept-Encoding", "br", "Range", "bytes=3-7", "If-Range", `"v1"`}, 206, `"v1"`, "", page[3:8]},
		{"a part of another", "GET", "/", []string{"Accept-Encoding", "br", "Range", "bytes=3-7", "If-Range", `"v0"`}, 200, `"v1-br"`, "br", page},
		{"a part of the compressed", "GET", "/", []string{"Accept-Encoding", "br", "Range", "bytes=3-7", "If-Range", `"v1-br"`}, 200, `"v1-br"`, "br", page},
		{"a part, weakly", "GET", "/", []string{"Accept-Encoding", "br", "Range", "bytes=3-7", "If-Range", `W/"v1"`}, 200, `"v1-br"`, "br", page},
		{"small", "GET", "/short", []string{"Accept-Encoding", "br"}, 200, `"v1"`, "", page[:100]},
		{"small again", "GET", "/short", []string{"Accept-Encoding", "br", "If-None-Match", `"v1"`}, 304, `"v1"`, "", ""},
	} {
		res, body := askAt(t, s.URL+tc.path, tc.method, tc.header...)
		if res.StatusCode != tc.status || res.Header.Get("Etag") != tc.tag || res.Header.Get("Content-Encoding") != tc.coding || body != tc.body {
			t.Errorf("%s: %d %v, %d bytes", tc.name, res.StatusCode, res.Header, len(body))
		}
		if tc.status == 304 && res.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: Vary %q", tc.name, res.Header.Get("Vary"))
		}
		if (tc.status == 206) != (res.Header.Get("Content-Range") != "") && tc.status != 416 {
			t.Errorf("%s: %q", tc.name, res.Header.Get("Content-Range"))
		}
	}
}

// An application's request is its own: what is translated is a copy.
func TestTheClientsRequestStays(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("If-None-Match", `"a-br"`)
	var got string
	mustNew(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("If-None-Match")
		io.WriteString(w, "x")
	}, Options{}).ServeHTTP(httptest.NewRecorder(), r)
	if got != `"a"` || r.Header.Get("If-None-Match") != `"a-br"` {
		t.Errorf("%s inside, %s outside", got, r.Header.Get("If-None-Match"))
	}
}
