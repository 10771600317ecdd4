// Package app runs one application on one machine: it reads the manifest,
// starts the services the application needs, or finds those its environment
// names, builds the application, runs its processes behind the edge, fires its
// schedule, and answers the other commands over a socket in the data folder.
//
// What is on disk, and durable, are the stores in the data folder; each says
// in its own package what it promises. The app itself keeps nothing that a
// crash would lose.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/dayfly-dev/dayfly/app/logs"
	"github.com/dayfly-dev/dayfly/app/manifest"
	"github.com/dayfly-dev/dayfly/app/supervise"
	"github.com/dayfly-dev/dayfly/edge"
	"github.com/dayfly-dev/dayfly/edge/publish"
	"github.com/dayfly-dev/dayfly/edge/purgelog"
	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/task/payload"
	"github.com/dayfly-dev/dayfly/task/schedule"
)

// Options of an App.
type Options struct {
	Manifest *manifest.Manifest // required
	Data     string             // data folder; default .dayfly beside the manifest
	Environ  []string           // dayfly's own environment, as os.Environ
	Version  string             // of dayfly, to be shown
	Log      *slog.Logger       // default discards
	Guard    []string           // command that runs supervise.RunGuard, for when dayfly is killed; default none
	Progress func(text string)  // told each step of the start; default nothing
	Logs     func(*logs.Hub)    // called once the hub of the processes' lines is there, before any line; default nothing
}

// App is a running application.
type App struct {
	manifest *manifest.Manifest
	version  string
	log      *slog.Logger
	progress func(string)
	environ  map[string]string
	external external
	started  time.Time

	data      *data
	mark      string // of the processes of this run
	logs      *logs.Hub
	keys      keys
	variables Variables
	addresses []Address

	queues   *queue.Service
	counted  *counted // the engine of queues; nil when they are SQS's
	outcomes outcomes // of the tasks that are pushed
	pushers  pushers
	samples  samples
	outboxes []outboxDatabase // by name
	sqs      *sqs.Client      // nil when the queues are embedded
	names    names
	buckets  *buckets
	payloads *payload.Store // arguments of tasks that are too large for a message
	inbox    *inboxView     // nil when mail is not captured here
	records  *records.Store
	edge     *edge.Edge

	releases    *publish.Store // nil: nothing is published
	maintenance maintaining
	reloading   reloading
	// purgeToken is what the processes purge the response cache with.
	purgeToken string
	// purges are those of all machines; nil without a response cache.
	purges *purgelog.Follower
	// drainSite takes no more requests and answers what was begun; nil without a site.
	drainSite func(context.Context) error
	history   *history
	schedule  *schedule.Scheduler
	meter     supervise.Meter

	mu     sync.Mutex
	groups map[string]*supervise.Group
	stops  []stop // in the order of the start; stopped from the last to the first

	down     chan struct{} // closed when somebody asks for the end
	downOnce sync.Once
}

// stop is one part of the app that has to be ended.
type stop struct {
	name string
	end  func(ctx context.Context) error
}

// Address is where a service is found.
type Address struct {
	Name string `json:"name"`
	URL  string `json:"url"`
	Note string `json:"note,omitempty"` // e.g. "port 8080 was taken"
}

// Start starts everything and returns when every process is running and
// healthy. On error everything that had been started is ended again.
// A ctx that ends during the start ends the start.
func Start(ctx context.Context, o Options) (*App, error) {
	a := &App{manifest: o.Manifest, version: o.Version, log: o.Log, progress: o.Progress, environ: environMap(o.Environ),
		started: time.Now(), groups: map[string]*supervise.Group{}, down: make(chan struct{})}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.progress == nil {
		a.progress = func(string) {}
	}
	var err error
	if a.external, err = findExternal(a.environ); err != nil {
		return nil, err
	}
	dir := o.Data
	if dir == "" {
		dir = filepath.Join(o.Manifest.Dir, DataFolder)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if err := a.start(ctx, dir, o); err != nil {
		patience, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return nil, errors.Join(err, a.Stop(patience))
	}
	return a, nil
}

func (a *App) start(ctx context.Context, dir string, o Options) error {
	steps := []struct {
		name string
		do   func(context.Context) error
	}{
		{"data folder", func(context.Context) error { return a.openData(dir, o.Logs) }},
		{"environment", func(context.Context) error { return a.notItsOwn() }},
		{"guard", func(context.Context) error { return a.startGuard(o.Guard) }},
		{"build", a.build},
		{"queues", a.startQueues},
		{"AWS endpoint", a.startAWS},
		{"buckets", a.startBuckets},
		{"payloads", a.startPayloads},
		{"caches", a.startCaches},
		{"mail", a.startMail},
		{"databases", a.startDatabases},
		{"outboxes", a.startOutboxes},
		{"records", a.startRecords},
		{"site", a.startSite},
		{"samples", a.startSamples},
		{"dashboard", a.startDashboard},
		{"control socket", a.startControl},
		{"processes", a.startProcesses},
		{"push", a.startPush},
		{"schedule", a.startSchedule},
	}
	for _, step := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := step.do(ctx); err != nil {
			if saysItself(err) {
				return err
			}
			return fmt.Errorf("%s: %w%s", step.name, err, remedy(dir, err))
		}
	}
	return nil
}

// saysItself is true of errors that name what failed, so that the step of the
// start would only be in the way.
func saysItself(err error) bool {
	var (
		build   *BuildError
		start   *supervise.StartError
		inUse   *InUseError
		version *VersionError
	)
	return errors.As(err, &build) || errors.As(err, &start) || errors.As(err, &inUse) || errors.As(err, &version)
}

func (a *App) openData(dir string, follow func(*logs.Hub)) error {
	d, err := openData(dir)
	if err != nil {
		return err
	}
	a.data = d
	a.onStop("data folder", func(context.Context) error { return d.close() })
	if n := supervise.Reap(dir + "#"); n > 0 {
		a.log.Warn("ended processes that a dayfly before this one left behind", "count", n)
	}
	a.mark = dir + "#" + strconv.FormatInt(time.Now().UnixNano(), 36)
	if a.logs, err = logs.Open(d.path("logs")); err != nil {
		return err
	}
	a.onStop("logs", func(context.Context) error { return a.logs.Close() })
	if follow != nil {
		follow(a.logs)
	}
	a.keys, err = d.keys()
	return err
}

func (a *App) startGuard(command []string) error {
	if len(command) == 0 {
		return nil
	}
	g, err := supervise.StartGuard(command, a.mark)
	if err != nil {
		return err
	}
	a.onStop("guard", func(context.Context) error { return g.Stop() })
	return nil
}

func (a *App) onStop(name string, end func(context.Context) error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stops = append(a.stops, stop{name, end})
}

// Stop ends everything: the schedule first, then the site (answering what was
// begun) and the processes, the services, the stores. When ctx ends, what still
// runs is killed; the stores are closed in any case.
func (a *App) Stop(ctx context.Context) error {
	a.mu.Lock()
	stops := a.stops
	a.stops = nil
	a.mu.Unlock()
	var errs []error
	for _, s := range slices.Backward(stops) {
		if err := s.end(ctx); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			errs = append(errs, fmt.Errorf("stop %s: %w", s.name, err))
		}
	}
	return errors.Join(errs...)
}

// Down is closed when another command asks the application to stop.
func (a *App) Down() <-chan struct{} { return a.down }

func (a *App) askDown() { a.downOnce.Do(func() { close(a.down) }) }

// Addresses are where the services are, in the order to be shown.
func (a *App) Addresses() []Address { return slices.Clone(a.addresses) }

// Name of the application.
func (a *App) Name() string { return a.manifest.Name }

// Variables is the environment the processes are told about the services.
func (a *App) Variables() Variables { return slices.Clone(a.variables) }

// Logs of the processes.
func (a *App) Logs() *logs.Hub { return a.logs }

func (a *App) address(name, url, note string) {
	a.addresses = append(a.addresses, Address{name, url, note})
}

// group returns a process group of the manifest.
func (a *App) group(name string) (*supervise.Group, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if g := a.groups[name]; g != nil {
		return g, nil
	}
	return nil, &UnknownError{Kind: "process", Name: name, Known: sortedKeys(a.manifest.Process)}
}

// UnknownError: the manifest has nothing of that name.
type UnknownError struct {
	Kind  string // "process", "schedule", "queue"
	Name  string
	Known []string
}

// Error lists what there is.
func (e *UnknownError) Error() string {
	if len(e.Known) == 0 {
		return fmt.Sprintf("there is no %s %q: the manifest has none", e.Kind, e.Name)
	}
	return fmt.Sprintf("there is no %s %q; known are %s", e.Kind, e.Name, strings.Join(e.Known, ", "))
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
