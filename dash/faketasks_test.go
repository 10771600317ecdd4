package dash

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
)

// fakeTasks are what the test sets, and what was asked for.
type fakeTasks struct {
	mu       sync.Mutex
	activity map[string]Activity
	effects  []Effect
	pauses   []Pause
	status   map[string]TaskStatus
	outboxes []Outbox
	workers  []Worker
	limits   []Limit
	keys     []Key
	did      []string
	err      error
}

func (f *fakeTasks) Activity(name string) Activity {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.activity[name]
}

func (f *fakeTasks) Unknown(_ context.Context, max int) ([]Effect, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.effects[:min(len(f.effects), max)], f.err
}

func (f *fakeTasks) act(what string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.did = append(f.did, what)
	return "done: " + what, f.err
}

func (f *fakeTasks) Resolve(_ context.Context, key string, sent bool) (string, error) {
	f.mu.Lock()
	f.effects = slices.DeleteFunc(f.effects, func(e Effect) bool { return e.Key == key })
	f.mu.Unlock()
	return f.act(fmt.Sprintf("resolve %s %v", key, sent))
}

func (f *fakeTasks) Pauses(context.Context) ([]Pause, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.pauses), f.err
}

func (f *fakeTasks) Pause(_ context.Context, name, why string) (string, error) {
	f.mu.Lock()
	f.pauses = append(f.pauses, Pause{Queue: name, At: now.Add(-time.Minute), By: "ann", Why: why})
	f.mu.Unlock()
	return f.act("pause " + name + " " + why)
}

func (f *fakeTasks) Resume(_ context.Context, name string) (string, error) {
	f.mu.Lock()
	f.pauses = slices.DeleteFunc(f.pauses, func(p Pause) bool { return p.Queue == name })
	f.mu.Unlock()
	return f.act("resume " + name)
}

func (f *fakeTasks) Task(_ context.Context, id string) (TaskStatus, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s, ok := f.status[id]; ok {
		return s, nil
	}
	return TaskStatus{}, ErrNotFound
}

func (f *fakeTasks) Cancel(_ context.Context, id, why string) (string, error) {
	return f.act("cancel " + id + " " + why)
}

func (f *fakeTasks) Runs(_ context.Context, name string) ([]Worker, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if name != "default" {
		return nil, f.err
	}
	return slices.Clone(f.workers), f.err
}

// portion is what an Ask picks, where the place to go on is a number.
func portion[T any](all []T, ask Ask, text, queue func(T) string) (found []T, next string, looked int) {
	from, _ := strconv.Atoi(ask.From)
	for i, x := range all[min(from, len(all)):] {
		if len(found) == ask.Max || i == ask.Look {
			return found, strconv.Itoa(from + i), i
		}
		if strings.Contains(strings.ToLower(text(x)), strings.ToLower(ask.Text)) && (ask.Queue == "" || queue(x) == ask.Queue) {
			found = append(found, x)
		}
		looked = i + 1
	}
	return found, "", looked
}

func (f *fakeTasks) Limits(_ context.Context, ask Ask) (l LimitList, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l.Limits, l.Next, l.Looked = portion(f.limits, ask, func(l Limit) string { return l.Name }, func(l Limit) string { return l.Queue })
	return l, f.err
}

func (f *fakeTasks) Keys(_ context.Context, ask Ask) (l KeyList, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l.Keys, l.Next, l.Looked = portion(f.keys, ask, func(k Key) string { return k.Key + k.ID }, func(k Key) string { return k.Queue })
	return l, f.err
}

func (f *fakeTasks) ReleaseKey(_ context.Context, key, id string) (string, error) {
	f.mu.Lock()
	f.keys = slices.DeleteFunc(f.keys, func(k Key) bool { return k.Key == key && k.ID == id })
	f.mu.Unlock()
	return f.act("release " + key + " of " + id)
}

func (f *fakeTasks) RunNow(_ context.Context, name string, b queue.Browsed) (string, error) {
	return f.act("run now " + name + " " + b.Body)
}

// works sets what the workers of the queue default say.
func (f *fakeTasks) works(w ...Worker) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.workers = w
}

func (f *fakeTasks) Outboxes(context.Context) []Outbox { return f.outboxes }

// ran counts runs.
func (f *fakeTasks) ran(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := *f.activity[name].Push
	p.Outcomes.Done = 1_000_007
	a := f.activity[name]
	a.Push = &p
	f.activity[name] = a
}

const longID = "0197c3d2-6c1f-7a7e-9d41-3f2b8c5e7a90/tenant=example-of-a-rather-long-name/2026-11-21T09:30:00.123456789Z"

// newTasks are those of an application that has something to show everywhere.
func newTasks() *fakeTasks {
	f := &fakeTasks{activity: map[string]Activity{}, status: map[string]TaskStatus{}}
	var samples []Sample
	sent, deleted, runs := 41_000, 40_100, Outcomes{Done: 38_900, Retried: 311, Dead: 12, Postponed: 87}
	for i := range 180 {
		x := float64(i)
		in := 60 + int(25*math.Sin(x/9)+10*math.Sin(x*1.7))
		out := 58 + int(20*math.Sin(x/9-0.6)+8*math.Cos(x*1.3))
		sent, deleted = sent+in, deleted+out
		runs.Done += int64(out)
		if i%13 == 0 {
			runs.Retried += 4
		}
		if i%60 == 7 {
			runs.Dead++
		}
		samples = append(samples, Sample{Time: now.Add(time.Duration(i-179) * 5 * time.Second), Visible: int64(sent - deleted), Delayed: 20,
			InFlight: int64(6 + 2*math.Sin(x/3)), Sent: int64(sent), Deleted: int64(deleted), Outcomes: runs})
	}
	f.activity["default"] = Activity{Samples: samples, Pausable: true,
		Push: &Push{URL: "http://web/tasks", Outcomes: runs}}
	f.activity["default-dead"] = Activity{Samples: samples[:1]}
	f.effects = []Effect{
		{Key: "digest/2026-11-21/ann@example.com", State: "unknown", Policy: "at-most-once", Attempt: 1, At: now.Add(-19 * time.Minute), Worker: "web-3:4110",
			Task: "send_digest", Run: "0197c3d2-6c1f-7a7e", Queue: "default", Error: "read tcp 127.0.0.1:41022->127.0.0.1:1025: connection reset by peer after the mail's last byte"},
		{Key: "charge/" + longID + "/" + longID, State: "sending", Policy: "at-most-once", Attempt: 3, At: now.Add(-26 * time.Hour), Worker: "ip-10-0-113-27.eu-central-1.compute.internal:88213",
			Task: "charge_card", Run: longID, Queue: "default"},
	}
	f.outboxes = []Outbox{{Database: "default", Queue: "default", Waiting: 3, Most: 10_000}, {Database: "orders", Queue: "default", Waiting: 10_000, SetAside: 2, Most: 10_000}}
	f.limits = []Limit{
		{Name: "default", Queue: "default", Concurrency: 50, Used: 50, Workers: 4, Waiting: 31, Back: now.Add(11 * time.Minute)},
		{Name: "default call_api", Queue: "default", Rate: 100, Per: time.Minute, Burst: 20, Free: 0, Next: now.Add(1200 * time.Millisecond), Waiting: 1},
		{Name: "default import per tenant", Queue: "default", Concurrency: 2, Rate: 10, Per: 10 * time.Second, Burst: 1, Each: true},
		{Name: "default import per tenant=a-tenant-with-a-very-long-name-of-its-own/eu-central-1/0197c3d2-6c1f-7a7e-9d41-3f2b8c5e7a90", Queue: "default", Concurrency: 2, Used: 1, Workers: 1, Rate: 10, Per: 10 * time.Second, Burst: 3, Free: 2},
		{Name: "the provider's own <b>limit", Rate: 1_000, Per: 24 * time.Hour, Burst: 1, Free: 1},
		{Name: "old", Used: 3, Workers: 2, Back: now.Add(90 * time.Second)},
	}
	f.keys = []Key{
		{Key: "reindex shop-17", Task: "reindex", Name: "shop-17", ID: "0197c3d2-6c1f-7a7e", Queue: "default", State: "sent", Since: now.Add(-4 * time.Minute), Until: now.Add(56 * time.Minute)},
		{Key: "reindex#9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", Task: "reindex", ID: longID, Queue: "default", State: "abandoned", Since: now.Add(-3 * time.Hour), Until: now.Add(21 * time.Hour)},
		{Key: "mail/send " + longID + "/<b>", Task: "mail/send", Name: longID + "/<b>", ID: "k3", Queue: "default", State: "pending", Since: now.Add(-2 * time.Second), Until: now.AddDate(0, 11, 0)},
	}
	f.status["gone"] = TaskStatus{ID: "gone", Cancelled: &Cancellation{At: now.Add(-2 * time.Minute), By: "ann", Why: "the wrong list", Applied: now.Add(-time.Minute), Running: true, Task: "send_digest", Queue: "default"}}
	f.status["runs"] = TaskStatus{ID: "runs", State: "running", Task: "resize_pictures", Queue: "default", Attempt: 2, Started: now.Add(-4 * time.Minute), At: now.Add(-2 * time.Second),
		Done: 62.5, Text: "1,250 of 2,000 pictures", Error: "attempt 1: the disk was full"}
	f.status["import"] = TaskStatus{ID: "import", Batch: &Batch{Members: 1000, Enqueued: 500, Settled: 412, Failed: 2,
		Failures: []Failure{{ID: "import/7", Error: "row 7 <b>has no name"}, {ID: "import/19", Error: "task: cancelled"}}}}
	f.status["ran"] = TaskStatus{ID: "ran", State: "done", Task: "resize_pictures", Queue: "default", Attempt: 1, Started: now.Add(-4 * time.Minute), At: now.Add(-time.Minute), Result: `{"resized":2000,"skipped":[]}`}
	return f
}
