package site_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/net/html"

	"github.com/dayfly-dev/dayfly/cache"
	"github.com/dayfly-dev/dayfly/cache/localcache"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/jobs"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/registrytest"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/site"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watchtest"
)

const bucketURL = "https://bucket.example.com/advisories"

var static = fstest.MapFS{
	"style.css": {Data: []byte("body{}")}, "advisory.js": {Data: []byte("//")}, "icon.svg": {Data: []byte("<svg/>")},
}

// hostile is a package whose every text tries to be markup.
func hostile() registrytest.Package {
	const x = `<script>alert(1)</script>`
	return registrytest.Package{ID: watch.ID{Ecosystem: watch.NPM, Name: "hostile"}, Versions: []registrytest.Version{
		{Version: "1.0.0", Files: map[string]string{"package.json": `{}`, "CHANGELOG.md": "# 1\n"}},
		{Version: "1.0.1", Files: map[string]string{"package.json": `{"license":"` + x + `","scripts":{"install":"` + x + `"},"dependencies":{"` + x + `":"` + x + `"}}`,
			"CHANGELOG.md": "# 2 " + x + "\n\n# 1\n", "a" + x + ".js": "x"}},
	}}
}

func newSite(t *testing.T, change func(*site.Options)) (*watchtest.App, http.Handler) {
	t.Helper()
	a := watchtest.New(t, append(registrytest.Sample(), hostile())...)
	o := site.Options{DB: a.DB, Jobs: a.Jobs, Queue: a.Queue, Bucket: a.Bucket, BucketURL: bucketURL, SiteURL: watchtest.SiteURL, Static: static, Process: "web.1"}
	if change != nil {
		change(&o)
	}
	s, err := site.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a, s
}

func fill(t *testing.T, a *watchtest.App) {
	t.Helper()
	_, err := a.Import.Enqueue(t.Context(), a.Client, jobs.ImportArgs{Name: "shop/package.json",
		Content: `{"dependencies":{
"@sample/paint":"1.2.0","is-odd":"3.0.1","no-such":"1.0.0","hostile":"1.0.0","local":"file:../x"}}`})
	if err != nil {
		t.Fatal(err)
	}
	a.Work(t)
}

func get(t *testing.T, h http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("GET", path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func want(t *testing.T, w *httptest.ResponseRecorder, status int, says ...string) {
	t.Helper()
	if w.Code != status {
		t.Errorf("status %d, want %d:\n%s", w.Code, status, w.Body)
	}
	for _, s := range says {
		if !strings.Contains(w.Body.String(), s) {
			t.Errorf("the answer does not say %q:\n%s", s, w.Body)
		}
	}
}

func wantNot(t *testing.T, w *httptest.ResponseRecorder, says ...string) {
	t.Helper()
	for _, s := range says {
		if strings.Contains(w.Body.String(), s) {
			t.Errorf("the answer says %q:\n%s", s, w.Body)
		}
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	a, h := newSite(t, nil)
	want(t, get(t, h, "/"), 200, "No project is watched yet", `href="/import"`)
	fill(t, a)
	const paint = "/updates/npm/@sample/paint/1.2.0/2.0.0/"
	w := get(t, h, "/")
	want(t, w, 200, "<b>5</b> watched", "<b>2</b> behind", "<b>2</b> to look at closely", "<b>1</b> without answer", `href="`+paint+`"`, "look closely", "not asked for")
	if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "connect-src 'self' https://bucket.example.com;") {
		t.Errorf("policy %q", csp)
	}
	if again := get(t, h, "/", "If-None-Match", w.Header().Get("ETag")); again.Code != http.StatusNotModified {
		t.Errorf("the same page again: %d", again.Code)
	}
	w = get(t, h, "/?show=alarms&q=PAINT")
	want(t, w, 200, paint)
	wantNot(t, w, "packages/npm/is-odd")
	want(t, get(t, h, "/?q=zzz"), 200, "No package fits this choice")
	want(t, get(t, h, "/packages/npm/@sample/paint"), 200, "1.2.0 → 2.0.0", "2.0.0-rc.1", "line 2", "in use")
	want(t, get(t, h, "/packages/npm/no-such"), 200, "no-such: not found at")
	w = get(t, h, paint)
	want(t, w, 200, `data-source="`+bucketURL+`/npm/@sample/paint/1.2.0..2.0.0.json"`, `<noscript>`, paint+"?render=server", "/static/advisory.js")
	w = get(t, h, paint+"?render=server")
	want(t, w, 200, "postinstall", "node setup.js", "BUSL-1.1", "bin/paint", "sha512 as the registry says")
	wantNot(t, w, "advisory.js")
	want(t, get(t, h, "/import"), 200, `enctype="multipart/form-data"`)
	for _, missing := range []string{"/packages/npm/other", "/packages/x/y", "/packages/npm/", "/updates/npm/a/1/2/", "/updates/npm/1/2", "/nothing", "/static/../go.mod", "/static/none.css"} {
		if w := get(t, h, missing); w.Code != http.StatusNotFound && w.Code != http.StatusTemporaryRedirect && w.Code != http.StatusMovedPermanently {
			t.Errorf("%s: %d", missing, w.Code)
		}
	}
	want(t, get(t, h, "/static/style.css"), 200, "body{}")
}

func TestTextsOfPackagesStayTexts(t *testing.T) {
	t.Parallel()
	a, h := newSite(t, nil)
	fill(t, a)
	for _, path := range []string{"/", "/packages/npm/hostile", "/updates/npm/hostile/1.0.0/1.0.1/", "/updates/npm/hostile/1.0.0/1.0.1/?render=server", "/?q=<script>alert(1)</script>"} {
		w := get(t, h, path)
		want(t, w, 200)
		for n := range must(html.Parse(w.Body)).Descendants() {
			if n.Type == html.ElementNode && n.Data == "script" && n.FirstChild != nil {
				t.Errorf("%s has a script with text: %s", path, n.FirstChild.Data)
			}
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestWithoutBucketAddressTheSiteRenders(t *testing.T) {
	t.Parallel()
	a, h := newSite(t, func(o *site.Options) { o.BucketURL = "" })
	fill(t, a)
	const update = "/updates/npm/@sample/paint/1.2.0/2.0.0/"
	w := get(t, h, update)
	want(t, w, 200, "node setup.js")
	wantNot(t, w, "data-source")
	if err := a.Bucket.Delete(t.Context(), "npm/@sample/paint/1.2.0..2.0.0.json"); err != nil {
		t.Fatal(err)
	}
	want(t, get(t, h, update), 200, "no longer in storage", "Compare again")
	r := httptest.NewRequest("POST", update, nil)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	want(t, rec, http.StatusSeeOther)
	want(t, get(t, h, update), 200, "This page follows")
	a.Work(t)
	want(t, get(t, h, update), 200, "node setup.js")
}

// upload posts a file the way a browser does.
func upload(t *testing.T, h http.Handler, name, content string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	err := m.WriteField("project", "  My shop ")
	f, err2 := m.CreateFormFile("file", name)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(f, content)
	if err := errors.Join(err, m.Close()); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/import", &b)
	r.Header.Set("Content-Type", m.FormDataContentType())
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestUpload(t *testing.T) {
	t.Parallel()
	a, h := newSite(t, nil)
	want(t, upload(t, h, "requirements.txt", "idna==3.9\n", "Sec-Fetch-Site", "same-origin"), http.StatusSeeOther)
	a.Work(t)
	want(t, get(t, h, "/"), 200, "My shop", "/updates/pypi/idna/3.9/3.10/")

	want(t, upload(t, h, "requirements.txt", "!!\n"), http.StatusUnprocessableEntity, "requirements.txt:1:", "Nothing was imported")
	want(t, upload(t, h, "Gemfile", "x"), http.StatusUnprocessableEntity, "not one of the files that are read")
	want(t, upload(t, h, "go.mod", strings.Repeat("x", 50<<20)), http.StatusRequestEntityTooLarge, "larger than 4 MiB", "Nothing was imported")
	want(t, upload(t, h, "go.mod", strings.Repeat("x", 4<<20+1)), http.StatusUnprocessableEntity, "at most 4 MiB")
	r := httptest.NewRequest("POST", "/import", strings.NewReader("x=1"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	want(t, w, http.StatusBadRequest, "Choose one")
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	a, h := newSite(t, nil)
	fill(t, a)
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}} {
		want(t, upload(t, h, "requirements.txt", "idna==3.9\n", header...), http.StatusForbidden, "came from another site")
		r := httptest.NewRequest("POST", "/projects/delete", strings.NewReader("project=shop"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set(header[0], header[1])
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		want(t, w, http.StatusForbidden)
	}
	want(t, upload(t, h, "requirements.txt", "idna==3.9\n", "Origin", watchtest.SiteURL), http.StatusSeeOther)
	want(t, get(t, h, "/"), 200, "shop", "My shop")
}

func TestDeleteAndCheck(t *testing.T) {
	t.Parallel()
	a, h := newSite(t, nil)
	fill(t, a)
	post := func(path, form string) {
		t.Helper()
		r := httptest.NewRequest("POST", path, strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		want(t, w, http.StatusSeeOther)
	}
	before := a.Registry.Asked("/npm/is-odd")
	post("/check", "")
	want(t, get(t, h, "/?checking=1"), 200, "registries are being asked")
	a.Work(t)
	if a.Registry.Asked("/npm/is-odd") == before {
		t.Error("the registry was not asked")
	}
	post("/projects/delete", "project=shop")
	want(t, get(t, h, "/"), 200, "No project is watched yet")
}

func TestFeed(t *testing.T) {
	t.Parallel()
	a, h := newSite(t, nil)
	want(t, get(t, h, "/feed.atom"), 200, `<feed xmlns="http://www.w3.org/2005/Atom">`)
	fill(t, a)
	w := get(t, h, "/feed.atom")
	want(t, w, 200)
	var f struct {
		XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
		ID      string   `xml:"id"`
		Updated string   `xml:"updated"`
		Links   []struct {
			Rel  string `xml:"rel,attr"`
			Href string `xml:"href,attr"`
		} `xml:"link"`
		Entries []struct {
			ID      string `xml:"id"`
			Title   string `xml:"title"`
			Updated string `xml:"updated"`
			Link    struct {
				Href string `xml:"href,attr"`
			} `xml:"link"`
			Summary string `xml:"summary"`
		} `xml:"entry"`
	}
	if err := xml.Unmarshal(w.Body.Bytes(), &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Entries) != 2 || f.Links[0].Href != watchtest.SiteURL+"/feed.atom" || f.ID == "" {
		t.Fatalf("%+v", f)
	}
	ids := map[string]bool{}
	for _, e := range f.Entries {
		_, err := time.Parse(time.RFC3339, e.Updated)
		if err != nil || ids[e.ID] || !strings.HasPrefix(e.Link.Href, watchtest.SiteURL+"/updates/npm/") || e.Summary == "" {
			t.Errorf("%+v, %v", e, err)
		}
		ids[e.ID] = true
	}
	if again := get(t, h, "/feed.atom", "If-None-Match", w.Header().Get("ETag")); again.Code != http.StatusNotModified {
		t.Errorf("the same feed again: %d", again.Code)
	}
}

func TestAPI(t *testing.T) {
	t.Parallel()
	a, h := newSite(t, nil)
	fill(t, a)
	w := get(t, h, "/api/packages?show=behind&q=paint")
	var got struct {
		Packages []struct {
			Name, Version, Latest, Status string
			Update                        struct{ To, Page, Advisory string }
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Packages) != 1 || got.Packages[0].Update.Advisory != bucketURL+"/npm/@sample/paint/1.2.0..2.0.0.json" || got.Packages[0].Latest != "2.0.0" {
		t.Errorf("%+v", got)
	}
	if w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", w.Header())
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	c := cache.New(must(localcache.New(localcache.Options{})), nil)
	a, h := newSite(t, func(o *site.Options) { o.Cache = c })
	want(t, get(t, h, "/healthz"), 200, "database: ok", "queue: ok", "bucket: ok", "cache: ok")
	want(t, get(t, h, "/livez"), 200)
	_, h = newSite(t, func(o *site.Options) { o.Cache = c; c.Close() })
	want(t, get(t, h, "/healthz"), 200, "cache: degraded")
	_, h = newSite(t, func(o *site.Options) { o.DB.Close() })
	want(t, get(t, h, "/healthz"), 503, "database: FAILED", "queue: ok")
	a.Bucket.Close()
	_, h = newSite(t, func(o *site.Options) { o.Bucket = a.Bucket })
	want(t, get(t, h, "/healthz"), 503, "bucket: FAILED")
}

func TestStaticManifest(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "static.json")
	if err := os.WriteFile(file, []byte(`{"style.css":"/static/style.0123.css"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, h := newSite(t, func(o *site.Options) { o.StaticManifest = file })
	want(t, get(t, h, "/"), 200, `href="/static/style.0123.css"`, `/_dayfly/utm.js`, `href="/static/icon.svg"`)
	_, h = newSite(t, nil)
	w := get(t, h, "/")
	want(t, w, 200, `href="/static/style.css"`)
	wantNot(t, w, "_dayfly")
}

func TestDatabaseDown(t *testing.T) {
	t.Parallel()
	a, h := newSite(t, nil)
	a.DB.Close()
	for _, path := range []string{"/", "/feed.atom", "/packages/npm/x", "/api/packages"} {
		w := get(t, h, path)
		want(t, w, http.StatusServiceUnavailable)
		wantNot(t, w, "sql:")
	}
}
