package test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/blob/s3server"
	"github.com/dayfly-dev/dayfly/internal/need"
)

// The smallest picture that browsers show.
const picture = `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9" fill="teal"/></svg>`

var pages = map[string]string{
	"dayfly.toml": "name = \"pages\"\n[static]\ndir = \"static\"\n",
	"static/index.html": `<!doctype html><html lang="en"><meta charset="utf-8"><title>waiting</title><link rel="icon" href="img/a.svg">
<link rel="stylesheet" href="css/app.css"><script type="module" src="js/app.js"></script><p id="p">text</p><img src="img/a.svg" alt="a">`,
	"static/css/app.css":    "@import \"base.css\"; p { background: url(../img/a.svg) }",
	"static/css/base.css":   "p { color: rgb(1, 2, 3) }",
	"static/img/a.svg":      picture,
	"static/js/app.js":      "import { name } from './lib/name.js';\nconst late = await import(`./late.js`);\ndocument.title = name + late.default + new URL('../img/a.svg', import.meta.url);\n//# sourceMappingURL=app.js.map\n",
	"static/js/lib/name.js": "export const name = 'loaded ';",
	"static/js/late.js":     "export default 'late ';",
	"static/js/app.js.map":  `{"version":3,"sources":["app.ts"],"sourcesContent":["x"],"names":[],"mappings":"AAAA"}`,
}

func lay(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// bucketDoor is an S3 store for several nodes. after, if set, is called with each
// object that was put, before who put it is told.
type bucketDoor struct {
	url   string
	after atomic.Pointer[func(key string)]
}

func newBucketDoor(t *testing.T) *bucketDoor {
	t.Helper()
	s, err := s3server.Open(s3server.Options{Dir: t.TempDir(), AccessKey: "AKIATEST", SecretKey: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	d := &bucketDoor{}
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := d.after.Load(); r.Method == http.MethodPut && f != nil {
			s.ServeHTTP(httptest.NewRecorder(), r)
			(*f)(r.URL.Path)
			panic(http.ErrAbortHandler)
		}
		s.ServeHTTP(w, r)
	}))
	d.url = h.URL
	t.Cleanup(func() {
		h.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return d
}

func (d *bucketDoor) env() []string {
	return []string{"AWS_ENDPOINT_URL=" + d.url, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=AKIATEST", "AWS_SECRET_ACCESS_KEY=secret",
		"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true"}
}

// addresses is what a node's STATIC_MANIFEST says.
func (h *house) addresses() map[string]string {
	h.t.Helper()
	data, err := os.ReadFile(filepath.Join(h.data, "static.json"))
	if err != nil {
		h.t.Fatal(err)
	}
	var m map[string]string
	if err := json.Unmarshal(data, &m); err != nil {
		h.t.Fatal(err)
	}
	return m
}

// serves expects an address to be answered with 200, to be kept for ever.
func (h *house) serves(address string) (body string) {
	h.t.Helper()
	res, err := http.Get(h.env["SITE_URL"] + address)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 || res.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" || res.Request.URL.Path != address {
		h.t.Errorf("%s: %d %v, %v", address, res.StatusCode, res.Header, err)
	}
	return string(data)
}

// TestStaticPages opens a page of static files in Chromium; then a node is killed
// between keeping a new version and naming it, and started again: what the old page
// names and what the new one names is served by this node and by another.
func TestStaticPages(t *testing.T) {
	t.Parallel()
	b, bucket := newBrowser(t), newBucketDoor(t)
	one, two := lay(t, pages), lay(t, pages)
	data := filepath.Join(t.TempDir(), "data")
	first := up(t, one, data, bucket.env()...)
	other := up(t, two, filepath.Join(t.TempDir(), "data"), bucket.env()...)

	b.open(first.env["SITE_URL"] + "/static/index.html")
	b.until("document.title.startsWith('loaded late ')")
	hash := regexp.MustCompile(`/static/(css/(app|base)|js/(app|late|lib/name)|img/a)\.[0-9a-f]{16}\.(css|js|svg)$`)
	loaded := ask[[]string](b, "performance.getEntriesByType('resource').map(e => e.responseStatus + ' ' + e.redirectStart + ' ' + e.name)")
	for _, l := range loaded {
		if !strings.HasPrefix(l, "200 0 ") || !hash.MatchString(l) {
			t.Errorf("loaded %s", l)
		}
	}
	if len(loaded) < 6 || ask[string](b, "getComputedStyle(document.getElementById('p')).color") != "rgb(1, 2, 3)" || ask[int](b, "document.images[0].naturalWidth") != 9 {
		t.Errorf("the page is not as it should be: %q", loaded)
	}
	if len(b.problems) > 0 {
		t.Errorf("the browser complained: %q", b.problems)
	}

	before := first.addresses()
	killed := make(chan string, 1)
	kill := func(key string) {
		if strings.Contains(key, "css/base.") {
			first.kill()
			select {
			case killed <- key:
			default:
			}
		}
	}
	bucket.after.Store(&kill)
	if err := os.WriteFile(filepath.Join(one, "static/css/base.css"), []byte("p { color: rgb(4, 5, 6) }"), 0o644); err != nil {
		t.Fatal(err)
	}
	select {
	case <-killed:
	case <-time.After(patience):
		t.Fatal("no new version was put")
	}
	bucket.after.Store(nil)
	if now := first.addresses(); now["css/base.css"] != before["css/base.css"] {
		t.Errorf("%s was named before all it needs was kept", now["css/base.css"])
	}
	again := up(t, one, data, bucket.env()...)
	after := again.addresses()
	for _, name := range []string{"css/base.css", "css/app.css"} {
		if after[name] == before[name] {
			t.Errorf("%s has the address of before", name)
		}
	}
	for name := range before {
		for _, address := range []string{before[name], after[name]} {
			if x, y := again.serves(address), other.serves(address); x != y || x == "" {
				t.Errorf("%s is %q and on the other node %q", address, x, y)
			}
		}
	}
	if s := other.serves(after["css/base.css"]); s != "p { color: rgb(4, 5, 6) }" {
		t.Errorf("the other node serves %q", s)
	}
	b.open(again.env["SITE_URL"] + "/static/index.html")
	b.until("getComputedStyle(document.getElementById('p')).color == 'rgb(4, 5, 6)'")
	if len(b.problems) > 0 {
		t.Errorf("the browser complained: %q", b.problems)
	}
}

// TestExportedPages exports an application and opens the copy in Chromium, served
// by a plain server of files.
func TestExportedPages(t *testing.T) {
	t.Parallel()
	python := need.Python(t)
	b := newBrowser(t)
	dir := lay(t, map[string]string{
		"dayfly.toml":            fmt.Sprintf("name = \"shop\"\n[process.web]\ncommand = \"%s -m http.server $PORT --bind 127.0.0.1 --directory site\"\nhttp = true\nhealth = \"/\"\n", python),
		"site/index.html":        `<!doctype html><meta charset=utf-8><title>Shop</title><link rel=icon href=/a.svg><link rel=stylesheet href="/app.css?v=2"><a id=a href="/docs">Docs</a><a id=u href="/%C3%BCber%20uns.html">Us</a><a href="/gone.html">Gone</a><img src="a.svg" alt=a>`,
		"site/app.css":           `body { color: rgb(1, 2, 3); background: url("a.svg?x=1") }`,
		"site/a.svg":             picture,
		"site/docs/index.html":   `<!doctype html><meta charset=utf-8><title>Docs</title><link rel=icon href=/a.svg><script type=module>import { go } from "/js/app.js"; go()</script><a id=b href="deep/er.html?page=2#x">Deeper</a>`,
		"site/docs/deep/er.html": `<!doctype html><meta charset=utf-8><title>Deeper</title><link rel=icon href="../../a.svg"><link rel=stylesheet href="../../app.css?v=2"><a id=home href="/">Home</a>`,
		"site/über uns.html":     `<!doctype html><meta charset=utf-8><title>Über uns</title><link rel=icon href=a.svg><a id=home href="./">Home</a>`,
		"site/js/app.js":         `import { word } from "./part.js"; export function go() { document.title = word }`,
		"site/js/part.js":        `export const word = "by a module";`,
	})
	h := up(t, dir, filepath.Join(t.TempDir(), "data"))
	out := filepath.Join(t.TempDir(), "copy")
	first := h.cli("export", out)
	if !strings.Contains(first, "/gone.html  404 File not found") && !strings.Contains(first, "/gone.html  404 Not Found  (from /)") {
		t.Errorf("the broken link is not told:\n%s", first)
	}
	if again := h.cli("export", out); !strings.Contains(again, ", 0 written") {
		t.Errorf("exported again:\n%s", again)
	}
	h.down()

	address := need.Address(t)
	_, port, _ := strings.Cut(address, ":")
	server(t, address, exec.Command(python, "-m", "http.server", port, "--bind", "127.0.0.1", "--directory", out))
	b.open("http://" + address + "/")
	b.until("document.title == 'Shop' && getComputedStyle(document.body).color == 'rgb(1, 2, 3)' && document.images[0].naturalWidth == 9")
	b.click("#a", "document.title == 'by a module'")
	b.click("#b", "document.title == 'Deeper' && location.hash == '#x' && getComputedStyle(document.body).color == 'rgb(1, 2, 3)'")
	b.click("#home", "document.title == 'Shop'")
	b.click("#u", "document.title == 'Über uns'")
	b.click("#home", "document.title == 'Shop'")
	if len(b.problems) > 0 {
		t.Errorf("the browser complained: %q", b.problems)
	}
}
