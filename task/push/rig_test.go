package push

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
	"github.com/dayfly-dev/dayfly/task"
)

const token = "0123456789abcdef0123456789abcdef"

// rig is a queue of the embedded engine and an endpoint: a server of net/http
// on connections in memory, so that time is the test's.
type rig struct {
	t    *testing.T
	s    *queue.Service
	q    *queue.Queue
	o    Options
	logs lockedBuffer

	mu      sync.Mutex
	down    error // what connecting gives; nil: the endpoint
	handler http.Handler
	dials   int
	results []string
	begun   time.Time
	seen    []string // requests, as "seconds id attempt"
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.String()
}

// pipes is a listener of connections in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// newRig makes queue NAME and NAME-dead and starts the endpoint.
func newRig(t *testing.T, name string, attempts int, h http.HandlerFunc) *rig {
	t.Helper()
	engine, err := diskqueue.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, s: queue.New(engine), handler: h, begun: time.Now()}
	fifo := strings.HasSuffix(name, ".fifo")
	dead := "dead"
	if fifo {
		dead += ".fifo"
	}
	for _, err := range []error{
		r.s.CreateQueue(t.Context(), dead, queue.Attributes{FIFO: fifo}, nil),
		r.s.CreateQueue(t.Context(), name, queue.Attributes{FIFO: fifo, DeadLetter: &queue.DeadLetter{Queue: dead, MaxReceives: attempts}}, nil),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	r.q = r.s.Queue(name)
	l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: http.HandlerFunc(r.serve)}
	go server.Serve(l)
	transport := newTransport().(*http.Transport)
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		r.mu.Lock()
		r.dials++
		down := r.down
		r.mu.Unlock()
		if down != nil {
			return nil, down
		}
		ours, theirs := net.Pipe()
		select {
		case l.conns <- theirs:
			return ours, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	r.o = Options{Queue: r.q, URL: "http://endpoint:1/tasks", Token: token, Transport: transport,
		Log: slog.New(slog.NewTextHandler(&r.logs, nil)), OnResult: r.result,
		Backoff: task.Backoff{Min: time.Second, Max: time.Second, Floor: time.Second}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
		if err := r.s.Close(); err != nil {
			t.Error(err)
		}
		if strings.Contains(r.logs.text(), token) {
			t.Errorf("the token is in the log:\n%s", r.logs.text())
		}
	})
	return r
}

func (r *rig) serve(w http.ResponseWriter, q *http.Request) {
	io.Copy(io.Discard, q.Body) // or the server does not see the connection end
	r.mu.Lock()
	r.seen = append(r.seen, fmt.Sprintf("%.0f %s %s", time.Since(r.begun).Seconds(), q.Header.Get("ce-id"), q.Header.Get("Dayfly-Attempt")))
	h := r.handler
	r.mu.Unlock()
	h.ServeHTTP(w, q)
}

func (r *rig) result(x task.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results = append(r.results, fmt.Sprintf("%s %s %d", x.Outcome, x.Run.ID, x.Run.Attempt))
}

// answers with the handlers in turn, the last one from then on.
func inTurn(handlers ...http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	return func(w http.ResponseWriter, q *http.Request) {
		mu.Lock()
		h := handlers[0]
		if len(handlers) > 1 {
			handlers = handlers[1:]
		}
		mu.Unlock()
		h(w, q)
	}
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

var errRefused = errors.New("connection refused")

func (r *rig) setDown(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = err
}

func (r *rig) dialed() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dials
}

func (r *rig) enqueue(ids ...string) {
	r.t.Helper()
	c := task.NewClient(r.q, nil)
	for _, id := range ids {
		if _, err := task.EnqueueNamed(r.t.Context(), c, "work", []byte(`{"id":"`+id+`"}`), task.ID(id), task.Group("g")); err != nil {
			r.t.Fatal(err)
		}
	}
}

// run pushes until stop is called.
func (r *rig) run() (stop func()) {
	r.t.Helper()
	p, err := New(r.o)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	return func() {
		r.t.Helper()
		cancel()
		if err := <-done; err != nil {
			r.t.Error(err)
		}
	}
}

func (r *rig) requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.seen)
}

func (r *rig) outcomes() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.results)
}

func (r *rig) letters() []queue.Message {
	r.t.Helper()
	name := "dead"
	if strings.HasSuffix(r.q.Name(), ".fifo") {
		name += ".fifo"
	}
	m, err := r.s.Queue(name).Receive(context.Background(), queue.ReceiveOptions{Max: 10, Visibility: -1})
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

// empty checks that the queue holds nothing.
func (r *rig) empty() {
	r.t.Helper()
	d, err := r.s.Describe(context.Background(), r.q.Name())
	if err != nil || d.Visible+d.Delayed+d.InFlight > 0 {
		r.t.Errorf("%s holds %d, %d delayed, %d in flight; %v", r.q.Name(), d.Visible, d.Delayed, d.InFlight, err)
	}
}
