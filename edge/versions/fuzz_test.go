package versions

import (
	"bytes"
	"strings"
	"testing"
)

var seeds = []string{
	"", "a{b:url(a.png)}", `@import "a.css";@namespace url(a.css)`, "image-set('a.png' 1x,url(\"a.png\"))", `a{b:url(\61.png`,
	"import './a.js'", "export*from'./a.js';import(`./a.js`)", "new URL('a.png',import.meta.url)", "`${`${1}`}`/'/", "if(x)/[/\"]/.test(y)",
	"//# sourceMappingURL=a.map", "/*# sourceMappingURL=a.map*/", "#!x\nimport'./a.js'",
	"<img src=a.png srcset='a.png 1x, a.png 2x'>", "<base href=x/><style>a{b:url(a.png)}</style><script>import('./a.js')</script>",
	"<script type=importmap>{\"imports\":{\"a\":\"./a.js\"}}</script>", "<link rel=icon href='a.png&amp;'>", "<svg><!-- --><use href=a.png#x/></svg><![CDATA[x]]>",
	`{"sources":["a.png",null,"a\".png"],"sourcesContent":[null]}`, "\xef\xbb\xbf", "\x00\xff",
}

var kinds = []string{"x.css", "x.js", "x.html", "x.map"}

// FuzzUnchanged has content whose references are to nothing that is there come
// out as it was.
func FuzzUnchanged(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, content string) {
		for _, name := range kinds {
			files := map[string]*File{name: Read(name, "/static/", []byte(content)), "unrelated-0.bin": Read("unrelated-0.bin", "/static/", nil)}
			if strings.Contains(content, name) || strings.Contains(content, "unrelated") || strings.ContainsAny(content, `\&%`) {
				continue // may refer to one of them
			}
			if got := Build(files, nil)[name].Data; string(got) != content {
				t.Errorf("%s: %q became %q", name, content, got)
			}
		}
	})
}

// FuzzRewritten has nothing change but the places of references: with the hashes
// taken out again the content is what it was, but for how a name is encoded.
func FuzzRewritten(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	others := []string{"a.png", "a.js", "a.css", "a.map"}
	f.Fuzz(func(t *testing.T, content string) {
		for _, name := range kinds {
			files := folder(others...)
			file := Read(name, "/static/", []byte(content))
			files[name] = file
			v := Build(files, nil)[name]
			if again := Build(files, nil)[name]; again.Address != v.Address || !bytes.Equal(again.Data, v.Data) {
				t.Fatal("not the same twice")
			}
			end := 0
			for _, ref := range file.refs {
				if ref.start < end || ref.end < ref.start || ref.end > len(content) {
					t.Fatalf("%s: %q has a reference at %d to %d", name, content, ref.start, ref.end)
				}
				end = ref.end
			}
			// What is written is read again as references to the addresses.
			after := Read(name, "/static/", v.Data)
			if after.unread != file.unread || len(after.refs) != len(file.refs) {
				t.Fatalf("%s: %q became %q, with %d references instead of %d", name, content, v.Data, len(after.refs), len(file.refs))
			}
			for i, ref := range file.refs {
				want := ref.target
				if d := v.deps[i]; d != nil {
					want = d.Address
				}
				if after.refs[i].target != want {
					t.Fatalf("%s: %q became %q: reference %d is to %q instead of %q", name, content, v.Data, i, after.refs[i].target, want)
				}
			}
		}
	})
}
