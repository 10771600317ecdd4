package edge

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/edge/publish"
)

const (
	// PreviewPath is what is below: a preview's address, its page, and the way out.
	PreviewPath = "/_dayfly/preview"

	previewCookie = "dayfly-preview"
	previewWait   = 20 * time.Second // for a release to be loaded
	lookEvery     = 200 * time.Millisecond
)

// What a signature is good for.
const (
	signedAddress = "preview"
	signedCookie  = "cookie"
)

// PreviewAddress is an address of the site, without scheme and host, under which
// who opens it before until sees a release, as the key of st signs.
func PreviewAddress(st *publish.State, id string, until time.Time) string {
	return PreviewPath + "/" + id + "?" + url.Values{"token": {st.Sign(signedAddress, id, until)}}.Encode()
}

// previewCookieOf returns the value of the cookie, "" if there is none. It costs
// nothing where there are no cookies at all.
func previewCookieOf(r *http.Request) string {
	if r.Header["Cookie"] == nil {
		return ""
	}
	c, err := r.Cookie(previewCookie)
	if err != nil {
		return ""
	}
	return c.Value
}

// readPreviewCookie takes RELEASE.TOKEN apart.
func readPreviewCookie(st *publish.State, value string) (id string, until time.Time, ok bool) {
	id, token, _ := strings.Cut(value, ".")
	until, ok = st.Verify(signedCookie, id, token, time.Now())
	return id, until, ok
}

// ready returns a release for a preview, loading it if need be; false if there is
// none of that name in the state, or it could not be loaded in time.
func (p *publisher) ready(ctx context.Context, id string) (r *release, known bool) {
	p.mu.Lock()
	known = p.state != nil
	if known {
		_, known = p.state.Find(id)
	}
	r = p.loaded[id]
	if known {
		p.asked[id] = time.Now()
	}
	p.mu.Unlock()
	if !known || r != nil {
		return r, known
	}
	nudge(p.work)
	ctx, cancel := context.WithTimeout(ctx, previewWait)
	defer cancel()
	_ = p.await(ctx, func() bool { // what is not there then is told so
		p.mu.Lock()
		defer p.mu.Unlock()
		r = p.loaded[id]
		_, known = p.state.Find(id)
		return r != nil || !known
	})
	return r, known
}

// previewed returns a release for a preview, or answers why there is none.
func (p *publisher) previewed(x *exchange, id string) *release {
	r, known := p.ready(x.r.Context(), id)
	switch {
	case !known:
		setPreviewCookie(x, "", -1)
		x.page(http.StatusGone, pageText{"This preview is over", "The release " + id + " was dropped. Load the page again to see the site as it is for everybody."})
	case r == nil:
		x.retryAfter = 2
		x.page(http.StatusServiceUnavailable, pageText{"Not loaded yet", "The release " + id + " is being loaded. Please try again in a few seconds."})
	}
	return r
}

// answerPreview answers somebody who looks at a release, and reports whether it
// did: what the release does not have the application answers to this person.
func (p *publisher) answerPreview(x *exchange, id string) bool {
	x.preview, x.release = true, id
	r := p.previewed(x, id)
	if r == nil {
		return true
	}
	if x.r.Method == http.MethodGet || x.r.Method == http.MethodHead {
		if page := r.find(x.r); page != nil {
			page.serve(x)
			return true
		}
	}
	x.r.Header[PreviewHeader] = []string{id}
	return false
}

// servePreview answers what is below PreviewPath.
func (p *publisher) servePreview(x *exchange) {
	x.preview = true
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		x.page(http.StatusMethodNotAllowed, pageText{"Not possible here", "A preview can only be looked at."})
		return
	}
	switch rest := strings.TrimPrefix(x.r.URL.Path, PreviewPath); rest {
	case "", "/":
		p.previewPage(x)
	case "/leave":
		setPreviewCookie(x, "", -1)
		x.previewTo("/")
	default:
		p.enter(x, strings.TrimPrefix(rest, "/"))
	}
}

var pageNoPreview = pageText{"Not valid any more",
	"This address let people look at pages that are not public. Ask who gave it to you for a new one: `dayfly publish preview` prints it."}

// enter exchanges a preview's address for a cookie that is good for as long.
func (p *publisher) enter(x *exchange, id string) {
	token := x.r.URL.Query().Get("token")
	n := p.now.Load()
	until, ok := n.state.Verify(signedAddress, id, token, time.Now())
	if _, known := n.state.Find(id); !ok || !known {
		// It may have been made on another machine within this second.
		if p.lookOnce(x.r.Context()) == nil {
			n = p.now.Load()
			until, ok = n.state.Verify(signedAddress, id, token, time.Now())
		}
	}
	if !ok {
		x.page(http.StatusForbidden, pageNoPreview)
		return
	}
	if p.previewed(x, id) == nil {
		return
	}
	setPreviewCookie(x, id+"."+n.state.Sign(signedCookie, id, until), int(time.Until(until)/time.Second))
	x.previewTo(PreviewPath + "/")
}

// lookOnce reads the state for somebody whose address is not known, unless that
// was done just now: made-up addresses cost no more.
func (p *publisher) lookOnce(ctx context.Context) error {
	p.mu.Lock()
	due := time.Since(p.looked) > lookEvery
	if due {
		p.looked = time.Now()
	}
	p.mu.Unlock()
	if !due {
		return nil
	}
	return p.look(ctx)
}

// setPreviewCookie gives the cookie for so many seconds; below zero takes it.
func setPreviewCookie(x *exchange, value string, age int) {
	x.cookie = &http.Cookie{Name: previewCookie, Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: x.origin.proto == "https"}
}

// previewTo leads on, at the beginning and the end of a preview. What the browser
// has of the other side is to be forgotten.
func (x *exchange) previewTo(path string) {
	h := x.Header()
	x.origin.tell(h)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Clear-Site-Data", `"cache"`)
	h.Set("Location", path)
	h.Set("Content-Length", "0")
	x.WriteHeader(http.StatusSeeOther)
}

// private marks an answer as one person's, whoever made it.
func (x *exchange) private() {
	h := x.w.Header()
	h["Cache-Control"] = []string{"private, no-store"}
	for name := range h {
		if strings.HasSuffix(name, "-Cache-Control") || name == "Surrogate-Control" {
			delete(h, name) // a CDN would go by it in place of Cache-Control (RFC 9213)
		}
	}
	h["X-Robots-Tag"] = []string{"noindex"}
	h.Add("Vary", "Cookie")
	if x.release != "" {
		h[PreviewHeader] = []string{x.release}
	}
	if x.cookie != nil {
		h.Add("Set-Cookie", x.cookie.String())
	}
}

// daysAndHours is a time in the unit that people would say.
func daysAndHours(d time.Duration) string {
	if d >= 48*time.Hour {
		return strconv.Itoa(int(d/(24*time.Hour))) + " days"
	}
	if d >= 2*time.Hour {
		return strconv.Itoa(int(d.Round(time.Hour)/time.Hour)) + " hours"
	}
	return strconv.Itoa(int(d.Round(time.Minute)/time.Minute)) + " minutes"
}
