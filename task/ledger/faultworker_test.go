package ledger_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/cache"
	"github.com/dayfly-dev/dayfly/cache/memcachedcache"
	"github.com/dayfly-dev/dayfly/internal/sqltest"
	"github.com/dayfly-dev/dayfly/mail"
	"github.com/dayfly-dev/dayfly/queue/sqsqueue"
	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/driver"
	"github.com/dayfly-dev/dayfly/records/open"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/ledger"
	"github.com/dayfly-dev/dayfly/task/notice"
)

// workerConfig is what a child is told, in DAYFLY_FAULT_WORKER.
type workerConfig struct {
	Queue, Records, SMTP, Cache, Folder string
	Skew                                time.Duration
	Plans                               []plan
}

// TestMain makes the test binary a worker where it is asked to be.
func TestMain(m *testing.M) {
	if text := os.Getenv("DAYFLY_FAULT_WORKER"); text != "" {
		var c workerConfig
		err := json.Unmarshal([]byte(text), &c)
		if err == nil {
			err = c.work(context.Background())
		}
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
	os.Exit(sqltest.Main(m))
}

// worker is a child process that runs tasks one by one.
type worker struct {
	workerConfig
	plans  map[string]plan
	store  *records.Store
	cache  *cache.Cache
	sender mail.Sender
	trace  *os.File
}

func (c workerConfig) work(ctx context.Context) error {
	w := &worker{workerConfig: c, plans: map[string]plan{}}
	for _, p := range c.Plans {
		w.plans[p.Key] = p
	}
	var err error
	if w.trace, err = os.OpenFile(filepath.Join(c.Folder, fmt.Sprintf("trace-%d", os.Getpid())), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	go w.beat(ctx) // ends with the process
	d, err := open.Driver(ctx, c.Records)
	if err != nil {
		return err
	}
	w.store = records.New(&faultyStore{d, w})
	l, err := ledger.New(w.store, nil)
	if err != nil {
		return err
	}
	l.SetTimes(faultLease, faultQuarantine, func() time.Time { return time.Now().Add(c.Skew) })
	if w.sender, err = mail.Open(ctx, c.SMTP, nil); err != nil {
		return err
	}
	if w.cache, err = memcachedcache.Open(c.Cache); err != nil {
		return err
	}
	q, err := sqsqueue.Open(ctx, c.Queue, nil)
	if err != nil {
		return err
	}
	t := task.Define("mail", w.send)
	run, err := task.NewWorker(q, task.WorkerOptions{
		Tasks: []task.Definition{t}, Ledger: l, Concurrency: 1, Wait: time.Second,
		Backoff: task.Backoff{Max: time.Second},
	})
	if err != nil {
		return err
	}
	return run.Run(ctx)
}

// send is the task: one mail, guarded by the ledger or by a control.
func (w *worker) send(ctx context.Context, key string) error {
	m := &mail.Message{From: "site@example.com", To: []string{key + "@example.com"}, Subject: "Fault", Text: "Text.\n"}
	effect := func() error { return w.sender.Send(ctx, m) }
	switch p := w.plans[key]; p.Guard {
	case "lock":
		return w.locked(ctx, key, effect)
	case "unowned":
		return w.unowned(ctx, key, effect)
	default:
		var o []task.OnceOption
		if p.Policy == "at-least-once" {
			o = append(o, task.AtLeastOnce())
		}
		_, err := notice.Mail(ctx, w.sender, "fault", m, o...)
		return err
	}
}

// locked is the first control: a lock in memcached with a time to live.
func (w *worker) locked(ctx context.Context, key string, effect func() error) error {
	it, err := w.cache.Get(ctx, key)
	if err == nil && string(it.Value) == "sent" {
		return nil
	}
	if err == nil {
		return task.RetryAfter(errors.New("locked"), time.Second)
	}
	if err := w.cache.Set(ctx, &cache.Item{Key: key, Value: []byte("locked"), TTL: faultLease}); err != nil {
		return err
	}
	if err := effect(); err != nil {
		return err
	}
	w.point(key, "sent", false)
	return w.cache.Set(ctx, &cache.Item{Key: key, Value: []byte("sent"), TTL: time.Hour})
}

// unowned is the second: a record made by compare-and-swap, taken over when it
// is over, and finished without a look at whose it is.
func (w *worker) unowned(ctx context.Context, key string, effect func() error) error {
	put := func(value, version string) error {
		_, err := w.store.Put(ctx, records.Record{Key: "unowned/" + key, Value: []byte(value), Version: version})
		return err
	}
	r, err := w.store.Get(ctx, "unowned/"+key)
	if err != nil && !errors.Is(err, records.ErrNotFound) {
		return err
	}
	if string(r.Value) == "sent" {
		return nil
	}
	if since, err := time.Parse(time.RFC3339Nano, string(r.Value)); err == nil && time.Since(since) < faultLease {
		return task.RetryAfter(errors.New("in progress"), time.Second)
	}
	if err := put(time.Now().Format(time.RFC3339Nano), r.Version); err != nil {
		return err
	}
	if err := effect(); err != nil {
		return err
	}
	w.point(key, "sent", false)
	_, err = w.store.Update(ctx, "unowned/"+key, func(*records.Record) (records.Record, error) {
		return records.Record{Value: []byte("sent")}, nil
	})
	return err
}

// point is where a fault may be; it returns whether the write is to fail.
func (w *worker) point(key, state string, after bool) (fail bool) {
	p, ok := w.plans[key]
	if !ok || p.State != state || p.After != after {
		return false
	}
	f, err := os.OpenFile(filepath.Join(w.Folder, key), os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false // it has been
	}
	f.Close()
	switch p.Action {
	case "kill":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "stop":
		fmt.Println("stopped")
		syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	}
	return p.Action == "error"
}

// faultyStore has a point before and after each write of the ledger.
type faultyStore struct {
	driver.Store
	w *worker
}

var errAway = errors.New("the store went away")

func (s *faultyStore) Put(ctx context.Context, r driver.Record) (string, error) {
	name, ours := strings.CutPrefix(r.Key, ledger.Prefix+"fault/")
	if !ours {
		return s.Store.Put(ctx, r)
	}
	key, _, _ := strings.Cut(name, "@")
	state := string(ledger.StateOf("", r.Value))
	if s.w.point(key, state, false) {
		return "", errAway
	}
	v, err := s.put(ctx, "fault/"+name, r)
	if err == nil && s.w.point(key, state, true) {
		return "", errAway
	}
	return v, err
}
