package traffic

import (
	"net/http"
	"sync/atomic"
	"time"
)

// A Kind says who answered.
type Kind uint8

// Kinds.
const (
	Application Kind = iota // an instance
	Cache                   // the response cache, without an instance
	Static                  // a static file
	Published               // a page that was published
	Click                   // a counted redirect
	Edge                    // the edge itself: a refusal, an error's page, a redirect
	kinds
)

var kindNames = [kinds]string{"application", "cache", "static", "published", "click", "edge"}

// String is how a kind is called in labels.
func (k Kind) String() string { return kindNames[min(k, kinds-1)] }

// A Source says how a route came to be.
type Source string

// Sources.
const (
	Declared Source = "declared" // in Options
	Named    Source = "named"    // by the application
	Grouped  Source = "grouped"  // found by its address
	Fixed    Source = "fixed"    // always there
)

// Methods that are told apart; the last stands for all others.
var Methods = [...]string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, "other"}

func methodOf(s string) int {
	switch s {
	case http.MethodGet:
		return 0
	case http.MethodHead:
		return 1
	case http.MethodPost:
		return 2
	case http.MethodPut:
		return 3
	case http.MethodPatch:
		return 4
	case http.MethodDelete:
		return 5
	case http.MethodOptions:
		return 6
	}
	return len(Methods) - 1
}

// Classes of status: 1xx to 5xx, and 0 where there was no answer.
const Classes = 6

func classOf(status int) int {
	if c := status / 100; c > 0 && c < Classes {
		return c
	}
	return 0
}

// A Route is requests that are counted together.
type Route struct {
	name   string
	source Source
	shards uint32
	flying []flying // by shard
	series [kinds]atomic.Pointer[series]
	seen   uint64 // the tick at which it last had requests; guarded by Meter.mu
}

// flying is how many requests are under way, one cache line for each shard.
type flying struct {
	n atomic.Int64
	_ [56]byte
}

func (m *Meter) route(name string, source Source) *Route {
	return &Route{name: name, source: source, shards: m.shards, flying: make([]flying, m.shards), seen: m.ticks}
}

// Name of the route.
func (r *Route) Name() string { return r.name }

// Begin counts a request as under way, Finish as no longer. Both get the same
// shard.
func (r *Route) Begin(shard uint32) { r.flying[shard&(r.shards-1)].n.Add(1) }

// Finish is Begin's end.
func (r *Route) Finish(shard uint32) { r.flying[shard&(r.shards-1)].n.Add(-1) }

// series are the counters of one kind of answers of a route.
type series struct {
	cells   []atomic.Pointer[cell] // by shard
	history *history               // guarded by Meter.mu
}

// A cell is one shard's counters. Its size is a multiple of a cache line's, and
// that of a size of the allocator: shards do not share lines.
type cell struct {
	requests [len(Methods) * Classes]atomic.Uint64
	bytes    atomic.Uint64
	gone     atomic.Uint64
	broken   atomic.Uint64
	first    [Buckets]atomic.Uint64
	whole    [Buckets]atomic.Uint64
	firstSum atomic.Uint64 // nanoseconds
	wholeSum atomic.Uint64
	_        [11]uint64
}

func (r *Route) count(shard uint32, q *Request) {
	s := r.series[q.Kind].Load()
	if s == nil {
		s = r.begin(q.Kind)
	}
	c := s.cells[shard].Load()
	if c == nil {
		c = s.begin(shard)
	}
	c.requests[methodOf(q.Method)*Classes+classOf(q.Status)].Add(1)
	if q.Bytes > 0 {
		c.bytes.Add(uint64(q.Bytes))
	}
	if q.Status != 0 {
		c.first[bucketOf(q.First)].Add(1)
		c.firstSum.Add(uint64(max(q.First, 0)))
	}
	if !q.Endless {
		c.whole[bucketOf(q.Total)].Add(1)
		c.wholeSum.Add(uint64(max(q.Total, 0)))
	}
	if q.Gone || q.Status == 0 {
		c.gone.Add(1)
	} else if q.Broken {
		c.broken.Add(1)
	}
}

func (r *Route) begin(k Kind) *series {
	r.series[k].CompareAndSwap(nil, &series{cells: make([]atomic.Pointer[cell], r.shards), history: &history{}})
	return r.series[k].Load()
}

func (s *series) begin(shard uint32) *cell {
	s.cells[shard].CompareAndSwap(nil, &cell{})
	return s.cells[shard].Load()
}

// A sum is what all shards of a series have.
type sum struct {
	requests            [len(Methods)][Classes]uint64
	bytes, gone, broken uint64
	first, whole        Histogram
}

func (s *series) sum() (t sum) {
	for i := range s.cells {
		c := s.cells[i].Load()
		if c == nil {
			continue
		}
		for j := range c.requests {
			t.requests[j/Classes][j%Classes] += c.requests[j].Load()
		}
		t.bytes += c.bytes.Load()
		t.gone += c.gone.Load()
		t.broken += c.broken.Load()
		for j := range c.first {
			t.first.Counts[j] += c.first[j].Load()
			t.whole.Counts[j] += c.whole[j].Load()
		}
		t.first.Sum += time.Duration(c.firstSum.Load())
		t.whole.Sum += time.Duration(c.wholeSum.Load())
	}
	return t
}

// totals of all methods: requests, and of these 5xx.
func (t *sum) totals() (requests, errors uint64) {
	for _, classes := range t.requests {
		for class, n := range classes {
			requests += n
			if class == 5 {
				errors += n
			}
		}
	}
	return requests, errors
}
