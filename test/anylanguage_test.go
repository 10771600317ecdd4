package test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/internal/need"
)

// TestAnyLanguage runs the applications of examples/any-language as they are,
// while the application and dayfly are killed with SIGKILL, and the application is
// restarted: all tasks that the page said it took are done, none is a dead letter,
// and no more are done twice than can have been under way at the kills.
// DAYFLY_ANY_SEED repeats a run's moments.
func TestAnyLanguage(t *testing.T) {
	t.Parallel()
	python := need.Python(t, "boto3", "flask")
	node, modules := need.Node(t, "@aws-sdk/client-sqs")
	for _, x := range []struct {
		name string
		env  []string
	}{
		{"python", []string{"PATH=" + filepath.Dir(python) + ":" + os.Getenv("PATH")}},
		{"node", []string{"PATH=" + filepath.Dir(node) + ":" + os.Getenv("PATH"), "NODE_PATH=" + modules}},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			g := newGreetings(t, x.name, x.env)
			g.strangers()
			g.fromShell(filepath.Join(filepath.Dir(python), "aws"))
			g.throughKills(300)
			g.h.down()
		})
	}
}

// greetings is one of the examples, running.
type greetings struct {
	t       *testing.T
	h       *house
	env     []string
	greeted string // its file of those greeted
	site    string

	mu    sync.Mutex
	taken map[string]string // task id → name, as the page said
	kills []time.Time
}

func newGreetings(t *testing.T, name string, env []string) *greetings {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(need.Root(t), "examples", "any-language", name))); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "dayfly.toml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	site := need.Address(t) // where it was after each start
	if _, err := io.WriteString(f, strings.Replace(anyPorts, `edge = "127.0.0.1:0"`, `edge = "`+site+`"`, 1)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	g := &greetings{t: t, env: env, greeted: filepath.Join(dir, "greeted.txt"), site: "http://" + site, taken: map[string]string{}}
	g.h = up(t, dir, filepath.Join(dir, ".dayfly"), env...)
	return g
}

// strangers may not bring tasks.
func (g *greetings) strangers() {
	g.t.Helper()
	for _, authorization := range []string{"", "Bearer x", "Bearer " + g.h.env["PUSH_TOKEN"] + "x", "Bearer ü"} {
		r, err := http.NewRequest(http.MethodPost, g.site+"/tasks", strings.NewReader(`{"name":"stranger"}`))
		if err != nil {
			g.t.Fatal(err)
		}
		r.Header = http.Header{"Ce-Type": {"greet"}, "Ce-Id": {"1"}, "Content-Type": {"application/json"}, "Authorization": {authorization}}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			g.t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusForbidden {
			g.t.Errorf("a stranger with Authorization %q was answered %d", authorization, answer.StatusCode)
		}
	}
	if _, err := os.Stat(g.greeted); err == nil {
		g.t.Error("a stranger's task was done")
	}
}

// fromShell enqueues with the aws command: a task, and twice one that is to be
// done once.
func (g *greetings) fromShell(aws string) {
	g.t.Helper()
	for id, key := range map[string]string{"shell-1": "greet/ann", "shell-2": "greet/ann", "shell-3": "greet/bob"} {
		g.h.client(g.t, nil, aws, "sqs", "send-message", "--queue-url", g.h.env["QUEUE_DEFAULT_URL"], "--message-body",
			fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"shell","type":"greet","oncekey":%q,"data":{"name":"from a shell"}}`, id, key))
	}
	eventually(g.t, "the tasks of the shell are done", func() bool { return g.messages("default") == 0 })
	runs := g.runs()
	if ann, bob := len(runs["shell-1"])+len(runs["shell-2"]), len(runs["shell-3"]); ann != 1 || bob != 1 {
		g.t.Errorf("Ann was greeted %d times, Bob %d times", ann, bob)
	}
}

func (g *greetings) throughKills(tasks int) {
	g.t.Helper()
	seed := number(g.t, "DAYFLY_ANY_SEED", int(time.Now().UnixNano()&0x7fffffff))
	g.t.Logf("seed %d: %d tasks (DAYFLY_ANY_SEED=%d repeats the moments)", seed, tasks, seed)
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	ctx, cancel := context.WithTimeout(g.t.Context(), 15*time.Minute)
	defer cancel()
	var producers sync.WaitGroup
	const producersN = 6
	for p := range producersN {
		producers.Go(func() {
			for i := p; i < tasks && ctx.Err() == nil; i += producersN {
				g.greet(ctx, fmt.Sprintf("guest-%d", i))
			}
		})
	}
	for i, what := range []func(){g.killApp, g.killDayfly, g.restartApp, g.killApp, g.killDayfly} {
		share := tasks * (i + 1) / 6
		eventually(g.t, fmt.Sprintf("%d tasks taken", share), func() bool { return g.count() >= share })
		time.Sleep(time.Duration(random.Int64N(int64(200 * time.Millisecond))))
		what()
	}
	producers.Wait()
	if g.count() != tasks {
		g.t.Fatalf("only %d of %d tasks were taken in time", g.count(), tasks)
	}
	eventually(g.t, "all tasks are done", func() bool { return g.undone() == 0 })
	eventually(g.t, "the queue is empty", func() bool { return g.messages("default") == 0 })
	g.account(tasks)
}

// greet asks the page until it takes the name.
func (g *greetings) greet(ctx context.Context, name string) {
	for ctx.Err() == nil {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.site+"/greet", strings.NewReader(url.Values{"name": {name}}.Encode()))
		if err != nil {
			g.t.Error(err)
			return
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if answer, err := http.DefaultClient.Do(r); err == nil {
			id, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			if err == nil && answer.StatusCode == http.StatusAccepted {
				g.mu.Lock()
				g.taken[string(id)] = name
				g.mu.Unlock()
				return
			}
		}
		time.Sleep(50 * time.Millisecond) // it is being started
	}
}

func (g *greetings) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.taken)
}

func (g *greetings) killed() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.kills = append(g.kills, time.Now())
}

func (g *greetings) killApp() {
	g.t.Helper()
	for _, p := range g.h.group("web").Processes {
		if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
			g.t.Errorf("kill %s: %v", p.Name, err)
		}
	}
	g.killed()
}

// restartApp has the successor started first, and the tasks under way finished.
func (g *greetings) restartApp() { g.t.Helper(); g.h.cli("restart", "web") }

func (g *greetings) killDayfly() {
	g.t.Helper()
	g.h.kill()
	g.killed()
	g.h = start(g.t, g.h.dir, g.h.data, g.env...)
	g.h.wait()
}

// runs are the names that each task greeted, in order.
func (g *greetings) runs() map[string][]string {
	g.t.Helper()
	f, err := os.Open(g.greeted)
	if err != nil {
		g.t.Fatal(err)
	}
	defer f.Close()
	runs := map[string][]string{}
	for scan := bufio.NewScanner(f); scan.Scan(); {
		id, name, _ := strings.Cut(scan.Text(), " ")
		runs[id] = append(runs[id], name)
	}
	return runs
}

// undone counts the tasks that were taken and did not run.
func (g *greetings) undone() int {
	g.t.Helper()
	runs, n := g.runs(), 0
	for id := range g.taken {
		if len(runs[id]) == 0 {
			n++
		}
	}
	return n
}

// messages that a queue holds.
func (g *greetings) messages(name string) int64 {
	g.t.Helper()
	d, err := client(g.t, g.h.env).Service().Describe(g.t.Context(), name)
	if err != nil {
		g.t.Fatal(err)
	}
	return d.Visible + d.InFlight + d.Delayed
}

// account sees that all that was taken is done, right, and that what was done
// twice can be put down to a kill: the tasks under way at one are at most the 8
// that are with the application, and those whose acknowledgement was on its way.
func (g *greetings) account(tasks int) {
	g.t.Helper()
	const shell = 2 // tasks of fromShell that ran
	runs, lost, twice := g.runs(), g.undone(), 0
	for id, name := range g.taken {
		for _, got := range runs[id] {
			if got != name {
				g.t.Errorf("task %s greeted %q, not %q", id, got, name)
			}
		}
	}
	for _, names := range runs {
		twice += len(names) - 1
	}
	// A page that was killed may have enqueued without saying so.
	g.t.Logf("%d kills, %d tasks taken, %d lost, %d runs too many, %d tasks more than the page said", len(g.kills), tasks, lost, twice, len(runs)-tasks-shell)
	if lost > 0 {
		g.t.Errorf("%d tasks were lost", lost)
	}
	if most := 2 * 8 * len(g.kills); twice > most {
		g.t.Errorf("%d runs too many, more than %d kills explain", twice, len(g.kills))
	}
	if n := g.messages("default-dead"); n != 0 {
		g.t.Errorf("%d dead letters", n)
	}
}
