package test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/dash"
)

// TestThreeNodes: three dayfly processes, each with a data folder of its own, share
// a queue and a store of records in PostgreSQL, as three machines do. Each tick
// of each schedule is fired once among them, while any of them is killed and
// started again, and while a new manifest is rolled out; policies about missed
// ticks and overlap hold; the dashboards of all three show the same. The queue
// and the bucket are those of a fourth dayfly, where AWS would be.
// DAYFLY_NODES_SEED repeats a run's moments.
func TestThreeNodes(t *testing.T) {
	t.Parallel()
	seed := uint64(number(t, "DAYFLY_NODES_SEED", int(time.Now().UnixNano()&0x7fffffff)))
	t.Logf("DAYFLY_NODES_SEED=%d repeats the moments", seed)
	s := newNodes(t, rand.New(rand.NewPCG(seed, 0)))
	past := s.pretendPast()
	s.startAll()
	past.up = time.Now()
	began := time.Now()
	first := began.Truncate(time.Second).Add(2 * time.Second)
	s.listen()
	s.sameEverywhere("tick", "slow", "all", "latest", "none")

	s.killSome(6)
	deployed := time.Now()
	s.deploy()
	last := time.Now().Truncate(time.Second).Add(6 * time.Second)
	eventually(t, "some ticks of the new manifest", func() bool { return time.Now().After(last) })
	s.sameEverywhere("tick", "slow", "all", "latest", "none", "added")

	s.onceEach("tick", first, last)
	s.onceEach("added", s.addedFrom.Truncate(time.Second).Add(2*time.Second), last)
	s.runs.argumentsOf(t, "tick", deployed, last)
	if early := s.runs.before("added", deployed); len(early) > 0 {
		t.Errorf("fired before the manifest said so: %v", early)
	}
	past.judge(s)
	s.runs.noOverlap(t, "slow")
	s.runsEverywhere()
	t.Logf("%v after all were up; %d kills", time.Since(began).Round(100*time.Millisecond), len(s.killed))
}

// nodes are three machines of one application.
type nodes struct {
	t      *testing.T
	random *rand.Rand
	stores *house // which has the queue and the bucket
	env    []string
	dirs   []string // of the manifests
	houses []*house
	runs   *nodeRuns

	killed    []time.Time
	addedFrom time.Time // when the first node of the new manifest was up
}

const nodeManifest = `name = "three"
[queue.default]
visibility = "30s"
[schedule.tick]
every = "1s"
task = "tick"
missed = "all"
args = { version = %d }
[schedule.slow]
every = "1s"
task = "slow"
overlap = "skip"
[schedule.all]
every = "40s"
task = "past"
missed = "all"
[schedule.latest]
every = "40s"
task = "past"
[schedule.none]
every = "40s"
task = "past"
missed = "none"
` + anyPorts

const addedSchedule = `
[schedule.added]
every = "1s"
task = "tick"
missed = "all"
args = { version = 2 }
`

func newNodes(t *testing.T, random *rand.Rand) *nodes {
	t.Helper()
	dir := application(t, "name = \"stores\"\n"+anyPorts)
	s := &nodes{t: t, random: random, runs: &nodeRuns{}, stores: up(t, dir, filepath.Join(dir, ".dayfly"))}
	s.env = []string{"RECORDS_URL=" + postgres(t) + "&lossy=1"} // its fsync is off
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		s.env = append(s.env, name+"="+s.stores.env[name])
	}
	for range 3 {
		s.dirs = append(s.dirs, application(t, fmt.Sprintf(nodeManifest, 1)))
	}
	return s
}

func (s *nodes) start(i int) *house {
	s.t.Helper()
	return start(s.t, s.dirs[i], filepath.Join(s.dirs[i], ".dayfly"), s.env...)
}

func (s *nodes) startAll() {
	s.t.Helper()
	for i := range s.dirs {
		s.houses = append(s.houses, s.start(i))
	}
	for _, h := range s.houses {
		h.wait()
	}
}

// killSome kills nodes so many times, and starts each again at once. Half of the
// moments are within 40 ms of a tick, when one of them is at work on it.
func (s *nodes) killSome(n int) {
	s.t.Helper()
	for range n {
		at := time.Now().Add(time.Duration(s.random.Int64N(int64(time.Second))))
		if s.random.IntN(2) == 0 {
			at = time.Now().Truncate(time.Second).Add(time.Second + time.Duration(s.random.Int64N(int64(40*time.Millisecond))))
		}
		<-time.After(time.Until(at))
		i := s.random.IntN(len(s.houses))
		s.houses[i].kill()
		s.killed = append(s.killed, time.Now())
		s.houses[i] = s.start(i)
		if s.random.IntN(2) == 0 { // else it may be killed again while it starts
			s.houses[i].wait()
		}
	}
	for _, h := range s.houses {
		h.wait()
	}
}

// deploy rolls a new manifest out, node by node.
func (s *nodes) deploy() {
	s.t.Helper()
	for _, i := range s.random.Perm(len(s.houses)) {
		path := filepath.Join(s.dirs[i], "dayfly.toml")
		if err := os.WriteFile(path, []byte(fmt.Sprintf(nodeManifest, 2)+addedSchedule), 0o600); err != nil {
			s.t.Fatal(err)
		}
		s.houses[i].down()
		s.houses[i] = s.start(i)
		s.houses[i].wait()
		if s.addedFrom.IsZero() {
			s.addedFrom = time.Now()
		}
	}
}

// schedules as a node's dashboard shows them.
func (s *nodes) schedules(h *house) (all []dash.Schedule) {
	s.t.Helper()
	var page struct{ Schedules []dash.Schedule }
	if err := json.Unmarshal([]byte(get(s.t, h.env["DAYFLY_URL"]+"/schedule?format=json")), &page); err != nil {
		s.t.Fatal(err)
	}
	return page.Schedules
}

// sameEverywhere waits until the dashboards of all nodes show these schedules,
// and of those that fire each second a tick of the last few.
func (s *nodes) sameEverywhere(names ...string) {
	s.t.Helper()
	slices.Sort(names)
	var shown []string
	eventually(s.t, "the same schedules on each dashboard", func() bool {
		shown = nil
		for _, h := range s.houses {
			var have []string
			current := true
			for _, x := range s.schedules(h) {
				have = append(have, x.Name)
				if x.Spec == "every 1s" {
					// A node knows of the others' ticks two seconds later.
					current = current && !x.LastFailed && time.Since(x.Last) < 6*time.Second && x.LastResult == "enqueued as "+x.Name+"@"+x.Last.Format(time.RFC3339)
				}
			}
			slices.Sort(have)
			if !slices.Equal(have, names) {
				s.t.Fatalf("a dashboard shows %v, want %v", have, names)
			}
			if current {
				shown = append(shown, strings.Join(have, " "))
			}
		}
		return len(shown) == len(s.houses)
	})
}

// runsEverywhere waits until each dashboard shows the task that runs now, which is
// run by none of their processes.
func (s *nodes) runsEverywhere() {
	s.t.Helper()
	missing := 0
	eventually(s.t, "what runs on each dashboard", func() bool {
		missing = 0
		for _, h := range s.houses {
			var page struct {
				Running struct{ Tasks []dash.TaskRun }
			}
			if err := json.Unmarshal([]byte(get(s.t, h.env["DAYFLY_URL"]+"/queues/three-default?format=json")), &page); err != nil {
				s.t.Fatal(err)
			}
			if !slices.ContainsFunc(page.Running.Tasks, func(r dash.TaskRun) bool {
				return r.Task == "slow" && r.Key == "schedule/slow" && strings.HasSuffix(r.Worker, fmt.Sprintf("/%d", os.Getpid()))
			}) {
				missing++
			}
		}
		return missing == 0
	})
}
