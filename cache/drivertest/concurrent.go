package drivertest

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/dayfly-dev/dayfly/cache/driver"
)

const workers, rounds = 8, 50

// together runs f in several goroutines; it may not call Fatal.
func together(f func(worker int)) {
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { f(w) })
	}
	wg.Wait()
}

func concurrentIncrement(s *suite) {
	s.set("n", "0", 0)
	together(func(int) {
		for range rounds {
			if _, err := s.c.Increment(s.ctx, "n", 1); err != nil {
				s.Error(err)
			}
		}
	})
	s.has("n", strconv.Itoa(workers*rounds))
}

// concurrentAdd: of many that add one key, one does.
func concurrentAdd(s *suite) {
	var added [rounds]atomic.Int32
	together(func(w int) {
		for i := range rounds {
			err := s.store(driver.OpAdd, fmt.Sprint("k", i), strconv.Itoa(w))
			switch {
			case err == nil:
				added[i].Add(1)
			case !errors.Is(err, driver.ErrNotStored):
				s.Error(err)
			}
		}
	})
	for i := range added {
		if n := added[i].Load(); n != 1 {
			s.Errorf("k%d was added %d times", i, n)
		}
	}
}

// concurrentSwap counts with compare and swap: no step is lost, none twice.
func concurrentSwap(s *suite) {
	s.set("n", "0", 0)
	together(func(int) {
		for done := 0; done < rounds; {
			it, err := s.c.Get(s.ctx, "n")
			if err != nil {
				s.Error(err)
				return
			}
			n, err := strconv.Atoi(string(it.Value))
			if err != nil {
				s.Error(err)
				return
			}
			it.Value = []byte(strconv.Itoa(n + 1))
			err = s.c.Store(s.ctx, driver.OpCompareAndSwap, "n", it, 0)
			switch {
			case err == nil:
				done++
			case !errors.Is(err, driver.ErrConflict):
				s.Error(err)
				return
			}
		}
	})
	s.has("n", strconv.Itoa(workers*rounds))
}
