package publish

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// Page is what a release has at a path.
type Page struct {
	// Path begins with a slash and is decoded: "/über/".
	Path string `json:"path"`
	// Query is what follows the path, as it was written, "" for nothing. With Any
	// the page answers whatever the query is.
	Query string `json:"query,omitempty"`
	Any   bool   `json:"any,omitempty"`
	// Status is 200, or that of a redirect, which has a Location in Header.
	Status int `json:"status"`
	// Hash is the SHA-256 of the content in hex, Size its bytes.
	Hash string `json:"hash"`
	Size int64  `json:"size"`
	// Type is the Content-Type. Header are other fields, by canonical name.
	Type   string            `json:"type,omitempty"`
	Header map[string]string `json:"header,omitempty"`
}

// Key is what tells a page from the others of its release.
func (p *Page) Key() string {
	if p.Query == "" {
		return p.Path
	}
	return p.Path + "?" + p.Query
}

// Tag changes when anything of the page that a client sees does: 32 hex digits.
func (p *Page) Tag() string {
	h := sha256.New()
	fmt.Fprintf(h, "%d %s %q", p.Status, p.Hash, p.Type)
	for _, name := range sortedNames(p.Header) {
		fmt.Fprintf(h, " %q %q", name, p.Header[name])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func sortedNames(m map[string]string) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// list is the object that has a release's pages, sorted by key.
type list struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	Pages   []Page `json:"pages"`
}

const (
	listFormat  = "dayfly-release"
	listVersion = 1
	maxListSize = 64 << 20 // bytes
	maxPath     = 2048     // bytes of path and query
	maxHeader   = 16 << 10 // bytes of all fields of a page
)

// encodeList returns the object and its SHA-256.
func encodeList(pages []Page) (data []byte, hash string, err error) {
	slices.SortFunc(pages, func(a, b Page) int { return cmp.Compare(a.Key(), b.Key()) })
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(list{listFormat, listVersion, pages}); err != nil {
		return nil, "", err
	}
	if b.Len() > maxListSize {
		return nil, "", fmt.Errorf("the release's list of pages has %d bytes; at most %d", b.Len(), maxListSize)
	}
	return b.Bytes(), hashOf(b.Bytes()), nil
}

// decodeList reads what encodeList wrote, and takes nothing that a Stage would
// refuse.
func decodeList(data []byte) ([]Page, error) {
	var l list
	if err := json.Unmarshal(data, &l); err != nil {
		return nil, err
	}
	if l.Format != listFormat || l.Version != listVersion {
		return nil, fmt.Errorf("format %q version %d is not %s %d", l.Format, l.Version, listFormat, listVersion)
	}
	return l.Pages, checkPages(l.Pages)
}

// checkPages says what is wrong with the pages of a release.
func checkPages(pages []Page) error {
	if len(pages) > MaxPages {
		return fmt.Errorf("%d pages; at most %d", len(pages), MaxPages)
	}
	seen := make(map[string]bool, len(pages))
	contents := make(map[string]bool, len(pages))
	var total int64
	for i := range pages {
		p := &pages[i]
		if err := p.check(); err != nil {
			return fmt.Errorf("%s: %w", p.Key(), err)
		}
		if seen[p.Key()] {
			return fmt.Errorf("%s is there twice", p.Key())
		}
		seen[p.Key()] = true
		if !contents[p.Hash] {
			contents[p.Hash] = true
			total += p.Size
		}
	}
	if total > MaxBytes {
		return fmt.Errorf("the contents have %d MiB together; at most %d MiB", total>>20, MaxBytes>>20)
	}
	return nil
}

func (p *Page) check() error {
	_, err := hex.DecodeString(p.Hash)
	switch {
	case err != nil || len(p.Hash) != 64:
		return fmt.Errorf("%q is no SHA-256", p.Hash)
	case p.Size < 0 || p.Size > MaxFile:
		return fmt.Errorf("it has %d bytes; at most %d MiB", p.Size, MaxFile>>20)
	case p.Status != http.StatusOK && !IsRedirect(p.Status):
		return fmt.Errorf("status %d is neither 200 nor a redirect", p.Status)
	case IsRedirect(p.Status) && p.Header["Location"] == "":
		return errors.New("a redirect without Location")
	}
	if err := CheckPath(p.Path); err != nil {
		return err
	}
	if len(p.Key()) > maxPath || strings.ContainsFunc(p.Query, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '#' }) {
		return fmt.Errorf("path and query have at most %d bytes, and a query is printable ASCII", maxPath)
	}
	size := len(p.Type)
	for name, value := range p.Header {
		size += len(name) + len(value)
		if http.CanonicalHeaderKey(name) != name || !fieldName(name) || !fieldValue(value) {
			return fmt.Errorf("the header field %q cannot be sent", name)
		}
	}
	if size > maxHeader || !fieldValue(p.Type) {
		return fmt.Errorf("its header fields have %d bytes; at most %d, without control characters", size, maxHeader)
	}
	return nil
}

// IsRedirect reports whether a status has a Location that a browser follows.
func IsRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// Reserved is what is dayfly's own.
const Reserved = "/_dayfly/"

// CheckPath says why a decoded path cannot be published.
func CheckPath(p string) error {
	switch {
	case !strings.HasPrefix(p, "/"):
		return errors.New("a path begins with /")
	case len(p) > maxPath:
		return fmt.Errorf("a path has at most %d bytes", maxPath)
	case !utf8.ValidString(p):
		return errors.New("the name is not UTF-8")
	case strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return errors.New("the name has a control character")
	case strings.Contains(p, "?"):
		return errors.New("a name with ? cannot be told from a query; rename it")
	case strings.Contains(p, `\`) || strings.Contains(p, "//"):
		return errors.New(`browsers change \ and // in a path; rename it`)
	case strings.HasPrefix(p+"/", Reserved):
		return errors.New("what is below " + Reserved + " is dayfly's own")
	}
	for segment := range strings.SplitSeq(p[1:], "/") {
		if segment == "." || segment == ".." {
			return errors.New("browsers take . and .. out of a path")
		}
	}
	return nil
}

func fieldName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r|0x20 < 'a' || r|0x20 > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

func fieldValue(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
