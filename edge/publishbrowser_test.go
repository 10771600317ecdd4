package edge

import (
	"context"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/dayfly-dev/dayfly/internal/need"
)

var shots = flag.String("shots", "", "folder to write pictures of the preview's pages to, light and dark, narrow and wide")

// TestPreviewInBrowser opens a preview's address in Chromium, follows its links
// through pages that only the preview has, and leaves it.
func TestPreviewInBrowser(t *testing.T) {
	chromium := need.Tool(t, "chromium")
	s, _ := releases(t)
	e, _ := publishedSite(t, s)
	staged(t, s, map[string]string{"/": "<h1>Live</h1>", "/gone/": "x", "/prices/": "old"})
	switched(t, s, "r1", e)
	id := staged(t, s, map[string]string{"/": `<!doctype html><title>t</title><h1>Staged</h1><a id="next" href="/new/">new</a>`, "/new/": `<h1>New</h1><a href="/">home</a>`,
		"/prices/": "new", "/" + strings.Repeat("a-long-name-", 20): "x"})
	srv := httptest.NewServer(e)
	defer srv.Close()
	ctx, cancel := chromedp.NewContext(t.Context(), chromedp.WithAllocatorOptions(chromedp.ExecPath(chromium), chromedp.NoSandbox))
	defer cancel()
	ctx, cancelTimeout := context.WithTimeout(ctx, 2*time.Minute)
	defer cancelTimeout()
	do := func(steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, steps...); err != nil {
			t.Fatal(err)
		}
	}
	text := func(js string) string {
		t.Helper()
		v, err := chromedp.Run(ctx, chromedp.Evaluate[string](js))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	heading := func(want string) {
		t.Helper()
		if got := text(`document.querySelector("h1").textContent`); got != want {
			t.Fatalf("%q instead of %q at %s", got, want, text("location.href"))
		}
	}
	do(chromedp.Navigate(srv.URL + "/"))
	heading("Live")
	do(chromedp.Navigate(srv.URL + PreviewAddress(stateOf(t, s), id, time.Now().Add(time.Hour))))
	heading("You are looking at " + id)
	if at := text("location.href"); at != srv.URL+"/_dayfly/preview/" || text("document.cookie") != "" {
		t.Errorf("the token stays in %s, or a script sees the cookie", at)
	}
	for _, scheme := range []string{"light", "dark"} {
		if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}); err != nil {
			t.Fatal(err)
		}
		for _, width := range []int64{360, 1200} {
			do(chromedp.EmulateViewport(width, 900))
			if over := text("String(document.documentElement.scrollWidth - innerWidth)"); over != "0" {
				t.Errorf("the page is %s pixels too wide at %d", over, width)
			}
			if *shots == "" {
				continue
			}
			png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(*shots, fmt.Sprintf("preview-%s-%d.png", scheme, width)), png, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	link := func(selector string) string { return text(fmt.Sprintf(`document.querySelector(%q).href`, selector)) }
	do(chromedp.Navigate(link("nav a")))
	heading("Staged")
	do(chromedp.Navigate(link("#next")))
	heading("New")
	do(chromedp.Navigate(srv.URL + "/_dayfly/preview/leave"))
	heading("Live")
	if at := text("location.pathname"); at != "/" {
		t.Errorf("it ends at %s", at)
	}
}
