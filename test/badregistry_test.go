package test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/internal/need"
)

// hostile is a Go module proxy and an npm registry whose packages attack those
// who read their archives. Each has a harmless 1.0.0 and the 1.1.0 given here.
type hostile struct {
	modules map[string][]byte // module → zip of v1.1.0
	npm     map[string][]byte // package → tarball of 1.1.0
	url     string
}

func (x *hostile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := strings.TrimPrefix(r.URL.Path, "/"); {
	case strings.HasPrefix(path, "npm/"):
		x.serveNPM(w, r, strings.TrimPrefix(path, "npm/"))
	case strings.HasPrefix(path, "go/"):
		x.serveGo(w, r, strings.TrimPrefix(path, "go/"))
	default:
		http.NotFound(w, r)
	}
}

func (x *hostile) serveGo(w http.ResponseWriter, r *http.Request, path string) {
	name, file, _ := strings.Cut(path, "/@")
	bad, ok := x.modules[name]
	version := strings.TrimSuffix(strings.TrimPrefix(file, "v/"), filepath.Ext(file))
	switch {
	case !ok:
		http.NotFound(w, r)
	case file == "v/list":
		io.WriteString(w, "v1.0.0\nv1.1.0\n")
	case file == "latest", strings.HasSuffix(file, ".info"):
		if file == "latest" {
			version = "v1.1.0"
		}
		fmt.Fprintf(w, `{"Version":%q,"Time":"2026-01-02T03:04:05Z"}`, version)
	case strings.HasSuffix(file, ".mod"):
		fmt.Fprintf(w, "module %s\n", name)
	case file == "v/v1.1.0.zip":
		w.Write(bad)
	case file == "v/v1.0.0.zip":
		w.Write(zipped(name+"@v1.0.0/go.mod", "module "+name+"\n"))
	default:
		http.NotFound(w, r)
	}
}

func (x *hostile) serveNPM(w http.ResponseWriter, r *http.Request, path string) {
	name, file, isArchive := strings.Cut(path, "/-/")
	bad, ok := x.npm[name]
	good := tarred("package/package.json", `{"name":"`+name+`"}`)
	switch {
	case !ok:
		http.NotFound(w, r)
	case isArchive && strings.Contains(file, "1.1.0"):
		w.Write(bad)
	case isArchive:
		w.Write(good)
	default:
		versions := map[string]any{}
		for version, data := range map[string][]byte{"1.0.0": good, "1.1.0": bad} {
			sum := sha512.Sum512(data)
			versions[version] = map[string]any{"name": name, "version": version, "dist": map[string]string{
				"tarball": x.url + "/npm/" + name + "/-/" + name + "-" + version + ".tgz", "integrity": "sha512-" + base64.StdEncoding.EncodeToString(sum[:])}}
		}
		json.NewEncoder(w).Encode(map[string]any{"name": name, "dist-tags": map[string]string{"latest": "1.1.0"}, "versions": versions})
	}
}

// zipped makes a zip of names and contents.
func zipped(pairs ...string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i+1 < len(pairs); i += 2 {
		f, _ := z.Create(pairs[i]) // writes to memory do not fail
		io.WriteString(f, pairs[i+1])
	}
	z.Close()
	return b.Bytes()
}

// tarred makes a gzipped tar of names and contents; a content that begins with
// "->" is a symbolic link.
func tarred(pairs ...string) []byte {
	var b bytes.Buffer
	g := gzip.NewWriter(&b)
	w := tar.NewWriter(g)
	for i := 0; i+1 < len(pairs); i += 2 {
		if target, ok := strings.CutPrefix(pairs[i+1], "->"); ok {
			w.WriteHeader(&tar.Header{Name: pairs[i], Typeflag: tar.TypeSymlink, Linkname: target, Mode: 0o777})
			continue
		}
		w.WriteHeader(&tar.Header{Name: pairs[i], Typeflag: tar.TypeReg, Size: int64(len(pairs[i+1])), Mode: 0o644})
		io.WriteString(w, pairs[i+1])
	}
	w.Close()
	g.Close()
	return b.Bytes()
}

// manyTarred is a tar with ten million entries: gzip members may follow each
// other, so one of ten thousand is made and repeated.
func manyTarred() []byte {
	var b bytes.Buffer
	g, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	w := tar.NewWriter(g)
	for i := range 10_000 {
		w.WriteHeader(&tar.Header{Name: fmt.Sprintf("package/%d", i), Typeflag: tar.TypeReg, Mode: 0o644})
	}
	w.Flush()
	g.Close()
	return bytes.Repeat(b.Bytes(), 1000)
}

// manyZipped is a zip with more entries than are read.
func manyZipped(prefix string, n int) []byte {
	pairs := make([]string, 0, 2*n)
	for i := range n {
		pairs = append(pairs, fmt.Sprintf("%s%d", prefix, i), "")
	}
	return zipped(pairs...)
}

// TestHostileRegistry imports packages that attack: each is refused with the
// reason, a package that does not exist and a registry that is not there are
// told, and the package between them gets its advisory.
func TestHostileRegistry(t *testing.T) {
	t.Parallel()
	zeros := strings.Repeat("\x00", 300<<20)
	outside := filepath.Join(t.TempDir(), "outside")
	x := &hostile{modules: map[string][]byte{
		"example.com/good":  zipped("example.com/good@v1.1.0/go.mod", "module example.com/good\n", "example.com/good@v1.1.0/new.go", "package good\n"),
		"example.com/bomb":  zipped("example.com/bomb@v1.1.0/bomb", zeros),
		"example.com/many":  manyZipped("example.com/many@v1.1.0/", 60_000),
		"example.com/slip":  zipped("example.com/slip@v1.1.0/../../../../../../../../../.."+outside, "escaped"),
		"example.com/other": zipped("example.com/good@v1.1.0/go.mod", "module example.com/good\n"),
		"example.com/text":  []byte("this is no archive"),
		"example.com/empty": {},
	}, npm: map[string][]byte{
		"good-one": tarred("package/package.json", `{"name":"good-one","scripts":{"postinstall":"node x.js"}}`),
		"bomb-one": tarred("package/bomb", zeros), "many-one": manyTarred(),
		"slip-one": tarred("package/../../../../../../../.."+outside, "escaped"),
		"link-one": tarred("package/link", "->/etc", "package/link/passwd", "escaped"),
	}}
	registry := httptest.NewServer(x)
	defer registry.Close()
	x.url = registry.URL
	first := filepath.Join(t.TempDir(), "go.mod")
	var b strings.Builder
	b.WriteString("module example.com/victim\n\ngo 1.26\n\nrequire (\n")
	for name := range x.modules {
		fmt.Fprintf(&b, "\t%s v1.0.0\n", name)
	}
	b.WriteString("\texample.com/missing v1.0.0\n)\n")
	if err := os.WriteFile(first, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "data")
	h := up(t, filepath.Join(need.Root(t), "examples", "releases"), data, "FIRST_MANIFEST="+first, "GOPROXY="+registry.URL+"/go", "GONOSUMDB=*", "GOFLAGS=-mod=mod",
		"npm_config_registry="+registry.URL+"/npm", "PIP_INDEX_URL=http://"+need.Address(t)+"/simple")
	j := &mainJob{t: t, h: h}
	var deps []string
	for name := range x.npm {
		deps = append(deps, fmt.Sprintf("%q:\"1.0.0\"", name))
	}
	j.upload("package.json", `{"name":"victim","version":"1.0.0","dependencies":{"missing-one":"1.0.0",`+strings.Join(deps, ",")+`}}`)
	j.upload("requirements.txt", "idna==3.9\n")
	tooBig(t, h)

	want := map[string]string{ // status of the package, or of its update
		"example.com/good": "ready", "example.com/bomb": "refused", "example.com/many": "refused", "example.com/slip": "refused", "example.com/other": "refused",
		"example.com/text": "refused", "example.com/empty": "refused", "example.com/missing": "missing",
		"good-one": "ready", "bomb-one": "refused", "many-one": "refused", "slip-one": "refused", "link-one": "refused", "missing-one": "missing", "idna": "unreachable",
	}
	var got map[string]string
	for end := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		got = map[string]string{}
		for _, p := range packages(t, h, "") {
			got[p.Name] = p.Status
			if p.Update != nil {
				got[p.Name] = p.Update.Status
			}
		}
		wrong := 0
		for name, status := range want {
			if got[name] != status {
				wrong++
			}
		}
		if wrong == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("got  %v\nwant %v", got, want)
		}
	}
	if _, err := os.Stat(outside); err == nil {
		t.Error("an archive wrote outside")
	}
	for _, p := range packages(t, h, "") {
		if p.Update == nil || p.Update.Status != "refused" {
			continue
		}
		var advisory struct{ Refused string }
		if err := json.Unmarshal([]byte(get(t, p.Update.Advisory)), &advisory); err != nil || len(advisory.Refused) < 20 {
			t.Errorf("%s: %q, %v", p.Name, advisory.Refused, err)
		}
		t.Logf("%-18s %s", p.Name, advisory.Refused)
	}
	for _, name := range []string{"web", "worker"} {
		for _, p := range h.group(name).Processes {
			if p.Restarts > 0 || p.State != "running" || p.Memory > 1<<30 {
				t.Errorf("%s: %s, %d restarts, %d MiB, %s", p.Name, p.State, p.Restarts, p.Memory>>20, p.LastExit)
			}
		}
	}
	h.down()
	noneLeft(t, data)
}

// tooBig gives the application a manifest of 50 MB in both ways there are.
func tooBig(t *testing.T, h *house) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "go.mod")
	text := append([]byte("module example.com/large\n"), bytes.Repeat([]byte("// fifty million bytes of nothing much\n"), 50_000_000/39)...)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := h.try("run", "import", file); err == nil || !strings.Contains(out, "is larger than a task's arguments may be") || strings.Count(out, "\n") != 1 {
		t.Errorf("run import of 50 MB: %v: %.500s", err, out)
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "go.mod")
	if err != nil {
		t.Fatal(err)
	}
	part.Write(text)
	form.Close()
	for _, length := range []int64{int64(body.Len()), -1} { // -1: not said beforehand
		r, err := http.NewRequest(http.MethodPost, h.env["SITE_URL"]+"/import", bytes.NewReader(body.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = length
		r.Header.Set("Content-Type", form.FormDataContentType())
		r.Header.Set("Origin", h.env["SITE_URL"])
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Errorf("upload of 50 MB, length %d: %v", length, err)
			continue
		}
		page, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(string(page), "The file is larger than 4 MiB") || !strings.Contains(string(page), "Nothing was imported") {
			t.Errorf("upload of 50 MB, length %d: %s %.1000s", length, answer.Status, page)
		}
	}
}
