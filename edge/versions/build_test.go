package versions

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/edge/refs"
)

// tree reads files by name and content.
func tree(contents map[string]string) map[string]*File {
	files := map[string]*File{}
	for name, content := range contents {
		files[name] = Read(name, "/static/", []byte(content))
	}
	return files
}

func addresses(all map[string]*Version) map[string]string {
	m := map[string]string{}
	for name, v := range all {
		m[name] = v.Address
	}
	return m
}

// changed are the names whose address differs.
func changed(before, after map[string]*Version) []string {
	var names []string
	for name, v := range after {
		if before[name] == nil || before[name].Address != v.Address {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

var site = map[string]string{
	"index.html":  `<link rel=stylesheet href=css/app.css><script type=module src=js/app.js></script>`,
	"css/app.css": `@import "base.css"; a { b: url(../img/a.png) }`, "css/base.css": `a { b: url(../img/b.png) }`,
	"img/a.png": "a", "img/b.png": "b", "js/app.js": `import "./x.js"; import "./alone.js"`,
	"js/x.js": `import "./y.js"; new URL("../img/a.png", import.meta.url)`, "js/y.js": `import "./z.js"`, "js/z.js": `import "./x.js"`,
	"js/alone.js": `import "./alone.js?self"`, "js/plain.js": `1`,
}

// TestDependencies has an address change with what its file refers to, and with
// nothing else.
func TestDependencies(t *testing.T) {
	files := tree(site)
	all := Build(files, nil)
	for name, v := range all {
		if cyclic := slices.Contains([]string{"js/x.js", "js/y.js", "js/z.js", "js/alone.js"}, name); v.Cyclic != cyclic {
			t.Errorf("%s is cyclic: %v", name, v.Cyclic)
		}
		if !v.Cyclic && v.Hash != hashOf(v.Data) {
			t.Errorf("%s has not the hash of its content", name)
		}
		if !IsAddress(v.Address) {
			t.Errorf("%s is not an address", v.Address)
		}
	}
	if x, y := all["js/x.js"], all["js/y.js"]; x.Hash == y.Hash || !bytes.Contains(x.Data, []byte("./y."+y.Hash+".js")) ||
		!bytes.Contains(all["js/z.js"].Data, []byte("./x."+x.Hash+".js")) {
		t.Errorf("the circle is not closed: %s %s", x.Data, y.Data)
	}
	for name, want := range map[string][]string{
		"img/b.png":   {"css/app.css", "css/base.css", "img/b.png", "index.html"},
		"img/a.png":   {"css/app.css", "img/a.png", "index.html", "js/app.js", "js/x.js", "js/y.js", "js/z.js"},
		"js/y.js":     {"index.html", "js/app.js", "js/x.js", "js/y.js", "js/z.js"},
		"js/alone.js": {"index.html", "js/alone.js", "js/app.js"},
		"js/plain.js": {"js/plain.js"},
		"index.html":  {"index.html"},
	} {
		files := maps.Clone(files)
		files[name] = Read(name, "/static/", append([]byte(site[name]), "\n"...))
		after := Build(files, all)
		if diff := cmp.Diff(want, changed(all, after)); diff != "" {
			t.Errorf("%s changed: %s", name, diff)
		}
		if diff := cmp.Diff(addresses(Build(files, nil)), addresses(after)); diff != "" {
			t.Errorf("%s changed: built anew it is %s", name, diff)
		}
		for other, v := range after {
			if same := v == all[other]; same == slices.Contains(want, other) {
				t.Errorf("%s changed: %s is made anew: %v", name, other, !same)
			}
		}
		if diff := cmp.Diff(addresses(all), addresses(Build(tree(site), after))); diff != "" {
			t.Errorf("%s changed back: %s", name, diff)
		}
	}
}

// TestComingAndGoing has a reference follow its target in and out of the folder.
func TestComingAndGoing(t *testing.T) {
	files := tree(site)
	all := Build(files, nil)
	delete(files, "img/b.png")
	without := Build(files, all)
	if diff := cmp.Diff([]string{"css/app.css", "css/base.css", "index.html"}, changed(all, without)); diff != "" {
		t.Error(diff)
	}
	if string(without["css/base.css"].Data) != site["css/base.css"] {
		t.Errorf("%s", without["css/base.css"].Data)
	}
	files["img/b.png"] = Read("img/b.png", "/static/", []byte("b"))
	if diff := cmp.Diff(addresses(all), addresses(Build(files, without))); diff != "" {
		t.Error(diff)
	}
	delete(files, "js/y.js") // the circle is broken
	if v := Build(files, all)["js/x.js"]; v.Cyclic || v.Hash != hashOf(v.Data) {
		t.Errorf("still a circle: %+v", v)
	}
}

func integrity(algorithm string, sum []byte) string {
	return algorithm + "-" + base64.StdEncoding.EncodeToString(sum)
}

func TestIntegrity(t *testing.T) {
	const css = "a { b: url(a.png) }"
	old := refs.IntegrityOf([]byte(css))
	of256 := sha256.Sum256([]byte("other"))
	other := integrity("sha256", of256[:])
	page := func(value string) map[string]string {
		return map[string]string{"a.css": css, "a.png": "a", "plain.js": "1",
			"p.html": fmt.Sprintf(`<link rel=stylesheet href=a.css integrity="%s"><script src=plain.js integrity=%s></script>`, value, other)}
	}
	all := Build(tree(page(old)), nil)
	want := refs.IntegrityOf(all["a.css"].Data)
	if got := string(all["p.html"].Data); !strings.Contains(got, `integrity="`+want+`"`) || !strings.Contains(got, "integrity="+other+">") {
		t.Errorf("%s lacks %s", got, want)
	}
	both := Build(tree(page(other+" "+old+"?x=y")), nil)
	if got := string(both["p.html"].Data); !strings.Contains(got, want+"?x=y") {
		t.Errorf("%s lacks %s", got, want)
	}
	// One that was wrong stays wrong: it may be there against this very change.
	wrong := Build(tree(page(refs.IntegrityOf([]byte("x")))), nil)
	if got := string(wrong["p.html"].Data); strings.Contains(got, want) {
		t.Error(got)
	}
	// In a circle the page comes after what it holds the integrity of.
	const js = `new URL("p.html", import.meta.url)`
	before := sha512.Sum512([]byte(js))
	circle := Build(tree(map[string]string{"m.js": js, "p.html": `<script src=m.js integrity=` + integrity("sha512", before[:]) + `></script>`}), nil)
	after := sha512.Sum512(circle["m.js"].Data)
	if got, want := string(circle["p.html"].Data), integrity("sha512", after[:]); !strings.Contains(got, want) || !circle["m.js"].Cyclic {
		t.Errorf("%s lacks %s", got, want)
	}
}

// TestLongChain has every file refer to the next, 20,000 deep.
func TestLongChain(t *testing.T) {
	const n = 20_000
	files := map[string]*File{}
	for i := range n {
		name := fmt.Sprintf("m%d.js", i)
		files[name] = Read(name, "/static/", fmt.Appendf(nil, "import './m%d.js'", i+1))
	}
	all := Build(files, nil)
	files[fmt.Sprintf("m%d.js", n-1)] = Read("x.js", "/static/", []byte("1"))
	if got := len(changed(all, Build(files, all))); got != n {
		t.Errorf("%d of %d have a new address", got, n)
	}
}
