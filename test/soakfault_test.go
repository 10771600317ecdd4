package test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"time"
)

// fault is something that was done to the application.
type fault struct {
	what   string // kill, stop, clock; stall, by the machine
	target string // a process as go.1, or dayfly, with which all die
	from   time.Time
	to     time.Time // it was going on again; of a kill of a worker, from
	off    int       // of a clock, from then on, in milliseconds
	pid    int       // of what was killed
}

func (f fault) String() string {
	return fmt.Sprintf("%s %s %s–%s", f.what, f.target, f.from.Format("15:04:05.000"), f.to.Format("15:04:05.000"))
}

// hit reports whether f fell on a process between two moments.
func (f fault) hit(who string, from, to time.Time) bool {
	return f.what != "clock" && (f.target == who || f.target == "dayfly") && f.from.Before(to) && f.to.After(from)
}

// inflict does one thing after the other at random moments until end.
func (s *soak) inflict(random *rand.Rand, end time.Time) {
	s.t.Helper()
	workers := []string{"go.1", "go.2", "web.1", "node.1"}
	// The first are there in the shortest run; then as it comes.
	first := []string{"kill go.1", "stop go.2", "clock go.1", "kill web.1", "kill dayfly", "kill node.1", "stop dayfly"}
	var pauses sync.WaitGroup
	defer pauses.Wait()
	for i := 0; ; i++ {
		time.Sleep(time.Duration(300+random.IntN(1200)) * time.Millisecond) // the moment is the fault's
		if time.Now().After(end) {
			return
		}
		var what, target string
		if i < len(first) {
			fmt.Sscan(first[i], &what, &target)
		} else {
			what, target = []string{"kill", "kill", "stop", "stop", "clock"}[random.IntN(5)], workers[random.IntN(len(workers))]
			if random.IntN(6) == 0 {
				target = "dayfly"
			}
			if what == "clock" {
				target = workers[random.IntN(2)]
			}
		}
		pause, off := time.Duration(1000+random.IntN(7000))*time.Millisecond, clockSteps[random.IntN(len(clockSteps))]
		var p *os.Process
		if what != "clock" && target != "dayfly" {
			if p = s.process(target); p == nil {
				continue // it is being started anyway
			}
		}
		if what == "stop" && p != nil { // the others go on beside it
			pauses.Go(func() { s.one(what, target, p, pause, off) })
			continue
		}
		s.one(what, target, p, pause, off)
	}
}

// clockSteps are backward and forward, in milliseconds, by less and by more than
// the lease and the quarantine of the ledger, 4 s. A claim of a worker whose clock
// is fast, and that dies, keeps the others waiting for as long as it was fast; so
// none is by more than a run can wait.
var clockSteps = []int{0, 1500, -1500, 6_000, -6_000, 20_000, -20_000}

// one inflicts one fault and takes it down.
func (s *soak) one(what, target string, p *os.Process, pause time.Duration, off int) {
	s.t.Helper()
	f := fault{what: what, target: target, from: time.Now(), off: off}
	if target == "dayfly" {
		f.pid = s.h.cmd.Process.Pid
	} else if p != nil {
		f.pid = p.Pid
	}
	switch {
	case what == "clock":
		if err := os.WriteFile(s.clocks+"."+target, []byte(fmt.Sprint(off)), 0o600); err != nil {
			s.t.Error(err)
		}
	case target == "dayfly" && what == "kill":
		s.h.kill()
		h := start(s.t, s.h.dir, s.h.data, s.env()...)
		h.wait()
		s.h = h
	case target == "dayfly":
		s.pause(s.h.cmd.Process, min(pause, 4*time.Second))
	case what == "kill":
		p.Kill() //nolint:errcheck // it may have ended
	default:
		s.pause(p, pause)
	}
	f.to = time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
}

// process is the worker of that name; nil if it does not run now.
func (s *soak) process(name string) *os.Process {
	s.t.Helper()
	for _, g := range s.h.look().Groups {
		for _, p := range g.Processes {
			if p.Name == name && p.PID > 0 {
				found, err := os.FindProcess(p.PID) // a handle: not one that has its number later
				if err != nil {
					return nil
				}
				return found
			}
		}
	}
	return nil
}

func (s *soak) pause(p *os.Process, d time.Duration) {
	if p.Signal(syscall.SIGSTOP) != nil {
		return
	}
	time.Sleep(d) // is the fault
	p.Signal(syscall.SIGCONT)
}
