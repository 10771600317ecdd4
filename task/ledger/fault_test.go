package ledger_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/cache/localcache"
	"github.com/dayfly-dev/dayfly/cache/memcachedserver"
	"github.com/dayfly-dev/dayfly/internal/gateway"
	"github.com/dayfly-dev/dayfly/internal/sigv4"
	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
	"github.com/dayfly-dev/dayfly/queue/sqsserver"
	"github.com/dayfly-dev/dayfly/records/open"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/ledger"
)

// faultRig is a queue, a mail server, a store of records, and workers in
// processes of their own that are killed and stopped.
type faultRig struct {
	t       *testing.T
	mail    *mailServer
	queues  *queue.Service
	records string
	config  workerConfig
}

func newFaultRig(t *testing.T, all []plan) *faultRig {
	r := &faultRig{t: t, mail: newMailServer(t, all)}
	engine, err := diskqueue.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.queues = queue.New(engine)
	server, err := sqsserver.New(sqsserver.Options{Service: r.queues})
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(gateway.Options{
		Credentials: []sigv4.Credentials{{AccessKeyID: "AKIATEST", SecretAccessKey: "secret"}},
		Services:    map[string]http.Handler{"sqs": server},
	})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(g)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		server.Shutdown(ctx)
		h.Close()
		r.queues.Close()
	})
	attributes := queue.Attributes{Visibility: faultVisibility, DeadLetter: &queue.DeadLetter{Queue: "dead", MaxReceives: 1000}}
	if err := errors.Join(r.queues.CreateQueue(t.Context(), "dead", queue.Attributes{}, nil),
		r.queues.CreateQueue(t.Context(), "default", attributes, nil)); err != nil {
		t.Fatal(err)
	}
	r.records = os.Getenv("DAYFLY_LEDGER_RECORDS")
	if r.records == "" {
		r.records = "sqlite:///" + filepath.Join(t.TempDir(), "records.db")
	}
	r.config = workerConfig{Queue: h.URL + "/000000000000/default", Records: r.records, SMTP: r.mail.address,
		Cache: memcached(t), Folder: t.TempDir(), Plans: all}
	return r
}

// memcached is the cache of the first control.
func memcached(t *testing.T) string {
	engine, err := localcache.New(localcache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := memcachedserver.New(memcachedserver.Options{Cache: engine})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l) // ends with Shutdown
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		s.Shutdown(ctx)
		engine.Close()
	})
	return "memcached://" + l.Addr().String()
}

// run enqueues each key several times, and has workers work until the queue is
// empty and all is at rest, starting another for each that dies.
func (r *faultRig) run(all []plan, atRest func() bool) {
	r.t.Helper()
	client := task.NewClient(r.queues.Queue("default"), nil)
	for range faultCopies {
		for _, p := range all {
			if _, err := task.EnqueueNamed(r.t.Context(), client, "mail", json.RawMessage(strconv.Quote(p.Key))); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	ctx, stop := context.WithCancel(r.t.Context())
	var workers sync.WaitGroup
	for i := range faultWorkers {
		workers.Go(func() {
			for ctx.Err() == nil {
				r.child(ctx, skews[i])
			}
		})
	}
	defer workers.Wait()
	defer stop()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		d, err := r.queues.Describe(r.t.Context(), "default")
		if err != nil {
			r.t.Error(err)
			return
		}
		if d.Visible+d.InFlight+d.Delayed == 0 && atRest() {
			return
		}
		if time.Now().After(end) {
			r.t.Errorf("not at rest: %d visible, %d in flight, %d delayed", d.Visible, d.InFlight, d.Delayed)
			return
		}
	}
}

// child runs one worker to its end, and wakes it when it stopped itself.
func (r *faultRig) child(ctx context.Context, skew time.Duration) {
	c := r.config
	c.Skew = skew
	text, err := json.Marshal(c)
	if err != nil {
		r.t.Error(err)
		return
	}
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), "DAYFLY_FAULT_WORKER="+string(text), "AWS_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=AKIATEST", "AWS_SECRET_ACCESS_KEY=secret", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		r.t.Error(err)
		return
	}
	for in := bufio.NewScanner(out); in.Scan(); {
		if in.Text() == "stopped" {
			select {
			case <-time.After(faultPause): // is the fault
			case <-ctx.Done():
			}
			cmd.Process.Signal(syscall.SIGCONT)
		}
	}
	cmd.Wait() // it was killed
}

// ledger is that of the workers, to read what is on record.
func (r *faultRig) ledger() *ledger.Ledger {
	s, err := open.URL(r.t.Context(), r.records)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { s.Close() })
	l, err := ledger.New(s, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return l
}

func newSeed(t *testing.T) uint64 {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("DAYFLY_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("DAYFLY_SEED: %v", err)
		}
		seed = n
	}
	t.Logf("DAYFLY_SEED=%d", seed)
	return seed
}

// TestFaults kills and stops workers, and fails writes, before and after every
// transition, with each message several times in the queue, clocks that differ
// by more than the quarantine, and a mail server that refuses or hangs up. With
// DAYFLY_SOAK (a duration) it goes on that long.
func TestFaults(t *testing.T) {
	var soak time.Duration
	if s := os.Getenv("DAYFLY_SOAK"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatalf("DAYFLY_SOAK: %v", err)
		}
		soak = d
	}
	for begun := time.Now(); ; {
		faultRound(t, newSeed(t))
		if t.Failed() || time.Since(begun) >= soak {
			return
		}
	}
}

func faultRound(t *testing.T, seed uint64) {
	begun := time.Now()
	all := plans(seed, 1)
	r := newFaultRig(t, all)
	l := r.ledger()
	r.run(all, func() bool {
		// A worker that was stopped may be the last to know: its messages were
		// parked by another, and it has still to say what it did.
		for _, p := range all {
			e, err := l.Get(t.Context(), "fault/"+p.Key+"@example.com")
			if p.Action == "stop" && (err != nil || e.State != ledger.StateSent) {
				return false
			}
		}
		return true
	})
	count := map[string]int{}
	for _, p := range all {
		key := "fault/" + p.Key + "@example.com"
		e, err := l.Get(t.Context(), key)
		if err != nil {
			t.Errorf("%s: %v", p.name(), err)
			continue
		}
		n := r.mail.accepted(p.Key)
		count[p.Policy+" "+string(e.State)]++
		count[p.Policy+" accepts"] += n
		unknown := e.State == ledger.StateUnknown
		switch {
		case p.Policy == "at-most-once" && n > 1:
			t.Errorf("%d accepts under AtMostOnce: %s", n, p.name())
		case p.Policy == "at-least-once" && (n < 1 || e.State != ledger.StateSent):
			t.Errorf("%d accepts under AtLeastOnce, on record as %s: %s", n, e.State, p.name())
		case unknown && !p.mayBeUnknown():
			t.Errorf("unknown without a fault in the window (%s): %s", e.Error, p.name())
		case !unknown && e.State != ledger.StateSent:
			t.Errorf("at rest and %s: %s", e.State, p.name())
		case e.State == ledger.StateSent && n < 1:
			t.Errorf("on record as sent, and nothing was: %s", p.name())
		case p.Action != "" && !r.fired(p):
			t.Errorf("the fault never was: %s", p.name())
		}
	}
	t.Logf("%d keys, %d messages, %v: %v", len(all), faultCopies*len(all), time.Since(begun).Round(time.Millisecond), count)
}

func (r *faultRig) fired(p plan) bool {
	_, err := os.Stat(filepath.Join(r.config.Folder, p.Key))
	return !errors.Is(err, os.ErrNotExist)
}

// TestFaultsFindBugs: the two classic designs send twice in the same test.
func TestFaultsFindBugs(t *testing.T) {
	for _, guard := range []string{"lock", "unowned"} {
		t.Run(guard, func(t *testing.T) {
			all := controlPlans(newSeed(t), guard)
			r := newFaultRig(t, all)
			r.run(all, func() bool { return true })
			twice := 0
			for _, p := range all {
				if n := r.mail.accepted(p.Key); n > 1 {
					twice++
				}
			}
			t.Logf("%d of %d keys were sent more than once", twice, len(all))
			if twice == 0 {
				t.Error("the harness does not find what is known to be wrong")
			}
		})
	}
}
