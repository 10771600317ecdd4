// Package cors lets pages of other sites read answers, by a policy that is
// written down once (Fetch Standard, "HTTP extensions"; RFC 6454). It answers
// preflights itself, for as long as a browser keeps them, and says in every
// other answer whether the page that asked may read it. What the application
// itself says about that is replaced on the paths of the policy.
//
// It is no protection against what pages of other sites may send: forms and
// plain requests reach the application from everywhere, as they always do.
package cors

import (
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/edge/accept"
	"github.com/dayfly-dev/dayfly/edge/prefix"
)

// A Rule is for the requests at and below a path; the longest path decides.
type Rule struct {
	// Path is "/", "/api/" and the like.
	Path string
	// Origins that may read: "https://www.example.com", any subdomain as in
	// "https://*.example.com", "null", which files and sandboxed frames of
	// anybody have, and "*" for all; the latter two not with Credentials. At
	// least one.
	Origins []string
	// Methods that may be used. Default GET, HEAD and POST.
	Methods []string
	// Headers that a request may carry, beside those that every page may send;
	// "*" for all (not with Credentials). Default none.
	Headers []string
	// Expose are the answer's headers that a page may read, beside those that
	// every page may. Default none.
	Expose []string
	// Credentials has requests with cookies read too. Default false.
	Credentials bool
	// MaxAge is how long a browser keeps the answer to a preflight, 0 to 24 h.
	// Chromium keeps it for 2 h at most, Firefox for 24 h.
	MaxAge time.Duration
}

// DefaultMaxAge is a good MaxAge: longer than a visit.
const DefaultMaxAge = 2 * time.Hour

// A Policy is a list of rules.
type Policy struct {
	paths []string
	rules []*rule
}

type rule struct {
	Rule
	constant string // the Access-Control-Allow-Origin of every answer; "": it depends on who asks
	headers  []string
	methods  string
	named    string // the list of Headers
	expose   string
	maxAge   string
}

// New returns the policy of the rules, or what is wrong with one.
func New(rules []Rule) (*Policy, error) {
	p := &Policy{}
	for _, r := range rules {
		if err := r.Check(); err != nil {
			return nil, fmt.Errorf("cors: %w", err)
		}
		c := &rule{Rule: r, expose: strings.Join(r.Expose, ", "), maxAge: strconv.Itoa(int(r.MaxAge / time.Second)), named: strings.Join(r.Headers, ", ")}
		if len(c.Methods) == 0 {
			c.Methods = []string{"GET", "HEAD", "POST"}
		}
		c.methods = strings.Join(c.Methods, ", ")
		for _, h := range r.Headers {
			c.headers = append(c.headers, strings.ToLower(h))
		}
		if slices.Contains(r.Origins, "*") {
			c.constant = "*"
		} else if len(r.Origins) == 1 && !strings.Contains(r.Origins[0], "*") {
			c.constant = r.Origins[0]
		}
		p.paths, p.rules = append(p.paths, r.Path), append(p.rules, c)
	}
	return p, nil
}

// of is the rule for a request, nil if there is none.
func (p *Policy) of(r *http.Request) *rule {
	if p == nil {
		return nil
	}
	i := prefix.Longest(r.URL.Path, p.paths)
	if i < 0 {
		return nil
	}
	return p.rules[i]
}

// allows reports whether pages of an origin may read. Browsers write origins in
// one way only, so that bytes are compared.
func (c *rule) allows(origin string) bool {
	for _, o := range c.Origins {
		if o == "*" || o == origin {
			return true
		}
		if before, after, ok := strings.Cut(o, "*"); ok && o != "*" && len(origin) > len(before)+len(after) && strings.HasPrefix(origin, before) && strings.HasSuffix(origin, after) {
			if sub := origin[len(before) : len(origin)-len(after)]; hostForm.MatchString(sub) {
				return true
			}
		}
	}
	return false
}

// Preflight answers a preflight on a path of the policy, and reports whether
// the request was one.
func (p *Policy) Preflight(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodOptions || r.Header["Origin"] == nil || r.Header["Access-Control-Request-Method"] == nil {
		return false
	}
	c := p.of(r)
	if c == nil {
		return false
	}
	h := w.Header()
	h["Vary"] = []string{"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"}
	if refused := c.refuses(r); refused != "" {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintln(w, refused)
		return true
	}
	origin := c.constant
	if origin == "" {
		origin = r.Header.Get("Origin")
	}
	c.allow(h, origin)
	h.Set("Access-Control-Allow-Methods", c.methods)
	if asked := r.Header["Access-Control-Request-Headers"]; asked != nil {
		if slices.Contains(c.headers, "*") {
			h.Set("Access-Control-Allow-Headers", strings.Join(asked, ", ")) // a "*" would leave out Authorization
		} else {
			h.Set("Access-Control-Allow-Headers", c.named)
		}
	}
	h.Set("Access-Control-Max-Age", c.maxAge)
	w.WriteHeader(http.StatusNoContent)
	return true
}

// refuses says why a preflight is refused; "" if it is not. What the request
// says is not repeated.
func (c *rule) refuses(r *http.Request) string {
	if o := r.Header["Origin"]; len(o) != 1 || !c.allows(o[0]) {
		return "Pages of this origin may not read answers of this address."
	}
	m := r.Header["Access-Control-Request-Method"]
	if len(m) != 1 || !slices.Contains(c.Methods, m[0]) {
		return "Pages of other sites may use " + c.methods + " here."
	}
	for _, v := range r.Header["Access-Control-Request-Headers"] {
		for name := range strings.SplitSeq(v, ",") {
			name = textproto.TrimString(name)
			if name == "" {
				continue
			}
			if !token(name) || !slices.Contains(c.headers, "*") && !slices.ContainsFunc(c.headers, func(h string) bool { return strings.EqualFold(h, name) }) {
				return "A request of a page of another site may carry these headers here: " + c.named + "."
			}
		}
	}
	return ""
}

// allow says that pages of the origin may read.
func (c *rule) allow(h http.Header, origin string) {
	h["Access-Control-Allow-Origin"] = []string{origin}
	if c.Credentials {
		h["Access-Control-Allow-Credentials"] = []string{"true"}
	}
}

// Apply says in an answer's header who may read it. Where that is the same for
// all, "*" or one origin, a cache can give the answer to all; else the answer
// says that it depends on Origin.
func (p *Policy) Apply(h http.Header, r *http.Request) {
	c := p.of(r)
	if c == nil {
		return
	}
	for _, name := range [...]string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers",
		"Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "Access-Control-Max-Age"} {
		delete(h, name)
	}
	if c.constant != "" {
		c.allow(h, c.constant)
	} else {
		vary(h)
		if o := r.Header["Origin"]; len(o) != 1 || !c.allows(o[0]) {
			return
		}
		c.allow(h, r.Header["Origin"][0])
	}
	if c.expose != "" {
		h["Access-Control-Expose-Headers"] = []string{c.expose}
	}
}

func vary(h http.Header) {
	for _, v := range h["Vary"] {
		for part := range strings.SplitSeq(v, ",") {
			if s := textproto.TrimString(part); s == "*" || strings.EqualFold(s, "origin") {
				return
			}
		}
	}
	if before := h["Vary"]; len(before) > 0 {
		h["Vary"] = []string{strings.Join(before, ", ") + ", Origin"}
		return
	}
	h["Vary"] = []string{"Origin"}
}

// Handler returns next under the policy.
func (p *Policy) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.Preflight(w, r) {
			return
		}
		if p.of(r) == nil {
			next.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(&writer{ResponseWriter: w, p: p, r: r}, r)
	})
}

// A writer applies the policy just before the header goes out.
type writer struct {
	http.ResponseWriter
	p    *Policy
	r    *http.Request
	done bool
}

func (w *writer) apply() {
	if !w.done {
		w.done = true
		w.p.Apply(w.Header(), w.r)
	}
}

func (w *writer) WriteHeader(status int) {
	if status >= 200 {
		w.apply()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(p []byte) (int, error) {
	w.apply()
	return w.ResponseWriter.Write(p)
}

// Coding implements accept.Coder, if the writer that is behind does; else nothing
// is coded.
func (w *writer) Coding(status int) accept.Encoding {
	if c, ok := w.ResponseWriter.(accept.Coder); ok {
		return c.Coding(status)
	}
	return accept.Identity
}

// Encode implements accept.Coder.
func (w *writer) Encode(e accept.Encoding, body []byte) []byte {
	if c, ok := w.ResponseWriter.(accept.Coder); ok {
		return c.Encode(e, body)
	}
	return nil
}

// WriteCoded implements accept.Coder.
func (w *writer) WriteCoded(status int, e accept.Encoding, body []byte) {
	w.apply()
	if c, ok := w.ResponseWriter.(accept.Coder); ok {
		c.WriteCoded(status, e, body)
		return
	}
	w.ResponseWriter.WriteHeader(status) // Coding was Identity: a caller that did not ask
	w.ResponseWriter.Write(body)         //nolint:errcheck // the client is gone
}

// FlushError is for http.ResponseController.
func (w *writer) FlushError() error {
	w.apply()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush implements http.Flusher.
func (w *writer) Flush() { _ = w.FlushError() }

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
