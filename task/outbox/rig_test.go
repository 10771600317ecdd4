package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
	"github.com/dayfly-dev/dayfly/queue/driver"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/outbox"
)

type digestArgs struct{ Day string }

var digest = task.Define("daily_digest", func(context.Context, digestArgs) error { return nil })

// rig is a database with an outbox, and queues of the embedded engine.
type rig struct {
	t  *testing.T
	db *sql.DB
	s  *queue.Service
}

// newRig makes the queues default, mails and orders.fifo.
func newRig(t *testing.T, d database, wrap func(driver.Service) driver.Service) *rig {
	t.Helper()
	e, err := diskqueue.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var service driver.Service = e
	if wrap != nil {
		service = wrap(e)
	}
	r := &rig{t: t, db: d.open(t), s: queue.New(service)}
	t.Cleanup(func() { r.s.Close() })
	for _, name := range []string{"default", "mails", "orders.fifo"} {
		if err := r.s.CreateQueue(t.Context(), name, queue.Attributes{FIFO: name == "orders.fifo", Visibility: time.Hour}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := outbox.Create(t.Context(), r.db); err != nil {
		t.Fatal(err)
	}
	return r
}

// relay starts one; stop ends it.
func (r *rig) relay(o outbox.RelayOptions) (stop func()) {
	r.t.Helper()
	if o.Poll == 0 {
		o.Poll = 10 * time.Millisecond
	}
	if o.Lease == 0 {
		o.Lease = 2 * time.Second
	}
	o.Queues = map[string]*queue.Queue{"mails": r.s.Queue("mails"), "orders": r.s.Queue("orders.fifo")}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(r.t.Output(), nil))
	}
	relay, err := outbox.NewRelay(r.db, r.s.Queue("default"), &o)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- relay.Run(ctx) }()
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		if err := <-done; err != nil {
			r.t.Error(err)
		}
	}
	r.t.Cleanup(stop)
	return stop
}

// inTx runs f in a transaction and commits it, or rolls it back when f says so.
func (r *rig) inTx(f func(*sql.Tx) error) {
	r.t.Helper()
	tx, err := r.db.BeginTx(r.t.Context(), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	defer tx.Rollback()
	switch err := f(tx); {
	case errors.Is(err, errRollback):
	case err != nil:
		r.t.Fatal(err)
	default:
		if err := tx.Commit(); err != nil {
			r.t.Fatal(err)
		}
	}
}

var errRollback = errors.New("roll back")

// execute runs a statement with ? in it.
func (r *rig) execute(statement string, args ...any) {
	r.t.Helper()
	if _, err := r.db.ExecContext(r.t.Context(), statement, args...); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) count(table string) (n int) {
	r.t.Helper()
	if err := r.db.QueryRowContext(r.t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

// wantCount waits until a table has n rows.
func (r *rig) wantCount(table string, n int) {
	r.t.Helper()
	eventually(r.t, func() error {
		if got := r.count(table); got != n {
			return fmt.Errorf("%s has %d rows, not %d", table, got, n)
		}
		return nil
	})
}

// take receives n messages and deletes them.
func (r *rig) take(name string, n int) (all []queue.Message) {
	r.t.Helper()
	q := r.s.Queue(name)
	deadline := time.Now().Add(5 * time.Minute)
	for len(all) < n {
		got, err := q.Receive(r.t.Context(), queue.ReceiveOptions{Max: min(10, n-len(all)), Visibility: -1, Wait: time.Second})
		if err != nil {
			r.t.Fatal(err)
		}
		if all = append(all, got...); time.Now().After(deadline) {
			r.t.Fatalf("%s: %d messages, not %d", name, len(all), n)
		}
		for _, m := range got {
			if _, err := q.Delete(r.t.Context(), m.Receipt); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	return all
}

// ids of the tasks in messages.
func ids(t *testing.T, messages []queue.Message) (all []string) {
	t.Helper()
	for _, m := range messages {
		e, err := task.Decode(m.Body)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.ID)
	}
	return all
}

func eventually(t *testing.T, f func() error) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(5 * time.Minute); ; <-tick.C {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// gate is an engine whose Send a test makes fail.
type gate struct {
	driver.Service
	fail  atomic.Pointer[func(name string, m []driver.Outgoing) error]
	sends atomic.Int64
}

func (g *gate) Send(ctx context.Context, name string, m []driver.Outgoing) ([]driver.Sent, error) {
	g.sends.Add(1)
	if fail := g.fail.Load(); fail != nil {
		if err := (*fail)(name, m); err != nil {
			return nil, err
		}
	}
	return g.Service.Send(ctx, name, m)
}

func (g *gate) set(f func(name string, m []driver.Outgoing) error) { g.fail.Store(&f) }
