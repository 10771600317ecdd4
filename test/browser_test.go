package test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/dayfly-dev/dayfly/internal/need"
)

var shots = flag.String("shots", "", "folder to write pictures of the pages to, light and dark, narrow and wide")

// browser is a headless Chromium, and what it complained about.
type browser struct {
	context.Context
	t *testing.T

	mu       sync.Mutex
	problems []string
	foreign  []string // requests that leave this machine
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(need.Tool(t, "chromium")), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-component-update", true))
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stopAlloc)
	ctx, stop := chromedp.NewContext(alloc)
	t.Cleanup(stop)
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	t.Cleanup(cancel)
	b := &browser{Context: ctx, t: t}
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	call(b, runtime.Enable, cdp.Empty{})
	return b
}

func (b *browser) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		b.problems = append(b.problems, e.Entry.Text+" "+e.Entry.URL)
	case *runtime.EventExceptionThrown:
		b.problems = append(b.problems, e.ExceptionDetails.Text)
	case *network.EventRequestWillBeSent:
		if u := e.Request.URL; !strings.HasPrefix(u, "http://127.0.0.1:") && !strings.HasPrefix(u, "data:") && !strings.HasPrefix(u, "blob:") {
			b.foreign = append(b.foreign, u)
		}
	}
}

func call[P, R any](b *browser, c cdp.Command[P, R], p P) {
	b.t.Helper()
	if _, err := chromedp.Call(b, c, p); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b, steps...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) open(url string) { b.t.Helper(); b.do(chromedp.Navigate(url)) }

// click follows a link or presses a button, and waits for what JavaScript says
// must be true then.
func (b *browser) click(selector, then string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector)))
	b.until(then)
}

func (b *browser) until(js string) {
	b.t.Helper()
	// A navigation in between ends the poll's context, so that it is tried again.
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		var ok bool
		if ok, err = chromedp.Run(b, chromedp.Evaluate[bool]("!!("+js+")")); err == nil && ok {
			return
		}
	}
	page, _ := chromedp.Run(b, chromedp.Evaluate[string]("location.href + '\\n' + document.body.innerText.slice(0, 2000)"))
	b.t.Fatalf("never true: %s (%v) at %s", js, err, page)
}

func ask[T any](b *browser, js string) T {
	b.t.Helper()
	v, err := chromedp.Run(b, chromedp.Evaluate[T](js))
	if err != nil {
		b.t.Fatalf("%s: %v", js, err)
	}
	return v
}

// TestBrowser clicks through the site and the dashboard as a person would.
func TestBrowser(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	h := up(t, filepath.Join(need.Root(t), "examples", "releases"), filepath.Join(t.TempDir(), "data"), registries(t)...)
	site, dash := h.env["SITE_URL"], h.env["DAYFLY_URL"]

	// The site: packages, one that is behind, what changed in it.
	eventually(t, "an advisory", func() bool {
		for _, p := range packages(t, h, "go") {
			if p.Name == "golang.org/x/mod" && p.Update != nil && p.Update.Status == "ready" {
				return true
			}
		}
		return false
	})
	b.open(site + "/")
	b.until("document.querySelectorAll('table.packages tbody tr').length > 20")
	b.click("a[href*='show=behind']", "location.search.includes('show=behind') && document.querySelectorAll('tr.behind').length > 0 && !document.querySelector('tbody tr:not(.behind)')")
	b.click("a[href*='/packages/go/golang.org/x/mod']", "document.body.innerText.includes('golang.org/x/mod')")
	b.click("a[href*='/updates/go/golang.org/x/mod']", "document.querySelector('#advisory .facts')")
	if !ask[bool](b, "performance.getEntriesByType('resource').some(e => e.name.startsWith('"+h.env["BUCKET_ADVISORIES_URL"]+"/go/'))") {
		t.Error("the browser did not load the advisory from the bucket")
	}

	// A file of one's own.
	file := filepath.Join(t.TempDir(), "package.json")
	if err := os.WriteFile(file, []byte(`{"name":"in-the-browser","dependencies":{"@sample/paint":"1.2.0"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	b.open(site + "/import")
	b.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{file}))
	b.click("form[action='/import'] button", "document.body.innerText.includes('in-the-browser')")
	eventually(t, "the upload's advisory", func() bool {
		for _, p := range packages(t, h, "npm") {
			if p.Update != nil && p.Update.Status == "ready" {
				return true
			}
		}
		return false
	})
	b.open(site + "/?show=alarms")
	b.until("document.body.innerText.includes('@sample/paint')")

	// The dashboard: live, and a schedule run by hand brings the digest.
	b.open(dash + "/")
	b.until("document.body.innerText.includes('web.1') && document.body.innerText.includes('worker.1') && document.body.innerText.includes('running')")
	b.click("nav a[href='/schedule']", "document.querySelector('[data-key=digest] button')")
	b.do(chromedp.Click(chromedp.CSS("[data-key=digest] button")))
	eventually(t, "a digest", func() bool { return len(h.inboxMails()) > 0 })
	b.click("nav a[href='/inbox']", "document.querySelector('a[href^=\"/inbox/2\"]')")
	b.click("a[href^='/inbox/2']", "document.body.innerText.includes('/daily/?/updates/')")
	b.open(ask[string](b, "document.querySelector('a[href*=\"/daily/?/updates/\"]').href")) // it opens in a tab of its own
	b.until("location.pathname.startsWith('/updates/') && document.querySelector('.facts')")
	b.until("location.search === ''") // the script has taken the utm_ parameters away
	b.open(dash + "/queues")
	b.click("a[href='/queues/default']", "document.body.innerText.includes('default')")
	b.open(dash + "/objects/advisories")
	b.until("document.body.innerText.includes('go/')")
	b.open(dash + "/logs")
	b.until("document.body.innerText.includes('advisory')")
	b.open(dash + "/clicks")
	b.until("document.body.innerText.includes('daily')")

	b.pictures(site, dash)
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.problems) > 0 || len(b.foreign) > 0 {
		t.Errorf("the browser complained: %q; requests to elsewhere: %q", b.problems, b.foreign)
	}
	h.down()
}

// pictures looks at every page in four ways: none may be wider than its window.
func (b *browser) pictures(site, dash string) {
	t := b.t
	mail := ""
	b.open(dash + "/inbox")
	b.until("document.querySelector('a[href^=\"/inbox/2\"]')")
	mail = ask[string](b, "document.querySelector('a[href^=\"/inbox/2\"]').getAttribute('href')")
	pages := map[string]string{
		"site": site + "/", "site-update": site + "/updates/go/golang.org/x/mod/v0.42.0/v0.43.0/", "site-import": site + "/import",
		"overview": dash + "/", "queues": dash + "/queues", "schedule": dash + "/schedule", "inbox": dash + "/inbox", "mail": dash + mail,
		"objects": dash + "/objects/advisories", "logs": dash + "/logs", "clicks": dash + "/clicks",
	}
	for name, url := range pages {
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int64{400, 1280} {
				call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
					Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
				b.do(chromedp.EmulateViewport(width, 900), chromedp.Navigate(url))
				b.until("document.readyState === 'complete'")
				if wide := ask[int](b, "document.documentElement.scrollWidth"); int64(wide) > width {
					t.Errorf("%s is %d wide in a window of %d", name, wide, width)
				}
				if *shots == "" {
					continue
				}
				b.do(chromedp.Sleep(500 * time.Millisecond))
				png, err := chromedp.Run(b, chromedp.CaptureScreenshot())
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(*shots, fmt.Sprintf("%s-%s-%d.png", name, scheme, width)), png, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
