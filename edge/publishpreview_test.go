package edge

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/edge/publish"
)

// entered opens a preview and returns what it answered, with the cookie it gave.
func entered(t *testing.T, e *Edge, address string) (*http.Response, string) {
	t.Helper()
	res := visit(t, e, address)
	for _, c := range res.Cookies() {
		if c.Name == previewCookie {
			return res, c.Name + "=" + c.Value
		}
	}
	return res, ""
}

func stateOf(t *testing.T, s *publish.Store) *publish.State {
	t.Helper()
	st, err := s.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// TestPreview shows a release to whom has the address, at every address, and to
// nobody else.
func TestPreview(t *testing.T) {
	s, _ := releases(t)
	e, asked := publishedSite(t, s)
	staged(t, s, map[string]string{"/": "live", "/gone": "gone", "/same": "same"})
	switched(t, s, "r1", e)
	id := staged(t, s, map[string]string{"/": long, "/new": "<b>new</b>", "/same": "same"})
	following(t, e, func(p PublishStats) bool { return len(p.Warm) == 2 })
	until := time.Now().Add(time.Hour)
	for _, scheme := range []string{"http", "https"} {
		address := scheme + "://www.example.com" + PreviewAddress(stateOf(t, s), id, until)
		res, cookie := entered(t, e, address)
		if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/_dayfly/preview/" || cookie == "" || res.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Fatalf("%d %v", res.StatusCode, res.Header)
		}
		c := res.Cookies()[0]
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Secure != (scheme == "https") || c.Path != "/" || c.Domain != "" || c.MaxAge < 3500 || c.MaxAge > 3600 {
			t.Errorf("%s: %+v", scheme, c)
		}
		for target, want := range map[string]string{"/": long, "/new": "<b>new</b>", "/gone": "application GET /gone" + id, "/other": "application GET /other" + id} {
			for range 2 {
				before := asked.Load()
				res := visit(t, e, target, "Cookie", cookie)
				if got := textOf(t, res); got != want {
					t.Errorf("%s: %.60q instead of %.60q", target, got, want)
				}
				if strings.HasPrefix(want, "application") && asked.Load() != before+1 {
					t.Errorf("%s: the application was asked %d times: a preview is not cached", target, asked.Load()-before)
				}
				private(t, res, id)
			}
		}
		if res := visit(t, e, "/", "Cookie", cookie, "Accept-Encoding", "gzip"); res.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("not compressed: %v", res.Header)
		}
		page := visit(t, e, "/_dayfly/preview/", "Cookie", cookie)
		text := textOf(t, page)
		private(t, page, id)
		for _, want := range []string{"You are looking at r2", `href="/new"`, "<del>/gone</del>", "everybody else sees r1", `href="/_dayfly/preview/leave"`} {
			if !strings.Contains(text, want) {
				t.Errorf("the page lacks %s:\n%s", want, text)
			}
		}
		out := visit(t, e, "/_dayfly/preview/leave", "Cookie", cookie)
		if out.StatusCode != http.StatusSeeOther || out.Header.Get("Location") != "/" || len(out.Cookies()) != 1 || out.Cookies()[0].MaxAge >= 0 {
			t.Errorf("out: %d %v", out.StatusCode, out.Header)
		}
	}
	for target, want := range map[string]string{"/": "live", "/gone": "gone", "/new": "application GET /new"} {
		res := visit(t, e, target)
		if got := textOf(t, res); got != want || strings.Contains(res.Header.Get("Cache-Control"), "private") || res.Header.Get(PreviewHeader) != "" || res.Header.Get("X-Robots-Tag") != "" {
			t.Errorf("%s: visitors get %q %v", target, got, res.Header)
		}
	}
}

func private(t *testing.T, res *http.Response, id string) {
	t.Helper()
	if cc := res.Header.Values("Cache-Control"); len(cc) != 1 || cc[0] != "private, no-store" || res.Header.Get("X-Robots-Tag") != "noindex" ||
		!strings.Contains(strings.Join(res.Header.Values("Vary"), ","), "Cookie") || res.Header.Get(PreviewHeader) != id {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
}

// TestPreviewRefused gives nothing to who has no address that is good.
func TestPreviewRefused(t *testing.T) {
	s, _ := releases(t)
	e, _ := publishedSite(t, s)
	id := staged(t, s, map[string]string{"/": "secret", "/secret": "secret"})
	other := staged(t, s, map[string]string{"/": "secret", "/secret": "secret"})
	following(t, e, func(p PublishStats) bool { return len(p.Loaded) > 0 })
	now := time.Now()
	st := stateOf(t, s)
	good := PreviewAddress(st, id, now.Add(time.Hour))
	_, token, _ := strings.Cut(good, "token=")
	for name, address := range map[string]string{
		"expired":         PreviewAddress(st, id, now.Add(-time.Second)),
		"other release":   "/_dayfly/preview/" + other + "?token=" + token,
		"unknown release": PreviewAddress(st, "r99", now.Add(-time.Hour)),
		"tampered":        good[:len(good)-2] + "AA",
		"longer":          strings.Replace(good, "token=1", "token=2", 1),
		"no token":        "/_dayfly/preview/" + id,
		"no cookie":       "/_dayfly/preview/",
		"a cookie's":      "/_dayfly/preview/" + id + "?token=" + st.Sign(signedCookie, id, now.Add(time.Hour)),
	} {
		res, cookie := entered(t, e, address)
		if res.StatusCode != http.StatusForbidden || cookie != "" || strings.Contains(textOf(t, res), "secret") || res.Header.Get("Cache-Control") != "private, no-store" {
			t.Errorf("%s: %d %q", name, res.StatusCode, cookie)
		}
	}
	for name, cookie := range map[string]string{
		"expired":       id + "." + st.Sign(signedCookie, id, now.Add(-time.Second)),
		"other release": other + "." + st.Sign(signedCookie, id, now.Add(time.Hour)),
		"an address's":  id + "." + token,
		"made up":       "x",
	} {
		if got := textOf(t, visit(t, e, "/secret", "Cookie", previewCookie+"="+cookie)); got != "application GET /secret" {
			t.Errorf("%s: %q", name, got)
		}
	}
	_, cookie := entered(t, e, good)
	if got := textOf(t, visit(t, e, "/secret", "Cookie", cookie)); got != "secret" {
		t.Fatalf("the good one: %q", got)
	}
	post := httptest.NewRecorder()
	e.ServeHTTP(post, httptest.NewRequest("POST", good, nil))
	if post.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", post.Code)
	}
	if err := s.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.PublishLook(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := textOf(t, visit(t, e, "/secret", "Cookie", cookie)); got != "application GET /secret" {
		t.Errorf("after another key: %q", got)
	}
	_, cookie = entered(t, e, PreviewAddress(stateOf(t, s), id, now.Add(time.Hour)))
	if err := s.Drop(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if err := e.PublishLook(t.Context()); err != nil {
		t.Fatal(err)
	}
	res := visit(t, e, "/secret", "Cookie", cookie)
	if res.StatusCode != http.StatusGone || len(res.Cookies()) != 1 || res.Cookies()[0].MaxAge >= 0 {
		t.Errorf("a preview of what was dropped: %d %v", res.StatusCode, res.Header)
	}
}
