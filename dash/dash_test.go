package dash

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/andybalholm/cascadia"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
)

// get asks as a browser does.
func (f *fixture) get(path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "http://localhost:8081"+path, nil)
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

// post presses a button, and returns the page it leads to.
func (f *fixture) post(t *testing.T, path string, form url.Values) *html.Node {
	t.Helper()
	w := f.send(path, form)
	if w.Code != http.StatusSeeOther {
		t.Fatalf("POST %s: %d %s", path, w.Code, w.Body)
	}
	return f.page(t, w.Header().Get("Location"))
}

func (f *fixture) send(path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "http://localhost:8081"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "http://localhost:8081")
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

// page loads a page that must be there.
func (f *fixture) page(t *testing.T, path string) *html.Node {
	t.Helper()
	w := f.get(path)
	if w.Code != http.StatusOK {
		t.Fatalf("GET %s: %d %s", path, w.Code, w.Body)
	}
	return parse(t, w.Body.String())
}

func parse(t *testing.T, text string) *html.Node {
	t.Helper()
	n, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// texts of the elements a selector finds, with spaces folded.
func texts(n *html.Node, selector string) (out []string) {
	for _, m := range cascadia.QueryAll(n, cascadia.MustCompile(selector)) {
		out = append(out, text(m))
	}
	return out
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func TestPages(t *testing.T) {
	f := newFixture(t)
	fill(t, f)
	tests := []struct {
		path, selector string
		want           []string
	}{
		{"/", "title", []string{"Overview · releases · Dayfly"}},
		{"/", "nav a[aria-current=page]", []string{"Overview"}},
		{"/", ".attention li", []string{
			"web.2 does not pass its health check",
			"worker.2 is backing off: exit status 2 after 1.2 s: panic: runtime error: index out of range",
			"Schedule check failed: queue default: no room on disk",
			"2 dead messages in default-dead",
			"mails is paused; messages in it: 1",
			`Tasks of mails wait, as the endpoint they are pushed to is down: Post "https://a-rather-long-name.example.com/tasks/of/the/mailer": dial tcp 10.0.113.27:443: connect: connection refused`,
			"2 effects of which nobody knows whether they happened"}},
		{"/", "#traffic .figure", []string{"23 /s", "0.2 %", "3.2 ms p50 41 ms p95 180 ms p99", "3 of 4 running"}},
		{"/", "tr[data-key='web.1'] td", []string{"running", "7 %", "50 MiB", "0", "41,233", "0", "1", "1 h 37 min ago", "4101", "40101"}},
		{"/", "tbody[data-key='group-web'] button[disabled]", []string{"−"}},
		{"/", "tbody[data-key='group-mailer'] td", []string{"No instance is wanted."}},
		{"/", "section[aria-labelledby=h-addresses] > p", []string{"In /srv/releases, up since 1 d 2 h ago, manifest read again 41 min ago. For a shell with the same addresses and keys: dayfly env."}},
		{"/queues", "tbody th", []string{"default", "default-dead", "mails paused endpoint down"}},
		{"/queues", "tr[data-key='default-dead'] td:last-child", []string{"of default"}},
		{"/queues", "tr[data-key='default'] td:last-child", []string{"to default-dead after 5"}},
		{"/queues/default", "#counts div:nth-child(-n+3) dd", []string{"8", "20", "2"}},
		{"/queues/default-dead", ".card h3 b, .card .error", []string{
			"compare golang.org/x/net: archive has a path outside: ../../etc/passwd",
			"panic: runtime error: index out of range [3] with length 3"}},
		{"/schedule", "tr[data-key='check'] td:nth-child(3)", []string{"in 14 min"}},
		{"/schedule", "tr[data-key='reminder'] td:nth-child(4)", []string{"not yet"}},
		{"/inbox", "tr[data-key='m1'] td:nth-child(3)", []string{"ana@example.com, boris@example.com, vera@example.com and 1 more"}},
		{"/inbox/m0", "pre.letter a[href^='http://127.0.0.1:8080/daily/']", []string{"http://127.0.0.1:8080/daily/?/updates/golang.org/x/net-v0.61.0/v0.62.0/"}},
		{"/inbox/m0", ".tabs a", []string{"Text", "Headers", "Source"}},
		{"/inbox/m0?view=headers", "table.headers th[scope=row]", []string{"From", "To", "Subject", "Message-ID"}},
		{"/inbox/m1", ".tabs a", []string{"Text", "HTML", "Headers", "Source"}},
		{"/objects", "tbody th", []string{"advisories", "archives"}},
		{"/objects/advisories", "tbody th", []string{"golang.org/", "index.json", "logo.png", "readme.txt"}},
		{"/objects/advisories?prefix=golang.org/x/", "tbody th", []string{"net/"}},
		{"/objects/advisories/object?key=readme.txt", "h2 + pre", []string{"Advisories, one an update."}},
		{"/objects/archives/object?key=net.zip", "h2 + .empty", []string{"Only text, JSON and pictures are shown here. Download it"}},
		{"/logs?process=worker&q=PANIC", "#lines b", []string{"worker.2", "worker.2", "worker.2"}},
		{"/clicks?campaign=monthly&days=7", "#h-days", []string{"6 in 7 days, campaign monthly"}},
		{"/clicks", "#h-links + .scroll tbody td:nth-child(2)", []string{"daily", "daily", "monthly"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, texts(f.page(t, tt.path), tt.selector)); diff != "" {
			t.Errorf("%s %s: -want +got:\n%s", tt.path, tt.selector, diff)
		}
	}
}

func TestPagesMissing(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{"/nope", "/queues/nope", "/queues/default/messages/nope", "/inbox/nope", "/inbox/nope/raw", "/inbox/m0/html",
		"/inbox/m0/part/0", "/inbox/m1/part/2", "/inbox/m1/part/-1", "/objects/nope", "/objects/archives/object?key=nope",
		"/objects/archives/object/raw?key=nope", "/assets/old/dash.css", "/events?page=/nope", "/events?page=/inbox/m0"} {
		if w := f.get(path); w.Code != http.StatusNotFound {
			t.Errorf("GET %s: %d, want 404", path, w.Code)
		}
	}
	for _, path := range []string{"/objects/archives/object", "/objects/archives?page=!", "/events", "/events?page=http://evil.example/", "/events?page=//evil.example/"} {
		if w := f.get(path); w.Code != http.StatusBadRequest && w.Code != http.StatusNotFound {
			t.Errorf("GET %s: %d, want 400 or 404", path, w.Code)
		}
	}
}

// Without services the pages say so, and their actions answer 404.
func TestNothingThere(t *testing.T) {
	d, err := New(Options{App: &fakeApp{info: Info{Name: "bare"}}, MailService: "Amazon SES, eu-west-1"})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{Dash: d}
	for path, want := range map[string]string{
		"/queues": "has no queue", "/effects": "no store of records", "/task?id=x": "Nothing is on record", "/inbox": "Mail leaves by Amazon SES, eu-west-1", "/objects": "has no bucket",
		"/schedule": "Nothing is scheduled", "/logs": "No process has written", "/clicks": "No clicks", "/": "names no process",
	} {
		if got := strings.Join(texts(f.page(t, path), ".empty"), " "); !strings.Contains(got, want) {
			t.Errorf("%s says %q, want %q in it", path, got, want)
		}
	}
	for _, path := range []string{"/queues/x/redrive", "/queues/x/redrive-all", "/queues/x/delete", "/queues/x/purge",
		"/queues/x/delete-matching", "/queues/x/pause", "/queues/x/resume", "/effects/resolve", "/task/cancel",
		"/inbox/clear", "/inbox/x/delete", "/objects/x/object/delete"} {
		if w := f.send(path, nil); w.Code != http.StatusNotFound {
			t.Errorf("POST %s: %d, want 404", path, w.Code)
		}
	}
}

func TestJSON(t *testing.T) {
	f := newFixture(t)
	fill(t, f)
	for _, p := range everyPage {
		if p.name == "missing" {
			continue
		}
		sep := "?"
		if strings.Contains(p.path, "?") {
			sep = "&"
		}
		for _, w := range []*httptest.ResponseRecorder{f.get(p.path + sep + "format=json"), f.get(p.path, "Accept", "application/json")} {
			var v map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil || w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%s: %d %s: %v", p.path, w.Code, w.Header().Get("Content-Type"), err)
			}
		}
	}
	var overview struct {
		Groups []struct {
			Processes []struct {
				Name, State string
				PID         int
			}
		}
	}
	if err := json.Unmarshal(f.get("/?format=json").Body.Bytes(), &overview); err != nil {
		t.Fatal(err)
	}
	if p := overview.Groups[0].Processes[0]; p.Name != "web.1" || p.State != "running" || p.PID != 4101 {
		t.Errorf("first process is %+v", p)
	}
	if w := f.get("/nope?format=json"); w.Code != 404 || !json.Valid(w.Body.Bytes()) {
		t.Errorf("missing page as JSON: %d %s", w.Code, w.Body)
	}
}

func TestActions(t *testing.T) {
	f := newFixture(t)
	tests := []struct {
		path       string
		form       url.Values
		note, asks string
	}{
		{"/processes/restart", url.Values{"group": {"web"}}, "Restarting web, one instance after the other", "restart web"},
		{"/processes/scale", url.Values{"group": {"web"}, "n": {"3"}}, "Wanted of web: 3", "scale web 3"},
		{"/schedule/run", url.Values{"name": {"digest"}}, "digest is enqueued as 7d94c2", "run digest"},
		{"/inbox/m0/delete", nil, "Mail deleted", ""},
		{"/inbox/clear", url.Values{"confirm": {"all"}}, "Every mail was deleted", ""},
	}
	for _, tt := range tests {
		f.app.did = nil
		page := f.post(t, tt.path, tt.form)
		if got := texts(page, ".note[role=status]"); !cmp.Equal(got, []string{tt.note}) {
			t.Errorf("%s says %q, want %q", tt.path, got, tt.note)
		}
		if got := strings.Join(f.app.did, ","); got != tt.asks {
			t.Errorf("%s asked the application for %q, want %q", tt.path, got, tt.asks)
		}
	}
	if len(f.inbox.mails) != 0 {
		t.Errorf("inbox still has %d mails", len(f.inbox.mails))
	}

	f.app.err = errDown
	page := f.post(t, "/processes/restart", url.Values{"group": {"web"}})
	if got := texts(page, ".note.bad[role=alert]"); !cmp.Equal(got, []string{"the engine is down"}) {
		t.Errorf("a failed action says %q", got)
	}
	for path, form := range map[string]url.Values{
		"/processes/scale": {"group": {"web"}, "n": {"many"}}, "/inbox/clear": nil, "/queues/default/purge": {"confirm": {"other"}},
		"/objects/archives/object/delete": nil,
	} {
		if w := f.send(path, form); w.Code != http.StatusBadRequest {
			t.Errorf("POST %s %v: %d, want 400", path, form, w.Code)
		}
	}
	if w := f.send("/processes/restart", url.Values{"group": {strings.Repeat("x", maxForm)}}); w.Code != http.StatusBadRequest {
		t.Errorf("a form beyond the limit: %d, want 400", w.Code)
	}
	if got := texts(f.page(t, "/?note=made-up"), ".note"); got != nil {
		t.Errorf("an invented note is shown: %q", got)
	}
}

func TestObjects(t *testing.T) {
	f := newFixture(t)
	fill(t, f)
	// 120 objects are two pages.
	first := f.page(t, "/objects/archives?prefix=go/")
	next := cascadia.Query(first, cascadia.MustCompile(".pager a"))
	if n := len(texts(first, "tbody th")); n != objectsShown || next == nil {
		t.Fatalf("first page has %d objects, next %v", n, next)
	}
	second := f.page(t, attr(next, "href"))
	if got := texts(second, "tbody th"); len(got) != 20 || got[0] != "module-100.zip" {
		t.Errorf("second page has %d objects: %q", len(got), got)
	}

	w := f.get("/objects/advisories/object/raw?key=logo.png&show=1")
	if ct := w.Header().Get("Content-Type"); ct != "image/png" || w.Header().Get("Content-Disposition") != "" {
		t.Errorf("picture comes as %s, %s", ct, w.Header().Get("Content-Disposition"))
	}
	f.put(t, "archives", `a/evil".svg`, "image/svg+xml", []byte("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"))
	w = f.get("/objects/archives/object/raw?show=1&key=" + url.QueryEscape(`a/evil".svg`))
	if ct, cd := w.Header().Get("Content-Type"), w.Header().Get("Content-Disposition"); ct != "application/octet-stream" || cd != "attachment; filename=evil_.svg" {
		t.Errorf("SVG comes as %s, %s", ct, cd)
	}
	if !strings.Contains(w.Header().Get("Content-Security-Policy"), "sandbox") {
		t.Error("an object is sent without a sandbox")
	}

	page := f.post(t, "/objects/archives/object/delete", url.Values{"key": {"go/module-000.zip"}})
	if got := texts(page, ".note, tbody tr:first-child th"); !cmp.Equal(got, []string{"Deleted go/module-000.zip", "module-001.zip"}) {
		t.Errorf("after a deletion: %q", got)
	}
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func TestInboxPages(t *testing.T) {
	f := newFixture(t)
	f.inbox.mails = nil
	for i := range mailsShown + 7 {
		m := mails()[0]
		m.ID = "p" + string(rune('0'+i/10)) + string(rune('0'+i%10))
		f.inbox.mails = append(f.inbox.mails, m)
	}
	first := f.page(t, "/inbox")
	if n := len(texts(first, "tbody tr")); n != mailsShown {
		t.Errorf("first page has %d mails, want %d", n, mailsShown)
	}
	older := cascadia.Query(first, cascadia.MustCompile(".pager a"))
	if n := len(texts(f.page(t, attr(older, "href")), "tbody tr")); n != 7 {
		t.Errorf("second page has %d mails, want 7", n)
	}
}

func TestOptions(t *testing.T) {
	app := &fakeApp{}
	for name, o := range map[string]Options{
		"no application": {}, "refresh": {App: app, Refresh: time.Hour}, "streams": {App: app, MaxStreams: -1},
		"host with port": {App: app, Hosts: []string{"dash.example:80"}}, "host in capitals": {App: app, Hosts: []string{"Dash.example"}},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestAssets(t *testing.T) {
	f := newFixture(t)
	page := f.page(t, "/")
	for _, selector := range []string{"link[rel=stylesheet]", "link[rel=icon]", "script[src]"} {
		n := cascadia.Query(page, cascadia.MustCompile(selector))
		where := attr(n, "href") + attr(n, "src")
		w := f.get(where)
		if w.Code != 200 || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d, Cache-Control %s", where, w.Code, w.Header().Get("Cache-Control"))
		}
	}
}

func queryAttr(t *testing.T, n *html.Node, selector, name string) string {
	t.Helper()
	return attr(query(t, n, selector), name)
}

func queryAll(n *html.Node, selector string) []*html.Node {
	return cascadia.QueryAll(n, cascadia.MustCompile(selector))
}

func query(t *testing.T, n *html.Node, selector string) *html.Node {
	t.Helper()
	m := cascadia.Query(n, cascadia.MustCompile(selector))
	if m == nil {
		t.Fatalf("no %s", selector)
	}
	return m
}

// halfInbox has a disk that fails amid a mail.
type halfInbox struct{ fakeInbox }

func (*halfInbox) Raw(context.Context, string) (io.ReadCloser, error) {
	return io.NopCloser(io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<16)), iotest.ErrReader(errors.New("disk")))), nil
}

func TestHalfAFileIsNotSavedAsAWhole(t *testing.T) {
	f := newFixture(t)
	f.Inbox = &halfInbox{}
	res, err := http.Get(serve(t, f) + "/inbox/1/raw")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if n, err := io.Copy(io.Discard, res.Body); err == nil {
		t.Errorf("%d bytes came and looked like all", n)
	}
}
