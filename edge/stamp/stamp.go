// Package stamp has caches keep answers to addresses that carry a stamp, such
// as ?t=1732233600, for a year. Who asks controls the cache: with the same stamp
// browsers and CDNs answer from what they have, with a new one the application
// is asked again, and nothing has to be purged.
//
// Only a whole answer (200) to GET or HEAD is kept that is nobody's own: not one
// that sets a cookie, or that the application marks private or no-store, and
// of a request with a cookie or with Authorization only one that the application
// marks public. So a stamp that someone adds to an address of a visitor's own
// data changes nothing.
package stamp

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/edge/prefix"
)

// A Rule is for the requests at and below a path; the longest path decides.
type Rule struct {
	// Path is "/", "/api/" and the like.
	Path string
	// Parameter of the query that is the stamp. Default "t".
	Parameter string
	// MaxAge is how long an answer is kept, 1 s to 365 days. Default 365 days
	// (RFC 9111 has no bound; more than a year was once not allowed in Expires).
	MaxAge time.Duration
}

// Year is the default and the greatest MaxAge.
const Year = 365 * 24 * time.Hour

var (
	parameterForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,31}$`)
	stampForm     = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)
)

// New returns next under the rules, or what is wrong with one.
func New(next http.Handler, rules []Rule) (http.Handler, error) {
	h := &handler{next: next}
	for _, r := range rules {
		if r.Parameter == "" {
			r.Parameter = "t"
		}
		if r.MaxAge == 0 {
			r.MaxAge = Year
		}
		if err := r.Check(); err != nil {
			return nil, fmt.Errorf("stamp: %w", err)
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
	if r.Parameter != "" && !parameterForm.MatchString(r.Parameter) {
		return fmt.Errorf("%s: %q is not a parameter's name: use 1 to 32 of A-Z, a-z, 0-9, _ and -", r.Path, r.Parameter)
	}
	if r.MaxAge != 0 && (r.MaxAge < time.Second || r.MaxAge > Year) {
		return fmt.Errorf("%s: max age is %v; it must be between 1s and 365d", r.Path, r.MaxAge)
	}
	return nil
}

type handler struct {
	next  http.Handler
	paths []string
	rules []Rule
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		if i := prefix.Longest(r.URL.Path, h.paths); i >= 0 && stamped(r.URL.RawQuery, h.rules[i].Parameter) {
			own := r.Header["Cookie"] != nil || r.Header["Authorization"] != nil
			w = &writer{ResponseWriter: w, maxAge: h.rules[i].MaxAge, own: own}
		}
	}
	h.next.ServeHTTP(w, r)
}

// stamped reports whether a query has the parameter once, with what can be a
// stamp.
func stamped(query, parameter string) bool {
	found := 0
	for part := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		if name != parameter {
			continue
		}
		if value, err := url.QueryUnescape(value); err != nil || !stampForm.MatchString(value) {
			return false
		}
		found++
	}
	return found == 1
}

// A writer marks the answer just before its header goes out.
type writer struct {
	http.ResponseWriter
	maxAge time.Duration
	own    bool // the request may be answered with what is one visitor's own
	done   bool
}

func (w *writer) mark(status int) {
	if w.done {
		return
	}
	w.done = true
	h := w.Header()
	if status != http.StatusOK || h["Set-Cookie"] != nil {
		return
	}
	public := false
	for _, v := range h["Cache-Control"] {
		for d := range strings.SplitSeq(v, ",") {
			name, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(d)), "=")
			switch name {
			case "private", "no-store":
				return
			case "public":
				public = true
			}
		}
	}
	for _, v := range h["Vary"] {
		if strings.Contains(v, "*") {
			return
		}
	}
	if w.own && !public {
		return
	}
	h["Cache-Control"] = []string{"public, max-age=" + strconv.Itoa(int(w.maxAge/time.Second))}
	h["Expires"] = []string{time.Now().Add(w.maxAge).UTC().Format(http.TimeFormat)} // for caches of HTTP/1.0
	delete(h, "Pragma")
}

func (w *writer) WriteHeader(status int) {
	if status >= 200 {
		w.mark(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(p []byte) (int, error) {
	w.mark(http.StatusOK)
	return w.ResponseWriter.Write(p)
}

// FlushError is for http.ResponseController.
func (w *writer) FlushError() error {
	w.mark(http.StatusOK)
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush implements http.Flusher.
func (w *writer) Flush() { _ = w.FlushError() }

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
