package test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// visitors are clients that never pause, each on one connection that it keeps:
// half of them GET, half POST forms, each form with a text of its own.
type visitors struct {
	site    string
	gets    tally
	posts   tally
	dials   atomic.Int64 // connections that were opened
	pids    sync.Map     // of the instances that answered
	answers sync.Map     // texts of the forms that were answered
	stop    context.CancelFunc
	wg      sync.WaitGroup
}

// tally counts the requests of one method.
type tally struct {
	served atomic.Int64
	failed atomic.Int64 // no answer of the application
	unsure atomic.Int64 // of these: a page says that it may have been processed
	last   atomic.Pointer[string]
}

func (c *tally) fail(what string) {
	c.failed.Add(1)
	c.last.Store(&what)
	if strings.Contains(what, "look whether it arrived") {
		c.unsure.Add(1)
	}
}

func (c *tally) said() string {
	if s := c.last.Load(); s != nil {
		return *s
	}
	return ""
}

// visit starts n visitors, who go on until leave.
func visit(t *testing.T, site string, n int) *visitors {
	ctx, cancel := context.WithCancel(t.Context())
	v := &visitors{site: site, stop: cancel}
	t.Cleanup(v.leave)
	for i := range n {
		v.wg.Go(func() { v.run(ctx, i) })
	}
	return v
}

// leave ends them, each after the answer to its request.
func (v *visitors) leave() {
	v.stop()
	v.wg.Wait()
}

func (v *visitors) run(ctx context.Context, id int) {
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		v.dials.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	defer transport.CloseIdleConnections()
	c := &http.Client{Transport: transport, Timeout: patience}
	for n := 0; ctx.Err() == nil; n++ {
		if id%2 == 0 {
			v.ask(c, &v.gets, http.MethodGet, "")
		} else {
			v.ask(c, &v.posts, http.MethodPost, fmt.Sprintf("form %d of %d", n, id))
		}
	}
}

// ask sends a request, and wants what test/app answers: method, length, process.
func (v *visitors) ask(c *http.Client, count *tally, method, form string) {
	r, err := http.NewRequest(method, v.site+"/page", strings.NewReader(form))
	if err != nil {
		count.fail(err.Error())
		return
	}
	answer, err := c.Do(r)
	if err != nil {
		count.fail(err.Error())
		return
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	pid, ok := strings.CutPrefix(string(body), fmt.Sprintf("%s %d ", method, len(form)))
	if err != nil || answer.StatusCode != http.StatusOK || !ok {
		count.fail(fmt.Sprintf("%s: %s, %v: %.4000s", method, answer.Status, err, body))
		return
	}
	count.served.Add(1)
	v.pids.Store(strings.TrimSpace(pid), true)
	if form != "" {
		v.answers.Store(form, true)
	}
}

// more waits until n more requests of each method have been served.
func (v *visitors) more(t *testing.T, n int64) {
	t.Helper()
	gets, posts := v.gets.served.Load()+n, v.posts.served.Load()+n
	eventually(t, "visitors are served", func() bool { return v.gets.served.Load() >= gets && v.posts.served.Load() >= posts })
}

// audit reads the forms that the instances wrote down: none was processed
// twice, and none that was answered is missing.
func (v *visitors) audit(t *testing.T, record string) {
	t.Helper()
	seen := readRecord(t, record)
	for form, n := range seen {
		if n > 1 {
			t.Errorf("%q was processed %d times", form, n)
		}
	}
	v.answers.Range(func(form, _ any) bool {
		if seen[form.(string)] == 0 {
			t.Errorf("%q was answered and not processed", form)
		}
		return true
	})
}

// from sends a GET from an address of this machine, and returns the answer's
// text; its body is closed.
func from(t *testing.T, address, url string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	d := net.Dialer{Timeout: time.Minute, LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	transport := &http.Transport{DialContext: d.DialContext, DisableKeepAlives: true, DisableCompression: true}
	answer, err := (&http.Client{Transport: transport, Timeout: patience}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}
