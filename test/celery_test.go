package test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/internal/need"
)

// TestCelery runs Celery, unmodified, on the SQS endpoint while dayfly is killed
// with SIGKILL: tasks that are late, retried and held back until their time. All
// that Celery's send was acknowledged for must run to their end.
//
// Two workers live on while dayfly is dead, one on a queue that Celery makes, one
// on a predefined queue; a third is a process of dayfly and dies with it.
// DAYFLY_CELERY_SEED repeats a run's moments and tasks, DAYFLY_CELERY_TASKS (each
// application's) and DAYFLY_CELERY_KILLS make it longer.
func TestCelery(t *testing.T) {
	t.Parallel()
	tasks, kills := number(t, "DAYFLY_CELERY_TASKS", 80), number(t, "DAYFLY_CELERY_KILLS", 3)
	seed := number(t, "DAYFLY_CELERY_SEED", int(time.Now().UnixNano()&0x7fffffff))
	t.Logf("seed %d: %d tasks each, %d kills (DAYFLY_CELERY_SEED=%d repeats the moments and the tasks)", seed, tasks, kills, seed)
	random := rand.New(rand.NewPCG(uint64(seed), 0))

	now, before := need.PythonOf(t, "venv-celery", "celery", "pycurl"), need.PythonOf(t, "venv-celery56", "celery", "pycurl")
	own := &celery{t: t, name: "own", python: before, record: filepath.Join(t.TempDir(), "own")}
	named := &celery{t: t, name: "named", python: before, record: filepath.Join(t.TempDir(), "named"), env: []string{"PREFETCH=1"}}
	inside := &celery{t: t, name: "inside", python: now, record: filepath.Join(t.TempDir(), "inside")}
	dir := application(t, fmt.Sprintf(`name = "celery"
[process.worker]
command = "exec %s -m celery -A celery_app worker --concurrency 1"
env = { PYTHONPATH = "%s", RECORD_FILE = "%s", ACKS_LATE = "1" }
stop_timeout = "2s"
[queue.tasks]
attempts = 1000
[queue.named]
attempts = 1000
[listen]
aws = "%s"
dashboard = "127.0.0.1:0"
cache = "127.0.0.1:0"
smtp = "127.0.0.1:0"
`, now, clientsFolder(t), inside.record, need.Address(t)))
	h := up(t, dir, filepath.Join(dir, ".dayfly"))
	named.env = append(named.env, "QUEUE_TASKS_URL="+h.env["QUEUE_NAMED_URL"])
	inside.env = append(inside.env, "QUEUE_TASKS_URL="+h.env["QUEUE_TASKS_URL"])
	all := []*celery{own, named, inside}
	for _, c := range all {
		for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
			c.env = append(c.env, name+"="+h.env[name])
		}
	}
	own.work()
	named.work()
	own.ready()
	named.ready()
	for i, c := range all {
		c.send(tasks, seed+i)
	}

	for kill := range kills {
		share := len(all) * tasks * (kill + 1) / (kills + 1)
		eventually(t, fmt.Sprintf("%d tasks acknowledged", share), func() bool {
			return own.acknowledged()+named.acknowledged()+inside.acknowledged() >= share
		})
		time.Sleep(time.Duration(random.Int64N(int64(500 * time.Millisecond))))
		h.kill()
		if kill == kills/2 { // once long enough for the workers outside to see it
			askedInVain(t, strings.TrimPrefix(h.env["AWS_ENDPOINT_URL"], "http://"), "celery", "named")
		}
		h = start(t, dir, h.data)
		h.wait()
	}
	for _, c := range all {
		<-c.sent
		c.check(tasks)
	}
	h.down()
}

// celery is an application: a client that sends, and a worker.
type celery struct {
	t      *testing.T
	name   string
	python string
	record string // what its worker wrote down
	env    []string

	mu     sync.Mutex
	keys   []string // of tasks whose sending was acknowledged
	sent   chan struct{}
	worker chan struct{} // closed when it ended; nil when it is dayfly's
	out    *syncBuffer
}

func (c *celery) command(args ...string) *exec.Cmd {
	cmd := exec.Command(c.python, args...)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+clientsFolder(c.t), "RECORD_FILE="+c.record)
	cmd.Env = append(cmd.Env, c.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// run starts a command that is killed, with all it started, when the test ends.
func (c *celery) run(cmd *exec.Cmd) (ended chan struct{}) {
	c.t.Helper()
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	ended = make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	c.t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
	})
	return ended
}

// work starts a worker that is not dayfly's.
func (c *celery) work() {
	c.t.Helper()
	cmd := c.command("-m", "celery", "-A", "celery_app", "worker", "--concurrency", "1", "--loglevel", "INFO", "--hostname", c.name+"@%h")
	c.out = &syncBuffer{}
	cmd.Stdout, cmd.Stderr = c.out, c.out
	c.worker = c.run(cmd)
}

func (c *celery) ready() {
	c.t.Helper()
	eventually(c.t, "worker "+c.name+" is ready", func() bool {
		c.alive()
		return strings.Contains(c.out.String(), " ready.")
	})
}

func (c *celery) alive() {
	c.t.Helper()
	select {
	case <-c.worker:
		c.t.Fatalf("worker %s ended:\n%s", c.name, c.out.tail(4000))
	default:
	}
}

// send starts the client.
func (c *celery) send(tasks, seed int) {
	c.t.Helper()
	cmd := c.command("-m", "celery_send", c.name, fmt.Sprint(tasks), fmt.Sprint(seed))
	out, in, err := os.Pipe()
	if err != nil {
		c.t.Fatal(err)
	}
	errOut := &syncBuffer{}
	cmd.Stdout, cmd.Stderr = in, errOut
	ended := c.run(cmd)
	in.Close()
	c.sent = make(chan struct{})
	go func() {
		defer close(c.sent)
		defer out.Close()
		for scan := bufio.NewScanner(out); scan.Scan(); {
			c.mu.Lock()
			c.keys = append(c.keys, scan.Text())
			c.mu.Unlock()
		}
		<-ended
		if !cmd.ProcessState.Success() {
			c.t.Errorf("the client of %s: %v\n%s", c.name, cmd.ProcessState, errOut.tail(4000))
		}
	}()
}

func (c *celery) acknowledged() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.keys)
}

// check waits until every acknowledged task ran to its end, and counts.
func (c *celery) check(tasks int) {
	c.t.Helper()
	if n := c.acknowledged(); n != tasks {
		c.t.Fatalf("%s: %d of %d tasks were acknowledged", c.name, n, tasks)
	}
	var lines map[string]int
	lost := func() (keys []string) {
		lines = readRecord(c.t, c.record)
		for _, key := range c.keys {
			if lines["end "+key] == 0 {
				keys = append(keys, key)
			}
		}
		return keys
	}
	for end := time.Now().Add(patience); len(lost()) > 0 && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if c.worker != nil {
			c.alive()
		}
	}
	attempts, again := 0, 0
	for line, n := range lines {
		if what, _, _ := strings.Cut(line, " "); what == "start" {
			attempts += n
		} else {
			again += n - 1
		}
	}
	missing := lost()
	c.t.Logf("%s: %d tasks acknowledged, %d attempts, %d lost, %d runs too many", c.name, tasks, attempts, len(missing), again)
	if len(missing) > 0 {
		c.t.Errorf("%s: acknowledged, but not run to their end: %v", c.name, missing)
		if c.out != nil {
			c.t.Logf("its worker printed:\n%s", c.out.tail(8000))
		}
	}
}

// askedInVain stands where a dead dayfly was, breaks all connections, and waits
// until each queue was asked for, or about, a message: its worker knows. It
// waits 10 s at most: a worker may be busy with what it fetched before, or rest.
func askedInVain(t *testing.T, address string, queues ...string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	asked := map[string]bool{}
	s := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))             // what came of it
		what := r.Header.Get("X-Amz-Target") + r.URL.Path + string(body) // in either protocol
		mu.Lock()
		defer mu.Unlock()
		for _, q := range queues {
			asked[q] = asked[q] || ofWorker.MatchString(what) && strings.Contains(what, "/"+q)
		}
		panic(http.ErrAbortHandler)
	})}
	served := make(chan struct{})
	go func() { defer close(served); s.Serve(l) }()
	defer func() { s.Close(); <-served }()
	all := func() (n int) {
		mu.Lock()
		defer mu.Unlock()
		for _, q := range queues {
			if asked[q] {
				n++
			}
		}
		return n
	}
	for end := time.Now().Add(10 * time.Second); all() < len(queues) && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	t.Logf("%d of %d workers asked in vain", all(), len(queues))
}

// ofWorker are the actions of a worker, and of no client that sends.
var ofWorker = regexp.MustCompile(`(Receive|Delete)Message|ChangeMessageVisibility`)

// clientsFolder holds the clients' scripts.
func clientsFolder(t *testing.T) string {
	t.Helper()
	return filepath.Join(need.Root(t), "test", "clients")
}
