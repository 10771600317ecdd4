package test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task"
)

// soakRun is one run of a task, of what a worker wrote down.
type soakRun struct {
	who   string
	pid   int
	try   int
	begun time.Time
	ended time.Time // zero: it never said
	what  string    // done, failed, or "" if it never said
	why   string
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
		if e.What == "stall" { // see takeStalls
			continue
		}
		key := fmt.Sprint(e.ID, " ", e.PID, " ", e.Try)
		if e.What == "begin" {
			r := &soakRun{who: e.Who, pid: e.PID, try: e.Try, begun: time.UnixMilli(e.At)}
			all[e.ID], open[key] = append(all[e.ID], r), r
		} else if r := open[key]; r != nil {
			r.ended, r.what, r.why = time.UnixMilli(e.At), e.What, e.Why
		}
	}
	return all
}

// byQueue is the reason of a dead letter that the queue itself made.
const byQueue = "attempts used up, by the queue"

// letter is a dead letter.
type letter struct {
	why      string
	attempts int // deliveries, where a worker says so
}

// letters are the dead letters, by task.
func (s *soak) letters() map[string][]letter {
	s.t.Helper()
	all := map[string][]letter{}
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
				l := letter{why: m.Attributes[task.AttributeError].String}
				l.attempts, _ = strconv.Atoi(m.Attributes[task.AttributeAttempts].String) // 0: nobody says
				if l.why == "" {
					l.why = byQueue
				}
				all[id] = append(all[id], l)
			}
		}
	}
	return all
}
