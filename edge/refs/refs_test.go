package refs

import (
	"bytes"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var names = map[Kind]string{Load: "load", Link: "link", Absolute: "absolute", Form: "form", Base: "base", Module: "module", Debug: "debug",
	Integrity: "integrity", Unread: "unread"}

// finds compares what is found in each text with what is wanted, "KIND TEXT"
// each, separated by "; ".
func finds(t *testing.T, find func([]byte) iter.Seq[Ref], texts [][2]string) {
	t.Helper()
	for _, c := range texts {
		var got []string
		for r := range find([]byte(c[0])) {
			got = append(got, strings.TrimSpace(names[r.Kind]+" "+r.Text))
			if r.Kind != Unread && r.Exact != (c[0][r.Start:r.End] == r.Text) {
				t.Errorf("%s: %+v is not exact, or is", c[0], r)
			}
		}
		if diff := cmp.Diff(c[1], strings.Join(got, "; ")); diff != "" {
			t.Errorf("%s:\n%s", c[0], diff)
		}
		if same := Replace([]byte(c[0]), find([]byte(c[0])), func(r Ref) string { return r.Text }); string(same) != c[0] {
			t.Errorf("%s came to be %s", c[0], same)
		}
	}
}

func TestHTML(t *testing.T) {
	finds(t, HTML, [][2]string{
		{`<a href=/a>x</a><area href='/b'><img src="/c" alt="/no">`, "link /a; link /b; load /c"},
		{`<A HREF = "/a"><a data-href=/no href><a href=""><a href="/b" href="/no">`, "link /a; link; link /b"},
		{`<a href="/a?x=1&amp;y=2&copy=3&copy;&copya=4&#38;&#x26z&notit;">`, "link /a?x=1&y=2&copy=3©&copya=4&&z&notit;"},
		{`<a href="&lt;&nbsp;&nosuch;&;&#;&"><a href='"'><a href="'">`, "link <\u00a0&nosuch;&;&#;&; link \"; link '"},
		{"<a href=' /a\n'><a href=a/><img src=b.png/>", "link /a; link a/; load b.png/"},
		{`<!-- <a href=/no> --><!--><a href=/a><![CDATA[<a href=/no>]]>`, "link /a"},
		{`<svg><![CDATA[> <a href=/no>]]><use href=#a /><image xlink:href=/i /></svg><![CDATA[> <a href=/a>]]>`, "load #a; load /i; link /a"},
		{`<textarea><a href=/no></textarea><title><a href=/no></title><xmp><a href=/no></xmp><noscript><img src=/a><noscript><img src=/no></noscript><img src=/b>`, "load /a; load /b"},
		{`<script>"<a href=/no>"</script><script type=text/template><img src=/no></script><iframe src=/a><a href=/no></iframe>`, "load /a"},
		{`<a href=/a`, ""}, {`<a href="/a`, ""}, {`</a href=/no>`, ""}, {`<a/href=/a/>`, "link /a/"}, {`<a =href=/no ==x>`, ""},
		{`<img srcset="a.png 1x,b,c.png 2x, d.png (x, y) ,,e.png,f.png?x=1&amp;y 100w">`, "load a.png; load b,c.png; load d.png; load e.png,f.png?x=1&y"},
		{`<img srcset=a.png><source srcset=" a.png , b.png"><link rel=preload imagesrcset="c.png 1x"><p srcset=no>`, "load a.png; load a.png; load b.png; load c.png"},
		{`<p style="a:url(&quot;x.png&quot;) url('y&amp;.png')"><p style=b:url(z.png)>`, "load x.png; load y&.png; load z.png"},
		{`<style>a{b:url(x.png)} /* </style><img src=a.png>`, "load x.png; load a.png"},
		{`<meta http-equiv=Refresh content="5; URL='/a'"><meta http-equiv=refresh content="0;url = /b "><meta http-equiv=refresh content="3"><meta name=x content="5; url=/no">`, "link /a; link /b"},
		{`<meta property="og:image" content="/a.png"><meta name=twitter:image content=/b><meta name=description content="/no">`, "absolute /a.png; absolute /b"},
		{`<base href="/x/" target=y><form action=/send><button formaction="/other"><object data=/o><video poster=/p src=/v><body background=/b><td background=/c>`,
			"base /x/; form /send; form /other; load /o; load /p; load /v; load /b; link /c"},
		{`<link rel=stylesheet href=/a><link rel="alternate stylesheet" href=/b><link rel="dns-prefetch" href=//no><link rel=canonical href=/c><link rel=next href=/d><link href=/e>`,
			"load /a; load /b; absolute /c; link /d; link /e"},
		{`<script src=/a.js integrity="sha256-x">import "./no.js"</script><link rel=modulepreload href=/b.js integrity=sha384-y><img integrity=z>`,
			"load /a.js; integrity sha256-x; load /b.js; integrity sha384-y"},
		{`<script type=module>import "./a.js"</script><script>import(</script><script type=importmap>{"imports":{"x":"./b.js","y/":"./"}}</script>`, "module ./a.js; unread; module x; module ./b.js"},
		{`<a href="data:text/html,<a href=/no>"><a href="javascript:x('/no')"><a href=mailto:x@y>`, "link data:text/html,<a href=/no>; link javascript:x('/no'); link mailto:x@y"},
	})
}

func TestCSS(t *testing.T) {
	finds(t, CSS, [][2]string{
		{`@import "a.css" layer(x) supports(y: url(no)); @IMPORT url( 'b.css' ) print; @namespace url(no); @charset "no";`, "load a.css; load no; load b.css"},
		{`a{b:url(c.png)URL( "d.png" ) url('e).png') url(f\).png) url(g\20 h.png) url(\0 .png)}`, "load c.png; load d.png; load e).png; load f).png; load g h.png; load �.png"},
		{"a{b:url(\"x\\\ny.png\") url('\\22 \\'.png')}", "load xy.png; load \"'.png"},
		{`/* url(no) */ a{content:"url(no)";b:attr(no) format("no")} /* url(no)`, ""},
		{`a{b:image-set("a.png" 1x, url(b.png) type("no")) -webkit-image-set('c.png' 2x) src("d.png")}`, "load a.png; load b.png; load c.png; load d.png"},
		{`a{b:url(data:image/png;base64,AAAA) url(#f) url("data:image/svg+xml;utf8,<svg xmlns='http://x'/>")}`, "load data:image/png;base64,AAAA; load #f; load data:image/svg+xml;utf8,<svg xmlns='http://x'/>"},
		{`a{b:url(no`, ""}, {`a{b:url("no`, ""}, {"a{b:url('no\n')}", ""}, {"\xef\xbb\xbfa{b:url(é.png)}", "load é.png"},
		{"/*# sourceMappingURL=a.css.map */ /*@ sourceMappingURL=b*/ /* sourceMappingURL=no */", "debug a.css.map; debug b"},
	})
}

func TestJavaScript(t *testing.T) {
	finds(t, JavaScript, [][2]string{
		{"import a from './a.js';import'b';export*from\"./c.js\";export{x as\"y\"}from`no`", "module ./a.js; module b; module ./c.js"},
		{"import(`./a.js`);import(`./${no}.js`);import(/* x */ './b.js', {});x.import('no');import.meta.resolve('./c.js')", "module ./a.js; module ./b.js; module ./c.js"},
		{"`import './no.js' ${import('./a.js') + `${'}'}`} ${/`/}`; new URL('b.png', import.meta.url)", "module ./a.js; load b.png"},
		{"// import './no.js'\n/* import './no.js' */ \"import './no.js'\"; /import '.\\/no.js'[/']/; import './a.js'", "module ./a.js"},
		{`import "./\x61\u002ejs"; import "\u{61}"; import "./a\
b.js"`, "module ./a.js"},
		{"a = b / c; d = '/'; import('./a.js') //# sourceMappingURL=a.js.map", "module ./a.js; debug a.js.map"},
		{"x\n//# sourceMappingURL=a.js.map", "debug a.js.map"},
		{"import './no.js'; `${", "unread"}, {"import './no.js' '", "unread"}, {"import './no.js'; }", "unread"},
	})
}

func TestSourceMap(t *testing.T) {
	finds(t, SourceMap, [][2]string{
		{`{"version":3,"sources":["a.ts","b\/c.ts",null,"no"],"sourcesContent":[null,null,null,"x"],"names":["no"]}`, "debug a.ts; debug b/c.ts"},
		{`{"sources":["no"],"sourceRoot":"/x"}`, ""}, {`{"sources":["no"]`, ""}, {`[]`, ""},
	})
}

// TestQuote writes what is hard to write, and reads it again.
func TestQuote(t *testing.T) {
	const hard = `/a b'c"d&amp;<e>)\f` + "`${g}\n" + `é&copy=`
	for _, c := range []struct {
		find func([]byte) iter.Seq[Ref]
		text string
	}{
		{HTML, `<a href="x">`}, {HTML, `<a href='x'>`}, {HTML, `<a href=x>`}, {HTML, `<a href=&amp; class=y>`}, {CSS, `a{b:url(x)}`}, {CSS, `a{b:url("x")}`}, {CSS, `a{b:url( 'x' )}`},
		{CSS, `@import 'x';`}, {HTML, `<style>a{b:url(x)}</style><p>`}, {HTML, `<p style="a:url(x)">`}, {HTML, `<p style=a:url(x)>`}, {HTML, `<p style='a:url("x")'>`},
		{JavaScript, `import "x"`}, {JavaScript, `import 'x'`}, {JavaScript, "import(`x`)"}, {HTML, `<script>import("x")</script>`},
		{HTML, `<script type=importmap>{"imports":{"./k":"./x"}}</script>`}, {SourceMap, `{"sources":["x"]}`}, {HTML, `<form action=x>`},
	} {
		out := Replace([]byte(c.text), c.find([]byte(c.text)), func(r Ref) string {
			if r.Text == "./k" {
				return r.Text
			}
			return hard
		})
		var got []string
		for r := range c.find(out) {
			if r.Text != "./k" {
				got = append(got, r.Text)
			}
		}
		if want := []string{hard}; !cmp.Equal(got, want) {
			t.Errorf("%s came to be %s, which says %q", c.text, out, got)
		}
	}
}

func TestAttributes(t *testing.T) {
	for text, want := range map[string]string{
		`<a  href = "x>y" b='' c d=e/ f = g>`: `a href="x>y" b="" c d="e/" f="g"`,
		"<IMG\tSRC=a\nSrc=b/>":                `img src="a"`,
		`<a b="c" d='e>`:                      `a b="c" d="e"`,
		`<a/b/c=d//>`:                         `a b c="d//"`,
		`<`:                                   ``, ``: ``, `<>`: ``,
	} {
		element, all := Attributes([]byte(text))
		for _, a := range all {
			element += " " + a.Name
			if a.Given {
				element += fmt.Sprintf("=%q", a.Value)
			}
		}
		if element != want {
			t.Errorf("%s: %s, not %s", text, element, want)
		}
	}
}

// TestBounds has nothing take more than its share of time, memory or stack.
func TestBounds(t *testing.T) {
	many := strings.Repeat("a{b:url(x)}", MaxRefs+10)
	n := 0
	for range CSS([]byte(many)) {
		n++
	}
	if n != MaxRefs {
		t.Errorf("%d references are found", n)
	}
	for name, c := range map[string]struct {
		find func([]byte) iter.Seq[Ref]
		text string
		want int
	}{
		"attributes": {HTML, "<img " + strings.Repeat("a=b ", 1<<17) + "src=x><img src=y>", 2},
		"long tag":   {HTML, "<img src=x><img alt='" + strings.Repeat("x", MaxTag) + "'><img src=y>", 1},
		"entities":   {HTML, "<img src='" + strings.Repeat("&amp;&amp", 1<<15) + "'>", 1},
		"noscript":   {HTML, strings.Repeat("<noscript>", 1<<16), 0},
		"svg":        {HTML, strings.Repeat("<svg>", 1<<16) + "<img src=x>", 1},
		"brackets":   {JavaScript, strings.Repeat("[(", 1<<17), 1},
		"templates":  {JavaScript, strings.Repeat("`${", 1<<17), 1},
		"functions":  {CSS, strings.Repeat("image-set(", 1<<17) + "'x'", 1},
		"levels":     {SourceMap, strings.Repeat(`{"a":[`, 1<<17), 0},
	} {
		n := 0
		for range c.find([]byte(c.text)) {
			n++
		}
		if n != c.want {
			t.Errorf("%s: %d references", name, n)
		}
	}
}

var languages = []func([]byte) iter.Seq[Ref]{HTML, CSS, JavaScript, SourceMap}

// FuzzRefs: what is found is where it is said to be, in order; a file whose
// references stay stays; and one in which each was replaced has them all, as they
// were written.
func FuzzRefs(f *testing.F) {
	for _, s := range []string{`<a href="/a&amp;b">`, `<img srcset="a 1x, b">`, `<style>@import "x";</style>`, `b{background:url(a)}`, `<a b='c`,
		`<p style="background:url(&quot;x&quot;)">`, "<a href=/x/>", "url(", `<!doctype html><base href=//x>`, "<svg><![CDATA[<a href=x>]]></svg>",
		"import './a.js'", "export*from'./a.js';import(`./a.js`)", "new URL('a.png',import.meta.url)", "`${`${1}`}`/'/", "//# sourceMappingURL=a.map",
		"<script type=importmap>{\"imports\":{\"a\":\"./a.js\"}}</script>", `{"sources":["a.png",null,"a\".png"],"sourcesContent":[null]}`,
		"<meta http-equiv=refresh content='1;url=x'>", `@import url( '\61 ' );`, "<link rel=icon href=&copy integrity=x>"} {
		for k := range byte(len(languages)) {
			f.Add(k, []byte(s))
		}
	}
	const new = "http://new/?a&b=(c)"
	f.Fuzz(func(t *testing.T, k byte, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		find := languages[int(k)%len(languages)]
		before := bytes.Clone(data)
		n, end := 0, 0
		for r := range find(data) {
			if r.Start < end && r.Kind != Unread || r.End < r.Start || r.End > len(data) {
				t.Fatalf("%q: %+v after %d", data, r, end)
			}
			if end = max(end, r.End); r.Kind != Integrity && r.Kind != Unread {
				n++
			}
		}
		if same := Replace(data, find(data), func(r Ref) string { return r.Text }); !bytes.Equal(same, before) || !bytes.Equal(data, before) {
			t.Fatalf("%q came to be %q", before, same)
		}
		out := Replace(data, find(data), func(Ref) string { return new })
		for r := range find(out) {
			if r.Kind == Integrity || r.Kind == Unread {
				continue
			}
			if n--; r.Text != new {
				t.Fatalf("%q: %q was written and %q is read", data, out, r.Text)
			}
		}
		if n != 0 {
			t.Fatalf("%q came to be %q, which has %d references less", data, out, n)
		}
	})
}
