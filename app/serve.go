package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/app/control"
	"github.com/dayfly-dev/dayfly/dash"
	"github.com/dayfly-dev/dayfly/task"
)

// startDashboard serves the dashboard.
func (a *App) startDashboard(context.Context) error {
	o := dash.Options{App: view{a}, Queues: a.queues, Tasks: &tasks{app: a}, Metrics: &metrics{app: a}, Log: a.log}
	if host, _, err := net.SplitHostPort(a.manifest.Listen.Dashboard); err == nil {
		o.Hosts = append(o.Hosts, host)
	}
	if a.external.AWS {
		o.QueueService, o.ObjectService, o.MailService = "Amazon SQS", "Amazon S3", "Amazon SES"
		if endpoint := a.environ["AWS_ENDPOINT_URL"]; endpoint != "" {
			o.QueueService, o.ObjectService, o.MailService = "SQS at "+endpoint, "S3 at "+endpoint, "SES at "+endpoint
		}
	}
	if !a.recordsHere() {
		o.RecordService = redact(a.variables.get("RECORDS_URL"))
	}
	if a.external.SMTP != "" {
		o.MailService = redact(a.external.SMTP)
	}
	if a.edge != nil {
		o.Routes = routesShown{a.edge}
		o.Site = view{a}
	}
	if a.buckets != nil {
		o.Buckets = a.buckets
	}
	if a.inbox != nil {
		o.Inbox = a.inbox
	}
	d, err := dash.New(o)
	if err != nil {
		return err
	}
	l, note, err := listen(a.manifest.Listen.Dashboard)
	if err != nil {
		return err
	}
	a.serveHTTP("dashboard", l, &http.Server{Handler: a.besidePurge(d), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10})
	a.onStop("dashboard", func(context.Context) error { return d.Close() })
	url := "http://" + visitable(l.Addr())
	a.variables.set("DAYFLY_URL", url)
	a.tellPurge(url)
	// After the site, where there is one.
	at := min(len(a.addresses), map[bool]int{true: 1}[a.edge != nil])
	a.addresses = slices.Insert(a.addresses, at, Address{"Dashboard", url, note})
	if a.inbox != nil {
		a.addresses = slices.Insert(a.addresses, at+1, Address{Name: "Inbox", URL: url + "/inbox"})
	}
	return nil
}

// startControl answers the other commands.
func (a *App) startControl(context.Context) error {
	l, err := control.Listen(a.data.dir)
	if err != nil {
		return err
	}
	c := &controller{app: a, quit: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", c.status)
	mux.HandleFunc("GET /env", c.env)
	mux.HandleFunc("GET /logs", c.logs)
	mux.HandleFunc("POST /restart", c.restart)
	mux.HandleFunc("POST /scale", c.scale)
	mux.HandleFunc("POST /reload", c.reload)
	mux.HandleFunc("POST /run", c.run)
	mux.HandleFunc("GET /clicks", c.clicks)
	mux.HandleFunc("GET /unknown", c.unknown)
	mux.HandleFunc("POST /resolve", c.resolve)
	mux.HandleFunc("POST /pause", c.pause)
	mux.HandleFunc("POST /resume", c.resume)
	mux.HandleFunc("POST /task/cancel", c.cancel)
	mux.HandleFunc("GET /task/status", c.taskStatus)
	mux.HandleFunc("POST /task/now", c.now)
	mux.HandleFunc("GET /limits", c.limits)
	mux.HandleFunc("GET /keys", c.keys)
	mux.HandleFunc("POST /keys/release", c.release)
	mux.HandleFunc("POST /edge/purge", c.purge)
	mux.HandleFunc("GET /maintenance", c.maintenance)
	mux.HandleFunc("POST /maintenance", c.maintain)
	c.publishRoutes(mux)
	mux.HandleFunc("POST /down", c.down)
	a.serveHTTP("control socket", l, &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10})
	a.onStop("control answers", func(context.Context) error { close(c.quit); return nil })
	return nil
}

// controller answers on the control socket.
type controller struct {
	app  *App
	quit chan struct{} // closed: streams end
}

func (c *controller) status(w http.ResponseWriter, r *http.Request) {
	v := view{c.app}
	reply(w, control.Status{Info: v.Info(), PID: os.Getpid(), Groups: v.Groups(), Edge: v.Edge(), Schedules: v.Schedules(),
		Paused: c.app.pausesNow(r.Context()), Maintenance: v.Maintenance()})
}

func (c *controller) env(w http.ResponseWriter, _ *http.Request) { reply(w, c.app.variables) }

func (c *controller) logs(w http.ResponseWriter, r *http.Request) {
	process := r.URL.Query().Get("process")
	n, err := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil || n < 0 || n > 100_000 {
		refuse(w, http.StatusBadRequest, errors.New("n must be 0 to 100000"))
		return
	}
	if err := c.app.writes(process); err != nil {
		refuse(w, http.StatusNotFound, err)
		return
	}
	out := json.NewEncoder(w)
	if r.URL.Query().Get("follow") != "true" {
		for _, l := range c.app.logs.Last(process, n) {
			if out.Encode(l) != nil {
				return
			}
		}
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	lines := c.app.logs.Follow(ctx, process, n)
	flush := http.NewResponseController(w)
	for {
		select {
		case l, ok := <-lines:
			if !ok || out.Encode(l) != nil {
				return
			}
			if len(lines) == 0 {
				flush.Flush() //nolint:errcheck // the next write tells
			}
		case <-c.quit:
			return
		}
	}
}

// writes says whether lines of that process can come: of all (""), of a group
// or an instance of it, of the build, or of dayfly itself.
func (a *App) writes(process string) error {
	known := append(sortedKeys(a.manifest.Process), "build", "dayfly")
	group, _, _ := strings.Cut(process, ".")
	if process == "" || slices.Contains(known, group) {
		return nil
	}
	return &UnknownError{Kind: "process", Name: process, Known: known}
}

func (c *controller) restart(w http.ResponseWriter, r *http.Request) {
	process := r.URL.Query().Get("process")
	c.steps(w, r, func(ctx context.Context, step func(string)) error { return c.app.Restart(ctx, process, step) })
}

func (c *controller) scale(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil {
		refuse(w, http.StatusBadRequest, errors.New("n must be a whole number"))
		return
	}
	c.steps(w, r, func(ctx context.Context, _ func(string)) error {
		return c.app.Scale(ctx, r.URL.Query().Get("process"), n)
	})
}

// steps streams what a long command says on its way.
func (c *controller) steps(w http.ResponseWriter, r *http.Request, do func(context.Context, func(string)) error) {
	out, flush := json.NewEncoder(w), http.NewResponseController(w)
	say := func(s control.Step) {
		out.Encode(s) //nolint:errcheck // a client that left cannot be told
		flush.Flush() //nolint:errcheck // nor that
	}
	if err := do(r.Context(), func(text string) { say(control.Step{Text: text}) }); err != nil {
		say(control.Step{Error: err.Error()})
		return
	}
	say(control.Step{Done: true})
}

func (c *controller) run(w http.ResponseWriter, r *http.Request) {
	var run control.Run
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, control.MaxRun)).Decode(&run); err != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("not understood: %w", err))
		return
	}
	ran, err := c.app.RunTask(r.Context(), run)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, err)
		return
	}
	reply(w, ran)
}

// RunTask puts a task by name into one of the manifest's queues.
func (a *App) RunTask(ctx context.Context, run control.Run) (control.Ran, error) {
	if run.Queue == "" {
		run.Queue = "default"
	}
	name, ok := a.names[run.Queue]
	if !ok {
		return control.Ran{}, &UnknownError{Kind: "queue", Name: run.Queue, Known: sortedKeys(a.manifest.Queue)}
	}
	if len(run.Args) == 0 {
		run.Args = json.RawMessage("{}")
	}
	id, err := task.EnqueueNamed(ctx, task.NewClient(a.queues.Queue(name), a.enqueuing()), run.Task, run.Args, task.Delay(run.Delay))
	return control.Ran{ID: id, Task: run.Task, Queue: run.Queue}, err
}

// down asks for the end and keeps the answer open until the end begins; then
// the connection closes with the process.
func (c *controller) down(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusAccepted)
	http.NewResponseController(w).Flush() //nolint:errcheck // a client that left still gets its will
	c.app.askDown()
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v) //nolint:errcheck // a client that left cannot be told
}

func refuse(w http.ResponseWriter, status int, err error) {
	w.WriteHeader(status)
	reply(w, control.Problem{Error: err.Error()})
}
