package dash

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
)

// now is the time on the dashboard's clock in tests. It is close to that of
// the queue engine, which has no clock of its own.
var now = time.Now().UTC().Truncate(time.Second)

// memBuckets keeps objects in memory.
type memBuckets map[string]*blob.Bucket

func (m memBuckets) Buckets(context.Context) (out []Bucket, err error) {
	for name := range m {
		b := Bucket{Name: name}
		if name == "advisories" {
			b.Public, b.URL = true, "http://127.0.0.1:4566/advisories"
		}
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b Bucket) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func (m memBuckets) Bucket(_ context.Context, name string) (*blob.Bucket, error) {
	if b, ok := m[name]; ok {
		return b, nil
	}
	return nil, ErrNotFound
}

// newQueues opens the embedded engine with a queue "default", whose dead
// letters go to "default-dead".
func newQueues(t testing.TB) *queue.Service {
	t.Helper()
	e, err := diskqueue.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	q := queue.New(e)
	t.Cleanup(func() { q.Close() })
	ctx := context.Background()
	if err := q.CreateQueue(ctx, "default-dead", queue.Attributes{}, nil); err != nil {
		t.Fatal(err)
	}
	a := queue.Attributes{Visibility: 2 * time.Minute, DeadLetter: &queue.DeadLetter{Queue: "default-dead", MaxReceives: 5}}
	if err := q.CreateQueue(ctx, "default", a, nil); err != nil {
		t.Fatal(err)
	}
	return q
}

// deadLetter sends what a task worker sends when it gives a task up.
func deadLetter(t testing.TB, q *queue.Service, task, problem string) string {
	t.Helper()
	text := func(s string) queue.Attribute { return queue.Attribute{DataType: "String", String: s} }
	sent, err := q.Send(context.Background(), "default-dead", []queue.Outgoing{{
		Body:  `{"specversion":"1.0","id":"0197","source":"/releases","type":"` + task + `","data":{"package":"golang.org/x/net","from":"v0.61.0","to":"v0.62.0"}}`,
		Delay: -1,
		Attributes: map[string]queue.Attribute{
			"content-type": text("application/cloudevents+json"),
			attrError:      text(problem), attrTask: text(task), attrQueue: text("default"),
			attrAttempts: {DataType: "Number", String: "5"}, attrFailedAt: text(now.Add(-7 * time.Minute).Format(time.RFC3339Nano)),
			attrStack: text("goroutine 71 [running]:\nmain.compare(0xc000124000)\n\t/srv/releases/compare.go:88 +0x1d4"),
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return sent[0].ID
}

// fixture is a dashboard over an application that looks like a real one.
type fixture struct {
	*Dash
	app     *fakeApp
	inbox   *fakeInbox
	queues  *queue.Service
	buckets memBuckets
	tasks   *fakeTasks
	routed  *fakeRoutes
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{app: newApp(), inbox: &fakeInbox{mails: mails()}, queues: newQueues(t), buckets: memBuckets{}, tasks: newTasks(), routed: newRoutes()}
	for _, name := range []string{"advisories", "archives"} {
		f.buckets[name] = memblob.OpenBucket(nil)
		t.Cleanup(func() { f.buckets[name].Close() })
	}
	var err error
	f.Dash, err = New(Options{
		App: f.app, Queues: f.queues, Inbox: f.inbox, Buckets: f.buckets, Tasks: f.tasks, Routes: f.routed,
		Refresh: 20 * time.Millisecond, Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Dash.Close() })
	return f
}

func (f *fixture) put(t testing.TB, bucket, key, contentType string, data []byte) {
	t.Helper()
	err := f.buckets[bucket].WriteAll(context.Background(), key, data, &blob.WriterOptions{ContentType: contentType})
	if err != nil {
		t.Fatal(err)
	}
}

var (
	errDown  = errors.New("the engine is down")
	inBase64 = base64.StdEncoding.EncodeToString
)
