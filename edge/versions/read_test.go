package versions

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// folder has files of these names, each holding its name.
func folder(names ...string) map[string]*File {
	files := map[string]*File{}
	for _, name := range names {
		files[name] = Read(name, "/static/", []byte("content of "+name))
	}
	return files
}

// rewritten is a file's content in a folder with others, where the hash of each
// other stands as HASH.
func rewritten(t *testing.T, name, content string, others ...string) string {
	t.Helper()
	files := folder(others...)
	files[name] = Read(name, "/static/", []byte(content))
	all := Build(files, nil)
	out := string(all[name].Data)
	for _, other := range others {
		out = strings.ReplaceAll(out, all[other].Hash, "HASH")
	}
	return strings.ReplaceAll(out, all[name].Hash, "OWN")
}

// reads rewrites each piece and compares. A piece without want stays as it is.
func reads(t *testing.T, name string, others []string, pieces [][2]string) {
	t.Helper()
	for _, p := range pieces {
		want := p[1]
		if want == "" {
			want = p[0]
		}
		if diff := cmp.Diff(want, rewritten(t, name, p[0], others...)); diff != "" {
			t.Errorf("%s %s:\n%s", name, p[0], diff)
		}
	}
}

var pictures = []string{"css/a.png", "img/b.png", "img/with space.png", "img/é.png", "LICENSE", "css/other.css", "fonts/f.woff2", "css/app.css.map"}

func TestCSS(t *testing.T) {
	reads(t, "css/app.css", pictures, [][2]string{
		{`a { background: url(a.png) }`, `a { background: url(a.HASH.png) }`},
		{`a{background:URL( "a.png" )no-repeat}`, `a{background:URL( "a.HASH.png" )no-repeat}`},
		{`a { background: url('../img/b.png?v=1#x'), url(./a.png) }`, `a { background: url('../img/b.HASH.png?v=1#x'), url(./a.HASH.png) }`},
		{`a { background: url(/static/img/b.png) }`, `a { background: url(/static/img/b.HASH.png) }`},
		{`a { background: url("../img/with space.png") }`, `a { background: url("../img/with%20space.HASH.png") }`},
		{`a { background: url(../img/with%20space.png) }`, `a { background: url(../img/with%20space.HASH.png) }`},
		{`a { background: url(../img/%C3%A9.png) url(../img/é.png) }`, `a { background: url(../img/%C3%A9.HASH.png) url(../img/%C3%A9.HASH.png) }`},
		{`a { background: url(..\/img\/b.png) url("\61 .png") }`, `a { background: url(../img/b.HASH.png) url("a.HASH.png") }`},
		{`a { background: url(../LICENSE) }`, `a { background: url(../LICENSE.HASH) }`},
		{`@import "other.css"; @import url(other.css) layer(x) supports(display: grid) screen;`, `@import "other.HASH.css"; @import url(other.HASH.css) layer(x) supports(display: grid) screen;`},
		{`@import 'other.css' supports(content: "other.css");`, `@import 'other.HASH.css' supports(content: "other.css");`},
		{`a { background: image-set("a.png" 1x, url("../img/b.png") 2x type("a.png")) }`, `a { background: image-set("a.HASH.png" 1x, url("../img/b.HASH.png") 2x type("a.png")) }`},
		{`@font-face { src: url(../fonts/f.woff2) format("woff2") }`, `@font-face { src: url(../fonts/f.HASH.woff2) format("woff2") }`},
		{`a { --x: url(a.png); mask: url(a.png#m) }`, `a { --x: url(a.HASH.png); mask: url(a.HASH.png#m) }`},
		{"a{}\n/*# sourceMappingURL=app.css.map */\n", "a{}\n/*# sourceMappingURL=app.css.HASH.map */\n"},
		{"\xef\xbb\xbfa{b:url(a.png)}", "\xef\xbb\xbfa{b:url(a.HASH.png)}"},
		{`a { background: url(a.png`, ``},                    // never closed
		{`/* url(a.png) */ a { content: "url(a.png)" }`, ``}, // not references
		{`@namespace url(a.png); @namespace x "a.png";`, ``},
		{`a { content: "a.png"; b: attr(a.png); c: format("a.png") }`, ``},
		{`a { b: url(none.png) url(#m) url() url("") url(data:a.png) url(//host/a.png) url(https://h/static/css/a.png) url(/a.png) url(/other/a.png) url(..) url(../) url(../img/) }`, ``},
		{`a { b: url(a.png\) url(..%2fcss%2fa.png) url(..\5c css/a.png) url(a.png/) url(.//a.png) url(%zz/a.png) url(?a.png) }`, ``},
		{"a { b: url(a\x00.png) '\n a.png", ``},
	})
}

var scripts = []string{"js/a.js", "js/lib/b.mjs", "js/w.js", "img/b.png", "js/app.js.map", "js/a b.js", "data.json"}

func TestJavaScript(t *testing.T) {
	reads(t, "js/app.js", scripts, [][2]string{
		{`import "./a.js"`, `import "./a.HASH.js"`},
		{`import a,{b as c}from'./a.js';import*as d from"./lib/b.mjs";`, `import a,{b as c}from'./a.HASH.js';import*as d from"./lib/b.HASH.mjs";`},
		{`import { from } from "/static/js/a.js" /* x */; import data from "../data.json" with { type: "json" }`, `import { from } from "/static/js/a.HASH.js" /* x */; import data from "../data.HASH.json" with { type: "json" }`},
		{"import { default as\n from } /* from './w.js' */ from\n// './w.js'\n'./a.js'", "import { default as\n from } /* from './w.js' */ from\n// './w.js'\n'./a.HASH.js'"},
		{`import defer * as x from "./a.js"; import source y from "./a.js"; import.defer("./a.js")`, `import defer * as x from "./a.HASH.js"; import source y from "./a.HASH.js"; import.defer("./a.HASH.js")`},
		{`export*from"./a.js";export * as ns from "./a.js";export{x as"y z"}from"./a.js"`, `export*from"./a.HASH.js";export * as ns from "./a.HASH.js";export{x as"y z"}from"./a.HASH.js"`},
		{"const m = await import('./a.js'), n = import(`./a.js`, {}), o = import(/* webpackChunkName: 'x' */ \"./a b.js\")", "const m = await import('./a.HASH.js'), n = import(`./a.HASH.js`, {}), o = import(/* webpackChunkName: 'x' */ \"./a%20b.HASH.js\")"},
		{`new Worker(new URL("./w.js", import.meta.url), {type:"module"}); new URL('../img/b.png?x', import . meta . url , )`, `new Worker(new URL("./w.HASH.js", import.meta.url), {type:"module"}); new URL('../img/b.HASH.png?x', import . meta . url , )`},
		{`new URL("w.js", import.meta.url).href; import.meta.resolve("./a.js")`, `new URL("w.HASH.js", import.meta.url).href; import.meta.resolve("./a.HASH.js")`},
		{`import "./\x61.js"; import("\u002e/a.js")`, `import "./a.HASH.js"; import("./a.HASH.js")`},
		{"x()\n//# sourceMappingURL=app.js.map", "x()\n//# sourceMappingURL=app.js.HASH.map"},
		{"#!/usr/bin/env node\nimport './a.js'", "#!/usr/bin/env node\nimport './a.HASH.js'"},
		{"let s = `${import('./a.js')} import './a.js' ${`${ {a:'./a.js'} }`}`", "let s = `${import('./a.HASH.js')} import './a.js' ${`${ {a:'./a.js'} }`}`"},
		{`var r = /import("./, q = a / import("./a.js") / 2`, `var r = /import("./, q = a / import("./a.HASH.js") / 2`},
		{`if (x) /"/.test(y); import("./a.js"); f(x) / 2; "/"`, `if (x) /"/.test(y); import("./a.HASH.js"); f(x) / 2; "/"`},
		{`({}) / 1; x = {} / 2; import("./a.js"); "/"`, `({}) / 1; x = {} / 2; import("./a.HASH.js"); "/"`},
		{"function f() {}\n/'/.test(x); import('./a.js')", "function f() {}\n/'/.test(x); import('./a.HASH.js')"},
		{"x = function () {} / 2; import('./a.js'); '/'", "x = function () {} / 2; import('./a.HASH.js'); '/'"},
		{"x = class A extends (class {}) { m() {} } / 2; import('./a.js'); '/'", "x = class A extends (class {}) { m() {} } / 2; import('./a.HASH.js'); '/'"},
		{"switch (x) { case a ? b : c: {} /'/.test(x); default: {} /'/g }; import('./a.js')", "switch (x) { case a ? b : c: {} /'/.test(x); default: {} /'/g }; import('./a.HASH.js')"},
		{"x = a ? {} / 2 : {} / 3; import('./a.js'); '/'", "x = a ? {} / 2 : {} / 3; import('./a.HASH.js'); '/'"},
		{"try {} catch {} /'/.test(x); import('./a.js')", "try {} catch {} /'/.test(x); import('./a.HASH.js')"},
		{"for (const x of /'/.exec(y)) {} of / 2; i++ / 2; a.if / 2; import('./a.js'); '/'", "for (const x of /'/.exec(y)) {} of / 2; i++ / 2; a.if / 2; import('./a.HASH.js'); '/'"},
		{"class A { static { import('./a.js') } #p = /'/; get x() { return this.#p / 2 } }", "class A { static { import('./a.HASH.js') } #p = /'/; get x() { return this.#p / 2 } }"},
		{"@dec class A { accessor x = 1 } using y = z; import('./a.js')", "@dec class A { accessor x = 1 } using y = z; import('./a.HASH.js')"},
		{`x.import("./a.js"); x?.import("./a.js"); import("./a.js" + y); import(y); foo("./a.js"); ({import: "./a.js"})`, ""},
		{`import x from "a"; import "js/a.js"; import("a.js"); import "https://h/static/js/a.js"; import "//h/static/js/a.js"`, ""},
		{`new URL("./a.js"); new URL("./a.js", location); new URL("./a.js", import.meta.url + x); new URL("./a.js", x.import.meta.url2)`, ""},
		{`import "./none.js"; new URL(".", import.meta.url); new URL("lib/", import.meta.url)`, ""},
		{`"import './a.js'"; 'import("./a.js")'; /import ".\/a.js"/; // import "./a.js"`, ""},
		{`export const from = "./a.js"; export default "./a.js"; let imports = {from: "./a.js"}`, ""},
		{`import "./a.js"; (`, ""}, // broken: as it is
		{"import './a.js'; `${", ""},
		{"import './a.js'; '", ""},
		{"import './a.js'; \x00", ""},
		{"import './a.js'; ) (", ""},
	})
}

var assets = []string{"css/app.css", "js/app.js", "img/a.png", "img/b,c.png", "index.css", "f.woff2", "other.html", "w/x.png"}

func TestHTML(t *testing.T) {
	reads(t, "index.html", assets, [][2]string{
		{`<link rel=stylesheet href=css/app.css>`, `<link rel=stylesheet href=css/app.HASH.css>`},
		{`<LINK REL="Preload StyleSheet" HREF = 'css/app.css'/>`, `<LINK REL="Preload StyleSheet" HREF = 'css/app.HASH.css'/>`},
		{`<link rel="preload" as="image" imagesrcset="img/a.png 1x">`, `<link rel="preload" as="image" imagesrcset="img/a.HASH.png 1x">`},
		{`<script src="/static/js/app.js" type=module></script>`, `<script src="/static/js/app.HASH.js" type=module></script>`},
		{`<img src=img/a.png srcset="img/a.png, img/b,c.png 2x,img/a.png 3x , img/none.png 4x">`, `<img src=img/a.HASH.png srcset="img/a.HASH.png, img/b%2Cc.HASH.png 2x,img/a.HASH.png 3x , img/none.png 4x">`},
		{`<picture><source srcset="img/a.png"></picture><video poster=img/a.png src="img/a.png">`, `<picture><source srcset="img/a.HASH.png"></picture><video poster=img/a.HASH.png src="img/a.HASH.png">`},
		{`<svg><image href="img/a.png"/><use xlink:href="img/a.png#x"/></svg>`, `<svg><image href="img/a.HASH.png"/><use xlink:href="img/a.HASH.png#x"/></svg>`},
		{`<img src="img/a.png?x=1&amp;y=2" src="img/a.png">`, `<img src="img/a.HASH.png?x=1&amp;y=2" src="img/a.png">`},
		{`<p style="background:url(img/a.png)">`, `<p style="background:url(img/a.HASH.png)">`},
		{"<style>a{b:url(img/a.png)}</style>", "<style>a{b:url(img/a.HASH.png)}</style>"},
		{`<script type="module">import "./js/app.js"</script>`, `<script type="module">import "./js/app.HASH.js"</script>`},
		{`<script>import("./js/app.js")</script>`, `<script>import("./js/app.HASH.js")</script>`},
		{`<script type=importmap>{"imports":{"app":"./js/app.js","x/":"./js/","./js/app.js":"/static/js/app.js","y":null},"scopes":{"/static/js/":{"z":"./js/app.js"}}}</script>`,
			`<script type=importmap>{"imports":{"app":"./js/app.HASH.js","x/":"./js/","./js/app.HASH.js":"/static/js/app.HASH.js","y":null},"scopes":{"/static/js/":{"z":"./js/app.HASH.js"}}}</script>`},
		{`<base href="/static/css/"><link rel=stylesheet href=app.css><base href="/">`, `<base href="/static/css/"><link rel=stylesheet href=app.HASH.css><base href="/">`},
		{`<base target=x><base href="w/index"><img src="x.png"><img src=../img/a.png>`, `<base target=x><base href="w/index"><img src="x.HASH.png"><img src=../img/a.HASH.png>`},
		{`<base href="https://other/"><img src="img/a.png">`, ``},
		{`<base href="/"><img src="img/a.png"><script type=module>import "./img/a.png"</script>`, ``},
		{`<img src=img/a.png`, ``}, // a tag without end is none
		{`<a href="other.html">x</a><link rel=canonical href=other.html><link rel=alternate href=other.html><form action=other.html>`, ``},
		{`<!-- <img src=img/a.png> --><textarea><img src=img/a.png></textarea><title><img src=img/a.png></title>`, ``},
		{`<script type="text/template"><img src="img/a.png"></script><script type="application/json">{"imports":{"a":"./js/app.js"}}</script>`, ``},
		{`<meta http-equiv=content-security-policy content="script-src 'sha256-x='"><script>import("./js/app.js")</script>`, ``},
		{"<p>\x00 {{ if x }} <img alt=\"img/a.png\" src='none.png' src=img/a.png></p>", ``},
	})
}

func TestSourceMap(t *testing.T) {
	reads(t, "js/app.js.map", []string{"js/app.js", "src/a.ts", "src/b.ts"}, [][2]string{
		{`{"version":3,"file":"app.js","sources":["../src/a.ts","../src/b.ts"],"mappings":""}`, `{"version":3,"file":"app.js","sources":["../src/a.HASH.ts","../src/b.HASH.ts"],"mappings":""}`},
		{`{"sourcesContent":[null,"x"],"sources":["../src/a.ts","../src/b.ts","..\/src\/b.ts"]}`, `{"sourcesContent":[null,"x"],"sources":["../src/a.HASH.ts","../src/b.ts","../src/b.HASH.ts"]}`},
		{`{"names":["../src/a.ts"],"x":{"sources":["../src/a.ts"]},"sourcesContent":["a","b"],"sources":["../src/a.ts","webpack:///../src/b.ts"]}`, ``},
		{`{"sourceRoot":"/elsewhere","sources":["../src/a.ts"]}`, ``},
		{`{"sources":["../src/a.ts"]`, ``},
		{`{"sources":["../src/a.ts"]}} x`, ``},
	})
}

// TestBounds has nothing take more than its share of time, memory or stack.
func TestBounds(t *testing.T) {
	for name, content := range map[string]string{
		"deep.js":   strings.Repeat("[(", 1<<18),
		"tern.js":   strings.Repeat("a?", 1<<18),
		"tmpl.js":   strings.Repeat("`${", 1<<18),
		"deep.css":  strings.Repeat("image-set(", 1<<18),
		"deep.html": strings.Repeat("<div a=b c=d ", 1<<16) + strings.Repeat("<svg>", 1<<16),
		"attr.html": "<img " + strings.Repeat("a=b ", 1<<18) + "alt=a.png>",
		"deep.map":  strings.Repeat(`{"a":[`, 1<<18),
		"text.map":  `{"sources":["` + strings.Repeat(`\"`, 1<<20) + `"]}`,
		"large.css": strings.Repeat(" ", MaxRead) + "a{b:url(x)}",
	} {
		if f := Read(name, "/static/", []byte(content)); len(f.refs) != 0 {
			t.Errorf("%s: %d references", name, len(f.refs))
		}
	}
	many := Read("many.css", "/static/", []byte(strings.Repeat("a{b:url(x)}", MaxReferences+10)))
	if len(many.refs) != MaxReferences {
		t.Errorf("%d references are kept", len(many.refs))
	}
}

func TestProblems(t *testing.T) {
	files := folder("img/b.png", "css/a.css")
	files["css/app.css"] = Read("css/app.css", "/static/", []byte("a { b: url(../img/b.png) }\n\nc { d: url(../img/none.png) url(../img) }\n/*# sourceMappingURL=x.map */"))
	files["js/app.js"] = Read("js/app.js", "/static/", []byte("\n\nx = (]"))
	files["a.html"] = Read("a.html", "/static/", []byte("<script src=css/a.css integrity=sha256-AAAA></script>"))
	var got []string
	for _, p := range Problems(files) {
		got = append(got, fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text))
	}
	if diff := cmp.Diff([]string{
		"a.html:1: the integrity is not that of css/a.css: browsers will not load it",
		`css/app.css:3: "../img/none.png": there is no file img/none.png`,
		"js/app.js:3: not understood as JavaScript: references in it are left as they are",
	}, got); diff != "" {
		t.Error(diff)
	}
}

func TestIsAddress(t *testing.T) {
	for name, want := range map[string]bool{
		"css/app.0123456789abcdef.css": true, "LICENSE.0123456789abcdef": true, "a.min.0123456789abcdef.js": true,
		"css/app.css": false, "a.0123456789abcde.css": false, "a.0123456789ABCDEF.css": false, "0123456789abcdef": false,
		"../a.0123456789abcdef.css": false, ".x/a.0123456789abcdef.css": false, "a//b.0123456789abcdef.css": false,
		"a\\b.0123456789abcdef.css": false, "a\x00.0123456789abcdef.css": false, "": false, "/a.0123456789abcdef.css": false,
		strings.Repeat("a", 1025) + ".0123456789abcdef.css": false, "\xff.0123456789abcdef.css": false,
	} {
		if IsAddress(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}
