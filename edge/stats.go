package edge

import (
	"math/bits"
	"sync"
	"time"
)

// Stats is what the edge has done since it was made, except where stated.
type Stats struct {
	// Requests counts all requests answered; ByClass those by status class:
	// ByClass[2] counts 200–299. ByClass[0] counts requests whose client went
	// away before an answer, and upgraded connections count under 1.
	Requests uint64    `json:"requests"`
	ByClass  [6]uint64 `json:"by_class"`
	// PerSecond10 and PerSecond60 are requests a second over the last 10 and
	// 60 whole seconds.
	PerSecond10 float64 `json:"per_second_10"`
	PerSecond60 float64 `json:"per_second_60"`
	// P50, P95 and P99 are times from a request's headers to its answer's, over
	// the last minute, at most 1/16 above the true value. Zero if there was none.
	P50 time.Duration `json:"p50"`
	P95 time.Duration `json:"p95"`
	P99 time.Duration `json:"p99"`
	// Took is how long all requests took to the answer's headers.
	Took Durations `json:"took"`
	// Held is how many requests wait for a healthy target now.
	Held int `json:"held"`
	// Queued is how many requests wait for a place at a target now, and Shed
	// counts those that were turned away.
	Queued int    `json:"queued"`
	Shed   uint64 `json:"shed"`
	// Ejections counts how often a target was taken out for its failures.
	Ejections uint64 `json:"ejections"`
	// Spooled is how many bytes are reserved in files for slow clients now, and
	// SpoolsFull counts bodies that found no room there.
	Spooled    int64  `json:"spooled"`
	SpoolsFull uint64 `json:"spools_full"`
	// Retried counts deliveries that were tried again.
	Retried uint64 `json:"retried"`
	// LogDropped counts access log lines that were lost.
	LogDropped uint64 `json:"log_dropped"`
	// Limits are in the order of Options.Limits.
	Limits []LimitStats `json:"limits,omitempty"`
	// Maintenance says that only the team sees the site.
	Maintenance bool `json:"maintenance"`
	// Targets are in the order they were added.
	Targets []TargetStats `json:"targets"`
}

// Durations counts times since the start in buckets that double.
type Durations struct {
	Sum time.Duration `json:"sum"`
	// Below[i] counts those shorter than DurationBound(i); the rest took longer
	// than the last.
	Below [17]uint64 `json:"below"`
}

// DurationBound is 1.024 ms doubled i times; the last of 17 is 67 s.
func DurationBound(i int) time.Duration { return 1024 * time.Microsecond << i }

// TargetStats is what is known of one target.
type TargetStats struct {
	Name     string `json:"name"`
	URL      string `json:"url"`
	Healthy  bool   `json:"healthy"`
	Draining bool   `json:"draining"`
	// Ejected says that it is out for its failures although its checks pass, and
	// Ejections how often it was. Weight is its share, less than 1 while it warms.
	Ejected   bool    `json:"ejected"`
	Ejections uint64  `json:"ejections"`
	Weight    float64 `json:"weight"`
	// Reason says why a target is not healthy.
	Reason string `json:"reason,omitempty"`
	// Outstanding counts requests under way, Streams those of them that have
	// no end of their own: upgraded connections and event streams.
	Outstanding int `json:"outstanding"`
	Streams     int `json:"streams"`
	// Served counts requests it answered, with any status; Failed those it was
	// given and did not answer whole.
	Served uint64 `json:"served"`
	Failed uint64 `json:"failed"`
}

// A histogram counts durations in microseconds in buckets that are 1/16 of a
// power of two wide: values below 16 exactly, up to 2^36 µs (19 h).
type histogram [16 + 32*16]uint32

func bucketOf(d time.Duration) int {
	us := uint64(max(d, 0) / time.Microsecond)
	if us < 16 {
		return int(us)
	}
	exp := bits.Len64(us) - 5 // us>>exp is 16–31
	return min(16+exp*16+int(us>>exp)-16, len(histogram{})-1)
}

// bucketTop is the largest duration that falls into bucket i.
func bucketTop(i int) time.Duration {
	if i < 16 {
		return time.Duration(i) * time.Microsecond
	}
	exp := (i - 16) / 16
	return time.Duration((uint64(16+(i-16)%16+1)<<exp)-1) * time.Microsecond
}

const (
	sliceSeconds  = 10
	latencySlices = 7 // the last minute, and the slice being filled
)

// A meter counts answered requests. One lock is held for tens of nanoseconds
// a request.
type meter struct {
	mu      sync.Mutex
	total   uint64
	byClass [6]uint64
	retried uint64
	took    time.Duration
	all     [len(histogram{})]uint64
	seconds [64]struct {
		at int64
		n  uint32
	}
	latency [latencySlices]struct {
		epoch int64
		h     histogram
	}
}

// record counts one request answered at now whose answer began after d.
func (m *meter) record(now time.Time, status int, d time.Duration, retries int) {
	sec := now.Unix()
	class := status / 100
	if class < 0 || class > 5 {
		class = 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.total++
	m.byClass[class]++
	m.retried += uint64(retries)
	m.took += max(d, 0)
	m.all[bucketOf(d)]++
	s := &m.seconds[sec%int64(len(m.seconds))]
	if s.at != sec {
		s.at, s.n = sec, 0
	}
	s.n++
	epoch := sec / sliceSeconds
	l := &m.latency[epoch%latencySlices]
	if l.epoch != epoch {
		l.epoch, l.h = epoch, histogram{}
	}
	l.h[bucketOf(d)]++
}

// fill writes what the meter knows at now into s.
func (m *meter) fill(now time.Time, s *Stats) {
	sec := now.Unix()
	m.mu.Lock()
	defer m.mu.Unlock()
	s.Requests, s.ByClass, s.Retried = m.total, m.byClass, m.retried
	s.Took = m.durations()
	var n10, n60 uint64
	for _, c := range m.seconds {
		// The second being filled is left out: it would read low.
		if age := sec - c.at; age >= 1 && age <= 60 {
			n60 += uint64(c.n)
			if age <= 10 {
				n10 += uint64(c.n)
			}
		}
	}
	s.PerSecond10, s.PerSecond60 = float64(n10)/10, float64(n60)/60

	var sum [len(histogram{})]uint64
	var n uint64
	for i := range m.latency {
		l := &m.latency[i]
		if age := sec/sliceSeconds - l.epoch; age < 0 || age >= latencySlices {
			continue
		}
		for b, c := range l.h {
			sum[b] += uint64(c)
			n += uint64(c)
		}
	}
	s.P50, s.P95, s.P99 = percentile(sum[:], n, 0.50), percentile(sum[:], n, 0.95), percentile(sum[:], n, 0.99)
}

// durations of all requests. The bounds are those of buckets, so the counts are
// exact.
func (m *meter) durations() Durations {
	d := Durations{Sum: m.took}
	var n uint64
	b := 0
	for i := range d.Below {
		for ; b < bucketOf(DurationBound(i)); b++ {
			n += m.all[b]
		}
		d.Below[i] = n
	}
	return d
}

// percentile returns the nearest-rank percentile p of n values in buckets.
func percentile(buckets []uint64, n uint64, p float64) time.Duration {
	if n == 0 {
		return 0
	}
	rank := uint64(p*float64(n) + 0.999999)
	for b, c := range buckets {
		if c >= rank {
			return bucketTop(b)
		}
		rank -= c
	}
	return bucketTop(len(buckets) - 1)
}
