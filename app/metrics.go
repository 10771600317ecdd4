package app

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dayfly-dev/dayfly/app/manifest"
	"github.com/dayfly-dev/dayfly/dash"
	"github.com/dayfly-dev/dayfly/edge"
	"github.com/dayfly-dev/dayfly/internal/promtext"
	"github.com/dayfly-dev/dayfly/queue"
)

const (
	maxQueuesShown  = 1000
	depthsAge       = time.Second      // of what is known of the queues, at most
	depthsAgeRemote = 30 * time.Second // where each look is a request that costs
)

// metrics answers GET /metrics of the dashboard with what dayfly knows, for
// Prometheus. Names are listed in doc/dashboard.md and stay as they are.
type metrics struct {
	app *App

	mu     sync.Mutex // one look at the queues at a time
	looked time.Time
	depths []depth
}

// depth is what is known of one queue.
type depth struct {
	name string
	desc queue.Description
	err  error
}

func (m *metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	families := slices.Concat(m.application(), m.processes(), m.traffic(), m.routes(), m.responseCache(), m.published(), m.queues(r.Context()), m.tasks(), m.schedules())
	w.Header().Set("Content-Type", promtext.ContentType)
	promtext.Write(w, families...) //nolint:errcheck // a client that left cannot be told
}

func (m *metrics) application() []*promtext.Family {
	info := promtext.New(promtext.Gauge, "dayfly_info", "The application and the version of dayfly; always 1.")
	info.Add(1, "app", m.app.manifest.Name, "version", m.app.version)
	started := promtext.New(promtext.Gauge, "dayfly_start_time_seconds", "When dayfly was started, in seconds since 1970.")
	started.Add(float64(m.app.started.UnixMilli()) / 1000)
	return []*promtext.Family{info, started}
}

// states of a process, each of which is a series, so that a query can ask for
// one that is not there now.
var states = []dash.State{dash.Starting, dash.Running, dash.Draining, dash.BackingOff, dash.Stopped, dash.Failed}

func (m *metrics) processes() []*promtext.Family {
	wanted := promtext.New(promtext.Gauge, "dayfly_process_wanted", "Instances of a process that are wanted.")
	state := promtext.New(promtext.Gauge, "dayfly_process_state", "1 for the state an instance is in, 0 for the others.")
	healthy := promtext.New(promtext.Gauge, "dayfly_process_healthy", "Whether an instance runs and its health check agrees.")
	restarts := promtext.New(promtext.Counter, "dayfly_process_restarts_total", "Restarts of an instance that nobody asked for.")
	cpu := promtext.New(promtext.Gauge, "dayfly_process_cpu_cores", "Processors an instance used lately: 0.5 is half of one.")
	memory := promtext.New(promtext.Gauge, "dayfly_process_resident_memory_bytes", "Resident memory of an instance.")
	requests := promtext.New(promtext.Counter, "dayfly_process_requests_total", "Requests an instance answered.")
	failed := promtext.New(promtext.Counter, "dayfly_process_failed_requests_total", "Requests an instance was given and did not answer whole.")
	underway := promtext.New(promtext.Gauge, "dayfly_process_outstanding_requests", "Requests an instance is answering.")
	for _, g := range (view{m.app}).Groups() {
		wanted.Add(float64(g.Want), "group", g.Name)
		for _, p := range g.Processes {
			labels := []string{"group", p.Group, "process", p.Name}
			for _, s := range states {
				state.Add(truth(p.State == s), append(labels[:4:4], "state", strings.ReplaceAll(string(s), " ", "_"))...)
			}
			healthy.Add(truth(p.Healthy), labels...)
			restarts.Add(float64(p.Restarts), labels...)
			if p.CPU >= 0 {
				cpu.Add(p.CPU, labels...)
			}
			if p.Memory >= 0 {
				memory.Add(float64(p.Memory), labels...)
			}
			if g.HTTP {
				requests.Add(float64(p.Requests), labels...)
				failed.Add(float64(p.Errors), labels...)
				underway.Add(float64(p.Outstanding), labels...)
			}
		}
	}
	return []*promtext.Family{wanted, state, healthy, restarts, cpu, memory, requests, failed, underway}
}

// traffic is what the edge counted.
func (m *metrics) traffic() []*promtext.Family {
	if m.app.edge == nil {
		return nil
	}
	s := m.app.edge.Stats()
	requests := promtext.New(promtext.Counter, "dayfly_edge_requests_total", "Requests answered, by class of status; none: the client left before the answer.")
	for class, n := range s.ByClass {
		name := strconv.Itoa(class) + "xx"
		if class == 0 {
			name = "none"
		}
		requests.Add(float64(n), "class", name)
	}
	took := promtext.New(promtext.Histogram, "dayfly_edge_request_duration_seconds", "From a request's headers to its answer's.")
	buckets := make([]promtext.Bucket, len(s.Took.Below))
	for i, n := range s.Took.Below {
		buckets[i] = promtext.Bucket{Max: edge.DurationBound(i).Seconds(), Count: n}
	}
	took.AddHistogram(buckets, s.Requests, s.Took.Sum.Seconds())
	held := promtext.New(promtext.Gauge, "dayfly_edge_held_requests", "Requests that wait for a healthy instance.")
	held.Add(float64(s.Held))
	retried := promtext.New(promtext.Counter, "dayfly_edge_retried_total", "Deliveries of requests that were tried again.")
	retried.Add(float64(s.Retried))
	dropped := promtext.New(promtext.Counter, "dayfly_edge_log_dropped_total", "Lines of the access log that were lost.")
	dropped.Add(float64(s.LogDropped))
	return append([]*promtext.Family{requests, took, held, retried, dropped}, append(balanced(&s), spooled(&s)...)...)
}

func (m *metrics) queues(ctx context.Context) []*promtext.Family {
	messages := promtext.New(promtext.Gauge, "dayfly_queue_messages", "Messages in a queue, by state.")
	oldest := promtext.New(promtext.Gauge, "dayfly_queue_oldest_age_seconds", "Age of the oldest message in a queue; 0 if it is empty.")
	unreadable := promtext.New(promtext.Gauge, "dayfly_queue_unreadable", "Whether a queue did not tell how many messages it has.")
	sent := promtext.New(promtext.Counter, "dayfly_queue_sent_messages_total", "Messages stored in a queue.")
	received := promtext.New(promtext.Counter, "dayfly_queue_received_messages_total", "Messages handed out by a queue.")
	deleted := promtext.New(promtext.Counter, "dayfly_queue_deleted_messages_total", "Messages deleted after they were received.")
	counts := m.app.counted.all()
	for _, q := range m.look(ctx) {
		unreadable.Add(truth(q.err != nil), "queue", q.name)
		if q.err == nil {
			messages.Add(float64(q.desc.Visible), "queue", q.name, "state", "visible")
			messages.Add(float64(q.desc.Delayed), "queue", q.name, "state", "delayed")
			messages.Add(float64(q.desc.InFlight), "queue", q.name, "state", "in_flight")
			if q.desc.OldestAge >= 0 {
				oldest.Add(q.desc.OldestAge.Seconds(), "queue", q.name)
			}
		}
		if m.app.counted != nil {
			t := counts[q.name]
			sent.Add(float64(t.sent), "queue", q.name)
			received.Add(float64(t.received), "queue", q.name)
			deleted.Add(float64(t.deleted), "queue", q.name)
		}
	}
	return []*promtext.Family{messages, oldest, unreadable, sent, received, deleted}
}

// look asks all embedded queues, at most 1,000, or those of the manifest on
// SQS, where an account may have many that are not ours.
func (m *metrics) look(ctx context.Context) []depth {
	m.mu.Lock()
	defer m.mu.Unlock()
	age := depthsAge
	if m.app.external.AWS {
		age = depthsAgeRemote
	}
	if m.depths != nil && time.Since(m.looked) < age {
		return m.depths
	}
	var names []string
	if !m.app.external.AWS {
		page, err := m.app.queues.ListQueues(ctx, queue.ListOptions{Max: maxQueuesShown})
		if err != nil {
			return nil
		}
		names = page.Names
	} else {
		for _, name := range m.app.names {
			names = append(names, name, manifest.Dead(name))
		}
		slices.Sort(names)
	}
	depths := make([]depth, len(names))
	var g errgroup.Group
	g.SetLimit(8)
	for i, name := range names {
		g.Go(func() error {
			desc, err := m.app.queues.Describe(ctx, name)
			depths[i] = depth{name, desc, err}
			return nil
		})
	}
	g.Wait() //nolint:errcheck // a failure is told of its queue
	if ctx.Err() == nil {
		m.depths, m.looked = depths, time.Now()
	}
	return depths
}

func (m *metrics) tasks() []*promtext.Family {
	finished := promtext.New(promtext.Counter, "dayfly_push_finished_total", "Runs of tasks that dayfly pushed, by what became of them.")
	took := promtext.New(promtext.Counter, "dayfly_push_seconds_total", "Time spent in these runs.")
	for k, r := range m.app.outcomes.all() {
		labels := []string{"queue", k.queue, "task", k.task, "outcome", string(k.outcome)}
		finished.Add(float64(r.count), labels...)
		took.Add(r.seconds, labels...)
	}
	waits := promtext.New(promtext.Counter, "dayfly_push_ledger_unreachable_total",
		"Runs that were postponed because the ledger could not be reached.")
	for queue, n := range m.app.outcomes.ledgerWaits() {
		waits.Add(float64(n), "queue", queue)
	}
	return []*promtext.Family{finished, took, waits}
}

func (m *metrics) schedules() []*promtext.Family {
	last := promtext.New(promtext.Gauge, "dayfly_schedule_last_tick_seconds", "The latest tick of a schedule that was handled, in seconds since 1970.")
	failed := promtext.New(promtext.Gauge, "dayfly_schedule_failed", "Whether that tick could not be enqueued.")
	for _, s := range (view{m.app}).Schedules() {
		failed.Add(truth(s.LastFailed), "schedule", s.Name)
		if !s.Last.IsZero() {
			last.Add(float64(s.Last.Unix()), "schedule", s.Name)
		}
	}
	return []*promtext.Family{last, failed}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
