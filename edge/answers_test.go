package edge

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/andybalholm/brotli"

	"github.com/dayfly-dev/dayfly/edge/compress"
	"github.com/dayfly-dev/dayfly/edge/cors"
	"github.com/dayfly-dev/dayfly/edge/jsonp"
	"github.com/dayfly-dev/dayfly/edge/stamp"
)

// answering is a site with every layer of Answers.
func answering(t *testing.T, app http.HandlerFunc) *site {
	t.Helper()
	s := newSite(t, Options{Answers: Answers{
		Compress: &compress.Options{Off: []string{"/account"}},
		CORS:     []cors.Rule{{Path: "/api/", Origins: []string{"https://a.example", "https://b.example"}, MaxAge: cors.DefaultMaxAge}},
		JSONP:    []jsonp.Rule{{Path: "/api/"}},
		Stamps:   []stamp.Rule{{Path: "/api/"}},
	}})
	s.add(t, "web.1", app)
	return s
}

// All that the layers do, in one answer.
func TestAnswersTogether(t *testing.T) {
	list := `["` + strings.Repeat("Hello, hello again. ", 200) + `"]`
	var asked atomic.Int32
	s := answering(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("X-Query", r.URL.RawQuery)
		w.Header().Set("Access-Control-Allow-Origin", "*")
		if r.Header.Get("If-None-Match") == `"v1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(list)))
		io.WriteString(w, list)
	})
	ask := func(more ...string) (*http.Response, string) {
		t.Helper()
		res, body := s.get(t, "/api/list?callback=app.show&t=17", append([]string{"Origin", "https://a.example", "Accept-Encoding", "br", "Cookie", "own=1"}, more...)...)
		if res.Header.Get("X-Query") != "t=17" || strings.Join(res.Header["Access-Control-Allow-Origin"], "+") != "https://a.example" ||
			!strings.Contains(res.Header.Get("Vary"), "Origin") || !strings.Contains(res.Header.Get("Vary"), "Accept-Encoding") {
			t.Errorf("%d %v", res.StatusCode, res.Header)
		}
		return res, body
	}
	res, body := ask()
	text, err := io.ReadAll(brotli.NewReader(strings.NewReader(body)))
	if err != nil || string(text) != "/**/app.show("+list+");" {
		t.Errorf("%v %.100s", err, text)
	}
	if res.Header.Get("Cache-Control") != "public, max-age=31536000" || res.Header.Get("Content-Type") != "application/javascript; charset=utf-8" || res.ContentLength != int64(len(body)) {
		t.Errorf("%v", res.Header)
	}
	if res, _ := ask("If-None-Match", res.Header.Get("Etag")); res.StatusCode != http.StatusNotModified {
		t.Errorf("again: %d", res.StatusCode)
	}
	before := asked.Load()
	res, _ = s.do(t, "OPTIONS", "/api/list", nil, "Origin", "https://b.example", "Access-Control-Request-Method", "POST")
	if res.StatusCode != http.StatusNoContent || res.Header.Get("Access-Control-Max-Age") != "7200" || asked.Load() != before {
		t.Errorf("preflight: %d %v, application asked: %v", res.StatusCode, res.Header, asked.Load() != before)
	}
	if res, _ := s.get(t, "/api/list?callback=alert(1)"); res.StatusCode != http.StatusBadRequest || asked.Load() != before {
		t.Errorf("injection: %d", res.StatusCode)
	}
	if res, body := s.get(t, "/account", "Accept-Encoding", "br"); res.Header.Get("Content-Encoding") != "" || body != list {
		t.Errorf("off: %v", res.Header)
	}
}

// What passes through an edge without layers passes through one with them:
// early hints, trailers, event streams piece by piece, uploads answered early,
// upgrades, HTTP/1.0.
func TestAnswersLetPass(t *testing.T) {
	next := make(chan bool)
	s := answering(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hints":
			w.Header().Set("Link", "</a.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Del("Link")
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Trailer", "X-Sum")
			io.WriteString(w, strings.Repeat("hello", 1000))
			w.Header().Set("X-Sum", "5000")
		case "/events":
			w.Header().Set("Content-Type", "text/event-stream")
			for range 3 {
				io.WriteString(w, "data: x\n\n")
				http.NewResponseController(w).Flush()
				<-next
			}
		case "/upgrade":
			c, rw, _ := http.NewResponseController(w).Hijack()
			defer c.Close()
			io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			line, _ := rw.ReadString('\n')
			io.WriteString(c, line)
		}
	})
	_, br := s.raw(t, "GET /hints HTTP/1.1\r\nHost: x\r\nAccept-Encoding: br\r\nTE: trailers\r\n\r\n")
	first, _ := textproto.NewReader(br).ReadLine()
	hints, _ := textproto.NewReader(br).ReadMIMEHeader()
	if first != "HTTP/1.1 103 Early Hints" || hints.Get("Link") == "" {
		t.Errorf("%s %v", first, hints)
	}
	res, err := http.ReadResponse(br, nil)
	if err != nil || res.StatusCode != 200 || res.Header.Get("Link") != "" || res.Header.Get("Content-Encoding") != "br" {
		t.Fatal(res, err)
	}
	if text, err := io.ReadAll(brotli.NewReader(res.Body)); len(text) != 5000 || err != nil {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	io.Copy(io.Discard, res.Body)
	if res.Trailer.Get("X-Sum") != "5000" {
		t.Errorf("trailer %v", res.Trailer)
	}

	_, br = s.raw(t, "GET /events HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n")
	if res, err = http.ReadResponse(br, nil); err != nil || res.Header.Get("Content-Encoding") != "" {
		t.Fatal(res, err)
	}
	events := bufio.NewReader(res.Body)
	for range 3 {
		if line, err := events.ReadString('\n'); line != "data: x\n" || err != nil {
			t.Fatal(line, err)
		}
		events.ReadString('\n')
		next <- true
	}

	c, br := s.raw(t, "GET /upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	if res, err = http.ReadResponse(br, nil); err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(res, err)
	}
	io.WriteString(c, "round trip\n")
	if line, err := br.ReadString('\n'); line != "round trip\n" {
		t.Error(line, err)
	}
}

// An answer that broke off at the application does not look whole.
func TestAnswersBrokenOff(t *testing.T) {
	app := newRawApp(t)
	s := newSite(t, Options{HealthInterval: time.Hour, Answers: Answers{Compress: &compress.Options{}, JSONP: []jsonp.Rule{{Path: "/"}}}})
	s.addURL(t, "web.1", app.url())
	for _, target := range []string{"/", "/?callback=f"} {
		for _, head := range []string{"Content-Length: 5000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n800\r\n"} {
			done := make(chan error, 1)
			go func() {
				res, err := http.Get(s.url + target)
				if err == nil {
					_, err = io.ReadAll(res.Body)
					res.Body.Close()
				}
				done <- err
			}()
			c, _, _ := app.request(t)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"+head+"["+strings.Repeat("1,", 600))
			c.Close()
			if err := <-done; err == nil {
				t.Errorf("%s with %s looks whole", target, head)
			}
		}
	}
}

// Static files are under the same policy; a font on another domain needs it.
func TestStaticCORS(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.css", css)
	s := newSite(t, Options{Static: Static{Dir: dir}, Answers: Answers{CORS: []cors.Rule{{Path: "/static/", Origins: []string{"https://a.example", "https://b.example"}}}}})
	for origin, want := range map[string]string{"https://a.example": "https://a.example", "https://evil.example": "", "": ""} {
		var header []string
		if origin != "" {
			header = []string{"Origin", origin}
		}
		res, _ := s.get(t, "/static/a.css", header...)
		if res.Header.Get("Access-Control-Allow-Origin") != want || res.Header.Get("Vary") != "Accept-Encoding, Origin" {
			t.Errorf("%s: %v", origin, res.Header)
		}
	}
	if res, _ := s.do(t, "OPTIONS", "/static/a.css", nil, "Origin", "https://b.example", "Access-Control-Request-Method", "GET"); res.StatusCode != 204 {
		t.Errorf("preflight: %d", res.StatusCode)
	}
}
