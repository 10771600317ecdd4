package dash

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// reader follows a page as a browser does.
type reader struct {
	res    *http.Response
	lines  *bufio.Scanner
	cancel context.CancelFunc
}

type event struct {
	name           string
	ID, HTML, Text string
}

func follow(t *testing.T, base, page string) *reader {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", base+"/events?page="+url.QueryEscape(page), nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	r := &reader{res: res, lines: bufio.NewScanner(res.Body), cancel: cancel}
	r.lines.Buffer(nil, 4<<20)
	return r
}

func (r *reader) next(t *testing.T) (e event) {
	t.Helper()
	for r.lines.Scan() {
		line := r.lines.Text()
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			e.name = name
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			if err := json.Unmarshal([]byte(data), &e); err != nil {
				t.Fatal(err)
			}
		}
		if line == "" && e.name != "" {
			return e
		}
	}
	t.Fatalf("the stream ended: %v", r.lines.Err())
	return e
}

// ended waits for the stream's end.
func (r *reader) ended() {
	for r.lines.Scan() {
	}
}

func (r *reader) leave() {
	r.cancel()
	r.res.Body.Close()
}

func (d *Dash) followers() int {
	d.streams.mu.Lock()
	defer d.streams.mu.Unlock()
	return len(d.streams.cancel)
}

func serve(t *testing.T, f *fixture) string {
	t.Helper()
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	t.Cleanup(func() { f.Close() })
	return srv.URL
}

func TestEventsSendWhatChanged(t *testing.T) {
	f := newFixture(t)
	r := follow(t, serve(t, f), "/")
	for _, want := range []string{"attention", "site", "traffic", "processes"} {
		if e := r.next(t); e.name != "fragment" || e.ID != want {
			t.Fatalf("got %s %s, want fragment %s", e.name, e.ID, want)
		}
	}
	groups := f.app.Groups()
	groups[2].Want = 1
	f.app.setGroups(groups)
	e := r.next(t)
	if e.ID == "traffic" { // its "4 wanted" is 5 now
		e = r.next(t)
	}
	if e.ID != "processes" || !strings.Contains(e.HTML, `title="0 to 2">1<`) {
		t.Errorf("after a change came %s %s", e.ID, e.HTML)
	}
}

func TestEventsTellProblems(t *testing.T) {
	f := newFixture(t)
	base := serve(t, f)
	f.app.err = errDown
	r := follow(t, base, "/clicks")
	if e := r.next(t); e.name != "problem" || e.Text != errDown.Error() {
		t.Errorf("got %+v", e)
	}
}

func TestEventsFollowLogs(t *testing.T) {
	f := newFixture(t)
	r := follow(t, serve(t, f), "/logs?process=web&q=hello")
	if e := r.next(t); e.name != "fragment" || e.ID != "lines" || e.HTML != "" {
		t.Fatalf("first event is %+v", e)
	}
	f.app.log(LogLine{now, "worker.1", "out", "hello from a worker"})
	f.app.log(LogLine{now, "web.1", "out", "goodbye"})
	f.app.log(LogLine{now, "web.1", "out", "\x1b[1mHello\x1b[0m <b>"})
	e := r.next(t)
	if got := texts(parse(t, e.HTML), ".row span"); e.name != "append" || len(got) != 1 || got[0] != "Hello <b>" {
		t.Errorf("%s %q", e.name, got)
	}
}

// overlapping writes a line between being followed and being looked at.
type overlapping struct{ *fakeApp }

func (a overlapping) FollowLogs(ctx context.Context) <-chan LogLine {
	ch := a.fakeApp.FollowLogs(ctx)
	a.log(LogLine{now, "web.1", "out", "between"})
	return ch
}

// A line that is both in the first view and in the channel is shown once.
func TestEventsNoLineTwice(t *testing.T) {
	f := newFixture(t)
	f.app.lines = nil
	f.App = overlapping{f.app}
	r := follow(t, serve(t, f), "/logs")
	if got := texts(parse(t, r.next(t).HTML), ".row span"); !cmp.Equal(got, []string{"between"}) {
		t.Errorf("at first %q", got)
	}
	f.app.log(LogLine{now, "web.1", "out", "after"})
	f.app.log(LogLine{now, "web.1", "out", "between"}) // another of the same text is another line
	var got []string
	for len(got) < 2 {
		got = append(got, texts(parse(t, r.next(t).HTML), ".row span")...)
	}
	if !cmp.Equal(got, []string{"after", "between"}) {
		t.Errorf("then %q", got)
	}
}

func TestCloseEndsStreams(t *testing.T) {
	f := newFixture(t)
	base := serve(t, f)
	var readers []*reader
	for _, page := range []string{"/", "/queues", "/logs", "/inbox"} {
		r := follow(t, base, page)
		r.next(t)
		readers = append(readers, r)
	}
	if n := f.followers(); n != 4 {
		t.Fatalf("%d followers", n)
	}
	f.Close() // returns when their handlers have
	if n := f.followers(); n != 0 {
		t.Errorf("%d followers after Close", n)
	}
	for _, r := range readers {
		r.ended()
	}
	if w := f.get("/"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("after Close: %d", w.Code)
	}
	f.Close() // again is nothing
}

func TestLeavingEndsStream(t *testing.T) {
	f := newFixture(t)
	base := serve(t, f)
	for _, page := range []string{"/", "/logs"} {
		r := follow(t, base, page)
		r.next(t)
		r.leave()
	}
	for f.followers() > 0 { // the test's own time limit is the bound
		time.Sleep(time.Millisecond)
	}
	f.app.mu.Lock()
	defer f.app.mu.Unlock()
	for len(f.app.followers) > 0 {
		f.app.mu.Unlock()
		time.Sleep(time.Millisecond)
		f.app.mu.Lock()
	}
}

func TestStreamsAreBounded(t *testing.T) {
	f := newFixture(t)
	f.streams.max = 2
	base := serve(t, f)
	first := follow(t, base, "/")
	first.next(t)
	follow(t, base, "/logs").next(t)
	if r := follow(t, base, "/"); r.res.StatusCode != http.StatusServiceUnavailable || r.res.Header.Get("Retry-After") == "" {
		t.Errorf("third follower: %s", r.res.Status)
	}
	first.leave()
	for f.followers() > 1 {
		time.Sleep(time.Millisecond)
	}
	if r := follow(t, base, "/"); r.res.StatusCode != http.StatusOK {
		t.Errorf("after one left: %s", r.res.Status)
	}
}

// A reader that does not read is let go after writeTimeout, and Close does not
// wait for it even that long. Time is synctest's.
func TestSlowReader(t *testing.T) {
	for _, page := range []string{"/", "/logs"} {
		for _, closing := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				app := newApp()
				d, err := New(Options{App: app})
				if err != nil {
					t.Fatal(err)
				}
				l := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
				srv := &http.Server{Handler: d}
				go srv.Serve(l)
				client, server := net.Pipe()
				l.conns <- server
				fmt.Fprintf(client, "GET /events?page=%s HTTP/1.1\r\nHost: localhost\r\n\r\n", page)
				synctest.Wait() // the server waits for somebody to read its answer
				if n := d.followers(); n != 1 {
					t.Fatalf("%s: %d followers", page, n)
				}
				start := time.Now()
				if closing {
					d.Close()
					if took := time.Since(start); took > 0 {
						t.Errorf("%s: Close waited %v for a reader that does not read", page, took)
					}
				} else {
					time.Sleep(writeTimeout + time.Millisecond)
					synctest.Wait()
					if n := d.followers(); n != 0 {
						t.Errorf("%s: %d followers after %v without reading", page, n, writeTimeout)
					}
				}
				client.Close()
				srv.Close()
			})
		}
	}
}

// pipes is a listener of connections without buffers.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
