// Package jsonp has pages of other sites load answers in JSON as scripts, for
// clients that know no CORS: ?callback=show answers /**/show({…});.
//
// A script is executed in the page that loads it, so what becomes one is kept
// narrow: the callback is a name or names with dots, and anything else is refused
// without being repeated; only a whole answer (200) that says it is JSON and is
// becomes a script. And a script can be loaded by every page with the visitor's
// cookies: so the application sees none, nor Authorization, and sets none. What
// a script holds is public.
//
// The application never sees the callback. So a cache between has one answer
// for all callbacks.
package jsonp

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/dayfly-dev/dayfly/edge/prefix"
)

// A Rule is for the requests at and below a path; the longest path decides.
type Rule struct {
	// Path is "/", "/api/" and the like.
	Path string
	// Parameter of the query that names the callback. Default "callback".
	Parameter string
	// MaxSize of an answer that becomes a script, in bytes, 1 KiB to 64 MiB.
	// Default 1 MiB. It is held in memory.
	MaxSize int64
}

const (
	defaultParameter = "callback"
	defaultMaxSize   = 1 << 20
)

// maxCallback is the greatest length of a callback; jQuery's have 40.
const maxCallback = 128

// New returns next under the rules, or what is wrong with one.
func New(next http.Handler, rules []Rule) (http.Handler, error) {
	h := &handler{next: next}
	for _, r := range rules {
		if err := r.Check(); err != nil {
			return nil, fmt.Errorf("jsonp: %w", err)
		}
		if r.Parameter == "" {
			r.Parameter = defaultParameter
		}
		if r.MaxSize == 0 {
			r.MaxSize = defaultMaxSize
		}
		h.paths, h.rules = append(h.paths, r.Path), append(h.rules, r)
	}
	return h, nil
}

// Check returns what is wrong with a rule.
func (r *Rule) Check() error {
	if err := prefix.Check(r.Path); err != nil {
		return err
	}
	if r.Parameter != "" && (!ValidCallback(r.Parameter) || len(r.Parameter) > 32 || strings.ContainsAny(r.Parameter, ".$")) {
		return fmt.Errorf("%s: %q is not a parameter's name: use 1 to 32 of A-Z, a-z, 0-9 and _", r.Path, r.Parameter)
	}
	if r.MaxSize != 0 && (r.MaxSize < 1<<10 || r.MaxSize > 64<<20) {
		return fmt.Errorf("%s: max size is %d bytes; it must be between 1KiB and 64MiB", r.Path, r.MaxSize)
	}
	return nil
}

// ValidCallback reports whether s is identifiers of ASCII joined by dots, of 128
// bytes at most: "show", "app.show", "jQuery3_17".
func ValidCallback(s string) bool {
	if len(s) > maxCallback {
		return false
	}
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || part[0] >= '0' && part[0] <= '9' {
			return false
		}
		for i := range len(part) {
			switch c := part[i]; {
			case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '$':
			default:
				return false
			}
		}
	}
	return true
}

type handler struct {
	next  http.Handler
	paths []string
	rules []Rule
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i := -1
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		i = prefix.Longest(r.URL.Path, h.paths)
	}
	if i < 0 {
		h.next.ServeHTTP(w, r)
		return
	}
	rule := &h.rules[i]
	callbacks, query := cut(r.URL.RawQuery, rule.Parameter)
	switch {
	case len(callbacks) == 0:
		h.next.ServeHTTP(w, r)
	case len(callbacks) > 1 || !ValidCallback(callbacks[0]):
		refuse(w, http.StatusBadRequest, "The callback has to be one name, or names joined by dots, of A-Z, a-z, 0-9, _ and $, of at most 128 characters.\n")
	default:
		s := &script{w: w, r: r, rule: rule, callback: callbacks[0], limit: rule.MaxSize}
		h.next.ServeHTTP(s, anonymous(r, query))
		s.finish()
	}
}

// cut takes a parameter out of a query; what is left stays as it was written.
func cut(query, parameter string) (values []string, rest string) {
	if !strings.Contains(query, parameter) && !strings.Contains(query, "%") {
		return nil, query
	}
	var kept []string
	for part := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		if name, err := url.QueryUnescape(name); err != nil || name != parameter {
			kept = append(kept, part)
			continue
		}
		v, err := url.QueryUnescape(value)
		if err != nil {
			v = "%" // which no callback has
		}
		values = append(values, v)
	}
	return values, strings.Join(kept, "&")
}

// anonymous is the request as the application sees it: without the callback,
// without what says whose it is, and for a whole answer as it is.
func anonymous(r *http.Request, query string) *http.Request {
	own := *r
	u := *r.URL
	u.RawQuery = query
	u.ForceQuery = false
	own.URL = &u
	own.RequestURI, _, _ = strings.Cut(r.RequestURI, "?")
	if query != "" {
		own.RequestURI += "?" + query
	}
	own.Header = maps.Clone(r.Header)
	for _, name := range [...]string{"Cookie", "Authorization", "Range", "If-Range", "Accept-Encoding"} {
		delete(own.Header, name)
	}
	return &own
}

// refuse answers with a text that is no script.
func refuse(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	clear(h)
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprint(w, text)
}
