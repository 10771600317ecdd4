package test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

// stallAt is how long a process or the disk has to be held up by the machine to
// count as a fault that nobody inflicted: a lease of the ledger is 2 s.
const stallAt = 500 * time.Millisecond

// watchMachine takes down when the test itself did not run, or a sync of a file
// beside the data took too long: then all of the application was held up. It
// ends with the test.
func (s *soak) watchMachine() {
	f, err := os.Create(filepath.Join(s.dir, "machine"))
	if err != nil {
		s.t.Fatal(err)
	}
	stop, ended := make(chan struct{}), make(chan struct{})
	s.t.Cleanup(func() { close(stop); <-ended })
	go func() {
		defer close(ended)
		defer f.Close()
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for last := time.Now(); ; {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			_, err := f.WriteAt([]byte{0}, 0)
			if err == nil {
				err = f.Sync()
			}
			if err != nil {
				s.t.Error(err)
				return
			}
			if now := time.Now(); now.Sub(last) > stallAt {
				s.mu.Lock()
				s.stalls = append(s.stalls, fault{what: "stall", target: "dayfly", from: last, to: now})
				s.mu.Unlock()
			}
			last = time.Now()
		}
	}()
}

// takeStalls has the stalls until now among the faults: those of the machine, and
// those that the workers wrote down of themselves.
func (s *soak) takeStalls() {
	s.t.Helper()
	f, err := os.Open(s.record)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for in := bufio.NewScanner(f); in.Scan(); {
		var e struct {
			Who, What string
			At, Until int64
		}
		if json.Unmarshal(in.Bytes(), &e) != nil || e.What != "stall" { // runs tells of a damaged line
			continue
		}
		if n++; n > s.seen {
			s.seen = n
			s.stalls = append(s.stalls, fault{what: "stall", target: e.Who, from: time.UnixMilli(e.At), to: time.UnixMilli(e.Until)})
		}
	}
	s.faults = append(s.faults, s.stalls...)
	s.stalls = nil
}
