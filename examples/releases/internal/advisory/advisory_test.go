package advisory_test

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/advisory"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/archive"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/registrytest"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

var update = flag.Bool("update", false, "rewrite golden files")

func tree(t *testing.T, files map[string]string) *archive.Tree {
	t.Helper()
	b := registrytest.Zip("", files)
	tr, err := archive.Zip(bytes.NewReader(b), int64(len(b)), "", false, archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

const mitText = "MIT License\n\nCopyright (c) 2025 A\n\nPermission is hereby granted, free of charge, to any person obtaining a copy\n"

func sides(t *testing.T) (advisory.Side, advisory.Side) {
	from := advisory.Side{Release: watch.Release{Version: "v1.0.0"}, Tree: tree(t, map[string]string{
		"LICENSE": mitText, "a.go": "one\ntwo\nthree\n", "gone.go": "x\ny\n", "same": "same", "CHANGELOG.md": "# 1.0\n\n- first\n",
		"tool": "\x7fELF1",
	}), Facts: watch.Facts{Licence: "MIT", Dependencies: map[string]string{"dep": "v1", "old": "v1"},
		Exports: map[string]string{"Gone": "func Gone()", "Same": "func Same()", "sub: Moved": "func Moved(int)", "V": "var V"}}}
	to := advisory.Side{Release: watch.Release{Version: "v2.0.0", Published: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)}, Tree: tree(t, map[string]string{
		"LICENSE": strings.ReplaceAll(mitText, "2025", "2026"), "a.go": "one\n2\nthree\nfour\n", "new.go": "n\n", "same": "same",
		"CHANGELOG.md": "# 2.0\n\n- second <b>\n\n# 1.0\n\n- first\n", "tool": "\x7fELF2", "fresh.so": "\x7fELF3",
	}), Facts: watch.Facts{Licence: "MIT", Dependencies: map[string]string{"dep": "v2", "fresh": ""}, Scripts: map[string]string{"cgo": `import "C"`},
		Exports: map[string]string{"Same": "func Same()", "sub: Moved": "func Moved(string)", "New": "func New()", "V": "var V int"}, Notes: []string{"a note"}}}
	return from, to
}

func TestCompareGolden(t *testing.T) {
	from, to := sides(t)
	id := watch.ID{Ecosystem: watch.Go, Name: "example.com/lib"}
	first, err := advisory.Compare(id, "major", from, to).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		from, to := sides(t)
		again, err := advisory.Compare(id, "major", from, to).Encode()
		if err != nil || !bytes.Equal(first, again) {
			t.Fatalf("computing twice gave other bytes, %v", err)
		}
	}
	golden := filepath.Join("testdata", "advisory.json")
	if *update {
		if err := os.WriteFile(golden, first, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(first)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := advisory.Decode(first); err != nil {
		t.Error(err)
	}
}

func TestFindingsOfEcosystems(t *testing.T) {
	compare := func(e watch.Ecosystem, from, to watch.Facts, fromFiles, toFiles map[string]string) []advisory.Finding {
		return advisory.Compare(watch.ID{Ecosystem: e, Name: "x"}, "minor",
			advisory.Side{Release: watch.Release{Version: "1"}, Tree: tree(t, fromFiles), Facts: from},
			advisory.Side{Release: watch.Release{Version: "2"}, Tree: tree(t, toFiles), Facts: to}).Findings
	}
	script := func(name, what string) watch.Facts { return watch.Facts{Scripts: map[string]string{name: what}} }
	tests := []struct {
		name  string
		got   []advisory.Finding
		level advisory.Level
		says  string
	}{
		{"npm script", compare(watch.NPM, watch.Facts{}, script("postinstall", "node x"), nil, nil), advisory.Alarm, "now runs when the package is installed: postinstall: node x"},
		{"npm script changed", compare(watch.NPM, script("install", "a"), script("install", "b"), nil, nil), advisory.Alarm, "changed: install: b"},
		{"npm script gone", compare(watch.NPM, script("install", "a"), watch.Facts{}, nil, nil), advisory.Info, "Nothing that needs"},
		{"setup.py", compare(watch.PyPI, script("setup.py", "1"), script("setup.py", "2"), nil, nil), advisory.Warning, "setup.py, which runs at installation from source, changed"},
		{".pth", compare(watch.PyPI, watch.Facts{}, script("a.pth", "2"), nil, nil), advisory.Alarm, "every start of Python and appeared"},
		{"declared licence", compare(watch.NPM, watch.Facts{Licence: "MIT"}, watch.Facts{Licence: "BUSL-1.1"}, nil, nil), advisory.Alarm, "from MIT to BUSL-1.1"},
		{"licence written anew", compare(watch.PyPI, watch.Facts{Licence: "Apache 2.0"}, watch.Facts{Licence: "Apache-2.0"}, nil, nil), advisory.Info, "Nothing that needs"},
		{"licence text", compare(watch.Go, watch.Facts{}, watch.Facts{}, map[string]string{"LICENSE": mitText}, map[string]string{"LICENSE": "Business Source License 1.1\n"}), advisory.Alarm, "from MIT to BUSL-1.1"},
		{"licence gone", compare(watch.Go, watch.Facts{}, watch.Facts{}, map[string]string{"LICENSE": mitText}, nil), advisory.Alarm, "from MIT to an unknown one"},
		{"only the year", compare(watch.Go, watch.Facts{}, watch.Facts{}, map[string]string{"LICENSE": mitText}, map[string]string{"LICENSE": strings.ReplaceAll(mitText, "2025", "2026")}), advisory.Info, "Nothing that needs"},
	}
	for _, tt := range tests {
		if len(tt.got) != 1 || tt.got[0].Level != tt.level || !strings.Contains(tt.got[0].Text, tt.says) {
			t.Errorf("%s: %+v, want one %s with %q", tt.name, tt.got, tt.level, tt.says)
		}
	}
}

func TestRefuse(t *testing.T) {
	a := advisory.Refuse(watch.ID{Ecosystem: watch.NPM, Name: "x"}, "minor", watch.Release{Version: "1"}, watch.Release{Version: "2"}, "2", &archive.Refusal{Reason: "the path leads outside"})
	data, err := a.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := advisory.Decode(data)
	if err != nil || back.Refused != "2: the path leads outside" || back.Findings[0].Level != advisory.Alarm {
		t.Errorf("%+v, %v", back, err)
	}
	if bytes.Contains(data, []byte("null")) {
		t.Errorf("a list is null, which scripts would have to expect:\n%s", data)
	}
}

func TestKey(t *testing.T) {
	for _, tt := range []struct {
		e              watch.Ecosystem
		name, from, to string
		want, path     string
	}{
		{watch.Go, "github.com/BurntSushi/toml", "v1.0.0", "v1.1.0", "go/github.com/!burnt!sushi/toml/v1.0.0..v1.1.0.json", "go/github.com/%21burnt%21sushi/toml/v1.0.0..v1.1.0.json"},
		{watch.NPM, "@babel/core", "7.0.0", "8.0.0", "npm/@babel/core/7.0.0..8.0.0.json", "npm/@babel/core/7.0.0..8.0.0.json"},
		{watch.PyPI, "idna", "1!2+x", "1!3", "pypi/idna/1!2+x..1!3.json", "pypi/idna/1%212+x..1%213.json"},
		{watch.NPM, "../x", "1", "2", "", ""},
		{watch.NPM, "x", "1/2", "2", "", ""},
		{watch.NPM, "x", "", "2", "", ""},
	} {
		got, err := advisory.Key(watch.ID{Ecosystem: tt.e, Name: tt.name}, tt.from, tt.to)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
		if tt.want != "" && strings.ReplaceAll(advisory.URLPath(got), "%21", "!") != strings.ReplaceAll(tt.path, "%21", "!") {
			t.Errorf("%s: path %q, want %q", tt.name, advisory.URLPath(got), tt.path)
		}
	}
}

// TestCountLines compares with the textbook's table of longest common subsequences.
func TestCountLines(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 1))
	random := func() []string {
		lines := make([]string, r.IntN(30))
		for i := range lines {
			lines[i] = string(rune('a' + r.IntN(4)))
		}
		return lines
	}
	for range 2000 {
		a, b := random(), random()
		common := lcs(a, b)
		added, removed, rough := advisory.CountLines(text(a), text(b))
		if rough || added != len(b)-common || removed != len(a)-common {
			t.Fatalf("seed %d: %q to %q: +%d -%d (rough %v), want +%d -%d", seed, a, b, added, removed, rough, len(b)-common, len(a)-common)
		}
	}
	var x, y []string
	for i := range 20_000 {
		x, y = append(x, fmt.Sprint("x", i)), append(y, fmt.Sprint("y", i))
	}
	start := time.Now()
	added, removed, rough := advisory.CountLines(text(x), text(y))
	if !rough || added != 20_000 || removed != 20_000 || time.Since(start) > time.Minute {
		t.Errorf("two long texts: +%d -%d, rough %v, %s", added, removed, rough, time.Since(start))
	}
}

func text(lines []string) []byte {
	if len(lines) == 0 {
		return nil
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}

func lcs(a, b []string) int {
	table := make([][]int, len(a)+1)
	for i := range table {
		table[i] = make([]int, len(b)+1)
	}
	for i := range a {
		for j := range b {
			if a[i] == b[j] {
				table[i+1][j+1] = table[i][j] + 1
			} else {
				table[i+1][j+1] = max(table[i][j+1], table[i+1][j])
			}
		}
	}
	return table[len(a)][len(b)]
}

func FuzzCountLines(f *testing.F) {
	f.Add([]byte("a\nb\n"), []byte("b\na\n"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		added, removed, _ := advisory.CountLines(a, b)
		back, forth, _ := advisory.CountLines(b, a)
		if added != forth || removed != back || added < 0 || removed < 0 {
			t.Errorf("+%d -%d one way, +%d -%d the other", added, removed, back, forth)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"format":"dayfly.releases.advisory/1"}`))
	f.Fuzz(func(t *testing.T, b []byte) { advisory.Decode(b) })
}
