package dash

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

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

func newApp() *fakeApp {
	a := &fakeApp{info: Info{
		Name: "releases", Version: "0.1.0", Started: now.Add(-26 * time.Hour), Dir: "/srv/releases", ManifestRead: now.Add(-41 * time.Minute),
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
			ClickCount{"daily", "/updates/golang.org/x/net-v0.61.0/v0.62.0/", day, int64(12 + 9*math.Sin(float64(i))), 2, int64(i % 5)},
			ClickCount{"daily", "/updates/haml-3.1.2/haml-3.2.0.rc.3/11765/", day, int64(5 + i%4), 4, 1},
			ClickCount{"monthly", "/packages/", day, int64(i % 3), int64(i % 2), 0})
	}
	return a
}
