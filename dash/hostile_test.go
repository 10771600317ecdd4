package dash

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/dayfly-dev/dayfly/queue"
)

// hostile tries to leave every context a page has: text, attributes quoted
// either way, a script, a comment, a title, an address.
const hostile = `javascript:x'"></title></pre></script><!--><evil onerror=alert(1) style=x>{{.}}</evil><script>alert(1)</script>`

// hostileFixture has it in every field that comes from outside.
func hostileFixture(t *testing.T) *fixture {
	f := newFixture(t)
	at := now.Add(-time.Hour)
	f.app.info = Info{Name: hostile, Version: hostile, Dir: hostile, Started: at, Addresses: []Address{{hostile, hostile, hostile}, {"x", "https://x" + hostile, ""}}}
	f.app.groups = []Group{{Name: hostile, Command: hostile, HTTP: true, Want: 1, Max: 2, Processes: []Process{
		{Name: hostile, Group: hostile, State: State(hostile), PID: 1, LastExit: hostile},
		{Name: hostile, State: Failed, LastExit: hostile}}}}
	f.app.schedules = []Schedule{{hostile, hostile, hostile, hostile, hostile, at, at, hostile, true}}
	f.app.lines = []LogLine{{at, hostile, "err", hostile}, {at, hostile, hostile, "\x1b]8;;" + hostile + "\x07\x1b[31m" + hostile}}
	f.app.clicks = []ClickCount{{hostile, hostile, now.Format(time.DateOnly), 3, 2, 1}}
	m := Mail{MailSummary: MailSummary{ID: "m0", From: hostile, To: []string{hostile}, Subject: hostile, Received: at},
		Headers: []Header{{hostile, hostile}}, Text: hostile + " https://x/" + hostile, Problem: hostile,
		Attachments: []Attachment{{Name: hostile, ContentType: hostile}}}
	h := m
	h.ID, h.HTML = "m1", "<p>hello"
	f.inbox.mails = []Mail{m, h}
	samples := []Sample{{Time: at}, {Time: at.Add(time.Minute), Sent: 5}}
	for _, name := range []string{"default", "default-dead"} {
		f.tasks.activity[name] = Activity{Samples: samples, Pausable: true, Push: &Push{URL: hostile, Down: true, Since: at, Error: hostile}}
		f.tasks.pauses = append(f.tasks.pauses, Pause{name, at, hostile, hostile})
	}
	f.tasks.effects = []Effect{{hostile, hostile, hostile, 1, at, hostile, hostile, hostile, hostile, hostile}}
	f.tasks.outboxes = []Outbox{{hostile, hostile, 1, 1, 5, ""}, {hostile, hostile, 1, 1, 5, hostile}}
	f.tasks.status[hostile] = TaskStatus{hostile, hostile, hostile, hostile, 1, at, at, 1, hostile, hostile, hostile, &Cancellation{at, hostile, hostile, at, true, false, hostile, hostile},
		&Batch{5, 5, 4, time.Time{}, 1, []Failure{{hostile, hostile}}}}
	f.tasks.works(Worker{hostile, 1, at, 2, at, []TaskRun{{hostile, hostile, hostile, 1, at, 1, hostile, "", ""}, {hostile, hostile, hostile, 1, at, 1, hostile, hostile, ""}}})
	str := queue.Attribute{DataType: "String", String: hostile}
	ctx, evil := context.Background(), string(must(json.Marshal(hostile)))
	for _, body := range []string{hostile, `{"specversion":"1.0","type":` + evil + `,"id":` + evil + `,"dataref":` + evil + `,"dayflybatch":` + string(must(json.Marshal(`{"id":`+evil+`}`))) + `}`} {
		_, err := f.queues.Send(ctx, "default-dead", []queue.Outgoing{{Body: body, Delay: -1, Attributes: map[string]queue.Attribute{
			"x": {DataType: "String." + "custom", String: hostile}, attrError: str, attrStack: str, attrAttempts: str, attrQueue: str, attrFailedAt: str}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	f.put(t, "archives", hostile, "text/html", []byte(hostile))
	f.put(t, "archives", hostile+"/"+hostile, "text/plain", []byte(hostile))
	return f
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func hostilePages() []string {
	q := url.QueryEscape(hostile)
	return []string{"/", "/queues", "/queues/default-dead", "/effects", "/task?id=" + q, "/task?id=x" + q, "/queues/default-dead?q=" + q, "/queues/default-dead?task=" + q, "/queues/default?q=x" + q,
		"/schedule", "/inbox", "/inbox/m0", "/inbox/m0?view=headers", "/inbox/m0?view=source",
		"/inbox/m1?view=html", "/inbox/m1?view=" + q, "/objects", "/objects/archives", "/objects/archives?prefix=" + q, "/objects/archives?prefix=" + url.QueryEscape(hostile+"/"),
		"/objects/archives/object?key=" + q, "/objects/archives/object?key=" + url.QueryEscape(hostile+"/"+hostile), "/logs", "/logs?process=" + q + "&q=" + q,
		"/clicks", "/clicks?campaign=" + q, "/queues/default-dead?after=" + q, "/inbox?before=" + q,
		"/" + url.PathEscape(hostile), "/queues/" + url.PathEscape(hostile), "/objects/archives?page=" + q, "/?note=" + q}
}

func TestHostileText(t *testing.T) {
	f := hostileFixture(t)
	seen := 0
	for _, path := range hostilePages() {
		w := f.get(path)
		if w.Code >= 500 {
			t.Errorf("%s: %d", path, w.Code)
		}
		seen += strings.Count(text(parse(t, w.Body.String())), "<evil onerror=alert(1) style=x>")
		inert(t, path, w.Body.String())
	}
	if seen < 40 { // the text must be shown as text, or the test shows nothing
		t.Errorf("the hostile text is shown %d times", seen)
	}
}

// inert fails when a page has an element or attribute the templates do not have.
func inert(t *testing.T, where, page string) {
	t.Helper()
	for n := range parse(t, page).Descendants() {
		if n.Type == html.CommentNode {
			t.Errorf("%s: a comment: %q", where, n.Data)
		}
		if n.Type != html.ElementNode {
			continue
		}
		if n.Data == "evil" || n.Data == "script" && !strings.HasPrefix(attr(n, "src"), "/assets/") {
			t.Errorf("%s: an element <%s> was let in", where, n.Data)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
				t.Errorf("%s: an attribute %s was let in", where, a.Key)
			}
			if (a.Key == "href" || a.Key == "src" || a.Key == "action") && !harmless(a.Val) {
				t.Errorf("%s: <%s %s=%q>", where, n.Data, a.Key, a.Val)
			}
		}
	}
}

func harmless(address string) bool {
	return strings.HasPrefix(address, "/") && !strings.HasPrefix(address, "//") || strings.HasPrefix(address, "#") || isURL(address)
}

// What is sent to open pages is as harmless as the pages.
func TestHostileEvents(t *testing.T) {
	f := hostileFixture(t)
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	t.Cleanup(func() { f.Close() })
	for _, page := range []string{"/", "/queues/default-dead", "/queues", "/effects", "/task?id=" + url.QueryEscape(hostile), "/schedule", "/inbox", "/objects/archives", "/logs", "/clicks"} {
		s := follow(t, srv.URL, page)
		e := s.next(t)
		if e.name != "fragment" {
			t.Fatalf("%s: first event is %s", page, e.name)
		}
		inert(t, page, e.HTML)
		s.leave()
	}
}

// A mail's HTML is not cleaned; its frame is what holds it.
func TestMailFrame(t *testing.T) {
	f := newFixture(t)
	page := f.get("/inbox/m1?view=html").Body.String()
	var frames int
	for n := range parse(t, page).Descendants() {
		if n.Type == html.ElementNode && n.Data == "iframe" {
			frames++
			if s := attr(n, "sandbox"); s != "allow-popups allow-popups-to-escape-sandbox" {
				t.Errorf("sandbox is %q", s)
			}
		}
	}
	if frames != 1 {
		t.Errorf("%d frames", frames)
	}
	body := f.get("/inbox/m1/html").Body.String()
	if !strings.Contains(body, "data:image/png;base64,"+inBase64(picture())) || strings.Contains(body, "cid:") {
		t.Error("the picture the mail carries is not in its HTML")
	}
}

func TestFileName(t *testing.T) {
	for in, want := range map[string]string{
		"a.txt": "a.txt", "../../etc/passwd": "passwd", `..\..\boot.ini`: "boot.ini", "": "download", "/": "download", "..": "download",
		"a\r\nSet-Cookie: x": "a__Set-Cookie_ x", `x".svg`: "x_.svg", "имейл.txt": "имейл.txt",
	} {
		if got := fileName(in); got != want {
			t.Errorf("fileName(%q) = %q, want %q", in, got, want)
		}
	}
	w := httptest.NewRecorder()
	asFile(w, "имейл.txt", "text/plain")
	if got := w.Header().Get("Content-Disposition"); !strings.HasPrefix(got, "attachment; filename*=utf-8''") {
		t.Error(got)
	}
}
