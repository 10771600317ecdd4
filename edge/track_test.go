package edge

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dayfly-dev/dayfly/mail"
)

// FuzzTrack: what is tracked, the edge redirects to where the link led, and all
// else of the text stays.
func FuzzTrack(f *testing.F) {
	e, err := New(Options{Clicks: map[string]Campaign{"daily": {Source: "s", Medium: "m", Campaign: "c"}}, ClickFile: filepath.Join(f.TempDir(), "clicks")})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { e.Close() })
	const site = "https://www.example.com"
	for _, s := range []string{"/a", "/a/b?x=1", "/a%20b", "//x", "/./", "/a?/b", "/daily/", "/%2525", "/a#b", "/a)", "?x", "/ä", "/a?%", "/daily/?x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if len(path) > 4000 {
			return
		}
		in := "x " + site + path + " y"
		out := mail.Track(in, site, "daily")
		if strings.ReplaceAll(out, site+"/daily/?", site) != strings.ReplaceAll(in, site+"/daily/?", site) {
			t.Fatalf("%q became %q", in, out)
		}
		if out == in || strings.Count(in, site) > 1 {
			return
		}
		link := strings.SplitN(out, site, 2)[1]
		if i := strings.IndexFunc(link, func(r rune) bool { return r <= ' ' || r == 0x7f }); i >= 0 {
			link = link[:i]
		}
		link, _, _ = strings.Cut(link, "#")
		if i := strings.IndexAny(link, "<>\"\\^`{|}[]"); i >= 0 { // no part of a link in a text
			link = link[:i]
		}
		link = strings.TrimRight(link, ".,;:!?'*")
		u, err := url.ParseRequestURI(link)
		if err != nil {
			t.Fatalf("%q became %q, which has no address: %v", in, out, err)
		}
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodHead, "/", nil)
		r.URL, r.RequestURI = u, link
		e.ServeHTTP(w, r)
		to := w.Header().Get("Location")
		if w.Code != http.StatusFound || !strings.HasPrefix(to, "/") {
			t.Fatalf("%q became %q, to which the edge answers %d %q", in, out, w.Code, to)
		}
	})
}
