package test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"github.com/dayfly-dev/dayfly/internal/need"
	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task"
)

// TestSoakTasks is a day in five minutes: one application with 200 types of
// tasks, two workers in Go, one in Python that is pushed to, one in Node that
// asks over SQS's protocol, and a schedule of each second into each queue, while
// workers and dayfly are killed and stopped and the clocks of the Go workers'
// ledgers are stepped. In the end every task is accounted for. DAYFLY_SOAK says
// for how long tasks are enqueued (15s), DAYFLY_SOAK_SEED repeats what is decided
// at random. doc/soak.md says what is demanded.
func TestSoakTasks(t *testing.T) {
	t.Parallel()
	length := 15 * time.Second
	if text := os.Getenv("DAYFLY_SOAK"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatalf("DAYFLY_SOAK: %v", err)
		}
		length = d
	}
	seed := number(t, "DAYFLY_SOAK_SEED", int(time.Now().UnixNano()&0x7fffffff))
	t.Logf("DAYFLY_SOAK_SEED=%d DAYFLY_SOAK=%v", seed, length)
	s := newSoak(t, uint64(seed), length)
	s.watchMachine()
	s.produce()
	s.rest()
	s.decide()
	s.account()
	s.h.down()
}

// soakTypes are the 200 types: of each queue, how many of each kind.
var soakTypes = map[string]map[string]int{
	"default": {"plain": 16, "flaky": 12, "bad": 8, "panic": 8, "slow": 4, "large": 12, "once": 24, "atleast": 12, "delayed": 12, "outbox": 12},
	"py":      {"plain": 10, "flaky": 8, "bad": 6, "once": 10, "large": 6},
	"node":    {"plain": 14, "flaky": 10, "bad": 6, "delayed": 10},
}

const soakManifest = `name = "soak"
[env]
SOAK_RECORD = "%[1]s"
SOAK_CLOCK = "%[2]s"
SOAK_TYPES = "%[3]s"
[process.go]
command = "exec %[4]s"
instances = { min = 2 }
[process.web]
command = "exec %[5]s -m flask --app %[6]s/app.py run --port $PORT"
http = true
[process.node]
command = "exec %[7]s %[6]s/app.cjs"
env = { NODE_PATH = "%[8]s" }
[database.main]
url = "sqlite"
outbox = "default"
[queue.default]
visibility = "5s"
attempts = 12
[queue.py]
push = "http://web/tasks"
visibility = "5s"
attempts = 4
[queue.node]
visibility = "5s"
attempts = 4
[schedule.tick]
every = "1s"
missed = "all"
task = "tick"
[schedule.tock]
every = "1s"
missed = "all"
task = "tock"
queue = "node"
[schedule.tack]
every = "1s"
missed = "all"
task = "tack"
queue = "py"
[listen]
aws = "%[9]s"
edge = "127.0.0.1:0"
dashboard = "127.0.0.1:0"
cache = "127.0.0.1:0"
smtp = "127.0.0.1:0"
`

// soak is the application under faults, and what is known of it.
type soak struct {
	t      *testing.T
	seed   uint64
	length time.Duration
	dir    string
	record string
	clocks string
	sink   *sink
	types  map[string][]string // by queue
	begun  time.Time
	rested time.Time

	db      *sql.DB
	clients map[string]*task.Client
	queues  map[string]*queue.Queue

	h      *house
	faults []fault
	stalls []fault // of the machine, not yet among the faults
	seen   int     // stalls of the record that are

	mu   sync.Mutex
	sent map[string]*sentTask // by id
	next int
}

// sentTask is one that was enqueued, or was to be.
type sentTask struct {
	id, kind, name, queue string
	key                   string // of its effect
	at, acked             time.Time
	repeated              bool // an enqueue failed and was made again
	undone                bool // its transaction was rolled back
}

func newSoak(t *testing.T, seed uint64, length time.Duration) *soak {
	t.Helper()
	python := need.Python(t, "flask")
	node, modules := need.Node(t, "@aws-sdk/client-sqs")
	s := &soak{t: t, seed: seed, length: length, sink: newSink(t, seed), types: map[string][]string{}, sent: map[string]*sentTask{},
		clients: map[string]*task.Client{}, queues: map[string]*queue.Queue{}}
	for _, q := range slices.Sorted(maps.Keys(soakTypes)) {
		for _, kind := range slices.Sorted(maps.Keys(soakTypes[q])) {
			// Dayfly's own ledger needs a minute and a half to declare the effect of a
			// dayfly that was killed; a short soak has no time for that.
			if kind == "once" && q == "py" && length < time.Minute {
				continue
			}
			for i := range soakTypes[q][kind] {
				s.types[q] = append(s.types[q], fmt.Sprintf("%s-%s-%d", kind, q, i))
			}
		}
	}
	files := t.TempDir()
	s.record, s.clocks = filepath.Join(files, "record"), filepath.Join(files, "clock")
	s.dir = application(t, fmt.Sprintf(soakManifest, s.record, s.clocks, strings.Join(append(s.types["default"], "tick"), ","),
		build(t, "./test/soak"), python, filepath.Join(need.Root(t), "test", "soak"), node, modules, need.Address(t)))
	s.h = up(t, s.dir, s.dir+"/.dayfly", s.env()...)
	s.begun = time.Now()
	db, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(s.h.env["DATABASE_MAIN_URL"], "sqlite:///")+"?_txlock=immediate&_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)")
	if err == nil {
		_, err = db.Exec("CREATE TABLE orders (id TEXT PRIMARY KEY)")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s.db = db
	payloads := objectClient(t, s.h.env)
	main := client(t, s.h.env)
	for name := range soakTypes {
		s.queues[name] = main.Service().Queue(name)
		s.clients[name] = task.NewClient(s.queues[name], &task.ClientOptions{Payloads: payloads})
	}
	return s
}

// env has mail go to the counting server.
func (s *soak) env() []string { return []string{"SMTP_URL=" + s.sink.address} }

// produce enqueues while faults fall, and returns when both have ended.
func (s *soak) produce() {
	s.t.Helper()
	end := time.Now().Add(s.length)
	var producers sync.WaitGroup
	for p := range 4 {
		producers.Go(func() {
			random := rand.New(rand.NewPCG(s.seed, uint64(p)))
			dealt := s.deal(p, 4)
			for pace := time.NewTicker(100 * time.Millisecond); time.Now().Before(end) || len(dealt) > 0; <-pace.C {
				if len(dealt) > 0 {
					s.enqueue(random, dealt[0], false)
					dealt = dealt[1:]
				} else {
					s.enqueue(random, s.choose(random), true)
				}
			}
		})
	}
	s.inflict(rand.New(rand.NewPCG(s.seed, 100)), end)
	producers.Wait()
}

// rest waits until all that was enqueued is done or dead.
func (s *soak) rest() {
	s.t.Helper()
	last := ""
	defer func() {
		if s.t.Failed() {
			s.t.Log("not empty: ", last)
		}
	}()
	eventually(s.t, "all queues and the outbox are empty", func() bool { last = s.waiting(); return last == "" })
	s.rested = time.Now()
	s.takeStalls()
}

// waiting says what is not at rest. The outbox comes first: what leaves it is
// in a queue before.
func (s *soak) waiting() string {
	s.t.Helper()
	var rows int
	if err := s.db.QueryRow("SELECT count(*) FROM dayfly_outbox").Scan(&rows); err != nil {
		s.t.Fatal(err)
	}
	if rows > 0 {
		return fmt.Sprintf("outbox: %d rows", rows)
	}
	for name, q := range s.queues {
		d, err := q.Describe(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		if d.Visible+d.Delayed+d.InFlight > 0 {
			return fmt.Sprintf("%s: %d visible, %d delayed, %d in flight", name, d.Visible, d.Delayed, d.InFlight)
		}
	}
	return ""
}

// unknown are the effects that dayfly asks a person about.
func (s *soak) unknown() (found []struct{ Key, State, Worker, Run, Error string }) {
	s.t.Helper()
	if err := json.Unmarshal([]byte(s.h.cli("task", "unknown", "--json")), &found); err != nil {
		s.t.Fatal(err)
	}
	return found
}
