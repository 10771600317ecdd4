package traffic

import (
	"math/bits"
	"time"
)

// Buckets of a Histogram.
const Buckets = 64

// bounds are the upper bounds of all buckets but the last in microseconds: ten
// in each power of ten, near the tenth roots of ten, so that a percentile is
// known to about a quarter; and among them those that Prometheus is told.
var bounds = func() (b [Buckets - 1]uint64) {
	b[0], b[1] = 25, 50
	i := 2
	for scale := uint64(1); scale <= 100_000; scale *= 10 {
		for _, v := range [...]uint64{100, 125, 160, 200, 250, 320, 400, 500, 640, 800} {
			b[i] = v * scale
			i++
		}
	}
	b[i] = 100_000_000
	b[i-2] = 60_000_000 // in place of 64 s: a minute is what people ask for
	return b
}()

// from[n] is the first bucket that may hold a number of n bits.
var from = func() (f [65]uint8) {
	for n := range f {
		i := 0
		for i < len(bounds) && n > 0 && bounds[i] < 1<<(n-1) {
			i++
		}
		f[n] = uint8(i)
	}
	return f
}()

// bucketOf returns the first bucket whose bound is d or more.
func bucketOf(d time.Duration) int {
	us := uint64(max(d, 0)+time.Microsecond-1) / uint64(time.Microsecond)
	i := int(from[bits.Len64(us)])
	for i < len(bounds) && us > bounds[i] {
		i++
	}
	return i
}

// Bound is the upper bound of a bucket, which counts what is at most that. The
// last has none: 0.
func Bound(bucket int) time.Duration {
	if bucket >= len(bounds) {
		return 0
	}
	return time.Duration(bounds[bucket]) * time.Microsecond
}

// Classic are the bounds that Prometheus is told, 1 ms to a minute.
var Classic = [...]time.Duration{
	1 * time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second,
	10 * time.Second, 25 * time.Second, 60 * time.Second,
}

// A Histogram counts durations.
type Histogram struct {
	Counts [Buckets]uint64
	Sum    time.Duration
}

// Count is how many there are.
func (h *Histogram) Count() (n uint64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// AtMost counts those that are at most a bound, which is one of Bound's.
func (h *Histogram) AtMost(bound time.Duration) (n uint64) {
	for _, c := range h.Counts[:bucketOf(bound)+1] {
		n += c
	}
	return n
}

// Percentile returns about the p-th part of the durations' largest, 0 of none:
// linear within its bucket, so that it is off by a quarter at most. What is
// beyond the last bound counts as that.
func (h *Histogram) Percentile(p float64) time.Duration {
	n := h.Count()
	if n == 0 {
		return 0
	}
	rank := p * float64(n)
	var below uint64
	for i, c := range h.Counts {
		if c == 0 || float64(below+c) < rank {
			below += c
			continue
		}
		if i >= len(bounds) {
			break
		}
		low := time.Duration(0)
		if i > 0 {
			low = Bound(i - 1)
		}
		return low + time.Duration((rank-float64(below))/float64(c)*float64(Bound(i)-low))
	}
	return Bound(len(bounds) - 1)
}

// since is what was added after an earlier state.
func (h *Histogram) since(before *[Buckets]uint64) (d Histogram) {
	for i := range h.Counts {
		d.Counts[i] = h.Counts[i] - before[i]
	}
	return d
}
