package test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task"
)

// soakRun is one run of a task, of what a worker wrote down.
type soakRun struct {
	who    string
	pid    int
	try    int
	begun  time.Time
	ended  time.Time // zero: it never said
	what   string    // done, failed, or "" if it never said
	why    string
	killed bool // the next line of the process's is not there
}

// slack is how long after its end a run's acknowledgement may be on its way, on
// a machine under load.
const slack = 2 * time.Second

// runs are those of each task, in the order they began.
func (s *soak) runs() map[string][]*soakRun {
	s.t.Helper()
	f, err := os.Open(s.record)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	all, open := map[string][]*soakRun{}, map[string]*soakRun{}
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var e struct {
			Who, ID, Type, What, Why string
			PID, Try                 int
			At                       int64
		}
		if err := json.Unmarshal(in.Bytes(), &e); err != nil {
			s.t.Errorf("a line of the record: %v: %.200s", err, in.Text())
			continue
		}
		key := fmt.Sprint(e.ID, " ", e.PID)
		if e.What == "begin" {
			r := &soakRun{who: e.Who, pid: e.PID, try: e.Try, begun: time.UnixMilli(e.At)}
			all[e.ID], open[key] = append(all[e.ID], r), r
		} else if r := open[key]; r != nil {
			r.ended, r.what, r.why = time.UnixMilli(e.At), e.What, e.Why
		}
	}
	return all
}

// letters are the dead letters' reasons, by task.
func (s *soak) letters() map[string][]string {
	s.t.Helper()
	all := map[string][]string{}
	for name, q := range s.queues {
		dead := q.Service().Queue(name + "-dead")
		for {
			found, err := dead.Receive(s.t.Context(), queue.ReceiveOptions{Max: 10, Visibility: time.Hour})
			if err != nil {
				s.t.Fatal(err)
			}
			if len(found) == 0 {
				break
			}
			for _, m := range found {
				id := strings.TrimPrefix(m.Body, "poison ")
				if e, err := task.Decode(m.Body); err == nil {
					id = e.ID
				}
				why := m.Attributes[task.AttributeError].String
				if why == "" {
					why = "attempts used up, by the queue"
				}
				all[id] = append(all[id], why)
			}
		}
	}
	return all
}

// decide does what a person does about effects of which nobody knows, who has
// the mail server's log; then all their tasks have to be done.
func (s *soak) decide() {
	s.t.Helper()
	found := s.unknown()
	why := map[string]int{}
	for _, e := range found {
		key := strings.TrimPrefix(e.Key, "soak/")
		key, _, _ = strings.Cut(strings.TrimPrefix(key, "push/"), "@")
		n, dropped := s.sink.accepted(key)
		x, reason := s.sent[key], ""
		switch {
		case x == nil:
			s.t.Errorf("unknown: %s is no effect of ours", e.Key)
			continue
		case dropped:
			reason = "the mail server dropped its answer"
		case x.queue == "py":
			reason = s.blame("web.1", x.at, s.rested)
		default:
			reason = s.blameOf(e.Worker)
		}
		if reason == "" {
			s.t.Errorf("unknown without a fault in the window: %+v", e)
		}
		decision := "resend"
		if n > 0 {
			decision = "sent"
		}
		why[reason+" → "+decision]++
		s.h.cli("task", decision, e.Key)
	}
	s.t.Logf("parked as UNKNOWN: %d of %d effects: %v", len(found), s.effects(), why)
	s.rest()
	if left := s.unknown(); len(left) > 0 {
		s.t.Errorf("after all was decided %d are unknown: %+v", len(left), left)
	}
}

func (s *soak) effects() int {
	keys := map[string]bool{}
	for _, x := range s.sent {
		if x.kind == "once" || x.kind == "atleast" {
			keys[x.key] = true
		}
	}
	return len(keys)
}

// blameOf is the fault that ended the process a ledger names, host/pid.
func (s *soak) blameOf(worker string) string {
	_, pid, _ := strings.Cut(worker, "/")
	var who string
	last := time.Time{}
	for _, runs := range s.runs() {
		for _, r := range runs {
			if fmt.Sprint(r.pid) == pid {
				who = r.who
				last = later(last, later(r.begun, r.ended))
			}
		}
	}
	return s.blame(who, last.Add(-time.Second), last.Add(2*slack))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// account sees that every task is done or dead as it should be, once or with a
// reason, and prints the sums.
func (s *soak) account() {
	s.t.Helper()
	runs, letters := s.runs(), s.letters()
	sum, again, dead := map[string]int{}, map[string]int{}, map[string]int{}
	for _, id := range slices.Sorted(maps.Keys(s.sent)) {
		x := s.sent[id]
		s.fate(x, runs[id], letters[id], sum, dead)
		s.repeats(x, runs[id], again)
		delete(letters, id)
	}
	s.ticks(runs, again, sum)
	for id, why := range letters {
		if _, tick := runs[id]; !tick || !strings.HasPrefix(id, "t") {
			s.t.Errorf("a dead letter of a task that nobody enqueued: %s: %q", id, why)
		}
		sum["dead ticks"]++
	}
	twice := s.mails(sum)
	s.t.Logf("%v of work, %v to be at rest, %d faults", s.length, s.rested.Sub(s.begun.Add(s.length)).Round(time.Second), len(s.faults))
	for _, f := range s.faults {
		sum["fault: "+f.what+" "+strings.TrimRight(f.target, ".12")]++
	}
	print := func(title string, m map[string]int) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			s.t.Logf("%s%-60s %6d", title, k, m[k])
		}
	}
	print("", sum)
	print("dead: ", dead)
	print("again: ", again)
	if all := sum["enqueued"]; all != sum["done"]+sum["dead"]+sum["lost"] {
		s.t.Errorf("the sums do not balance: %d enqueued, %d done, %d dead, %d lost", all, sum["done"], sum["dead"], sum["lost"])
	}
	if sum["lost"] > 0 || twice > 0 {
		s.t.Errorf("%d tasks were lost, %d effects were twice", sum["lost"], twice)
	}
	types := map[string]bool{}
	for _, x := range s.sent {
		types[x.name] = true
	}
	s.t.Logf("%d types of tasks", len(types))
}

// fate says what became of a task, and whether it should.
func (s *soak) fate(x *sentTask, runs []*soakRun, letters []string, sum, dead map[string]int) {
	s.t.Helper()
	done := slices.ContainsFunc(runs, func(r *soakRun) bool { return r.what == "done" })
	toDie := map[string]string{"bad": "on purpose", "panic": "on purpose", "stranger": "", "poison": "not a task message"}
	want, mayDie := toDie[x.kind]
	switch {
	case x.undone:
		if sum["rolled back"]++; len(runs)+len(letters) > 0 {
			s.t.Errorf("%s was rolled back, and ran: %d runs, dead letters %q", x.id, len(runs), letters)
		}
		return
	case done && len(letters) == 0:
		sum["done"]++
	case done: // it died in one delivery and was done in another
		sum["done"]++
		dead["done by another delivery"]++
		if s.blameAny(runs) == "" && !x.repeated {
			s.t.Errorf("%s is done, and a dead letter: %q", x.id, letters)
		}
	case len(letters) == 0:
		sum["lost"]++
		s.t.Errorf("lost: %+v, runs %v", *x, runs)
	case mayDie && (x.queue == "node" || strings.Contains(letters[0], want)):
		sum["dead"]++
		dead[x.kind+" of "+x.queue+": "+short(letters[0])]++
	case s.blameAny(runs) != "" || strings.Contains(letters[0], "delivered"):
		sum["dead"]++
		dead["attempts used up by faults: "+short(letters[0])]++
	default:
		s.t.Errorf("%s (%s) is dead: %q", x.id, x.name, letters)
		sum["dead"]++
	}
	if done && mayDie {
		s.t.Errorf("%s (%s) is done, and should not be", x.id, x.name)
	}
	if sum["enqueued"]++; x.repeated {
		sum["enqueued by more than one request"]++
	}
}

// short is the part of a reason that is the same for many.
func short(why string) string {
	why, _, _ = strings.Cut(why, "\n")
	for _, word := range strings.Fields(why) {
		if strings.ContainsAny(word, "0123456789") {
			why = strings.ReplaceAll(why, word, "…")
		}
	}
	return why[:min(len(why), 70)]
}

// blameAny is a fault that fell on a run.
func (s *soak) blameAny(runs []*soakRun) string {
	for _, r := range runs {
		if why := s.blame(r.who, r.begun.Add(-slack), later(r.begun, r.ended).Add(slack)); why != "" {
			return why
		}
	}
	return ""
}

// repeats finds the runs after one that was done, and why they were allowed: a
// fault fell on the worker that had done it, or on dayfly, before it was known to be.
func (s *soak) repeats(x *sentTask, runs []*soakRun, again map[string]int) {
	s.t.Helper()
	done := slices.IndexFunc(runs, func(r *soakRun) bool { return r.what == "done" })
	if done < 0 || done == len(runs)-1 {
		return
	}
	why := s.blame(runs[done].who, runs[done].begun.Add(-slack), runs[done].ended.Add(slack))
	for _, r := range runs[done+1:] {
		if why == "" { // it was in two workers' hands
			why = s.blame(r.who, r.begun.Add(-slack), later(r.begun, r.ended).Add(slack))
		}
	}
	switch {
	case why != "":
		again[why] += len(runs) - 1 - done
	case x.repeated:
		again["its enqueue was repeated"] += len(runs) - 1 - done
	default:
		s.t.Errorf("%s (%s) ran %d times after it was done, for no reason: %s", x.id, x.name, len(runs)-1-done, history(runs))
	}
}

func history(runs []*soakRun) string {
	var b strings.Builder
	for _, r := range runs {
		fmt.Fprintf(&b, "[%s/%d try %d %s–%s %s %s] ", r.who, r.pid, r.try, r.begun.Format("15:04:05.000"), r.ended.Format("15:04:05.000"), r.what, r.why)
	}
	return b.String()
}

// mails compares what the mail server accepted with what was to be sent, and
// returns how many effects at most once were twice.
func (s *soak) mails(sum map[string]int) (twice int) {
	s.t.Helper()
	seen := map[string]bool{}
	for _, x := range s.sent {
		if x.kind != "once" && x.kind != "atleast" || seen[x.key] {
			continue
		}
		seen[x.key] = true
		n, _ := s.sink.accepted(x.key)
		sum["effects "+x.kind]++
		switch {
		case n == 0:
			s.t.Errorf("%s: the mail of %s was never accepted", x.kind, x.key)
		case n > 1 && x.kind == "once":
			twice++
			s.t.Errorf("%d mails of %s under AtMostOnce", n, x.key)
		case n > 1:
			sum["effects atleast, more than once"]++
		}
	}
	return twice
}
