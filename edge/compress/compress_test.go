package compress

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

var page = strings.Repeat("<p class=\"greeting\">Hello, hello again, and good night.</p>\n", 200)

func decode(t testing.TB, coding string, r io.Reader) io.Reader {
	t.Helper()
	switch coding {
	case "":
		return r
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		return z
	case "br":
		return brotli.NewReader(r)
	case "zstd":
		z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(8<<20)) // as browsers (RFC 9659)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(z.Close)
		return z
	}
	t.Fatalf("coding %q", coding)
	return nil
}

func mustNew(t testing.TB, next http.HandlerFunc, o Options) http.Handler {
	t.Helper()
	h, err := New(next, o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// ask is one request of a handler in a real server: its answer and the body
// decoded.
func ask(t testing.TB, h http.Handler, method string, header ...string) (*http.Response, string) {
	t.Helper()
	s := httptest.NewServer(h)
	defer s.Close()
	return askAt(t, s.URL+"/", method, header...)
}

func askAt(t testing.TB, url, method string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	tr := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	res, err := tr.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body := io.Reader(res.Body)
	if method != "HEAD" {
		body = decode(t, res.Header.Get("Content-Encoding"), body)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

func TestWhatIsCompressed(t *testing.T) {
	long := strconv.Itoa(len(page))
	for _, tc := range []struct {
		name   string
		accept string
		status int
		header []string // of the application
		body   string
		coding string
		vary   string
	}{
		{"page", "gzip, deflate, br, zstd", 200, []string{"Content-Type", "text/html; charset=utf-8", "Content-Length", long}, page, "zstd", "Accept-Encoding"},
		{"without a length", "gzip, deflate, br", 200, []string{"Content-Type", "text/html"}, page, "gzip", "Accept-Encoding"},
		{"by weight", "gzip;q=0.5, br;q=0.9, zstd;q=0.1", 200, []string{"Content-Type", "text/html"}, page, "br", "Accept-Encoding"},
		{"by weight: as it is", "gzip;q=0.5, identity", 200, []string{"Content-Type", "text/html"}, page, "", "Accept-Encoding"},
		{"refused", "gzip;q=0, *;q=0", 200, []string{"Content-Type", "text/html"}, page, "", "Accept-Encoding"},
		{"anything", "*", 200, []string{"Content-Type", "text/html"}, page, "zstd", "Accept-Encoding"},
		{"not asked for", "", 200, []string{"Content-Type", "text/html"}, page, "", "Accept-Encoding"},
		{"error page", "br", 404, []string{"Content-Type", "TEXT/HTML"}, page, "br", "Accept-Encoding"},
		{"JSON", "br", 200, []string{"Content-Type", "application/problem+json"}, page, "br", "Accept-Encoding"},
		{"small by its length", "gzip", 200, []string{"Content-Type", "text/html", "Content-Length", "5"}, "small", "", ""},
		{"small as it turns out", "gzip", 200, []string{"Content-Type", "text/html"}, "small", "", "Accept-Encoding"},
		{"empty", "gzip", 200, []string{"Content-Type", "text/html"}, "", "", "Accept-Encoding"},
		{"picture", "gzip", 200, []string{"Content-Type", "image/png"}, page, "", ""},
		{"no type", "gzip", 200, []string{"X", "y"}, page, "", ""},
		{"event stream", "gzip", 200, []string{"Content-Type", "text/event-stream"}, page, "", ""},
		{"in a coding", "gzip, br", 200, []string{"Content-Type", "text/html", "Content-Encoding", "deflate"}, page, "deflate", ""},
		{"in none, said", "br", 200, []string{"Content-Type", "text/html", "Content-Encoding", "identity"}, page, "br", "Accept-Encoding"},
		{"no-transform", "gzip", 200, []string{"Content-Type", "text/html", "Cache-Control", "public, No-Transform"}, page, "", ""},
		{"a part", "gzip", 206, []string{"Content-Type", "text/html", "Content-Range", "bytes 0-11/100"}, page[:12], "", ""},
		{"depends on more", "gzip", 200, []string{"Content-Type", "text/html", "Vary", "Origin", "Vary", "Cookie"}, page, "gzip", "Origin, Cookie, Accept-Encoding"},
		{"depends already", "gzip", 200, []string{"Content-Type", "text/html", "Vary", "accept-encoding, Cookie"}, page, "gzip", "accept-encoding, Cookie"},
		{"depends on all", "gzip", 200, []string{"Content-Type", "text/html", "Vary", "*"}, page, "gzip", "*"},
		{"no content", "gzip", 204, []string{"Content-Type", "text/html"}, "", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := mustNew(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header()["Content-Type"] = nil // guess none
				for i := 0; i < len(tc.header); i += 2 {
					w.Header().Add(tc.header[i], tc.header[i+1])
				}
				w.WriteHeader(tc.status)
				io.WriteString(w, tc.body)
			}, Options{})
			s := httptest.NewServer(h)
			defer s.Close()
			var res [2]*http.Response
			for i, method := range []string{"GET", "HEAD"} {
				r, _ := http.NewRequest(method, s.URL, nil)
				if tc.accept != "" {
					r.Header.Set("Accept-Encoding", tc.accept)
				}
				var err error
				if res[i], err = (&http.Transport{DisableCompression: true, DisableKeepAlives: true}).RoundTrip(r); err != nil {
					t.Fatal(err)
				}
				defer res[i].Body.Close()
			}
			get, head := res[0].Header, res[1].Header
			coding := tc.coding
			if coding == "deflate" {
				coding = ""
			}
			text, err := io.ReadAll(decode(t, coding, res[0].Body))
			if string(text) != tc.body || err != nil || res[0].StatusCode != tc.status || res[1].StatusCode != tc.status {
				t.Errorf("%d, %d bytes, %v", res[0].StatusCode, len(text), err)
			}
			if got := strings.Join(get["Vary"], ", "); get.Get("Content-Encoding") != tc.coding || got != tc.vary {
				t.Errorf("coding %q, Vary %q", get.Get("Content-Encoding"), got)
			}
			if strings.HasPrefix(tc.name, "small as") || tc.name == "empty" {
				return // of which HEAD cannot know
			}
			for _, name := range []string{"Content-Encoding", "Vary", "Content-Type"} {
				if d := cmp.Diff(get[name], head[name]); d != "" {
					t.Errorf("HEAD differs in %s: %s", name, d)
				}
			}
			if n := res[1].ContentLength; n >= 0 && n != res[0].ContentLength {
				t.Errorf("HEAD says %d bytes, GET sent %d", n, res[0].ContentLength)
			}
		})
	}
}

// What is about the bytes goes when they change, and stays when they do not.
func TestFieldsAboutTheBytes(t *testing.T) {
	h := mustNew(t, func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"Content-MD5", "Digest", "Content-Digest", "Repr-Digest", "Accept-Ranges"} {
			w.Header().Set(name, "x")
		}
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", strconv.Itoa(len(page)))
		io.WriteString(w, page)
	}, Options{})
	res, _ := ask(t, h, "GET", "Accept-Encoding", "gzip")
	for _, name := range ofTheWhole[1:] {
		if res.Header[name] != nil {
			t.Errorf("compressed, with %s", name)
		}
	}
	if res.ContentLength <= 0 || res.ContentLength >= int64(len(page)) {
		t.Errorf("Content-Length is %d", res.ContentLength)
	}
	res, _ = ask(t, h, "GET", "Accept-Encoding", "identity")
	for _, name := range ofTheWhole {
		if res.Header[name] == nil {
			t.Errorf("as it is, without %s", name)
		}
	}
}

// Answers of many sizes in pieces of many sizes come out whole, and those with
// a length as the same bytes however they were written.
func TestPieces(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for _, coding := range []string{"gzip", "zstd", "br"} {
		for _, size := range []int{1 << 10, 5000, 70_000, 300_000} {
			text := make([]byte, size)
			for i := range text {
				text[i] = page[random.IntN(40)+i%3]
			}
			var first []byte
			for round := range 6 {
				declared, flush := round < 4, round == 5
				w := httptest.NewRecorder()
				r := httptest.NewRequest("GET", "/", nil)
				r.Header.Set("Accept-Encoding", coding)
				mustNew(t, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", "text/plain")
					w.Header().Set("ETag", `"v1"`)
					if declared {
						w.Header().Set("Content-Length", strconv.Itoa(size))
					}
					for rest := text; len(rest) > 0; {
						n := min(len(rest), 1+random.IntN([]int{size, 40_000, 3000, 700, 9000, 20_000}[round]))
						if got, err := w.Write(rest[:n]); got != n || err != nil {
							t.Fatal(got, err)
						}
						rest = rest[n:]
						if declared || flush {
							http.NewResponseController(w).Flush()
						}
					}
				}, Options{}).ServeHTTP(w, r)
				sent := bytes.Clone(w.Body.Bytes())
				got, err := io.ReadAll(decode(t, coding, w.Body))
				if err != nil || !bytes.Equal(got, text) {
					t.Fatalf("%s of %d in round %d: %d bytes, %v", coding, size, round, len(got), err)
				}
				tag := w.Header().Get("Etag")
				if declared && first == nil {
					first = sent
				}
				if declared && (!bytes.Equal(first, sent) || tag != `"v1-`+coding+`"`) {
					t.Errorf("%s of %d: %d bytes, then %d, under %s", coding, size, len(first), len(sent), tag)
				}
				if !declared && tag != `W/"v1"` {
					t.Errorf("without a length: %s", tag)
				}
			}
		}
	}
}

// Each flush of the application reaches the client, decoded, before the next
// piece is written.
func TestFlushesArrive(t *testing.T) {
	for _, coding := range []string{"gzip", "zstd", "br"} {
		next := make(chan string)
		s := httptest.NewServer(mustNew(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(200)
			w.(http.Flusher).Flush()
			for piece := range next {
				io.WriteString(w, piece)
				w.(http.Flusher).Flush()
			}
		}, Options{Types: []string{"text/event-stream"}}))
		r, _ := http.NewRequest("GET", s.URL, nil)
		r.Header.Set("Accept-Encoding", coding)
		res, err := (&http.Transport{DisableCompression: true}).RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if res.Header.Get("Content-Encoding") != coding {
			t.Fatal(res.Header)
		}
		next <- "data: 0\n\n" // before its decoder is made, which reads
		lines := bufio.NewReader(decode(t, coding, res.Body))
		for i := range 5 {
			if i > 0 {
				next <- fmt.Sprintf("data: %d\n\n", i)
			}
			line, err := lines.ReadString('\n')
			if line != fmt.Sprintf("data: %d\n", i) || err != nil {
				t.Fatalf("%s: %q %v", coding, line, err)
			}
			lines.ReadString('\n')
		}
		close(next)
		if rest, err := io.ReadAll(lines); len(rest) > 0 || err != nil {
			t.Errorf("%s ended with %q %v", coding, rest, err)
		}
		res.Body.Close()
		s.Close()
	}
}

// A CDN that speaks HTTP/1.0 gets what is compressed, with its length.
func TestHTTP10(t *testing.T) {
	s := httptest.NewServer(mustNew(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, page)
	}, Options{}))
	defer s.Close()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET / HTTP/1.0\r\nAccept-Encoding: gzip\r\nConnection: keep-alive\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || res.Header.Get("Content-Encoding") != "gzip" || res.ContentLength <= 0 || res.Header.Get("Connection") != "keep-alive" {
		t.Fatal(res, err)
	}
	if text, err := io.ReadAll(decode(t, "gzip", res.Body)); string(text) != page || err != nil {
		t.Error(len(text), err)
	}
}

// What broke off does not look whole, in any encoding and framing.
func TestBrokenOff(t *testing.T) {
	for name, next := range map[string]http.HandlerFunc{
		"panic": func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, page)
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"panic before the header is out": func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, page)
			panic(http.ErrAbortHandler)
		},
		"shorter than said": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(page)+1))
			io.WriteString(w, page)
		},
	} {
		s := httptest.NewServer(mustNew(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			next(w, r)
		}, Options{}))
		for _, coding := range []string{"gzip", "zstd", "br"} {
			r, _ := http.NewRequest("GET", s.URL, nil)
			r.Header.Set("Accept-Encoding", coding)
			res, err := (&http.Transport{DisableCompression: true, DisableKeepAlives: true}).RoundTrip(r)
			if err != nil {
				continue
			}
			if _, err := io.ReadAll(res.Body); err == nil {
				t.Errorf("%s, %s: an end", name, coding)
			}
			res.Body.Close()
		}
		s.Close()
	}
}

func TestTrailersPass(t *testing.T) {
	h := mustNew(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Trailer", "Server-Timing, Repr-Digest")
		io.WriteString(w, page)
		w.Header().Set("Server-Timing", "total;dur=1")
		w.Header().Set("Repr-Digest", "sha-256=:x:")
		w.Header().Set(http.TrailerPrefix+"X-More", "1")
	}, Options{})
	res, body := ask(t, h, "GET", "Accept-Encoding", "zstd")
	want := http.Header{"Server-Timing": {"total;dur=1"}, "Repr-Digest": nil, "X-More": {"1"}}
	if d := cmp.Diff(want, res.Trailer); d != "" || body != page {
		t.Error(d)
	}
}

func TestOff(t *testing.T) {
	s := httptest.NewServer(mustNew(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("ETag", r.Header.Get("If-None-Match"))
		io.WriteString(w, page)
	}, Options{Off: []string{"/account/"}}))
	defer s.Close()
	for path, coding := range map[string]string{"/": "gzip", "/accounts": "gzip", "/account": "", "/account/pay": "", "//account/pay": "", "/x/../account": ""} {
		res, _ := askAt(t, s.URL+path, "GET", "Accept-Encoding", "gzip", "If-None-Match", `"a-gzip"`)
		tag := map[string]string{"": `"a-gzip"`, "gzip": `W/"a"`}[coding]
		if res.Header.Get("Content-Encoding") != coding || res.Header.Get("Etag") != tag {
			t.Errorf("%s: %v", path, res.Header)
		}
	}
}

func TestOptions(t *testing.T) {
	for want, o := range map[string]Options{
		"between 1 and": {MinSize: -1}, "MinSize is 65537": {MinSize: 65537}, "not a media type": {Types: []string{"*"}},
		`"text" is not`: {Types: []string{"text/html", "text"}}, `"account" does not begin with /`: {Off: []string{"account"}},
	} {
		if _, err := New(http.NotFoundHandler(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
