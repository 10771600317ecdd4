// Package watchtest puts the release watcher together for tests: a database in
// a temporary folder, the embedded queue, a bucket in memory, registries that
// serve composed packages.
package watchtest

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/archive"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/fetch"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/gomod"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/jobs"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/npm"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/pypi"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/registrytest"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/store"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
	"github.com/dayfly-dev/dayfly/mail"
	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
	"github.com/dayfly-dev/dayfly/task"
)

// App is the application without its processes.
type App struct {
	*jobs.Jobs
	Queue    *queue.Queue
	Dead     *queue.Queue
	Registry *registrytest.Registry
	Outbox   *Outbox
}

// SiteURL of the application.
const SiteURL = "https://www.example.com"

// New starts one whose registries serve packages; it ends with the test.
func New(t testing.TB, packages ...registrytest.Package) *App {
	t.Helper()
	engine, err := diskqueue.Open(t.TempDir(), nil)
	check(t, err)
	service := queue.New(engine)
	t.Cleanup(func() { service.Close() })
	check(t, service.CreateQueue(t.Context(), "default-dead", queue.Attributes{}, nil))
	check(t, service.CreateQueue(t.Context(), "default", queue.Attributes{DeadLetter: &queue.DeadLetter{Queue: "default-dead", MaxReceives: 5}}, nil))

	db, err := store.Open(t.Context(), "sqlite://"+filepath.Join(t.TempDir(), "releases.db"))
	check(t, err)
	t.Cleanup(func() { db.Close() })
	bucket := memblob.OpenBucket(nil)
	t.Cleanup(func() { bucket.Close() })

	r := registrytest.New(packages...)
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.URL = server.URL

	a := &App{Queue: service.Queue("default"), Dead: service.Queue("default-dead"), Registry: r, Outbox: new(Outbox)}
	a.Jobs = (&jobs.Jobs{
		Client: task.NewClient(a.Queue, nil), DB: db, Registries: registries(t, server.URL), Bucket: bucket,
		Mail: a.Outbox, MailFrom: "releases@example.com", DigestTo: "team@example.com", SiteURL: SiteURL, Pause: time.Second, Log: slog.New(slog.DiscardHandler),
	}).Define()
	return a
}

func registries(t testing.TB, base string) map[watch.Ecosystem]watch.Registry {
	t.Helper()
	f := fetch.New(fetch.Options{})
	t.Cleanup(f.Close)
	g, err := gomod.New(gomod.Options{Fetch: f, Proxy: base + registrytest.GoPath})
	check(t, err)
	c, err := npm.Settings([]string{"npm_config_registry=" + base + registrytest.NPMPath, "HOME=" + t.TempDir()}, t.TempDir())
	check(t, err)
	p, err := pypi.New(f, []string{base + registrytest.PyPIPath}, archive.Limits{})
	check(t, err)
	return map[watch.Ecosystem]watch.Registry{watch.Go: g, watch.NPM: npm.New(f, c, archive.Limits{}), watch.PyPI: p}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Work runs tasks until none is left, and returns how each run ended.
func (a *App) Work(t testing.TB) []task.Result {
	t.Helper()
	var mu sync.Mutex
	var results []task.Result
	w, err := task.NewWorker(a.Queue, task.WorkerOptions{
		Tasks: a.All(), Wait: time.Second, Backoff: task.Backoff{Min: time.Millisecond, Max: time.Millisecond},
		OnResult: func(r task.Result) {
			mu.Lock()
			defer mu.Unlock()
			results = append(results, r)
		},
	})
	check(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	for tick := time.NewTicker(5 * time.Millisecond); ; <-tick.C {
		d, err := a.Queue.Describe(t.Context())
		check(t, err)
		if d.Visible+d.InFlight+d.Delayed == 0 {
			tick.Stop()
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("%d tasks are left after a minute", d.Visible+d.InFlight+d.Delayed)
		}
	}
	cancel()
	check(t, <-ended)
	mu.Lock()
	defer mu.Unlock()
	return results
}

// Outbox keeps mail instead of sending it.
type Outbox struct {
	mu   sync.Mutex
	Mail []*mail.Message
	Err  error // returned once by the next Send
}

// Send keeps the message.
func (o *Outbox) Send(_ context.Context, m *mail.Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.Err; err != nil {
		o.Err = nil
		return err
	}
	if err := m.Validate(); err != nil {
		return err
	}
	o.Mail = append(o.Mail, m)
	return nil
}

// Objects lists the keys of a bucket.
func Objects(t testing.TB, b *blob.Bucket) []string {
	t.Helper()
	var keys []string
	for it := b.List(nil); ; {
		o, err := it.Next(t.Context())
		if err != nil {
			return keys
		}
		keys = append(keys, o.Key)
	}
}
