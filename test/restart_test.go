package test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestRollingRestart replaces every instance under 64 concurrent clients, some
// on connections they keep, some on new ones, reading and posting: no request
// fails, no connection is reset.
func TestRollingRestart(t *testing.T) {
	app := build(t, "./test/app")
	dir := application(t, fmt.Sprintf("name = \"roll\"\n[process.web]\ncommand = \"%s web\"\nhttp = true\nhealth = \"/healthz\"\ninstances = { min = 2 }\n", app)+anyPorts)
	h := up(t, dir, dir+"/.dayfly")
	site := h.env["SITE_URL"]
	before := h.group("web")

	var served, failed atomic.Int64
	var first sync.Once
	pids := sync.Map{}
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for i := range 64 {
		clients.Go(func() {
			transport := &http.Transport{DisableKeepAlives: i%4 == 3}
			defer transport.CloseIdleConnections()
			c := &http.Client{Transport: transport, Timeout: patience}
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				body, err := once(c, site, i%2 == 0)
				if err != nil {
					failed.Add(1)
					first.Do(func() { t.Errorf("client %d, request %d: %v", i, n, err) })
					continue
				}
				served.Add(1)
				fields := strings.Fields(body)
				pids.Store(fields[len(fields)-1], true)
			}
		})
	}
	answered := func() bool {
		for _, p := range h.group("web").Processes {
			if _, ok := pids.Load(fmt.Sprint(p.PID)); !ok {
				return false
			}
		}
		return true
	}
	for range 3 {
		eventually(t, "each instance has answered", answered)
		h.cli("restart", "web")
	}
	eventually(t, "each instance has answered", answered)
	eventually(t, "requests are served", func() bool { return served.Load() >= 500 })
	close(stop)
	clients.Wait()
	after := h.group("web")
	seen := 0
	pids.Range(func(any, any) bool { seen++; return true })
	t.Logf("%d requests served by %d processes during 3 rolling restarts of 2 instances, %d failed", served.Load(), seen, failed.Load())
	if failed.Load() > 0 {
		t.Errorf("%d failed, %d served", failed.Load(), served.Load())
	}
	if seen != 8 {
		t.Errorf("%d processes answered, want 8: 2 at first and 2 after each restart", seen)
	}
	for i := range after.Processes {
		if before.Processes[i].PID == after.Processes[i].PID {
			t.Errorf("%s was not replaced", after.Processes[i].Name)
		}
	}
	h.down()
}

func once(c *http.Client, site string, post bool) (string, error) {
	var answer *http.Response
	var err error
	if post {
		answer, err = c.Post(site+"/form", "text/plain", strings.NewReader("a form of some length"))
	} else {
		answer, err = c.Get(site + "/page")
	}
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, body)
	}
	return string(body), err
}
