package task

import (
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
)

// TestHands: what is to be done runs at once however much runs already, what is
// free is used again, a goroutine that exits is replaced, and all end.
func TestHands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		h := newHands(over)
		var mu sync.Mutex
		in := map[uint64]bool{}
		round := func(n int, then func()) {
			hold := make(chan struct{})
			var under sync.WaitGroup
			for range n {
				under.Add(1)
				h.do(func() {
					mu.Lock()
					in[goroutine()] = true
					mu.Unlock()
					under.Done()
					<-hold
					then()
				})
			}
			under.Wait() // else synctest reports the deadlock
			close(hold)
			synctest.Wait()
		}
		none := func() {}
		for range 3 {
			round(5, none)
		}
		if len(in) != 5 {
			t.Errorf("5 at once, three times, ran in %d goroutines, want 5", len(in))
		}
		round(2, runtime.Goexit)
		round(5, none)
		if len(in) != 7 {
			t.Errorf("after two have exited there were %d goroutines, want 7", len(in))
		}
		close(over) // synctest reports those that do not end
	})
}

// goroutine is the number of the calling one, as its stack trace says it.
func goroutine() (n uint64) {
	var b [64]byte
	for _, c := range b[len("goroutine "):runtime.Stack(b[:], false)] {
		if c == ' ' {
			break
		}
		n = 10*n + uint64(c-'0')
	}
	return n
}
