package export

import (
	"bytes"
	"strings"
	"testing"

	"github.com/dayfly-dev/dayfly/edge/refs"
)

// TestWalk: what is found in a body, and what a body looks like in which each
// reference was replaced.
func TestWalk(t *testing.T) {
	for name, c := range map[string]struct {
		kind           kind
		in, found, out string
	}{
		"links":          {kindHTML, `<a href="/a">x</a><A HREF='/b?x=1&amp;y=2'>`, "/a /b?x=1&y=2", `<a href="NEW">x</a><A HREF='NEW'>`},
		"bare":           {kindHTML, `<img src=/a.png alt=x>`, "/a.png", `<img src="NEW" alt=x>`},
		"not a tag":      {kindHTML, `<!-- <a href="/a"> --><script>"<a href='/b'>"</script><textarea><a href="/c"></textarea>`, "", ""},
		"no value":       {kindHTML, `<a href><a href=""><a data-href="/x">`, "", `<a href><a href="NEW"><a data-href="/x">`},
		"twice":          {kindHTML, `<a href="/a" href="/b">`, "/a", `<a href="NEW" href="/b">`},
		"srcset":         {kindHTML, `<img srcset="/a.png 1x, /b.png 2x,/c.png, /d.png 100w">`, "/a.png /b.png /c.png /d.png", `<img srcset="NEW 1x, NEW 2x,NEW, NEW 100w">`},
		"style":          {kindHTML, `<style>b{background:url(/a.png)}</style><p style="background:url('/b.png')">`, "/a.png /b.png", `<style>b{background:url(NEW)}</style><p style="background:url('NEW')">`},
		"refresh":        {kindHTML, `<meta http-equiv=Refresh content="5; URL='/a'"><meta name=x content="5; url=/b">`, "/a", `<meta http-equiv=Refresh content="5; URL='NEW'"><meta name=x content="5; url=/b">`},
		"link":           {kindHTML, `<link rel=stylesheet href=/a.css><link rel="dns-prefetch" href="//x"><link rel=canonical href=/b>`, "/a.css /b", `<link rel=stylesheet href="NEW"><link rel="dns-prefetch" href="//x"><link rel=canonical href="NEW">`},
		"open graph":     {kindHTML, `<meta property="og:image" content="/a.png"><meta name=description content="/b">`, "/a.png", `<meta property="og:image" content="NEW"><meta name=description content="/b">`},
		"form":           {kindHTML, `<form action=/send><button formaction="/other">`, "/send /other", `<form action="NEW"><button formaction="NEW">`},
		"svg":            {kindHTML, `<svg><use xlink:href="/i.svg#a"/></svg><p>`, "/i.svg#a", `<svg><use xlink:href="NEW"/></svg><p>`},
		"css":            {kindCSS, `@import "/a.css"; @import url( '/b.css' ) print; b{background:url(/c\20 d.png)} /* url(/no) */ c{content:"url(/no)"}`, "/a.css /b.css /c d.png", `@import "NEW"; @import url( 'NEW' ) print; b{background:url(NEW)} /* url(/no) */ c{content:"url(/no)"}`},
		"image-set":      {kindCSS, `b{background:image-set("/a.png" 1x, url(/b.png) 2x);content:"/no"}`, "/a.png /b.png", `b{background:image-set("NEW" 1x, url(NEW) 2x);content:"/no"}`},
		"module":         {kindJS, `import "./a.js";import"lit";export*from '/b.js';import("https://x/c.js");new URL("w.js",import.meta.url)`, "./a.js /b.js https://x/c.js w.js", `import "NEW";import"lit";export*from 'NEW';import("NEW");new URL("NEW",import.meta.url)`},
		"source map":     {kindMap, `{"sources":["a.ts","b.ts"],"sourcesContent":[null,"x"]}`, "a.ts", `{"sources":["NEW","b.ts"],"sourcesContent":[null,"x"]}`},
		"sitemap":        {kindXML, `<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><url><loc> https://x/?a=1&amp;b=2 </loc></url></urlset>`, "https://x/?a=1&b=2", `<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><url><loc> NEW </loc></url></urlset>`},
		"feed":           {kindXML, `<feed><link href="https://x/a" rel="self"/><title>see https://x/b</title></feed>`, "https://x/a", `<feed><link href="NEW" rel="self"/><title>see https://x/b</title></feed>`},
		"robots":         {kindText, "User-agent: *\nSitemap: https://x/s.xml\r\nDisallow: /a", "https://x/s.xml", "User-agent: *\nSitemap: NEW\r\nDisallow: /a"},
		"cut short":      {kindHTML, `<p><a href="/a`, "", ""},
		"cut short, css": {kindCSS, `b{background:url(/a`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var found []string
			same := walk(c.kind, []byte(c.in), func(text string, _ refs.Kind) string {
				if text != "" {
					found = append(found, text)
				}
				return text
			})
			if string(same) != c.in {
				t.Errorf("what was to stay came to be %s", same)
			}
			if c.found != "" && strings.Join(found, " ") != c.found {
				t.Errorf("found %q, not %q", found, c.found)
			}
			if c.out == "" {
				c.out = c.in
			}
			if c.found == "" && name != "no value" {
				return
			}
			if out := walk(c.kind, []byte(c.in), func(string, refs.Kind) string { return "NEW" }); string(out) != c.out {
				t.Errorf("replaced:\n%s\nnot\n%s", out, c.out)
			}
		})
	}
}

// FuzzWalk: a body whose references are to stay stays byte for byte, what was
// replaced is found again, and nothing panics.
func FuzzWalk(f *testing.F) {
	for _, s := range []string{`<a href="/a&amp;b">`, `<img srcset="a 1x, b">`, `<style>@import "x";</style>`, `b{background:url(a)}`, `<a b='c`,
		`<url><loc>http://x/</loc></url>`, "Sitemap: x", `<p style="background:url(&quot;x&quot;)">`, "<a href=/x/>", "url(", `<!doctype html><base href=//x>`} {
		for k := range byte(7) {
			f.Add(k, []byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, k byte, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		in := bytes.Clone(data)
		n := 0
		if out := walk(kind(k%7), data, func(text string, _ refs.Kind) string { n++; return text }); !bytes.Equal(out, in) {
			t.Fatalf("kind %d: %q came to be %q", k%7, in, out)
		}
		walk(kind(k%7), data, func(string, refs.Kind) string { return "http://new/&'\"<x> y" })
		if !bytes.Equal(data, in) {
			t.Fatalf("kind %d: what was looked through was changed: %q, %q", k%7, in, data)
		}
	})
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{{"/admin", "/admin", true}, {"/admin", "/admin/x", true}, {"/admin", "/administrator", false}, {"/admin/", "/admin/x", true},
		{"/search*", "/search?q=x", true}, {"/*/edit", "/a/b/edit", true}, {"/*/edit", "/a/edits", false}, {"/a*b*c", "/axbyc", true}, {"/a*b*c", "/acb", false}} {
		if got := matches(c.pattern, c.path); got != c.want {
			t.Errorf("%s, %s: %v", c.pattern, c.path, got)
		}
	}
}

func TestNames(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		address          address
		html             bool
		files, addresses string
	}{
		{"/", true, "index.html", "index.html"},
		{"/about", true, "about/index.html", "about"},
		{"/about/", true, "about/index.html", "about/index.html"},
		{"/a.html", true, "a.html", "a.html"},
		{"/v1.2", true, "v1.2/index.html", "v1.2"},
		{"/list?page=2", true, "list@page=2/index.html", "list@page=2"},
		{"/a.css?v=3/4", false, "a@v=3%2F4.css", "a@v=3%2F4.css"},
		{"/a%20b/%C3%A9.png", false, "a b/é.png", "a b/é.png"},
		{"/a%2Fb", false, "a%2Fb", "a%2Fb"},
		{"/%2e%2e/x", false, "%2E%2E/x", "%2E%2E/x"},
		{"/a//b.png", false, "a/%00/b.png", "a//b.png"},
		{"/a%00b", false, "a%00b", "a%00b"},
	} {
		if got := nameOf(c.address, c.html, Files); got != c.files {
			t.Errorf("%s: file %q, not %q", c.address, got, c.files)
		}
		if got := nameOf(c.address, c.html, Addresses); got != c.addresses {
			t.Errorf("%s: object %q, not %q", c.address, got, c.addresses)
		}
	}
	if a, b := nameOf(address("/"+long+"a.png"), false, Files), nameOf(address("/"+long+"b.png"), false, Files); a == b || len(a) > maxName || !strings.HasSuffix(a, ".png") {
		t.Errorf("%s, %s", a, b)
	}
}

func TestRelative(t *testing.T) {
	for _, c := range [][3]string{{"index.html", "a/index.html", "a/index.html"}, {"a/index.html", "index.html", "../index.html"},
		{"a/b/index.html", "a/c.png", "../c.png"}, {"a/x.html", "a/x.html", "x.html"}, {"index.html", "a:b.html", "./a:b.html"}, {"a.html", "ä b.html", "%C3%A4%20b.html"}} {
		if got := relative(c[0], c[1]); got != c[2] {
			t.Errorf("%s → %s: %s, not %s", c[0], c[1], got, c[2])
		}
	}
}
