package pypi

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"strings"
	"time"

	"golang.org/x/net/html"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// indexFile is one downloadable file of a package.
type indexFile struct {
	name     string
	url      string
	sha256   string // hexadecimal, or ""
	yanked   string // why, or ""
	uploaded time.Time
}

// maxIndexFiles bounds what is read of one package; the largest on PyPI have
// some ten thousands.
const maxIndexFiles = 200_000

// parseJSON reads the JSON form of the simple API (PEP 691, PEP 700).
func parseJSON(body []byte) ([]indexFile, error) {
	var page struct {
		Files []struct {
			Filename   string            `json:"filename"`
			URL        string            `json:"url"`
			Hashes     map[string]string `json:"hashes"`
			Yanked     any               `json:"yanked"` // false, true, or why
			UploadTime string            `json:"upload-time"`
		} `json:"files"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return nil, err
	}
	if len(page.Files) > maxIndexFiles {
		return nil, fmt.Errorf("it names %d files", len(page.Files))
	}
	files := make([]indexFile, 0, len(page.Files))
	for _, f := range page.Files {
		one := indexFile{name: f.Filename, url: f.URL, sha256: strings.ToLower(f.Hashes["sha256"])}
		switch y := f.Yanked.(type) {
		case bool:
			if y {
				one.yanked = "yanked"
			}
		case string:
			one.yanked = yankedFor(y)
		}
		one.uploaded = uploadTime(f.UploadTime)
		files = append(files, one)
	}
	return files, nil
}

// parseHTML reads the HTML form (PEP 503, PEP 592).
func parseHTML(body []byte) ([]indexFile, error) {
	z := html.NewTokenizer(strings.NewReader(string(body)))
	z.SetMaxBuf(1 << 20)
	var files []indexFile
	var open *indexFile
	for {
		switch z.Next() {
		case html.ErrorToken:
			if len(files) > maxIndexFiles {
				return nil, fmt.Errorf("it names %d files", len(files))
			}
			return files, nil
		case html.StartTagToken:
			if t := z.Token(); t.Data == "a" {
				open = anchor(t)
			}
		case html.TextToken:
			if open != nil {
				open.name += strings.TrimSpace(string(z.Text()))
			}
		case html.EndTagToken:
			if t := z.Token(); t.Data == "a" && open != nil {
				if open.name != "" && open.url != "" && len(files) <= maxIndexFiles {
					files = append(files, *open)
				}
				open = nil
			}
		}
	}
}

func anchor(t html.Token) *indexFile {
	f := new(indexFile)
	for _, a := range t.Attr {
		switch a.Key {
		case "href":
			f.url = a.Val
			if i := strings.IndexByte(a.Val, '#'); i >= 0 {
				f.url = a.Val[:i]
				if sum, ok := strings.CutPrefix(a.Val[i+1:], "sha256="); ok {
					f.sha256 = strings.ToLower(sum)
				}
			}
		case "data-yanked":
			f.yanked = yankedFor(a.Val)
		case "data-upload-time":
			f.uploaded = uploadTime(a.Val)
		}
	}
	return f
}

func yankedFor(why string) string {
	if why == "" {
		return "yanked"
	}
	return watch.Clip("yanked: "+why, watch.MaxNote)
}

func uploadTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Second)
}

// fileVersion takes the version out of a file's name: name-1.0.tar.gz and
// name-1.0.zip are sources (PEP 625 and its past), name-1.0-…whl is a wheel
// (PEP 427). Names of sources may have dashes of their own.
func fileVersion(pkg, file string) (version string, source, ok bool) {
	if base, is := strings.CutSuffix(file, ".whl"); is {
		parts := strings.Split(base, "-")
		if len(parts) < 5 || Normalize(parts[0]) != pkg {
			return "", false, false
		}
		return parts[1], false, true
	}
	for _, ext := range []string{".tar.gz", ".tgz", ".zip", ".tar.bz2"} {
		base, is := strings.CutSuffix(file, ext)
		if !is {
			continue
		}
		for i := 0; i < len(base); i++ {
			if base[i] == '-' && Normalize(base[:i]) == pkg {
				if _, good := ParseVersion(base[i+1:]); good {
					return base[i+1:], true, true
				}
			}
		}
	}
	return "", false, false
}

// digest of the file, 32 bytes.
func (f indexFile) digest() ([]byte, bool) {
	sum, err := hex.DecodeString(f.sha256)
	return sum, err == nil && len(sum) == 32
}

// address resolves a file's address against the page it was named on. Another
// host is asked over TLS only, so that a page cannot send us around a network.
func (f indexFile) address(page, index string) (string, error) {
	base, err := url.Parse(page)
	if err != nil {
		return "", err
	}
	ref, err := url.Parse(f.url)
	if err != nil {
		return "", fmt.Errorf("the address of %s is not one", watch.Clip(f.name, 100))
	}
	u := base.ResolveReference(ref)
	main, err := url.Parse(index)
	if err != nil {
		return "", err
	}
	u.User = nil
	if u.Host == main.Host {
		u.User = main.User
	}
	if u.Scheme != "https" && (u.Host != main.Host || u.Scheme != main.Scheme) {
		return "", fmt.Errorf("%s is neither at the index nor under https", watch.Clip(f.name, 100))
	}
	return u.String(), nil
}

// preference orders the files of one version: its source first, since that is
// what people wrote; then the wheel for any machine; then any other wheel.
func (f indexFile) preference(source bool) int {
	switch {
	case source && !strings.HasSuffix(f.name, ".zip"):
		return 0
	case source:
		return 1
	case strings.HasSuffix(f.name, "-none-any.whl"):
		return 2
	}
	return 3
}

func isZip(name string) bool {
	e := path.Ext(name)
	return e == ".whl" || e == ".zip"
}
