package app

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/app/manifest"
	"github.com/dayfly-dev/dayfly/dash"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/unique"
)

// TestDashboardWaits: limits of the manifest are shown before and while they are
// used, with what waits; a task that waits two days is told to run; and a key that
// is held is released, for who held it and nobody else.
func TestDashboardWaits(t *testing.T) {
	begun, goOn := make(chan string, 10), make(chan struct{})
	endpoint := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		begun <- r.Header.Get("ce-id")
		select {
		case <-goOn:
		case <-r.Context().Done():
		}
	}))
	defer endpoint.Close()
	a, address := startLimited(t, endpoint.URL)
	d := onDashboard{t, address}
	client := task.NewClient(a.queues.Queue("pushed"), &task.ClientOptions{Records: a.records})
	var limits struct{ Limits []dash.Limit }
	d.get("/limits?format=json", &limits)
	if len(limits.Limits) != 2 || limits.Limits[0].Terms() != "1 at once" || !limits.Limits[0].Idle() || !limits.Limits[1].Each {
		t.Fatalf("before anything ran: %+v", limits.Limits)
	}

	if _, err := task.EnqueueNamed(t.Context(), client, "t", nil, task.ID("first")); err != nil {
		t.Fatal(err)
	}
	if id := <-begun; id != "first" {
		t.Fatal(id)
	}
	if _, err := task.EnqueueNamed(t.Context(), client, "t", nil, task.ID("second")); err != nil {
		t.Fatal(err)
	}
	d.eventually("the second waits for the limit", func() bool {
		var page struct {
			Limits   dash.LimitList
			Messages []struct{ Limit string }
		}
		d.get("/queues/pushed?format=json&q=pushed", &page)
		return len(page.Limits.Limits) == 2 && page.Limits.Limits[0].Used == 1 && !page.Limits.Limits[0].Back.IsZero() &&
			len(page.Messages) == 1 && page.Messages[0].Limit == "pushed"
	})
	close(goOn)
	<-begun
	d.hasten(client, begun)
	d.releases(a)
}

func startLimited(t *testing.T, endpoint string) (a *App, dashboard string) {
	t.Helper()
	dir := t.TempDir()
	m, err := manifest.Parse(filepath.Join(dir, "dayfly.toml"), fmt.Appendf(nil, `name = "limited"
[listen]
dashboard = "127.0.0.1:0"
aws = "127.0.0.1:0"
smtp = "127.0.0.1:0"
[process.sleeper]
command = "sleep 1000"
[queue.pushed]
push = "%s"
[queue.pushed.limit]
concurrency = 1
per.tenant = { rate = "10/m", burst = 2 }
`, endpoint))
	if err != nil {
		t.Fatal(err)
	}
	if a, err = Start(t.Context(), Options{Manifest: m, Environ: os.Environ(), Version: "v1"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		if err := a.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return a, a.variables.get("DAYFLY_URL")
}

// hasten has a task that waits two days run.
func (d onDashboard) hasten(client *task.Client, begun <-chan string) {
	d.Helper()
	if _, err := task.EnqueueNamed(d.Context(), client, "t", nil, task.ID("far"), task.Delay(48*time.Hour)); err != nil {
		d.Fatal(err)
	}
	var page struct {
		Messages []struct {
			ID    string
			Waits bool
		}
	}
	d.get("/queues/pushed?format=json&state=delayed&q=far", &page)
	if len(page.Messages) != 1 || !page.Messages[0].Waits {
		d.Fatalf("%+v", page)
	}
	form := url.Values{"id": {page.Messages[0].ID}}
	if said := d.press("/queues/pushed/run-now", form); said != "It begins as soon as a worker receives it" {
		d.Errorf("says %q", said)
	}
	if id := <-begun; id != "far" {
		d.Errorf("%s began", id)
	}
}

// releases frees a key.
func (d onDashboard) releases(a *App) {
	d.Helper()
	c, err := unique.New(a.records).Claim(d.Context(), unique.Call{Key: "t k", ID: "x", Queue: "pushed", Window: time.Hour})
	if err != nil {
		d.Fatal(err)
	}
	form := url.Values{"key": {"t k"}, "id": {"x"}}
	if said := d.press("/keys/release", form); !strings.Contains(said, "a program is about to enqueue its task") {
		d.Errorf("while it is about to be enqueued it says %q", said)
	}
	c.Sent(d.Context())
	var keys struct{ Keys []dash.Key }
	d.get("/keys?format=json&q=K", &keys)
	if len(keys.Keys) != 1 || keys.Keys[0].ID != "x" || keys.Keys[0].Task != "t" || keys.Keys[0].Name != "k" || time.Until(keys.Keys[0].Until) > time.Hour+time.Second {
		d.Errorf("%+v", keys.Keys)
	}
	if said := d.press("/keys/release", url.Values{"key": {"t k"}, "id": {"y"}}); !strings.Contains(said, "the task y does not hold the key") {
		d.Errorf("for another task it says %q", said)
	}
	if said := d.press("/keys/release", form); said != "The key t k is free; the task x that held it is left alone" {
		d.Errorf("says %q", said)
	}
}
