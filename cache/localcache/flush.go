package localcache

import (
	"sync"
	"time"
)

// flusher empties the engine now or later. At most one flush is to come: a
// later call takes its place, as in memcached.
type flusher struct {
	flush func()

	mu      sync.Mutex
	timer   *time.Timer
	running sync.WaitGroup
	stopped bool
}

func (f *flusher) schedule(delay time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped {
		return
	}
	f.cancel()
	if delay <= 0 {
		f.flush()
		return
	}
	f.running.Add(1)
	f.timer = time.AfterFunc(delay, func() {
		defer f.running.Done()
		f.flush()
	})
}

// cancel takes back the flush that is to come; f.mu is held.
func (f *flusher) cancel() {
	if f.timer != nil && f.timer.Stop() {
		f.running.Done()
	}
	f.timer = nil
}

// stop takes back the flush that is to come and waits for one that runs.
func (f *flusher) stop() {
	f.mu.Lock()
	f.stopped = true
	f.cancel()
	f.mu.Unlock()
	f.running.Wait()
}
