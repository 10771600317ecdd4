package turns

import (
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Sample is what one measurement found.
type Sample struct {
	Messages int
	Elapsed  time.Duration
	Client   time.Duration // processor time of whoever made the load
	Server   time.Duration // processor time of the server; 0 where it is in the client's process
}

// Plus is both samples together.
func (s Sample) Plus(o Sample) Sample {
	return Sample{s.Messages + o.Messages, s.Elapsed + o.Elapsed, s.Client + o.Client, s.Server + o.Server}
}

// Rate is messages a second.
func (s Sample) Rate() float64 {
	if s.Elapsed <= 0 {
		return 0
	}
	return float64(s.Messages) / s.Elapsed.Seconds()
}

// Each is a processor time for each message, in microseconds.
func (s Sample) Each(d time.Duration) float64 {
	if s.Messages == 0 {
		return 0
	}
	return float64(d.Nanoseconds()) / 1000 / float64(s.Messages)
}

// Load calls do from a number of clients at once, until the time is over, a
// client fails, or do says 0 messages: then that client has no more to do.
func Load(clients int, lasts time.Duration, do func(client int) (messages int, err error)) (Sample, error) {
	var total atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	cpu := OwnCPU()
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
	s := Sample{Messages: int(total.Load()), Elapsed: time.Since(begun), Client: OwnCPU() - cpu}
	if err := failed.Load(); err != nil {
		return s, *err
	}
	return s, nil
}

// OwnCPU is the processor time this process has used.
func OwnCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Spread is the middle of some values and how far they lie apart.
type Spread struct {
	Median, Low, High float64
	N                 int
}

// SpreadOf some values, 0 for none.
func SpreadOf(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	v := slices.Sorted(slices.Values(values))
	m := v[len(v)/2]
	if len(v)%2 == 0 {
		m = (v[len(v)/2-1] + m) / 2
	}
	return Spread{Median: m, Low: v[0], High: v[len(v)-1], N: len(v)}
}
