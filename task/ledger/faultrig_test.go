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

func newFaultRig(t *testing.T, records string, all []plan) *faultRig {
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
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
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
	r.records = records
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
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
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
	for end := time.Now().Add(10 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
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
