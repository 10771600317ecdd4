package app

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/dash"
	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/push"
)

// onDashboard asks and presses as a program does.
type onDashboard struct {
	*testing.T
	url string
}

func (d onDashboard) get(path string, into any) {
	d.Helper()
	r, err := http.Get(d.url + path)
	if err != nil {
		d.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		d.Fatalf("GET %s: %d %v %s", path, r.StatusCode, err, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		d.Fatalf("GET %s: %v in %s", path, err, body)
	}
}

// press returns what the dashboard says was done.
func (d onDashboard) press(path string, form url.Values) string {
	d.Helper()
	r, err := http.NewRequestWithContext(d.Context(), http.MethodPost, d.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		d.Fatal(err)
	}
	for name, value := range map[string]string{"Origin": d.url, "Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"} {
		r.Header.Set(name, value)
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		d.Fatal(err)
	}
	defer w.Body.Close()
	var said struct{ Done, Error string }
	if err := json.NewDecoder(w.Body).Decode(&said); err != nil {
		d.Fatal(err)
	}
	return said.Done + said.Error
}

// eventually waits for what the dashboard shows.
func (d onDashboard) eventually(what string, is func() bool) {
	d.Helper()
	for end := time.Now().Add(5 * time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			d.Fatalf("never: %s", what)
		}
	}
}

type queueShown struct {
	Pausable bool
	Paused   *dash.Pause
	Activity dash.Activity
	Queue    struct{ Visible, Delayed int }
	Running  *struct {
		Total int
		Tasks []dash.TaskRun
	}
}

// TestDashboardTasks: a person sees on the dashboard what dayfly pushes, and
// pauses, resumes, cancels and resolves there.
func TestDashboardTasks(t *testing.T) {
	var charges, goods atomic.Int32
	held := make(chan struct{})
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("ce-type") {
		case "charge":
			if charges.Add(1) == 1 { // it was asked for, and the answer is lost
				panic(http.ErrAbortHandler)
			}
		case "good":
			goods.Add(1)
		case "held":
			close(held)
			<-r.Context().Done()
		}
	}))
	defer endpoint.Close()
	a, address, _ := startMetered(t, endpoint.URL+"/tasks?secret=1")
	d := onDashboard{t, address}
	client := task.NewClient(a.queues.Queue(a.names["pushed"]), nil)
	enqueue := func(name string) string {
		t.Helper()
		id, err := task.EnqueueNamed(t.Context(), client, name, nil)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	look := func() (q queueShown) { d.get("/queues/pushed?format=json", &q); return q }

	enqueue("good")
	d.eventually("a run and a sample of it", func() bool {
		x := look().Activity
		return x.Push != nil && x.Push.Outcomes.Done == 1 && len(x.Samples) > 1 && x.Samples[len(x.Samples)-1].Sent == 1
	})
	if q := look(); !q.Pausable || q.Activity.Push.URL != endpoint.URL+"/tasks" || q.Activity.Push.Down {
		t.Errorf("shows %+v, %+v", q, q.Activity.Push)
	}

	if said := d.press("/queues/pushed/pause", url.Values{"why": {"the mailer is down"}}); said != "pushed is paused" {
		t.Errorf("says %q", said)
	}
	if p := look().Paused; p == nil || p.Why != "the mailer is down" || p.By != byDashboard {
		t.Errorf("paused: %+v", p)
	}
	if said := d.press("/queues/pushed-dead/pause", nil); !strings.Contains(said, "does not exist") {
		t.Errorf("of a queue without workers it says %q", said)
	}
	enqueued := int32(1)
	d.eventually("tasks wait", func() bool {
		enqueue("good")
		enqueued++
		q := look().Queue
		return q.Visible+q.Delayed > 0 && goods.Load() < enqueued
	})
	if said := d.press("/queues/pushed/resume", nil); said != "pushed goes on" {
		t.Errorf("says %q", said)
	}
	d.eventually("all have run", func() bool { return goods.Load() == enqueued })

	id := enqueue("held")
	<-held
	d.eventually("what runs is shown", func() bool {
		r := look().Running
		return r != nil && r.Total == 1 && r.Tasks[0].ID == id && r.Tasks[0].Task == "held" && strings.HasSuffix(r.Tasks[0].Worker, fmt.Sprintf("/%d", os.Getpid()))
	})
	if said := d.press("/task/cancel", url.Values{"id": {id}, "why": {"twice"}}); !strings.HasPrefix(said, "Cancelled: it is removed when a worker receives it") {
		t.Errorf("says %q", said)
	}
	var shown struct{ Status dash.TaskStatus }
	d.eventually("the run is ended", func() bool {
		d.get("/task?format=json&id="+id, &shown)
		return !shown.Status.Cancelled.Applied.IsZero()
	})
	if c := shown.Status.Cancelled; c.Task != "held" || c.Queue != "pushed" || c.Why != "twice" || !c.Running {
		t.Errorf("%+v", c)
	}
	d.unknownEffect(a, &charges)
}

// unknownEffect has the answer to a charge be lost, and decides about it.
func (d onDashboard) unknownEffect(a *App, charges *atomic.Int32) {
	event := task.Event{ID: "c1", Source: "test", Type: "charge", Extensions: map[string]string{push.OnceKey: "order/7"}}
	body, err := event.Encode()
	if err != nil {
		d.Fatal(err)
	}
	if _, err := a.queues.Send(d.Context(), a.names["pushed"], []queue.Outgoing{{Body: body}}); err != nil {
		d.Fatal(err)
	}
	var shown struct{ Effects []dash.Effect }
	var dead queueShown
	d.eventually("an effect of which nobody knows", func() bool {
		d.get("/effects?format=json", &shown)
		d.get("/queues/pushed-dead?format=json", &dead)
		return len(shown.Effects) == 1 && dead.Queue.Visible == 1
	})
	e := shown.Effects[0]
	if !strings.HasSuffix(e.Key, "order/7") || e.Task != "charge" || e.Queue != "pushed" || e.Error == "" {
		d.Errorf("%+v", e)
	}
	if said := d.press("/effects/resolve", url.Values{"key": {e.Key}, "sent": {"no"}}); !strings.HasPrefix(said, "On record: it is to be sent again; sent 1 dead letter") {
		d.Errorf("says %q", said)
	}
	d.eventually("a second charge", func() bool { return charges.Load() == 2 })
	d.eventually("nothing is left to decide", func() bool {
		d.get("/effects?format=json", &shown)
		return len(shown.Effects) == 0
	})
	if said := d.press("/effects/resolve", url.Values{"key": {"none"}, "sent": {"yes"}}); !strings.Contains(said, "does not exist") {
		d.Errorf("of a key that is none: %q", said)
	}
}

// TestSamplesAreBounded: by number and by queue, and those of a queue that is
// gone are forgotten.
func TestSamplesAreBounded(t *testing.T) {
	a, _, _ := startMetered(t, "http://127.0.0.1:1")
	if err := a.queues.CreateQueue(t.Context(), "brief", queue.Attributes{}, nil); err != nil {
		t.Fatal(err)
	}
	for i := range 3 * sampleKeep {
		a.samples.take(t.Context(), time.Now().Add(time.Duration(i)*sampleStep))
	}
	for _, name := range []string{"brief", "idle"} {
		if n := len(a.samples.of(name)); n != sampleKeep {
			t.Errorf("%d samples of %s", n, name)
		}
	}
	if err := a.queues.DeleteQueue(t.Context(), "brief"); err != nil {
		t.Fatal(err)
	}
	a.samples.take(t.Context(), time.Now())
	if n := len(a.samples.of("brief")); n != 0 {
		t.Errorf("%d samples of a queue that is gone", n)
	}
	if p := a.pushers.status("idle"); p != nil {
		t.Errorf("tasks of idle are not pushed: %+v", p)
	}
}
