package dash

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
)

// now is the time on the dashboard's clock in tests. It is close to that of
// the queue engine, which has no clock of its own.
var now = time.Now().UTC().Truncate(time.Second)

// fakeApp is an application whose state the test sets.
type fakeApp struct {
	mu        sync.Mutex
	info      Info
	groups    []Group
	edge      EdgeStats
	schedules []Schedule
	lines     []LogLine
	clicks    []ClickCount
	did       []string // what was asked for
	err       error    // of every action
	followers map[chan LogLine]struct{}
}

func (a *fakeApp) Info() Info { return a.info }

func (a *fakeApp) Groups() []Group {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.groups)
}

func (a *fakeApp) setGroups(g []Group) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.groups = g
}

func (a *fakeApp) Edge() EdgeStats { return a.edge }

func (a *fakeApp) act(what string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.did = append(a.did, what)
	return a.err
}

func (a *fakeApp) Restart(_ context.Context, group string) error { return a.act("restart " + group) }

func (a *fakeApp) Scale(_ context.Context, group string, n int) error {
	return a.act(fmt.Sprintf("scale %s %d", group, n))
}

func (a *fakeApp) Schedules() []Schedule { return a.schedules }

func (a *fakeApp) RunSchedule(_ context.Context, name string) (string, error) {
	return "7d94c2", a.act("run " + name)
}

func (a *fakeApp) Logs(process string, n int) []LogLine {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []LogLine
	for _, l := range a.lines {
		if process == "" || l.Process == process || strings.HasPrefix(l.Process, process+".") {
			out = append(out, l)
		}
	}
	return out[max(0, len(out)-n):]
}

func (a *fakeApp) FollowLogs(ctx context.Context) <-chan LogLine {
	ch := make(chan LogLine, 1000)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.followers == nil {
		a.followers = map[chan LogLine]struct{}{}
	}
	a.followers[ch] = struct{}{}
	context.AfterFunc(ctx, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.followers, ch)
		close(ch)
	})
	return ch
}

// log writes a line, as a process would.
func (a *fakeApp) log(l LogLine) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lines = append(a.lines, l)
	for ch := range a.followers {
		select {
		case ch <- l:
		default:
		}
	}
}

func (a *fakeApp) Clicks(context.Context, time.Time) ([]ClickCount, error) { return a.clicks, a.err }

// fakeInbox keeps mails in memory, newest first.
type fakeInbox struct {
	mu    sync.Mutex
	mails []Mail
}

func (b *fakeInbox) List(_ context.Context, before string, max int) ([]MailSummary, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := 0
	if before != "" {
		i = b.find(before) + 1
	}
	var out []MailSummary
	for ; i < len(b.mails) && len(out) < max; i++ {
		out = append(out, b.mails[i].MailSummary)
	}
	return out, nil
}

func (b *fakeInbox) find(id string) int {
	return slices.IndexFunc(b.mails, func(m Mail) bool { return m.ID == id })
}

func (b *fakeInbox) Get(_ context.Context, id string) (Mail, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := b.find(id); i >= 0 {
		return b.mails[i], nil
	}
	return Mail{}, fmt.Errorf("mail %s: %w", id, ErrNotFound)
}

func (b *fakeInbox) Raw(ctx context.Context, id string) (io.ReadCloser, error) {
	m, err := b.Get(ctx, id)
	return io.NopCloser(strings.NewReader("Subject: " + m.Subject + "\r\n\r\n" + m.Text + m.HTML)), err
}

func (b *fakeInbox) Delete(_ context.Context, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mails = slices.DeleteFunc(b.mails, func(m Mail) bool { return m.ID == id })
	return nil
}

func (b *fakeInbox) Clear(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mails = nil
	return nil
}

// memBuckets keeps objects in memory.
type memBuckets map[string]*blob.Bucket

func (m memBuckets) Buckets(context.Context) (out []Bucket, err error) {
	for name := range m {
		b := Bucket{Name: name}
		if name == "advisories" {
			b.Public, b.URL = true, "http://127.0.0.1:4566/advisories"
		}
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b Bucket) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func (m memBuckets) Bucket(_ context.Context, name string) (*blob.Bucket, error) {
	if b, ok := m[name]; ok {
		return b, nil
	}
	return nil, ErrNotFound
}

// newQueues opens the embedded engine with a queue "default", whose dead
// letters go to "default-dead".
func newQueues(t testing.TB) *queue.Service {
	t.Helper()
	e, err := diskqueue.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	q := queue.New(e)
	t.Cleanup(func() { q.Close() })
	ctx := context.Background()
	if err := q.CreateQueue(ctx, "default-dead", queue.Attributes{}, nil); err != nil {
		t.Fatal(err)
	}
	a := queue.Attributes{Visibility: 2 * time.Minute, DeadLetter: &queue.DeadLetter{Queue: "default-dead", MaxReceives: 5}}
	if err := q.CreateQueue(ctx, "default", a, nil); err != nil {
		t.Fatal(err)
	}
	return q
}

// deadLetter sends what a task worker sends when it gives a task up.
func deadLetter(t testing.TB, q *queue.Service, task, problem string) string {
	t.Helper()
	text := func(s string) queue.Attribute { return queue.Attribute{DataType: "String", String: s} }
	sent, err := q.Send(context.Background(), "default-dead", []queue.Outgoing{{
		Body:  `{"specversion":"1.0","id":"0197","source":"/releases","type":"` + task + `","data":{"package":"golang.org/x/net","from":"v0.61.0","to":"v0.62.0"}}`,
		Delay: -1,
		Attributes: map[string]queue.Attribute{
			"content-type": text("application/cloudevents+json"),
			attrError:      text(problem), attrTask: text(task), attrQueue: text("default"),
			attrAttempts: {DataType: "Number", String: "5"}, attrFailedAt: text(now.Add(-7 * time.Minute).Format(time.RFC3339Nano)),
			attrStack: text("goroutine 71 [running]:\nmain.compare(0xc000124000)\n\t/srv/releases/compare.go:88 +0x1d4"),
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return sent[0].ID
}

// fixture is a dashboard over an application that looks like a real one.
type fixture struct {
	*Dash
	app     *fakeApp
	inbox   *fakeInbox
	queues  *queue.Service
	buckets memBuckets
	tasks   *fakeTasks
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{app: newApp(), inbox: &fakeInbox{mails: mails()}, queues: newQueues(t), buckets: memBuckets{}, tasks: newTasks()}
	for _, name := range []string{"advisories", "archives"} {
		f.buckets[name] = memblob.OpenBucket(nil)
		t.Cleanup(func() { f.buckets[name].Close() })
	}
	var err error
	f.Dash, err = New(Options{
		App: f.app, Queues: f.queues, Inbox: f.inbox, Buckets: f.buckets, Tasks: f.tasks,
		Refresh: 20 * time.Millisecond, Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Dash.Close() })
	return f
}

func (f *fixture) put(t testing.TB, bucket, key, contentType string, data []byte) {
	t.Helper()
	err := f.buckets[bucket].WriteAll(context.Background(), key, data, &blob.WriterOptions{ContentType: contentType})
	if err != nil {
		t.Fatal(err)
	}
}

func newApp() *fakeApp {
	a := &fakeApp{info: Info{
		Name: "releases", Version: "0.1.0", Started: now.Add(-26 * time.Hour), Dir: "/srv/releases",
		Addresses: []Address{
			{Name: "Site", URL: "http://127.0.0.1:8080"},
			{Name: "Dashboard", URL: "http://127.0.0.1:8082", Note: "port 8081 was taken"},
			{Name: "AWS endpoint", URL: "http://127.0.0.1:4566"},
			{Name: "SMTP", URL: "smtp://127.0.0.1:1025"},
			{Name: "Cache default", URL: "memcached://127.0.0.1:11211"},
			{Name: "Database default", URL: "sqlite:////srv/releases/.dayfly/db/default.db"},
		},
	}}
	web := func(n int, state State, healthy bool) Process {
		return Process{Name: fmt.Sprintf("web.%d", n), Group: "web", State: state, PID: 4100 + n, Port: 40100 + n, Healthy: healthy,
			Started: now.Add(-time.Duration(n) * 97 * time.Minute), CPU: 0.07 * float64(n), Memory: 48<<20 + int64(n)<<21,
			Outstanding: n, Requests: 41_233 * int64(n), Errors: int64(n - 1)}
	}
	w2 := Process{Name: "worker.2", Group: "worker", State: BackingOff, CPU: -1, Memory: -1, Restarts: 4, LastExit: "exit status 2 after 1.2 s: panic: runtime error: index out of range"}
	a.groups = []Group{
		{Name: "web", Command: ".dayfly/bin/releases web", HTTP: true, Want: 2, Min: 2, Max: 4,
			Processes: []Process{web(1, Running, true), web(2, Running, false)}},
		{Name: "worker", Command: ".dayfly/bin/releases worker", Want: 2, Min: 1, Max: 8, Processes: []Process{
			{Name: "worker.1", Group: "worker", State: Running, PID: 4110, Healthy: true, Started: now.Add(-3 * time.Hour), CPU: 0.41, Memory: 61 << 20}, w2}},
		{Name: "mailer", Command: ".dayfly/bin/releases mailer", Min: 0, Max: 2},
	}
	a.edge = EdgeStats{Requests: 82_466, Errors: 12, Rate: 23.4, ErrorRate: 0.0021, P50: 3200 * time.Microsecond, P95: 41 * time.Millisecond, P99: 180 * time.Millisecond}
	for i := range 120 {
		x := float64(i)
		a.edge.History = append(a.edge.History, EdgeSample{
			Time: now.Add(time.Duration(i-119) * 5 * time.Second), Requests: 20 + 8*math.Sin(x/9) + 3*math.Sin(x*1.7), Errors: max(0, math.Sin(x/5)-0.93) * 8,
			P50: time.Duration(3+math.Sin(x/4)) * time.Millisecond, P95: time.Duration(35+12*math.Sin(x/7)+6*math.Cos(x*2.1)) * time.Millisecond,
			P99: 180 * time.Millisecond,
		})
	}
	a.schedules = []Schedule{
		{Name: "digest", Spec: "30 4 * * *", Timezone: "Europe/Sofia", Task: "daily_digest", Queue: "default", Next: now.Add(11 * time.Hour), Last: now.Add(-13 * time.Hour), LastResult: "enqueued as 0197c3d2-6c1f-7a7e"},
		{Name: "check", Spec: "every 45m", Task: "check_versions", Queue: "default", Next: now.Add(14 * time.Minute), Last: now.Add(-31 * time.Minute), LastFailed: true, LastResult: "queue default: no room on disk"},
		{Name: "reminder", Spec: "0 9 1 * *", Timezone: "Europe/Sofia", Task: "monthly_reminder", Queue: "default", Next: now.Add(17 * 24 * time.Hour)},
	}
	texts := []string{"GET / 200 3ms", "GET /packages/golang.org/x/net 200 12ms", "\x1b[32mINFO\x1b[0m compared archives package=golang.org/x/net from=v0.61.0 to=v0.62.0 files=14 lines=+231-120", "POST /import 303 41ms"}
	for i := range 60 {
		l := LogLine{Time: now.Add(time.Duration(i-60) * 1700 * time.Millisecond), Process: []string{"web.1", "web.2", "worker.1"}[i%3], Stream: "out", Text: texts[i%len(texts)]}
		if i%17 == 9 {
			l.Process, l.Stream, l.Text = "worker.2", "err", "panic: runtime error: index out of range [3] with length 3"
		}
		if i%17 == 10 {
			l.Process, l.Stream, l.Text = "worker.2", "dayfly", "exit status 2 after 1.2 s; starting again in 4 s"
		}
		a.lines = append(a.lines, l)
	}
	for i := range 26 {
		day := now.AddDate(0, 0, -i).Format(time.DateOnly)
		a.clicks = append(a.clicks,
			ClickCount{"daily", "/updates/golang.org/x/net-v0.61.0/v0.62.0/", day, int64(12 + 9*math.Sin(float64(i)))},
			ClickCount{"daily", "/updates/haml-3.1.2/haml-3.2.0.rc.3/11765/", day, int64(5 + i%4)},
			ClickCount{"monthly", "/packages/", day, int64(i % 3)})
	}
	return a
}

func mails() []Mail {
	text := "Good morning,\n\n3 of your 41 packages have a new version.\n\ngolang.org/x/net v0.61.0 -> v0.62.0\n  http://127.0.0.1:8080/daily/?/updates/golang.org/x/net-v0.61.0/v0.62.0/\n\nmodernc.org/sqlite v1.61.0 -> v1.61.1 (see https://example.org/notes?v=1.61.1&full=1).\n\n-- \nRelease watcher\n"
	html := `<html><body style="font-family:sans-serif"><h1>Good morning</h1><p>3 of your 41 packages have a <a href="http://127.0.0.1:8080/daily/?/updates/">new version</a>.</p><p><img src="cid:logo" alt="logo" width="96"> <img src="https://tracker.example/pixel.gif" alt="remote picture"></p><script>document.body.innerHTML = "script ran"</script></body></html>`
	var out []Mail
	for i := range 4 {
		m := Mail{MailSummary: MailSummary{ID: fmt.Sprintf("m%d", i), From: "Releases <releases@example.com>", To: []string{"ana@example.com"}, Subject: "3 packages have a new version", Received: now.Add(-time.Duration(i*i) * 11 * time.Hour), Size: 2311},
			Text: text, Headers: []Header{{"From", "Releases <releases@example.com>"}, {"To", "ana@example.com"}, {"Subject", "3 packages have a new version"}, {"Message-ID", "<0197c3d2@example.com>"}}}
		if i == 1 {
			m.HTML, m.Subject = html, "Monthly reminder: 12 packages are behind, one of them by two major versions"
			m.Attachments = []Attachment{{Name: "logo.png", ContentType: "image/png", ContentID: "logo", Data: picture()}, {Name: "advisory.json", ContentType: "application/json", Data: []byte(`{"a":1}`)}}
			m.To = []string{"ana@example.com", "boris@example.com", "vera@example.com", "georgi@example.com"}
		}
		out = append(out, m)
	}
	return out
}

func picture() []byte {
	m := image.NewRGBA(image.Rect(0, 0, 96, 48))
	for y := range 48 {
		for x := range 96 {
			m.Set(x, y, color.RGBA{uint8(x * 2), uint8(y * 5), 190, 255})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err)
	}
	return b.Bytes()
}

var (
	errDown  = errors.New("the engine is down")
	inBase64 = base64.StdEncoding.EncodeToString
)
