package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dayfly-dev/dayfly/edge/refs"
)

// shop is a small site with all that an export meets.
func shop(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	page := func(path, contentType, body string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Cache-Control", "max-age=60")
			io.WriteString(w, body)
		})
	}
	html := func(path, body string) { page(path, "text/html; charset=utf-8", body) }
	html("/{$}", `<link rel=stylesheet href="/s/a.css?v=1"><link rel=canonical href="https://shop.example/">
<a href="/about">About</a> <a href="/list?page=2#end">Next</a> <a href="/old">Old</a> <a href="/gone">Gone</a> <a href="/basket">Basket</a>
<a href="https://elsewhere.example/">Elsewhere</a> <a href="mailto:a@b">Mail</a> <a href="#top">Top</a> <a href="https://shop.example/deep/er/">Deeper</a>`)
	html("/about", `<form action="/contact" method=post></form><a href="./">Home</a>`)
	html("/deep/er/", `<base href="/deep/"><img src="../p/x.png" srcset="../p/x.png 1x"><a href="/away">Away</a>`)
	html("/list", `<a href="/list?page=3">3</a><a href="/basket/add">Add</a>`)
	html("/basket", `not for the copy`)
	html("/contact", `asked for by nobody`)
	html("/hidden", `only in the sitemap`)
	page("/s/a.css", "text/css", `@import "b.css"; b{background:url(../p/x.png)}`)
	page("/s/b.css", "text/css", `b{color:red}`)
	page("/p/x.png", "image/png", "\x89PNG")
	mux.HandleFunc("/sitemap.xml", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		fmt.Fprintf(w, `<urlset><url><loc>http://%s/hidden</loc></url></urlset>`, r.Host)
	})
	mux.Handle("/old", http.RedirectHandler("/older", http.StatusMovedPermanently))
	mux.Handle("/older", http.RedirectHandler("/about", http.StatusFound))
	mux.Handle("/away", http.RedirectHandler("https://elsewhere.example/x", http.StatusFound))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, `<link rel=stylesheet href=/s/a.css?v=1>not found`)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func read(t *testing.T, at string, change func(*Options)) *Site {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Site: u, Names: []string{"shop.example"}, Skip: []string{"/basket"}, Spool: t.TempDir()}
	if change != nil {
		change(&o)
	}
	s, err := Read(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		all[filepath.ToSlash(name)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestFolder(t *testing.T) {
	site := shop(t)
	dir := filepath.Join(t.TempDir(), "out")
	write := func(prune bool, change func(*Options)) (*Site, map[string]string) {
		t.Helper()
		s := read(t, site.URL, change)
		d, err := OpenFolder(dir, prune, false)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if err := s.Write(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		return s, tree(t, dir)
	}
	app, _ := url.Parse("https://app.shop.example")
	base, _ := url.Parse("https://cdn.example/")
	s, got := write(false, func(o *Options) { o.App, o.Base = app, base })
	host := strings.TrimPrefix(site.URL, "http://")
	want := map[string]string{
		"index.html": `<link rel=stylesheet href="s/a@v=1.css"><link rel=canonical href="https://cdn.example/">
<a href="about/index.html">About</a> <a href="list@page=2/index.html#end">Next</a> <a href="about/index.html">Old</a> <a href="/gone">Gone</a> <a href="https://app.shop.example/basket">Basket</a>
<a href="https://elsewhere.example/">Elsewhere</a> <a href="mailto:a@b">Mail</a> <a href="#top">Top</a> <a href="deep/er/index.html">Deeper</a>`,
		"about/index.html":       `<form action="https://app.shop.example/contact" method=post></form><a href="../index.html">Home</a>`,
		"deep/er/index.html":     `<base href="./"><img src="../../p/x.png" srcset="../../p/x.png 1x"><a href="https://elsewhere.example/x">Away</a>`,
		"list@page=2/index.html": `<a href="../list@page=3/index.html">3</a><a href="https://app.shop.example/basket/add">Add</a>`,
		"list@page=3/index.html": `<a href="index.html">3</a><a href="https://app.shop.example/basket/add">Add</a>`,
		"hidden/index.html":      "only in the sitemap",
		"s/a@v=1.css":            `@import "b.css"; b{background:url(../p/x.png)}`,
		"s/b.css":                "b{color:red}",
		"p/x.png":                "\x89PNG",
		"sitemap.xml":            `<urlset><url><loc>https://cdn.example/hidden/</loc></url></urlset>`,
		"404.html":               `<link rel=stylesheet href="s/a@v=1.css">not found`,
		"old/index.html":         leadingOn("../about/index.html"),
		"older/index.html":       leadingOn("../about/index.html"),
		"away/index.html":        leadingOn("https://elsewhere.example/x"),
	}
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s:\n%s\nnot\n%s", name, got[name], text)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok && name != RecordName {
			t.Errorf("%s is there, too", name)
		}
	}
	r := s.Report
	if len(r.Broken) != 1 || r.Broken[0].Address != "/gone" || r.Broken[0].Why != "404 Not Found" || !slices.Equal(r.Broken[0].From, []string{"/"}) {
		t.Errorf("broken: %+v", r.Broken)
	}
	if len(r.Forms) != 1 || r.Forms[0].Action != "/contact" || len(r.Skipped) != 2 || r.Files != len(want) || r.Written != len(want) || len(r.Conflicts) != 0 {
		t.Errorf("%+v; %s", r, host)
	}

	// Again: nothing is written. Without one page: it is told, and removed when asked.
	if s, _ := write(false, func(o *Options) { o.App, o.Base = app, base }); s.Report.Written != 0 || len(s.Report.Stale) != 0 {
		t.Errorf("again: %+v", s.Report)
	}
	skip := func(o *Options) {
		o.App, o.Base = app, base
		o.Skip = append(o.Skip, "/hidden", "/list*")
	}
	stale := []string{"hidden/index.html", "list@page=2/index.html", "list@page=3/index.html"}
	for range 2 { // told each time
		if s, got := write(false, skip); !slices.Equal(s.Report.Stale, stale) || got["hidden/index.html"] == "" {
			t.Errorf("stale: %+v", s.Report)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "list@page=2", "index.html"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	s, got = write(true, skip)
	if !s.Report.Pruned || got["hidden/index.html"] != "" || got["list@page=2/index.html"] != "mine" {
		t.Errorf("pruned: %+v", s.Report)
	}
	if _, err := os.Stat(filepath.Join(dir, "hidden")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder is left: %v", err)
	}
}

// TestAddresses: for a bucket behind a CDN links stay, but for those with a query.
// TestIntegrity: what is rewritten in the copy has another hash, and the pages
// say so; one that was wrong stays wrong.
func TestIntegrity(t *testing.T) {
	const css = `b{background:url(/p/x.png)}`
	mux := http.NewServeMux()
	page := func(path, contentType, body string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			io.WriteString(w, body)
		})
	}
	right, wrong := refs.IntegrityOf([]byte(css)), refs.IntegrityOf([]byte("other"))
	page("/{$}", "text/html", `<link rel=stylesheet href="/s/a.css" integrity="`+right+`"><link rel=stylesheet href="/s/a.css" integrity="`+wrong+`">`)
	page("/s/a.css", "text/css", css)
	page("/p/x.png", "image/png", "\x89PNG")
	site := httptest.NewServer(mux)
	defer site.Close()
	dir := filepath.Join(t.TempDir(), "out")
	s := read(t, site.URL, nil)
	d, err := OpenFolder(dir, false, false)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := s.Write(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	got := tree(t, dir)
	if got["s/a.css"] == css {
		t.Fatalf("the style sheet is %q", got["s/a.css"])
	}
	want := `<link rel=stylesheet href="s/a.css" integrity="` + refs.IntegrityOf([]byte(got["s/a.css"])) + `"><link rel=stylesheet href="s/a.css" integrity="` + wrong + `">`
	if got["index.html"] != want {
		t.Errorf("%s\nnot\n%s", got["index.html"], want)
	}
}

func TestAddresses(t *testing.T) {
	site := shop(t)
	s := read(t, site.URL, func(o *Options) { o.Layout = Addresses })
	got := map[string]string{}
	if err := s.Write(t.Context(), seen(func(f *File) { got[f.Name] = content(t, f) + f.Redirect })); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"about":              `<form action="/contact" method=post></form><a href="./">Home</a>`,
		"list@page=2":        `<a href="/list@page=3">3</a><a href="/basket/add">Add</a>`,
		"deep/er/index.html": `<base href="/deep/"><img src="../p/x.png" srcset="../p/x.png 1x"><a href="https://elsewhere.example/x">Away</a>`,
		"old":                leadingOn("/about") + "/about",
		"s/a@v=1.css":        `@import "b.css"; b{background:url(../p/x.png)}`,
	} {
		if got[name] != text {
			t.Errorf("%s:\n%s\nnot\n%s", name, got[name], text)
		}
	}
	for _, part := range []string{`href="/s/a@v=1.css"`, `href="/about">About`, `href="/list@page=2#end"`, `href="/about">Old`, `href="/deep/er/">`} {
		if !strings.Contains(got["index.html"], part) {
			t.Errorf("index.html has no %s:\n%s", part, got["index.html"])
		}
	}
}

// seen is a destination that a function sees.
type seen func(*File)

func (k seen) Put(_ context.Context, groups [][]*File) (n int, _ error) {
	for _, f := range slices.Concat(groups...) {
		k(f)
		n++
	}
	return n, nil
}
func (k seen) End(context.Context) (stale []string, _ bool, _ error) { return nil, false, nil }

func content(t *testing.T, f *File) string {
	t.Helper()
	r, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil || int64(len(data)) != f.Size {
		t.Errorf("%s: %d bytes, not %d: %v", f.Name, len(data), f.Size, err)
	}
	return string(data)
}

// TestRefusals: what cannot be exported, or not there, is told.
func TestRefusals(t *testing.T) {
	site := shop(t)
	at, _ := url.Parse(site.URL)
	for name, o := range map[string]Options{
		"no site":     {},
		"no scheme":   {Site: &url.URL{Host: "x"}},
		"start":       {Site: at, Start: []string{"x"}},
		"concurrency": {Site: at, Concurrency: 1000},
		"pages":       {Site: at, MaxPages: -1},
	} {
		if _, err := Read(t.Context(), o); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	empty := httptest.NewServer(http.NotFoundHandler())
	none, _ := url.Parse(empty.URL)
	if _, err := Read(t.Context(), Options{Site: none, Spool: t.TempDir()}); !errors.Is(err, ErrNothing) || !strings.Contains(err.Error(), "404 Not Found") {
		t.Errorf("a site without pages: %v", err)
	}
	empty.Close()
	if _, err := Read(t.Context(), Options{Site: none, Spool: t.TempDir()}); !errors.Is(err, ErrNothing) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("a site that is not there: %v", err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFolder(dir, false, false); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("a folder of others: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, RecordName), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFolder(dir, false, false); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged record: %v", err)
	}
}

// TestBounds: a site without end, a page without end, redirects in a circle, and
// pages that would have one name.
func TestBounds(t *testing.T) {
	mux := http.NewServeMux()
	html := func(w http.ResponseWriter, body string) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, body)
	}
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		html(w, `<a href=/day/1><a href=/circle/a><a href=/large><a href=/same><a href=/same/><a href=/file/x><a href=/file><a href=/file/y><a href=/hangs>`)
	})
	mux.HandleFunc("/day/{n}", func(w http.ResponseWriter, r *http.Request) { html(w, `<a href="/day/`+r.PathValue("n")+`1">`) })
	mux.Handle("/circle/a", http.RedirectHandler("/circle/b", http.StatusFound))
	mux.Handle("/circle/b", http.RedirectHandler("/circle/a", http.StatusFound))
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 1<<20+1)) })
	mux.HandleFunc("/same", func(w http.ResponseWriter, _ *http.Request) { html(w, "one") })
	mux.HandleFunc("/same/", func(w http.ResponseWriter, _ *http.Request) { html(w, "two") })
	mux.HandleFunc("/file", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte{0}) })
	mux.HandleFunc("/file/{x}", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte{1}) })
	mux.HandleFunc("/hangs", func(w http.ResponseWriter, r *http.Request) { // cut off in the middle
		w.Header().Set("Content-Length", "10")
		io.WriteString(w, "half")
	})
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	s := read(t, site.URL, func(o *Options) { o.MaxPages, o.MaxSize, o.Concurrency, o.NotFound = 50, 1<<20, 1, "-" })
	r := s.Report
	why := map[string]string{}
	for _, b := range r.Broken {
		why[b.Address] = b.Why
	}
	for address, part := range map[string]string{"/circle/a": "circle", "/circle/b": "circle", "/large": "more than 1048576 bytes", "/hangs": "unexpected EOF"} {
		if !strings.Contains(why[address], part) {
			t.Errorf("%s: %q", address, why[address])
		}
	}
	if r.Left != 1 || len(s.order) != 50 {
		t.Errorf("%d left of a site without end, %d asked for", r.Left, len(s.order))
	}
	names := map[string]bool{}
	for _, c := range r.Conflicts {
		names[c.Name] = true
	}
	if len(r.Conflicts) != 2 || !names["same/index.html"] || !names["file"] {
		t.Errorf("conflicts: %+v", r.Conflicts)
	}
	d, err := OpenFolder(t.TempDir(), false, false)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := s.Write(t.Context(), d); err != nil {
		t.Error(err)
	}
}
