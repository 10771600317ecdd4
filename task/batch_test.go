package task

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestLinger: what lingers is called for by tens, or when its time is over,
// and at the end at once.
func TestLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		var at []time.Duration
		begun := time.Now()
		b := newBatcher(func(some []int) {
			sizes, at = append(sizes, len(some)), append(at, time.Since(begun))
		}, 4, 100)
		b.eager, b.linger = 1, 5*time.Millisecond
		add := func(n int) {
			for i := range n {
				b.add(i)
			}
			synctest.Wait()
		}
		add(1) // waits until 5 ms
		time.Sleep(2 * time.Millisecond)
		add(2)
		time.Sleep(4 * time.Millisecond)
		add(10) // at 6 ms, of which none waits
		add(11) // one of which waits until 11 ms
		time.Sleep(6 * time.Millisecond)
		add(3) // until the end, at 13 ms
		time.Sleep(time.Millisecond)
		b.wait()
		if want := []int{3, 10, 10, 1, 3}; !slices.Equal(sizes, want) {
			t.Errorf("called for %v, want %v", sizes, want)
		}
		ms := time.Millisecond
		if want := []time.Duration{5 * ms, 6 * ms, 6 * ms, 11 * ms, 13 * ms}; !slices.Equal(at, want) {
			t.Errorf("called at %v, want %v", at, want)
		}
		b.add(1) // as after the drain: nothing lingers any more
		synctest.Wait()
		if len(sizes) != 6 {
			t.Errorf("called for %v", sizes)
		}
	})
}
