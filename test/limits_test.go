package test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/internal/need"
)

// endpointPy is an application of nothing but Python's own library: it writes
// down when each task begins and ends. The first one never ends a task hold.
const endpointPy = `
import json, os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

def note(what, head):
    line = {"what": what, "who": os.environ["WHO"], "at": time.time(), "id": head["ce-id"], "type": head["ce-type"],
            "tenant": head["ce-tenant"] or "", "attempt": int(head["Dayfly-Attempt"])}
    os.write(journal, (json.dumps(line) + "\n").encode())

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        note("begin", self.headers)
        time.sleep(600 if self.headers["ce-type"] == "hold" and os.environ["WHO"] == "first" else 0.2)
        note("end", self.headers)
        self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass

journal = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
`

// producerPy enqueues with boto3 alone.
const producerPy = `
import json, os, sys
import boto3

queue = boto3.client("sqs")
for id, type, extensions in json.loads(sys.argv[1]):
    task = {"specversion": "1.0", "id": id, "source": "python", "type": type, "data": {}} | extensions
    queue.send_message(QueueUrl=os.environ["QUEUE_DEFAULT_URL"], MessageBody=json.dumps(task))
`

const limitsManifest = `
[process.web]
command = "exec \"$PYTHON\" endpoint.py"
http = true

[queue.default]
push = "http://web/tasks"

[queue.default.limit]
concurrency = 4
per.tenant = { concurrency = 1 }
task.hold = { concurrency = 1 }
task.rated = { rate = "5/s" }
`

// TestLimitsOfTwo: two dayfly processes push the tasks of one queue, by the SQS
// protocol, to applications in Python, and agree by a SQLite file. What a producer
// in Python enqueues stays within the limits over both, and one of each unique key
// is done. One of the two is killed while it has the only place of a limit, and
// the other gets that when its lease is over, and not before.
func TestLimitsOfTwo(t *testing.T) {
	t.Parallel()
	l := newLimits(t, need.Python(t, "boto3"))
	first := l.pusher("first")
	l.enqueue([]any{"hold-1", "hold", map[string]any{}})
	l.eventually("the first holds the place", func() bool { return len(l.begun("hold")) == 1 })
	l.pusher("second")
	var tasks []any
	want := 0
	for i, tenant := range []string{"ann", "ann", "ann", "ann", "bob", "bob", "bob", "bob", "eve", "eve", "eve", "eve"} {
		tasks = append(tasks, []any{"work-" + string(rune('a'+i)), "work", map[string]any{"tenant": tenant}},
			[]any{"rated-" + string(rune('a'+i)), "rated", map[string]any{}},
			[]any{"only-" + string(rune('a'+i)), "only", map[string]any{"uniqueby": tenant, "uniquefor": 600}})
		want += 2
	}
	want += 3 // one of each tenant
	l.enqueue([]any{"hold-2", "hold", map[string]any{}})
	l.enqueue(tasks...)
	l.eventually("all but what is held is done", func() bool { return len(l.ended("")) == want && l.left() == 2 })
	if got := l.begun("hold"); len(got) != 1 {
		t.Errorf("the place of hold was given twice: %v", got)
	}
	first.kill()
	killed := float64(time.Now().UnixMilli()) / 1000
	l.eventually("the other has done what the dead one held", func() bool { return len(l.ended("hold")) == 2 && l.left() == 0 })

	l.within("all", 4, killed, func(s step) bool { return true })
	l.within("hold", 1, killed, func(s step) bool { return s.Type == "hold" })
	for _, tenant := range []string{"ann", "bob", "eve"} {
		l.within(tenant, 1, killed, func(s step) bool { return s.Tenant == tenant })
	}
	rated := l.begun("rated")
	if took := rated[len(rated)-1].At - rated[0].At; took < 11/5.0-0.3 {
		t.Errorf("12 of 5 a second began within %.2f s", took)
	}
	if n := len(l.begun("only")); n != 3 {
		t.Errorf("%d tasks of three unique keys were begun", n)
	}
	holds := l.begun("hold")
	if after := holds[1].At - killed; after < 10 || holds[1].Who != "second" { // the lease of 30 s was renewed within its last 10 s
		t.Errorf("%.1f s after the kill the place was %s's", after, holds[1].Who)
	} else {
		t.Logf("the place came back %.1f s after the kill", after)
	}
	for _, s := range l.steps("begin", "") {
		// What the dead one had in its hands comes again: hold-1, and hold-2 if it
		// was just asking whether there was a place.
		if most := map[bool]int{true: 2, false: 1}[s.Type == "hold"]; s.Attempt > most {
			t.Errorf("%s began as attempt %d: waiting cost some", s.ID, s.Attempt)
		}
	}
}

// limits is a house with the queue and the records, and what pushers' applications
// write down.
type limits struct {
	t       *testing.T
	h       *house
	python  string
	journal string
}

func newLimits(t *testing.T, python string) *limits {
	dir := t.TempDir()
	l := &limits{t: t, python: python, journal: filepath.Join(dir, "journal")}
	l.write(dir, "dayfly.toml", "name = \"infra\"\n[queue.default]\nvisibility = \"20s\"\n"+anyPorts)
	l.write(dir, "producer.py", producerPy)
	l.h = up(t, dir, filepath.Join(dir, ".dayfly"))
	return l
}

func (l *limits) write(dir, name, text string) {
	l.t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

// pusher starts another dayfly, which has its queue and its records of l.h.
func (l *limits) pusher(name string) *house {
	l.t.Helper()
	dir := l.t.TempDir()
	l.write(dir, "dayfly.toml", "name = \""+name+"\"\n"+limitsManifest+anyPorts)
	l.write(dir, "endpoint.py", endpointPy)
	env := []string{"WHO=" + name, "JOURNAL=" + l.journal, "PYTHON=" + l.python}
	for _, k := range []string{"AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "QUEUE_DEFAULT_URL", "RECORDS_URL"} {
		env = append(env, k+"="+l.h.env[k])
	}
	return up(l.t, dir, filepath.Join(dir, ".dayfly"), env...)
}

// enqueue sends tasks, each an id, a type and extensions, from Python.
func (l *limits) enqueue(tasks ...any) {
	l.t.Helper()
	text, err := json.Marshal(tasks)
	if err != nil {
		l.t.Fatal(err)
	}
	l.h.client(l.t, nil, l.python, filepath.Join(l.h.dir, "producer.py"), string(text))
}

func (l *limits) eventually(what string, ok func() bool) {
	l.t.Helper()
	eventually(l.t, what, ok)
}

// left is how many messages the queue has.
func (l *limits) left() int64 {
	l.t.Helper()
	d, err := client(l.t, l.h.env).Service().Describe(l.t.Context(), "default")
	if err != nil {
		l.t.Fatal(err)
	}
	return d.Visible + d.InFlight + d.Delayed
}

// step is a line of the journal.
type step struct {
	What, Who, ID, Type, Tenant string
	At                          float64 // seconds since 1970
	Attempt                     int
}

// steps of one kind and type, "" for any, in their order.
func (l *limits) steps(what, of string) (all []step) {
	l.t.Helper()
	f, err := os.Open(l.journal)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		l.t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var s step
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			l.t.Fatalf("%s: %v", lines.Text(), err)
		}
		if (what == "" || s.What == what) && (of == "" || s.Type == of) {
			all = append(all, s)
		}
	}
	slices.SortStableFunc(all, func(a, b step) int {
		return int((a.At - b.At) * 1e6)
	})
	return all
}

func (l *limits) begun(of string) []step { return l.steps("begin", of) }
func (l *limits) ended(of string) []step { return l.steps("end", of) }

// within checks how many of some tasks were with an endpoint at once. What the
// first had when it was killed ended then.
func (l *limits) within(what string, limit int, killed float64, of func(step) bool) {
	l.t.Helper()
	now, most, dead := 0, 0, false
	for _, s := range l.steps("", "") {
		if s.At >= killed && !dead {
			dead = true
			if of(step{Type: "hold"}) {
				now-- // hold-1
			}
		}
		switch {
		case !of(s):
		case s.What == "begin":
			now++
			most = max(most, now)
		default:
			now--
		}
	}
	if most > limit || most == 0 {
		l.t.Errorf("%s: %d at once, not 1–%d", what, most, limit)
	}
}
