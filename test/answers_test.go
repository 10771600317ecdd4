package test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/dayfly-dev/dayfly/internal/need"
)

// answersApp is an application that knows nothing of what the edge makes of its
// answers. It counts how often it was asked.
const answersApp = `
import http.server, json, os
asked = 0
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        global asked
        if self.path != "/": asked += 1
        body = json.dumps({"asked": asked, "path": self.path, "cookie": self.headers.get("Cookie", ""), "text": "hello " * 500}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("ETag", '"v1"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
`

// TestAnswers: what [edge.*] says of answers holds for an application in
// another language, and a page of another site loads them in a browser.
func TestAnswers(t *testing.T) {
	b := newBrowser(t)
	var page string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, page)
	}))
	defer other.Close()
	dir := application(t, fmt.Sprintf(`
name = "answers"
[process.web]
command = %q
http = true
[edge.cors."/api/"]
origins = [%q, "https://www.example.com"]
headers = ["X-Token"]
[edge.jsonp."/api/"]
[edge.stamp."/api/"]
[edge.bodies]
grace = "1s"
rate = "1MiB"
`, need.Tool(t, "python3")+" app.py", other.URL)+anyPorts)
	if err := os.WriteFile(filepath.Join(dir, "app.py"), []byte(answersApp), 0o600); err != nil {
		t.Fatal(err)
	}
	h := up(t, dir, filepath.Join(t.TempDir(), "data"))
	site := h.env["SITE_URL"]

	page = `<!doctype html><title>another site</title><script>
		document.cookie = "own=1"
		const got = {}
		const add = name => value => { got[name] = value }
		fetch("` + site + `/api/list?t=17", {headers: {"X-Token": "1"}}).then(r => r.json()).then(add("fetched"))
		fetch("` + site + `/api/list?t=17", {method: "DELETE"}).then(add("deleted"), () => add("deleted")("refused"))
		fetch("` + site + `/other").then(add("other"), () => add("other")("refused"))
		const show = add("script")
		const late = {show: add("named")}
		window.app = late
	</script><script src="` + site + `/api/list?callback=show&t=18"></script>
	<script src="` + site + `/api/list?callback=app.show&t=18"></script>
	<script src="` + site + `/api/list?callback=alert(1)//" onerror="got.injected = 'refused'"></script>`
	b.open(other.URL)
	b.until("got.fetched && got.script && got.named && got.deleted && got.other && got.injected")
	for js, want := range map[string]string{
		"got.fetched.path": "/api/list?t=17", "got.script.path": "/api/list?t=18", "got.named.path": "/api/list?t=18", "got.script.cookie": "",
		"got.deleted": "refused", "got.other": "refused", "got.injected": "refused",
	} {
		if got := ask[string](b, js); got != want {
			t.Errorf("%s is %q, not %q", js, got, want)
		}
	}

	r, _ := http.NewRequest("GET", site+"/api/list?t=17", nil)
	r.Header.Set("Accept-Encoding", "br;q=0.1, zstd")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	z, err := zstd.NewReader(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	text, err := io.ReadAll(z)
	if err != nil || !strings.Contains(string(text), `"path": "/api/list?t=17"`) || res.Header.Get("Etag") != `"v1-zstd"` ||
		res.Header.Get("Vary") != "Origin, Accept-Encoding" || res.Header.Get("Cache-Control") != "public, max-age=31536000" {
		t.Errorf("%v %v %.100s", err, res.Header, text)
	}

	c, err := net.Dial("tcp", strings.TrimPrefix(site, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	io.WriteString(c, "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nslow")
	if res, err = http.ReadResponse(bufio.NewReader(c), nil); err != nil || res.StatusCode != http.StatusRequestTimeout {
		t.Errorf("a client that trickles: %v %v", res, err)
	}
	h.down()
}
