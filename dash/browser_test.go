package dash

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
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

var (
	shots    = flag.String("shots", "", "folder to write a picture of every page to, light and dark, narrow and wide")
	shotAsks = flag.Bool("shotasks", false, "open the first question of each page")
	shotOf   = flag.String("shot", "", "name of the page to take pictures of alone")
)

// browser is a Chromium that shows the dashboard, and what it complained about.
type browser struct {
	context.Context
	base string

	mu       sync.Mutex
	problems []string
	foreign  []string // requests to anywhere else
}

func newBrowser(t *testing.T, f *fixture) *browser {
	t.Helper()
	path := need.Tool(t, "chromium")
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	t.Cleanup(func() { f.Close() }) // runs first: the server waits for its streams
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-component-update", true))
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stopAlloc)
	ctx, stop := chromedp.NewContext(alloc)
	t.Cleanup(stop)
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	t.Cleanup(cancel)
	b := &browser{Context: ctx, base: srv.URL}
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	call(t, b, network.Enable, network.EnableParams{})
	call(t, b, log.Enable, cdp.Empty{})
	call(t, b, runtime.Enable, cdp.Empty{})
	return b
}

func (b *browser) listen(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := ev.(type) {
	case *log.EventEntryAdded:
		b.problems = append(b.problems, e.Entry.Text)
	case *runtime.EventExceptionThrown:
		b.problems = append(b.problems, e.ExceptionDetails.Text)
	case *network.EventRequestWillBeSent:
		if u := e.Request.URL; !strings.HasPrefix(u, b.base) && !strings.HasPrefix(u, "data:") {
			b.foreign = append(b.foreign, u)
		}
	}
}

func call[P, R any](t *testing.T, b *browser, c cdp.Command[P, R], p P) {
	t.Helper()
	if _, err := chromedp.Call(b, c, p); err != nil {
		t.Fatal(err)
	}
}

func (b *browser) do(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(b, steps...); err != nil {
		t.Fatal(err)
	}
}

// ask evaluates JavaScript.
func ask[T any](t *testing.T, b *browser, js string) T {
	t.Helper()
	v, err := chromedp.Run(b, chromedp.Evaluate[T](js))
	if err != nil {
		t.Fatalf("%s: %v", js, err)
	}
	return v
}

// until waits for JavaScript to be true.
func (b *browser) until(t *testing.T, js string) {
	t.Helper()
	if _, err := chromedp.Run(b, chromedp.Poll[bool](js, chromedp.WithPollingTimeout(5*time.Minute))); err != nil {
		t.Fatalf("never true: %s: %v", js, err)
	}
}

// complaints are taken: what the console said since the last call.
func (b *browser) complaints() (out []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	out, b.problems = b.problems, nil
	return out
}

var everyPage = []struct{ name, path string }{
	{"overview", "/"}, {"requests", "/requests"}, {"route", "/requests/route?kind=application&name=" + url.QueryEscape("/packages/{id}")}, {"queues", "/queues"}, {"queue", "/queues/default"}, {"paused", "/queues/mails"}, {"dead", "/queues/default-dead"},
	{"filtered", "/queues/default-dead?task=send_digest&q=index"}, {"unmatched", "/queues/default-dead?q=nothing"}, {"effects", "/effects"},
	{"task", "/task"}, {"task-cancelled", "/task?id=gone"}, {"task-runs", "/task?id=runs"}, {"task-ran", "/task?id=ran"}, {"task-batch", "/task?id=import"}, {"task-other", "/task?id=" + url.QueryEscape(longID+longID)},
	{"schedule", "/schedule"}, {"inbox", "/inbox"}, {"mail-text", "/inbox/m0"}, {"mail-html", "/inbox/m1?view=html"},
	{"mail-headers", "/inbox/m0?view=headers"}, {"mail-source", "/inbox/m0?view=source"}, {"buckets", "/objects"},
	{"objects", "/objects/advisories"}, {"object", "/objects/advisories/object?key=golang.org/x/net/v0.62.0.json"},
	{"picture", "/objects/advisories/object?key=logo.png"}, {"logs", "/logs"}, {"clicks", "/clicks"}, {"missing", "/nowhere"},
}

// TestPictures writes pictures for eyes: go test ./dash -run TestPictures -shots FOLDER
func TestPictures(t *testing.T) {
	if *shots == "" {
		t.Skip("only with -shots FOLDER")
	}
	f := newFixture(t)
	fill(t, f)
	b := newBrowser(t, f)
	for _, p := range everyPage {
		if *shotOf != "" && p.name != *shotOf {
			continue
		}
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int64{400, 1400} {
				call(t, b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
					Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
				b.do(t, chromedp.EmulateViewport(width, 900), chromedp.Navigate(b.base+p.path), chromedp.Sleep(200*time.Millisecond))
				if *shotAsks {
					ask[bool](t, b, `document.querySelectorAll("details.sure").forEach((d, i) => d.open = i === 0) === undefined`)
					ask[bool](t, b, `document.querySelector("[popover]")?.showPopover() === undefined`)
				}
				png, err := chromedp.Run(b, chromedp.FullScreenshot(100))
				if err != nil {
					t.Fatal(err)
				}
				name := fmt.Sprintf("%s-%s-%d.png", p.name, scheme, width)
				if err := os.WriteFile(filepath.Join(*shots, name), png, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// TestBrowser opens every page in Chromium: nothing complains, nothing is
// loaded from elsewhere, nothing is wider than a narrow screen.
func TestBrowser(t *testing.T) {
	f := newFixture(t)
	fill(t, f)
	b := newBrowser(t, f)
	for _, p := range everyPage {
		for _, width := range []int64{390, 1200} {
			b.do(t, chromedp.EmulateViewport(width, 900), chromedp.Navigate(b.base+p.path))
			if over := ask[int](t, b, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
				t.Errorf("%s is %d pixels too wide at %d", p.path, over, width)
			}
			if out := ask[int](t, b, questionsOutside); out > 0 {
				t.Errorf("%s opens %d questions beside the screen at %d", p.path, out, width)
			}
		}
		for _, c := range b.complaints() {
			expected := p.name == "missing" && strings.Contains(c, "404") ||
				p.name == "mail-html" && (strings.Contains(c, "Content Security Policy") || strings.Contains(c, "sandboxed"))
			if !expected {
				t.Errorf("%s: %s", p.path, c)
			}
		}
	}
	if len(b.foreign) > 0 {
		t.Errorf("asked elsewhere: %q", b.foreign)
	}
}

// questionsOutside opens each question and counts those that are not wholly
// between the left and right edge.
const questionsOutside = `[...document.querySelectorAll("details.sure")].filter(d => {
	d.open = true;
	const r = d.querySelector("form").getBoundingClientRect();
	d.open = false;
	return r.left < 0 || r.right > innerWidth || r.width < 100;
}).length`

// TestBrowserLive: an open page changes by itself and leaves alone what the
// reader does there.
func TestBrowserLive(t *testing.T) {
	f := newFixture(t)
	id := deadLetter(t, f.queues, "compare_archives", "boom")
	b := newBrowser(t, f)
	b.do(t, chromedp.Navigate(b.base+"/queues/default-dead"))
	b.until(t, `document.getElementById("link").textContent === "Live"`)

	// The stack is unfolded and has the focus; then a second message comes.
	b.do(t, chromedp.Click(chromedp.CSS(`[data-key="stack"] > summary`)))
	deadLetter(t, f.queues, "send_digest", "boom")
	b.until(t, `document.querySelectorAll(".card").length === 2`)
	if !ask[bool](t, b, `document.querySelector('[data-key="stack"]').open && document.activeElement.parentElement.dataset.key === "stack"`) {
		t.Error("what was unfolded is folded again, or lost the focus")
	}
	// Escape closes a question.
	b.do(t, chromedp.Click(chromedp.CSS(`[data-key="delete-`+id+`"] > summary`)), chromedp.KeyEvent("\u001b"))
	if ask[bool](t, b, `document.querySelector('[data-key="delete-`+id+`"]').open`) {
		t.Error("Escape does not close the question")
	}
	// A press of the button does it, and says so once.
	b.do(t, chromedp.Click(chromedp.CSS(`[data-key="`+id+`"] form[action$="/redrive"] button`)), chromedp.WaitVisible(chromedp.CSS(`.note`)))
	if n := ask[int](t, b, `document.querySelectorAll(".card").length`); n != 1 || f.counts(t, "default") != 1 {
		t.Errorf("after a redrive %d dead letters are shown, and %d messages are in default", n, f.counts(t, "default"))
	}
	if where := ask[string](t, b, `location.search`); where != "" {
		t.Errorf("the address still has %s", where)
	}

	// What others do shows: a pause, and runs that were counted.
	b.do(t, chromedp.Navigate(b.base+"/queues/default"))
	b.until(t, `document.getElementById("link").textContent === "Live"`)
	if _, err := f.tasks.Pause(b, "default", "by hand"); err != nil {
		t.Fatal(err)
	}
	b.until(t, `document.querySelector(".paused")?.textContent.includes("by hand")`)
	f.tasks.ran("default")
	b.until(t, `[...document.querySelectorAll(".figure")].some(e => e.textContent.startsWith("1,000,007"))`)
	b.do(t, chromedp.Click(chromedp.CSS(`form[action$="/resume"] button`)), chromedp.WaitVisible(chromedp.CSS(`.note[role=status]`)))
	if said := ask[string](t, b, `document.querySelector(".note[role=status]").textContent`); said != "done: resume default" || ask[bool](t, b, `!!document.querySelector(".paused")`) {
		t.Errorf("after a press of Resume it says %q", said)
	}

	// What begins to run shows, and can be cancelled in its row, though it moves.
	f.tasks.works(workers(1, 1)...)
	b.until(t, `document.querySelectorAll("#running tbody tr").length === 1`)
	b.do(t, chromedp.Click(chromedp.CSS(`#running [popovertarget]`)), chromedp.WaitVisible(chromedp.CSS(`#running [popover]`)))
	f.tasks.works(append(workers(1, 1), Worker{Host: "web2", PID: 1, Total: 1, Oldest: now, Runs: []TaskRun{{ID: "newer", Task: "other", Began: now}}})...)
	b.until(t, `document.querySelector("#running tbody tr")?.textContent.includes("newer")`)
	if open := ask[string](t, b, `document.querySelector("[popover]:popover-open")?.querySelector("[name=id]").value ?? "none"`); open != "0197-0-0" {
		t.Errorf("the question that is open is about %s", open)
	}
	ask[bool](t, b, `(document.querySelector(".note[role=status]").remove(), true)`) // what is waited for is the next page's
	b.do(t, chromedp.Click(chromedp.CSS(`[popover]:popover-open button`)), chromedp.WaitVisible(chromedp.CSS(`.note[role=status]`)))
	if said := ask[string](t, b, `document.querySelector(".note[role=status]").textContent`); said != "done: cancel 0197-0-0 " {
		t.Errorf("after a press of Cancel it says %q", said)
	}

	b.do(t, chromedp.Navigate(b.base+"/logs?q=hello"))
	b.until(t, `document.getElementById("link").textContent === "Live"`)
	f.app.log(LogLine{now, "web.1", "out", "hello <b>"})
	b.until(t, `document.querySelector("#lines .row span")?.textContent === "hello <b>"`)
	f.Close()
	b.until(t, `document.getElementById("link").textContent === "Not connected"`)
}

// TestBrowserMail: a mail's HTML runs no script and asks nobody for anything.
func TestBrowserMail(t *testing.T) {
	f := newFixture(t)
	var asked sync.Map
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked.Store(r.URL.Path, true) }))
	t.Cleanup(elsewhere.Close)
	at := func(path string) string { return elsewhere.URL + path }
	m := mails()[1]
	m.ID, m.HTML = "x", `<html><head><link rel=stylesheet href="`+at("/css")+`"><meta http-equiv=refresh content="0;url=`+at("/refresh")+`">
<style>@import url("`+at("/import")+`"); body { background: url("`+at("/background")+`") } @font-face { font-family: f; src: url("`+at("/font")+`") } p { font-family: f }</style></head>
<body onload="fetch('`+at("/onload")+`')"><p id=p>hello</p><img src="`+at("/img")+`" onerror="fetch('`+at("/onerror")+`')"><img src="cid:logo"><iframe src="`+at("/iframe")+`"></iframe>
<object data="`+at("/object")+`"></object><video src="`+at("/video")+`" autoplay></video><script>fetch("`+at("/script")+`"); top.location = "`+at("/top")+`"</script>
<svg><image href="`+at("/svg")+`"/></svg><form action="`+at("/form")+`"><input autofocus onfocus="fetch('`+at("/focus")+`')"></form></body></html>`
	f.inbox.mails = []Mail{m}
	b := newBrowser(t, f)
	for _, path := range []string{"/inbox/x?view=html", "/inbox/x/html"} {
		b.do(t, chromedp.Navigate(b.base+path), chromedp.Sleep(time.Second)) // time for what must not happen
		if where := ask[string](t, b, "location.pathname"); !strings.HasPrefix(where, "/inbox/x") {
			t.Errorf("the mail led away to %s", where)
		}
	}
	if got := ask[string](t, b, `document.getElementById("p").textContent`); got != "hello" {
		t.Errorf("the mail is not shown: %q", got)
	}
	asked.Range(func(path, _ any) bool {
		t.Errorf("the mail loaded %s", path)
		return true
	})
}
