package traffic

import "time"

const (
	// Step is the time between two samples.
	Step = 15 * time.Second
	// Kept is how many samples there are: an hour.
	Kept = int(time.Hour / Step)
	// Span is what is called lately.
	Span = 5 * time.Minute

	perMinute = int(time.Minute / Step)
	marks     = int(Span/time.Minute) + 1
)

// A Point is what happened in the time before a sample.
type Point struct {
	Time     time.Time // its end
	Over     time.Duration
	Requests uint32
	Errors   uint32 // of these 5xx
	Gone     uint32 // of these, those whose client left
	// Percentiles of the time to the answer's headers; 0 without an answer.
	P50, P95, P99 time.Duration
}

// history is the last hour of a series.
type history struct {
	points                 []Point // a ring once it is full
	next                   int
	requests, errors, gone uint64          // at the latest sample
	first                  [Buckets]uint64 // then
	marks                  [marks][Buckets]uint64
	ticks                  int // since it began
}

// Tick samples all series. Run calls it; a test may in its place.
func (m *Meter) Tick(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ticks++
	over := now.Sub(m.last)
	m.last = now
	for _, r := range m.all() {
		for k := range r.series {
			s := r.series[k].Load()
			if s == nil {
				continue
			}
			t := s.sum()
			if s.history.sample(now, over, &t) > 0 {
				r.seen = m.ticks
			}
		}
	}
	m.sealed.Store(false)
}

// sample adds a point, and returns the requests it has.
func (h *history) sample(now time.Time, over time.Duration, t *sum) uint32 {
	requests, errors := t.totals()
	first := t.first.since(&h.first)
	p := Point{Time: now, Over: over, Requests: uint32(requests - h.requests), Errors: uint32(errors - h.errors), Gone: uint32(t.gone - h.gone),
		P50: first.Percentile(0.50), P95: first.Percentile(0.95), P99: first.Percentile(0.99)}
	if len(h.points) < Kept {
		h.points = append(h.points, p)
	} else {
		h.points[h.next] = p
		h.next = (h.next + 1) % Kept
	}
	h.requests, h.errors, h.gone, h.first = requests, errors, t.gone, t.first.Counts
	if h.ticks++; h.ticks%perMinute == 0 {
		h.marks[h.ticks/perMinute%marks] = h.first
	}
	return p.Requests
}

// latest returns the newest points, at most n, oldest first.
func (h *history) latest(n int) []Point {
	n = min(n, len(h.points))
	out := make([]Point, 0, n)
	for i := len(h.points) - n; i < len(h.points); i++ {
		out = append(out, h.points[(h.next+i)%len(h.points)])
	}
	return out
}

// before is the state of the times at the beginning of Span, at most a minute
// earlier; the beginning, if that is later.
func (h *history) before() *[Buckets]uint64 {
	if minutes := h.ticks / perMinute; minutes >= marks-1 {
		return &h.marks[(minutes+1)%marks]
	}
	return new([Buckets]uint64)
}
