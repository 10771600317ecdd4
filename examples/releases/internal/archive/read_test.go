package archive_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/archive"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/registrytest"
)

func readZip(b []byte, prefix string, l archive.Limits) (*archive.Tree, error) {
	return archive.Zip(bytes.NewReader(b), int64(len(b)), prefix, prefix == "", l)
}

func readTar(b []byte, l archive.Limits) (*archive.Tree, error) {
	return archive.TarGz(bytes.NewReader(b), int64(len(b)), l)
}

func TestTreeOfBothFormats(t *testing.T) {
	files := map[string]string{
		"a.txt": "one\ntwo\n", "empty": "", "dir/b.go": "package b\n", "bin/tool": "\x7fELF\x01\x00\x00",
		"mz.txt": "MZ is how a text may begin\n", "x.pyc": "\x00\x01\x02",
	}
	zipped, err := readZip(registrytest.Zip("m@v1.0.0/", files), "m@v1.0.0/", archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	tarred, err := readTar(registrytest.TarGz("package/", files), archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tree := range []*archive.Tree{zipped, tarred} {
		got := slices.Sorted(maps.Keys(tree.Files))
		if diff := cmp.Diff(slices.Sorted(maps.Keys(files)), got); diff != "" {
			t.Errorf("paths (-want +got):\n%s", diff)
		}
		if string(tree.Text("a.txt")) != "one\ntwo\n" || tree.Text("empty") == nil {
			t.Errorf("texts were not kept: %q %v", tree.Text("a.txt"), tree.Text("empty"))
		}
		if f := tree.Files["bin/tool"]; f.Kind != "ELF" || !f.Binary || f.Text != nil {
			t.Errorf("bin/tool = %+v", f)
		}
		if f := tree.Files["mz.txt"]; f.Kind != "" || f.Binary {
			t.Errorf("a text beginning with MZ was taken for a program: %+v", f)
		}
		if f := tree.Files["x.pyc"]; f.Kind != "Python bytecode" {
			t.Errorf("x.pyc = %+v", f)
		}
	}
	for p := range files {
		if zipped.Files[p].Sum != tarred.Files[p].Sum {
			t.Errorf("%s: sums differ between formats", p)
		}
	}
}

type entry struct {
	name, link string
	kind       byte
	body       string
}

func tarOf(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	w := tar.NewWriter(zw)
	for _, e := range entries {
		if e.kind == 0 {
			e.kind = tar.TypeReg
		}
		if err := w.WriteHeader(&tar.Header{Name: e.name, Linkname: e.link, Typeflag: e.kind, Size: int64(len(e.body)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), zw.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestPathsOutsideAreRefused(t *testing.T) {
	for name, want := range map[string]string{
		"../evil": "leads outside", "a/../../evil": "leads outside", "/etc/passwd": "absolute",
		`..\evil`: "of another system", "C:/evil": "of another system", "a\nb": "not text", "": "path of 0 bytes",
		strings.Repeat("x/", 600) + "y": "path of 1201 bytes",
	} {
		_, err := readZip(registrytest.Zip("", map[string]string{name: "x"}), "", archive.Limits{})
		wantRefusal(t, "zip "+name, err, want)
		if name == "" || strings.HasPrefix(name, "x/x") {
			continue // tar has no such names, or stores them otherwise
		}
		_, err = readTar(tarOf(t, entry{name: name, body: "x"}), archive.Limits{})
		wantRefusal(t, "tar "+name, err, want)
	}
	// A module's zip must not hold files of other modules.
	_, err := readZip(registrytest.Zip("other@v1/", map[string]string{"a": ""}), "m@v1/", archive.Limits{})
	wantRefusal(t, "other module", err, `not under "m@v1/"`)
}

func wantRefusal(t *testing.T, what string, err error, reason string) {
	t.Helper()
	var r *archive.Refusal
	if !errors.As(err, &r) || !strings.Contains(r.Reason, reason) {
		t.Errorf("%s: err = %v, want a refusal with %q", what, err, reason)
	}
}

func TestLinks(t *testing.T) {
	tree, err := readTar(tarOf(t, entry{name: "p/a", body: "x"}, entry{name: "p/d/l", link: "../a", kind: tar.TypeSymlink}), archive.Limits{})
	if err != nil || tree.Files["d/l"].Link != "../a" {
		t.Fatalf("a link that stays inside: %v, %v", tree, err)
	}
	for _, e := range []entry{
		{name: "p/l", link: "../../etc/passwd", kind: tar.TypeSymlink},
		{name: "p/l", link: "/etc/passwd", kind: tar.TypeSymlink},
		{name: "p/l", link: "../../x", kind: tar.TypeLink},
	} {
		_, err := readTar(tarOf(t, e), archive.Limits{})
		wantRefusal(t, e.link, err, "leads outside")
	}
	_, err = readTar(tarOf(t, entry{name: "p/dev", kind: tar.TypeChar}), archive.Limits{})
	wantRefusal(t, "device", err, "neither a file nor a link")
}

func TestBounds(t *testing.T) {
	many := map[string]string{}
	for i := range 20 {
		many[string(rune('a'+i))] = "x"
	}
	big := map[string]string{"big": strings.Repeat("x", 4000)}
	zeros := map[string]string{"zeros": strings.Repeat("\x00", 20<<20)}
	tests := []struct {
		name   string
		files  map[string]string
		limits archive.Limits
		want   string
	}{
		{"files", many, archive.Limits{Files: 19}, "19 files"},
		{"one file", big, archive.Limits{File: 3999}, "larger than"},
		{"all files", big, archive.Limits{Expanded: 3999}, "expands to more than"},
		{"compressed", big, archive.Limits{Compressed: 10}, "larger than"},
		{"ratio", zeros, archive.Limits{}, "200 times"},
	}
	for _, tt := range tests {
		_, err := readZip(registrytest.Zip("", tt.files), "", tt.limits)
		wantRefusal(t, "zip "+tt.name, err, tt.want)
		_, err = readTar(registrytest.TarGz("", tt.files), tt.limits)
		wantRefusal(t, "tar "+tt.name, err, tt.want)
	}
	tree, err := readZip(registrytest.Zip("", big), "", archive.Limits{KeptFile: 100})
	if err != nil || tree.Text("big") != nil || tree.Files["big"].Size != 4000 {
		t.Errorf("a text above the limit of what is kept: %v", err)
	}
}

// TestTarWithoutEnd feeds an archive that never ends: ten million entries
// would be the same. Only the bound ends it.
func TestTarWithoutEnd(t *testing.T) {
	r, w := io.Pipe()
	written := make(chan int, 1)
	go func() {
		zw, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
		tw := tar.NewWriter(zw)
		n := 0
		for ; n < 10_000_000; n++ {
			if err := tw.WriteHeader(&tar.Header{Name: "p/" + string(rune('a'+n%26)) + "/" + strings.Repeat("x", n%90), Mode: 0o644}); err != nil {
				break
			}
		}
		written <- n
	}()
	_, err := archive.TarGz(r, 32<<20, archive.Limits{})
	wantRefusal(t, "tar without end", err, "more than 50000 files")
	r.Close()
	if n := <-written; n > 200_000 {
		t.Errorf("%d entries were taken from the archive, far more than the bound", n)
	}
}

// TestZipDirectoryWithMillions: the end record claims few entries, the
// directory holds more than a million.
func TestZipDirectoryWithMillions(t *testing.T) {
	const entries = 1_200_000
	header := make([]byte, 47)
	copy(header, "PK\x01\x02")
	binary.LittleEndian.PutUint16(header[28:], 1)
	header[46] = 'a'
	b := bytes.Repeat(header, entries)
	end := make([]byte, 22)
	copy(end, "PK\x05\x06")
	binary.LittleEndian.PutUint16(end[8:], uint16(entries%65536))
	binary.LittleEndian.PutUint16(end[10:], uint16(entries%65536))
	binary.LittleEndian.PutUint32(end[12:], uint32(len(b)))
	b = append(b, end...)
	if _, err := zip.NewReader(bytes.NewReader(b), int64(len(b))); err != nil {
		t.Fatalf("the archive of this test is not one that archive/zip reads: %v", err)
	}
	_, err := readZip(b, "", archive.Limits{})
	wantRefusal(t, "zip", err, "more than 50000 files")
}

func TestDuplicatesAreNoted(t *testing.T) {
	tree, err := readTar(tarOf(t, entry{name: "p/a", body: "first"}, entry{name: "p/a", body: "second"}), archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if string(tree.Text("a")) != "second" || tree.Bytes != 6 || len(tree.Notes) != 1 {
		t.Errorf("text %q, %d bytes, notes %q", tree.Text("a"), tree.Bytes, tree.Notes)
	}
}

func FuzzZip(f *testing.F) {
	f.Add(registrytest.Zip("m@v1/", map[string]string{"go.mod": "module m\n", "a/b": "x"}))
	f.Add([]byte("PK\x05\x06"))
	f.Fuzz(func(t *testing.T, b []byte) {
		tree, err := readZip(b, "", archive.Limits{Expanded: 1 << 20, Files: 100})
		checkTree(t, tree, err)
	})
}

func FuzzTarGz(f *testing.F) {
	f.Add(registrytest.TarGz("package/", map[string]string{"package.json": "{}", "a/b": "x"}))
	f.Add([]byte{0x1f, 0x8b})
	f.Add([]byte("BZh91AY"))
	f.Fuzz(func(t *testing.T, b []byte) {
		tree, err := readTar(b, archive.Limits{Expanded: 1 << 20, Files: 100})
		checkTree(t, tree, err)
	})
}

// checkTree: what was accepted is within the bounds and inside.
func checkTree(t *testing.T, tree *archive.Tree, err error) {
	t.Helper()
	var r *archive.Refusal
	if err != nil {
		if !errors.As(err, &r) {
			t.Errorf("err = %v, want a refusal", err)
		}
		return
	}
	if len(tree.Files) > 100 || tree.Bytes > 1<<20 {
		t.Errorf("%d files, %d bytes", len(tree.Files), tree.Bytes)
	}
	for p := range tree.Files {
		if p == ".." || strings.HasPrefix(p, "../") || strings.HasPrefix(p, "/") || strings.Contains(p, "/../") {
			t.Errorf("path %q was accepted", p)
		}
	}
}
