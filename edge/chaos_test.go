package edge

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A chaosCase breaks instances of a site under load. The table of
// doc/balancing.md is made by running it for longer: make bench-edge-chaos.
type chaosCase struct {
	name    string
	options Options
	// strike does it, and returns when that is over.
	strike func(c *chaos, t *testing.T)
	// How many may get no answer of the application: GETs, and POSTs, of which
	// those may that were under way where it struck.
	gets, posts int
}

const chaosClients = 32

var chaosCases = []chaosCase{
	{"rolling restart", patient("/"), (*chaos).rollingRestart, 0, 0},
	{"instance killed (SIGKILL)", patient("/"), (*chaos).kill, 0, chaosClients},
	{"instance hangs (SIGSTOP), is killed", hurried(), (*chaos).hang, 0, chaosClients},
	{"instance answers garbage", hurried(), (*chaos).garbage, 0, ejectStrikes + chaosClients},
	{"instance resets connections", hurried(), (*chaos).reset, 0, ejectStrikes + chaosClients},
}

// hurried is an edge whose checks find a hung instance soon, and which has what
// it ejected stay out.
func hurried() Options {
	o := patient("/healthz")
	o.HealthTimeout, o.HealthInterval = 500*time.Millisecond, 100*time.Millisecond
	o.Balance.EjectTime = patience
	return o
}

// TestChaos counts what fails while instances do. Each case goes on until the
// site has served for a while after it; DAYFLY_CHAOS is that while, for the
// table.
func TestChaos(t *testing.T) {
	after := 300 * time.Millisecond
	if v := os.Getenv("DAYFLY_CHAOS"); v != "" {
		var err error
		if after, err = time.ParseDuration(v); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range chaosCases {
		t.Run(tc.name, func(t *testing.T) {
			c := startChaos(t, tc.options)
			c.serve(t, after)
			tc.strike(c, t)
			c.serve(t, after)
			c.stop()
			st := c.site.Stats()
			t.Logf("| %s | %d | %d | %d | %d | %d |", tc.name, c.count[0].served.Load(), c.count[0].lost.Load(), c.count[1].served.Load(), c.count[1].lost.Load(), st.Retried)
			if n := c.count[0].lost.Load(); n > int64(tc.gets) {
				t.Errorf("%d GETs failed, at most %d may; the last: %s", n, tc.gets, c.said())
			}
			if n := c.count[1].lost.Load(); n > int64(tc.posts) {
				t.Errorf("%d POSTs failed, at most %d may; the last: %s", n, tc.posts, c.said())
			}
			c.audit(t)
		})
	}
}

// chaos is a site of three processes under load: half of the clients send GET,
// half POST, each with a number of its own that instances write down.
type chaos struct {
	site   *site
	kids   []*child
	ledger string // where instances write each form down
	number int
	count  [2]struct{ served, lost atomic.Int64 } // of GET and POST
	last   atomic.Pointer[string]
	end    context.CancelFunc
	wg     sync.WaitGroup
}

func startChaos(t *testing.T, o Options) *chaos {
	t.Helper()
	c := &chaos{site: newSite(t, o), ledger: filepath.Join(t.TempDir(), "ledger")}
	for range 3 {
		c.grow(t)
	}
	ctx, cancel := context.WithCancel(t.Context())
	c.end = cancel
	t.Cleanup(c.stop)
	for i := range chaosClients {
		c.wg.Go(func() { c.client(ctx, i) })
	}
	return c
}

func (c *chaos) grow(t *testing.T) {
	t.Helper()
	k := startChild(t, "EDGE_TEST_LEDGER="+c.ledger)
	c.kids = append(c.kids, k)
	c.site.addURL(t, fmt.Sprint("web.", c.number), k.url)
	c.number++
}

func (c *chaos) stop() {
	c.end()
	c.wg.Wait()
}

// audit reads what the instances wrote down: no form came twice, and none that
// was answered is missing.
func (c *chaos) audit(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(c.ledger)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for form := range strings.Lines(string(text)) {
		if seen[form] {
			t.Errorf("%q was processed twice", form)
		}
		seen[form] = true
	}
	if n := c.count[1].served.Load(); int64(len(seen)) < n {
		t.Errorf("%d forms were processed, %d answered", len(seen), n)
	}
}

func (c *chaos) said() string {
	if s := c.last.Load(); s != nil {
		return *s
	}
	return ""
}

// serve waits until the site has served for that long, all clients at least
// some.
func (c *chaos) serve(t *testing.T, d time.Duration) {
	t.Helper()
	seen, until := [2]int64{c.count[0].served.Load(), c.count[1].served.Load()}, time.Now().Add(d)
	eventually(t, "clients served", func() bool {
		return time.Now().After(until) && c.count[0].served.Load() > seen[0]+200 && c.count[1].served.Load() > seen[1]+200
	})
}

func (c *chaos) client(ctx context.Context, id int) {
	tr := &http.Transport{MaxIdleConnsPerHost: 1}
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr}
	kind, method := id%2, "GET"
	if kind == 1 {
		method = "POST"
	}
	for n := 0; ctx.Err() == nil; n++ {
		sent := ""
		if kind == 1 {
			sent = fmt.Sprintf("form %d of %d", n, id)
		}
		req, _ := http.NewRequestWithContext(ctx, method, c.site.url, strings.NewReader(sent))
		res, err := client.Do(req)
		var got []byte
		if err == nil {
			got, err = io.ReadAll(res.Body)
			res.Body.Close()
		}
		switch {
		case ctx.Err() != nil:
		case err == nil && res.StatusCode == 200 && string(got) == sent:
			c.count[kind].served.Add(1)
		default:
			c.count[kind].lost.Add(1)
			said := fmt.Sprintf("%s: %v", method, err)
			if err == nil {
				said = fmt.Sprintf("%s: %d %.100q", method, res.StatusCode, got)
			}
			c.last.Store(&said)
		}
	}
}

func (c *chaos) name(i int) string { return fmt.Sprint("web.", c.number-len(c.kids)+i) }

func (c *chaos) rollingRestart(t *testing.T) {
	for range 3 {
		c.grow(t)
		roll(t, c.site, c.name(0), c.kids[0])
		c.kids = c.kids[1:]
	}
}

func (c *chaos) kill(t *testing.T) {
	c.kids[0].cmd.Process.Kill()
	eventually(t, "out", func() bool { return !c.site.target(t, c.name(0)).Healthy })
}

// hang stops a process: the kernel goes on accepting connections for it. Then
// it is killed, as dayfly does.
func (c *chaos) hang(t *testing.T) {
	c.signal(t, syscall.SIGSTOP)
	eventually(t, "out", func() bool { return !c.site.target(t, c.name(0)).Healthy })
	c.kids[0].cmd.Process.Kill()
	eventually(t, "nothing outstanding there", func() bool { return c.site.target(t, c.name(0)).Outstanding == 0 })
}

func (c *chaos) garbage(t *testing.T) { c.misbehave(t, syscall.SIGUSR1) }
func (c *chaos) reset(t *testing.T)   { c.misbehave(t, syscall.SIGUSR2) }

func (c *chaos) misbehave(t *testing.T, s syscall.Signal) {
	c.signal(t, s)
	eventually(t, "ejected", func() bool { return c.site.target(t, c.name(0)).Ejections > 0 })
}

func (c *chaos) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := c.kids[0].cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}
