package compress

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// DefaultTypes are the media types that shrink. Pictures, films, archives and
// WOFF fonts are compressed in themselves.
func DefaultTypes() []string {
	return []string{"text/*", "*+json", "*+xml", "application/json", "application/javascript", "application/ecmascript",
		"application/x-javascript", "application/ld+json", "application/x-ndjson", "application/xml", "application/wasm", "application/graphql",
		"application/yaml", "application/toml", "application/rtf", "application/vnd.ms-fontobject", "font/otf", "font/ttf",
		"image/bmp", "image/x-icon", "image/vnd.microsoft.icon"}
}

// types tells which media types are compressed.
type types struct {
	exact    []string
	tops     []string // "text/"
	suffixes []string // "+json"
}

const eventStream = "text/event-stream"

var (
	typeForm   = regexp.MustCompile(`^[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}$`)
	topForm    = regexp.MustCompile(`^[a-z0-9!#$&^_.+-]{1,127}/\*$`)
	suffixForm = regexp.MustCompile(`^\*\+[a-z0-9]{1,32}$`)
)

func parseTypes(list []string) (types, error) {
	var t types
	for _, s := range list {
		lower := strings.ToLower(s)
		switch {
		case suffixForm.MatchString(lower):
			t.suffixes = append(t.suffixes, lower[1:])
		case topForm.MatchString(lower):
			t.tops = append(t.tops, lower[:len(lower)-1])
		case typeForm.MatchString(lower):
			t.exact = append(t.exact, lower)
		default:
			return t, fmt.Errorf("%q is not a media type; write one such as text/html, text/* or *+json", s)
		}
	}
	return t, nil
}

// has reports whether a Content-Type is among the types.
func (t *types) has(contentType string) bool {
	s, _, _ := strings.Cut(contentType, ";")
	s = strings.ToLower(strings.TrimSpace(s)) // allocates only if it has capitals
	if slices.Contains(t.exact, s) {
		return true
	}
	if s == eventStream {
		return false
	}
	for _, top := range t.tops {
		if strings.HasPrefix(s, top) {
			return true
		}
	}
	for _, suffix := range t.suffixes {
		if strings.HasSuffix(s, suffix) {
			return true
		}
	}
	return false
}
