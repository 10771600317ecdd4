package traffic

import "time"

// RouteStats is what is known of one route.
type RouteStats struct {
	Name   string
	Source Source
	// InFlight is how many requests whose address is the route's the application
	// is answering now.
	InFlight int64
	Kinds    []Stats // those that there were
}

// Stats is what is known of a route's answers of one kind, since the process
// or the route began.
type Stats struct {
	Kind     Kind
	Requests uint64
	Errors   uint64 // of these 5xx
	Gone     uint64 // of these, those whose client left before the end
	Broken   uint64 // of these, those the application broke off
	Bytes    uint64 // of answers' bodies
	// By counts by method, as in Methods, and class of status.
	By [len(Methods)][Classes]uint64
	// First has the times to the answers' headers, Whole those to their end,
	// without event streams and upgraded connections, which have none.
	First, Whole Histogram

	// Rate is requests a second over the last minute.
	Rate float64
	// Lately is about the last Span.
	Lately struct {
		Requests, Errors, Gone uint64
		P50, P95, P99          time.Duration // to the answers' headers
	}
}

// Routes returns all routes: those declared in their order, those found, and
// the fixed ones.
func (m *Meter) Routes() []RouteStats {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []RouteStats
	for _, r := range m.all() {
		s := RouteStats{Name: r.name, Source: r.source}
		for i := range r.flying {
			s.InFlight += r.flying[i].n.Load()
		}
		for k := range r.series {
			if x := r.series[k].Load(); x != nil {
				s.Kinds = append(s.Kinds, x.stats(Kind(k)))
			}
		}
		out = append(out, s)
	}
	return out
}

func (s *series) stats(k Kind) Stats {
	t := s.sum()
	out := Stats{Kind: k, Gone: t.gone, Broken: t.broken, Bytes: t.bytes, By: t.requests, First: t.first, Whole: t.whole}
	out.Requests, out.Errors = t.totals()
	var over time.Duration
	var n uint32
	for _, p := range s.history.latest(perMinute) {
		n += p.Requests
		over += p.Over
	}
	if over > 0 {
		out.Rate = float64(n) / over.Seconds()
	}
	for _, p := range s.history.latest(int(Span / Step)) {
		out.Lately.Requests += uint64(p.Requests)
		out.Lately.Errors += uint64(p.Errors)
		out.Lately.Gone += uint64(p.Gone)
	}
	// What came after the latest sample counts too: a page shows it at once.
	out.Lately.Requests += out.Requests - s.history.requests
	out.Lately.Errors += out.Errors - s.history.errors
	out.Lately.Gone += out.Gone - s.history.gone
	first := t.first.since(s.history.before())
	out.Lately.P50, out.Lately.P95, out.Lately.P99 = first.Percentile(0.50), first.Percentile(0.95), first.Percentile(0.99)
	return out
}

// History returns the samples of the last hour of a route's answers of one
// kind, oldest first; false if there are none of that name and kind.
func (m *Meter) History(route string, k Kind) ([]Point, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.all() {
		if r.name != route || k >= kinds {
			continue
		}
		if s := r.series[k].Load(); s != nil {
			return s.history.latest(Kept), true
		}
	}
	return nil, false
}
