package spot

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
	"github.com/dayfly-dev/dayfly/task"
)

// metadata is an instance metadata service that takes IMDSv2 only.
type metadata struct {
	*httptest.Server
	mu    sync.Mutex
	has   map[string]string
	asked atomic.Int64
}

func newMetadata(t *testing.T) *metadata {
	m := &metadata{has: map[string]string{}}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		defer m.mu.Unlock()
		text, ok := m.has[r.URL.Path]
		switch {
		case r.Method == http.MethodPut && r.URL.Path == "/latest/api/token":
			w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
			io.WriteString(w, "token")
		case r.Header.Get("X-Aws-Ec2-Metadata-Token") != "token":
			w.WriteHeader(http.StatusUnauthorized)
		case !ok:
			m.asked.Add(1)
			w.WriteHeader(http.StatusNotFound)
		default:
			io.WriteString(w, text)
		}
	}))
	t.Cleanup(m.Close)
	return m
}

func (m *metadata) set(path, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.has["/latest/meta-data/"+path] = text
}

func TestNotices(t *testing.T) {
	at := time.Now().Add(2 * time.Minute).UTC().Truncate(time.Second)
	for _, tc := range []struct {
		path, text, what string
		at               time.Time
		rebalance        bool
	}{
		{"spot/instance-action", `{"action":"terminate","time":"` + at.Format(time.RFC3339) + `"}`, "spot terminate", at, false},
		{"spot/instance-action", `{"action":"stop","time":"` + at.Format(time.RFC3339) + `"}`, "spot stop", at, false},
		{"spot/instance-action", "{", "spot", time.Time{}, false},
		{"autoscaling/target-lifecycle-state", "Terminated", "autoscaling", time.Time{}, false},
		{"events/recommendations/rebalance", `{"noticeTime":"x"}`, "rebalance", time.Time{}, true},
	} {
		m := newMetadata(t)
		ctx, stop := Watch(t.Context(), &Options{Always: true, Endpoint: m.URL, Every: time.Millisecond, Rebalance: tc.rebalance})
		for m.asked.Load() < 10 { // nothing is there yet
			time.Sleep(time.Millisecond)
		}
		if ctx.Err() != nil {
			t.Fatal(context.Cause(ctx))
		}
		m.set("autoscaling/target-lifecycle-state", "InService")
		m.set(tc.path, tc.text)
		<-ctx.Done()
		n, ok := errors.AsType[*Notice](context.Cause(ctx))
		if !ok || n.What != tc.what || !n.At.Equal(tc.at) {
			t.Errorf("%s %s: %v", tc.path, tc.text, context.Cause(ctx))
		}
		if by, ok := n.DrainBy(); ok != !tc.at.IsZero() || ok && !by.Equal(tc.at.Add(-15*time.Second)) {
			t.Errorf("%s: drain by %v", tc.what, by)
		}
		stop()
	}
}

// TestRecommended: a recommendation alone ends nothing, nor do answers that fail.
func TestRecommended(t *testing.T) {
	m := newMetadata(t)
	m.set("events/recommendations/rebalance", `{"noticeTime":"x"}`)
	ctx, stop := Watch(t.Context(), &Options{Always: true, Endpoint: m.URL, Every: time.Millisecond})
	for m.asked.Load() < 20 {
		time.Sleep(time.Millisecond)
	}
	if ctx.Err() != nil {
		t.Error(context.Cause(ctx))
	}
	stop()
	if _, ok := errors.AsType[*Notice](context.Cause(ctx)); ok || ctx.Err() == nil {
		t.Errorf("stopped: %v", context.Cause(ctx))
	}
}

func TestOnEC2(t *testing.T) {
	for _, tc := range []struct {
		file, text string
		want       bool
	}{{"class/dmi/id/sys_vendor", "Amazon EC2\n", true}, {"class/dmi/id/sys_vendor", "LENOVO\n", false}, {"hypervisor/uuid", "ec2e1916-9099\n", true}, {"none", "", false}} {
		sys := t.TempDir()
		file := filepath.Join(sys, tc.file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(tc.text), 0o600)); err != nil {
			t.Fatal(err)
		}
		if got := ec2At(sys); got != tc.want {
			t.Errorf("%s %q: %v", tc.file, tc.text, got)
		}
	}
}

// TestWorkerDrains: at a notice a worker lets a task run on for as long as there
// is, not for its DrainTimeout, and gives back one that is too slow.
func TestWorkerDrains(t *testing.T) {
	e, err := diskqueue.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := queue.New(e)
	defer s.Close()
	for name, a := range map[string]queue.Attributes{"dead": {}, "q": {DeadLetter: &queue.DeadLetter{Queue: "dead", MaxReceives: 3}}} {
		if err := s.CreateQueue(t.Context(), name, a, nil); err != nil {
			t.Fatal(err)
		}
	}
	begun, out := make(chan struct{}, 2), make(chan struct{})
	quick := task.Define("quick", func(ctx context.Context, _ int) error {
		begun <- struct{}{}
		select {
		case <-out:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	endless := task.Define("endless", func(ctx context.Context, _ int) error {
		begun <- struct{}{}
		<-ctx.Done()
		return context.Cause(ctx)
	})
	c := task.NewClient(s.Queue("q"), nil)
	_, err1 := quick.Enqueue(t.Context(), c, 1)
	_, err2 := endless.Enqueue(t.Context(), c, 1)
	outcomes := make(chan string, 2)
	w, err3 := task.NewWorker(s.Queue("q"), task.WorkerOptions{Tasks: []task.Definition{quick, endless}, DrainTimeout: time.Nanosecond,
		Grace: time.Second, OnResult: func(r task.Result) { outcomes <- r.Run.Task + " " + string(r.Outcome) }})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	m := newMetadata(t)
	ctx, stop := Watch(t.Context(), &Options{Always: true, Endpoint: m.URL, Every: time.Millisecond, Margin: time.Second})
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	<-begun
	<-begun
	m.set("spot/instance-action", `{"action":"terminate","time":"`+time.Now().Add(6*time.Second).UTC().Format(time.RFC3339)+`"}`)
	<-ctx.Done()
	close(out)
	for _, want := range []string{"quick done", "endless returned"} {
		if got := <-outcomes; got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if d, err := s.Queue("q").Describe(t.Context()); err != nil || d.Visible != 1 {
		t.Errorf("%+v, %v: what was too slow is to be visible at once", d, err)
	}
}
