package test

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// sums are what the report counts.
type sums struct {
	all   map[string]int
	dead  map[string]int // by the reason
	again map[string]int // runs of what was done, by the fault
}

// account sees that every task is done or dead as it should be, once or with a
// reason, and prints the sums.
func (s *soak) account() {
	s.t.Helper()
	runs, letters := s.runs(), s.letters()
	sum := sums{map[string]int{}, map[string]int{}, map[string]int{}}
	for _, id := range slices.Sorted(maps.Keys(s.sent)) {
		x := s.sent[id]
		s.fate(x, runs[id], letters[id], sum)
		s.repeats(x, runs[id], sum.again)
	}
	s.mails(runs, letters, sum.all)
	s.ticks(runs, sum)
	for id, found := range letters {
		if _, tick := runs[id]; s.sent[id] == nil && (!tick || !strings.Contains(id, "@")) {
			s.t.Errorf("a dead letter of a task that nobody enqueued: %s: %v", id, found)
		}
	}
	s.committed()
	for _, f := range s.faults {
		sum.all["fault: "+f.what+" "+strings.TrimRight(f.target, ".12")]++
	}
	s.report(runs, sum)
	if n := sum.all; n["enqueued"] != n["done"]+n["dead"]+n["lost"] {
		s.t.Errorf("the sums do not balance: %d enqueued, %d done, %d dead, %d lost", n["enqueued"], n["done"], n["dead"], n["lost"])
	}
	if lost, twice := sum.all["lost"], sum.all["effects once, accepted twice"]; lost > 0 || twice > 0 {
		s.t.Errorf("%d tasks were lost, %d effects at most once were twice", lost, twice)
	}
}

// committed sees that what the application's own transactions say is what was
// enqueued by them.
func (s *soak) committed() {
	s.t.Helper()
	want := 0
	for _, x := range s.sent {
		if x.kind == "outbox" && !x.undone {
			want++
		}
	}
	var orders, buried int
	if err := s.db.QueryRow("SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM dayfly_outbox_dead)").Scan(&orders, &buried); err != nil {
		s.t.Fatal(err)
	}
	if orders != want || buried > 0 {
		s.t.Errorf("%d orders were committed and %d are there; %d rows of the outbox were given up", want, orders, buried)
	}
}

// report prints the sums, and demands that each of the types was there.
func (s *soak) report(runs map[string][]*soakRun, sum sums) {
	s.t.Helper()
	s.t.Logf("%v of work, %v to be at rest, %d faults", s.length, s.rested.Sub(s.begun.Add(s.length)).Round(time.Second), len(s.faults))
	for i, m := range []map[string]int{sum.all, sum.dead, sum.again} {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			s.t.Logf("%6d %s%s", m[k], []string{"", "dead: ", "again: "}[i], k)
		}
	}
	seen := map[string]bool{}
	for _, x := range s.sent {
		seen[x.name] = seen[x.name] || len(runs[x.id]) > 0
	}
	n := 0
	for _, names := range s.types {
		for _, name := range names {
			if n++; !seen[name] {
				s.t.Errorf("no task of the type %s ran", name)
			}
		}
	}
	s.t.Logf("%d types of tasks", n)
	var waits []time.Duration
	for _, x := range s.sent {
		if len(runs[x.id]) > 0 && x.kind != "delayed" {
			waits = append(waits, runs[x.id][0].begun.Sub(x.at))
		}
	}
	if slices.Sort(waits); len(waits) > 0 {
		at := func(p int) time.Duration { return waits[(len(waits)-1)*p/100].Round(time.Millisecond) }
		s.t.Logf("from the enqueue to the start of the first run, faults and all: p50 %v, p90 %v, p99 %v, most %v", at(50), at(90), at(99), at(100))
	}
}
