package edge

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/dayfly-dev/dayfly/internal/need"
)

// In a browser: a click's redirect ends at the page, and the script leaves the
// address without utm_* and otherwise as it was.
func TestScriptInBrowser(t *testing.T) {
	chromium := need.Tool(t, "chromium")
	s := newSite(t, Options{Clicks: daily, ClickFile: filepath.Join(t.TempDir(), "clicks.jsonl")})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, `<!doctype html><title>page</title><script>var seen = location.search</script><script src="`+ScriptPath+`"></script>`)
	})
	ctx, cancel := chromedp.NewContext(t.Context(), chromedp.WithAllocatorOptions(chromedp.ExecPath(chromium), chromedp.NoSandbox))
	defer cancel()
	ctx, cancelTimeout := context.WithTimeout(ctx, patience)
	defer cancelTimeout()
	for from, want := range map[string][2]string{
		"/daily/?/updates/a/?page=2&q=a%20b%2Bc#part": {"?page=2&q=a%20b%2Bc&" + dailyUTM, "/updates/a/?page=2&q=a%20b%2Bc#part"},
		"/daily/?/updates/b/":                         {"?" + dailyUTM, "/updates/b/"},
		"/plain?x=utm_&y=1#utm_source":                {"?x=utm_&y=1", "/plain?x=utm_&y=1#utm_source"},
		"//evil.example/?utm_source=x":                {"?utm_source=x", "//evil.example/"},
	} {
		if err := chromedp.Do(ctx, chromedp.Navigate(s.url+from)); err != nil {
			t.Fatal(err)
		}
		seen, err := chromedp.Run(ctx, chromedp.Evaluate[string]("seen"))
		if err != nil {
			t.Fatal(err)
		}
		href, err := chromedp.Run(ctx, chromedp.Evaluate[string]("location.href"))
		if err != nil {
			t.Fatal(err)
		}
		if seen != want[0] || href != s.url+want[1] {
			t.Errorf("%s: the page saw %q, the address ended as %q", from, seen, href)
		}
	}
	if n := sumOf(s.Clicks()); n != 2 {
		t.Errorf("%d clicks counted", n)
	}
}
