package edge

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/edge/traffic"
)

// ScriptPath is where a small script is served that takes utm_* out of the
// address bar again. A page includes it after what reads them:
//
//	<script src="/_dayfly/utm.js" async></script>
const ScriptPath = "/_dayfly/utm.js"

//go:embed utm.js
var utmScript []byte

var utmScriptTag = func() string {
	sum := sha256.Sum256(utmScript)
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}()

func (x *exchange) serveScript() {
	h := x.Header()
	h["Cache-Control"] = []string{"public, max-age=86400"}
	h["Content-Type"] = []string{"text/javascript; charset=utf-8"}
	h["X-Content-Type-Options"] = nosniff
	h["Etag"] = []string{utmScriptTag}
	if matchesETag(x.r.Header["If-None-Match"], utmScriptTag) {
		x.WriteHeader(http.StatusNotModified)
		return
	}
	h["Content-Length"] = []string{strconv.Itoa(len(utmScript))}
	x.WriteHeader(http.StatusOK)
	if x.r.Method != http.MethodHead {
		x.Write(utmScript)
	}
}

// serveClick answers /name/?/path if name is a campaign: it counts and
// redirects to the path. Everything else below /name/ is the application's.
func (e *Edge) serveClick(x *exchange) bool {
	r := x.r
	name, ok := strings.CutPrefix(r.URL.Path, "/")
	if !ok || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	name = strings.TrimSuffix(name, "/")
	campaign, ok := x.setup.Clicks[name]
	if !ok || !strings.HasPrefix(r.URL.RawQuery, "/") && !strings.HasPrefix(r.URL.RawQuery, `\`) {
		return false
	}
	path, query, ok := clickTarget(r.URL.RawQuery)
	if ok {
		_, loops := x.setup.Clicks[strings.Trim(path, "/")]
		ok = !loops
	}
	if !ok {
		x.page(http.StatusNotFound, pageMissing)
		return true
	}
	if r.Method == http.MethodGet {
		x.setup.clicks.count(name, path, time.Now(), clicker{isPerson(r.Header), x.origin.client, r.UserAgent()})
	}
	x.kind = traffic.Click
	h := x.Header()
	x.origin.tell(h)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Robots-Tag", "noindex")
	h.Set("Location", path+"?"+campaign.addTo(query))
	h.Set("Content-Length", "0")
	x.WriteHeader(http.StatusFound)
	return true
}

const maxClickTarget = 2048 // bytes of path and query

// clickTarget splits what follows "/name/?" into path and query if it is a
// path of this site and nothing else: for every target it accepts, a browser
// that resolves the redirect stays on the same scheme, host and port.
//
// The rule is strict so that it also holds behind servers and applications
// that decode or clean paths before they redirect on: at no level of percent
// encoding may the path hold an empty segment ("//evil.example"), a dot
// segment, a backslash (which browsers take for a slash) or a control character
// (which browsers drop).
func clickTarget(s string) (path, query string, ok bool) {
	if len(s) > maxClickTarget || s == "" || s[0] != '/' {
		return "", "", false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\\\"<>^`{|}#", c) >= 0 {
			return "", "", false
		}
	}
	path, query, _ = strings.Cut(s, "?")
	if !cleanQuery(query) {
		return "", "", false
	}
	for level, p := 0, path; ; level++ {
		if !cleanPath(p) {
			return "", "", false
		}
		decoded, err := url.PathUnescape(p)
		if err != nil {
			return path, query, level > 0 // "100%" after decoding is a name, not an encoding
		}
		if decoded == p {
			return path, query, true
		}
		if level == 3 {
			return "", "", false // nobody encodes that often without intent
		}
		p = decoded
	}
}

// cleanPath reports whether a path, at one level of decoding, is harmless.
func cleanPath(p string) bool {
	for i := 0; i < len(p); i++ {
		if c := p[i]; c < ' ' || c == 0x7f || c == '\\' {
			return false
		}
	}
	rest, ok := strings.CutPrefix(p, "/")
	for ok {
		var segment string
		segment, rest, ok = strings.Cut(rest, "/")
		if segment == "" && ok || segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

// cleanQuery refuses control characters, also encoded, and encodings that are
// none.
func cleanQuery(q string) bool {
	decoded, err := url.QueryUnescape(q)
	return err == nil && !strings.ContainsFunc(decoded, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// addTo appends the campaign to a query; what it said of a campaign before is
// left out.
func (c Campaign) addTo(query string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(part, "=")
		switch strings.ToLower(name) {
		case "", "utm_source", "utm_medium", "utm_campaign":
			continue
		}
		b.WriteString(part)
		b.WriteByte('&')
	}
	b.WriteString("utm_source=" + url.QueryEscape(c.Source))
	b.WriteString("&utm_medium=" + url.QueryEscape(c.Medium))
	b.WriteString("&utm_campaign=" + url.QueryEscape(c.Campaign))
	return b.String()
}

// botWords stand in the User-Agent of programs that follow links: crawlers,
// mail scanners, link previews, monitoring, libraries.
var botWords = []string{"bot", "crawl", "spider", "slurp", "preview", "scan", "monitor", "headless", "validator", "archiver",
	"facebookexternalhit", "whatsapp", "googleimageproxy", "barracuda", "mimecast", "proofpoint", "phantomjs", "lighthouse",
	"python", "curl", "wget", "java/", "go-http-client", "okhttp", "libwww", "httpclient", "+http"}

// browsers are what the User-Agent of a person's browser begins with.
var browsers = []string{"mozilla/", "opera/", "lynx/", "w3m/", "elinks", "links "}

// isPerson tells a click by a person from one by a program, by what the request
// says of itself.
func isPerson(h http.Header) bool {
	for _, name := range []string{"Purpose", "Sec-Purpose", "X-Purpose", "X-Moz"} {
		v := strings.ToLower(h.Get(name))
		if strings.Contains(v, "prefetch") || strings.Contains(v, "preview") || strings.Contains(v, "prerender") {
			return false
		}
	}
	if h.Get("Accept-Language") == "" { // every browser has one; scanners that pass for browsers often have none
		return false
	}
	agent := strings.ToLower(h.Get("User-Agent"))
	for _, word := range botWords {
		if strings.Contains(agent, word) {
			return false
		}
	}
	for _, b := range browsers {
		if strings.HasPrefix(agent, b) {
			return true
		}
	}
	return false
}
