package export

import (
	"crypto/sha256"
	"mime"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/dayfly-dev/dayfly/edge/refs"
)

// A page is what the site answered for one address.
type page struct {
	status int    // 0: no answer
	why    string // there is none, or what is wrong with it
	header http.Header
	kind   kind
	file   string // of what was read, in the spool
	size   int64
	sum    [sha256.Size]byte
	found  []reference // in the body, until they are asked for
	target address     // of a redirect within the site
	to     string      // of any redirect, as the site wrote it
	from   []address   // pages that refer to it, the first few
	first  bool        // asked for without being referred to: need not exist
	base   string      // what the page itself says its references are relative to
	name   string      // of the copy; "": none
}

// reference is one of a body.
type reference struct {
	text string
	of   refs.Kind
}

// maxFrom is how many of those that refer to a page are remembered.
const maxFrom = 5

// kind is what may refer to other pages.
type kind int

const (
	kindOther kind = iota
	kindHTML
	kindCSS
	kindJS
	kindMap  // source maps
	kindXML  // sitemaps and feeds
	kindText // robots.txt
)

func kindOf(a address, contentType string) kind {
	t, _, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil:
		return kindOther
	case t == "text/html" || t == "application/xhtml+xml":
		return kindHTML
	case t == "text/css":
		return kindCSS
	case t == "text/javascript" || t == "application/javascript" || t == "application/x-javascript":
		return kindJS
	case t == "application/json" && strings.HasSuffix(a.path(), ".map"):
		return kindMap
	case t == "image/svg+xml":
		return kindOther
	case t == "text/xml" || t == "application/xml" || strings.HasSuffix(t, "+xml"):
		return kindXML
	case t == "text/plain" && a == "/robots.txt":
		return kindText
	}
	return kindOther
}

func (p *page) redirects() bool {
	switch p.status {
	case 301, 302, 303, 307, 308:
		return p.to != ""
	}
	return false
}

// kept are the headers of an answer that a copy has too.
var kept = []string{"Content-Type", "Cache-Control", "Content-Language", "Content-Disposition"}

// spoolName is where the n-th page is kept.
func (s *Site) spoolName(n int) string { return filepath.Join(s.dir, strconv.Itoa(n)) }

// final follows redirects within the site: the page it ends at, or where it
// leaves the site.
func (s *Site) final(a address) (last address, outside string) {
	for range 10 {
		p := s.pages[a]
		if p == nil || !p.redirects() {
			return a, ""
		}
		if p.target == "" {
			return a, p.to
		}
		a = p.target
	}
	return a, ""
}
