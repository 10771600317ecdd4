package main

import (
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// sample is what one measurement found.
type sample struct {
	Messages int
	Elapsed  time.Duration
	Client   time.Duration // processor time of whoever made the load
	Server   time.Duration // processor time of the server; 0 where it is in the client's process
}

func (s sample) plus(o sample) sample {
	return sample{s.Messages + o.Messages, s.Elapsed + o.Elapsed, s.Client + o.Client, s.Server + o.Server}
}

// rate is messages a second.
func (s sample) rate() float64 {
	if s.Elapsed <= 0 {
		return 0
	}
	return float64(s.Messages) / s.Elapsed.Seconds()
}

// each is a processor time for each message, in microseconds.
func (s sample) each(d time.Duration) float64 {
	if s.Messages == 0 {
		return 0
	}
	return float64(d.Nanoseconds()) / 1000 / float64(s.Messages)
}

// load calls do from a number of clients at once, until the time is over, a
// client fails, or do says 0 messages: then that client has no more to do.
func load(clients int, lasts time.Duration, do func(client int) (messages int, err error)) (sample, error) {
	var total atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	cpu := ownCPU()
	begun := time.Now()
	for c := range clients {
		all.Go(func() {
			for failed.Load() == nil && time.Since(begun) < lasts {
				n, err := do(c)
				if err != nil {
					failed.CompareAndSwap(nil, &err)
					return
				}
				if n == 0 {
					return
				}
				total.Add(int64(n))
			}
		})
	}
	all.Wait()
	s := sample{Messages: int(total.Load()), Elapsed: time.Since(begun), Client: ownCPU() - cpu}
	if err := failed.Load(); err != nil {
		return s, *err
	}
	return s, nil
}

// ownCPU is the processor time this process has used.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// spread is the middle of some values and how far they lie apart.
type spread struct {
	median, low, high float64
	n                 int
}

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	v := slices.Sorted(slices.Values(values))
	m := v[len(v)/2]
	if len(v)%2 == 0 {
		m = (v[len(v)/2-1] + m) / 2
	}
	return spread{median: m, low: v[0], high: v[len(v)-1], n: len(v)}
}
