package traffic

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	"unsafe"
)

// TestBuckets: the first bucket whose bound is no less, at every bound and
// beside it.
func TestBuckets(t *testing.T) {
	if !slices.IsSorted(bounds[:]) {
		t.Fatalf("bounds %v", bounds)
	}
	for i := range bounds {
		bound := Bound(i)
		for d, want := range map[time.Duration]int{bound - time.Microsecond: i, bound - 1: i, bound: i, bound + 1: i + 1, bound + time.Microsecond: i + 1} {
			if got := bucketOf(d); got != want {
				t.Errorf("%v is in bucket %d, not %d", d, got, want)
			}
		}
	}
	if bucketOf(-time.Second) != 0 || bucketOf(1<<62) != Buckets-1 || Bound(Buckets-1) != 0 {
		t.Error("the ends")
	}
	for _, c := range Classic {
		if Bound(bucketOf(c)) != c {
			t.Errorf("%v is no bound", c)
		}
	}
}

// TestPercentile: within a quarter of the true one, whatever the values.
func TestPercentile(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	for range 200 {
		n := 1 + r.IntN(300)
		var h Histogram
		values := make([]time.Duration, n)
		for i := range values {
			values[i] = 100*time.Microsecond + time.Duration(r.ExpFloat64()*float64(50*time.Millisecond))
			h.Counts[bucketOf(values[i])]++
		}
		slices.Sort(values)
		for _, p := range []float64{0.5, 0.95, 0.99, 1} {
			want := values[max(0, int(p*float64(n)+0.999999)-1)]
			if got := h.Percentile(p); float64(got) < 0.75*float64(want) || float64(got) > 1.3*float64(want) {
				t.Errorf("seed %d: percentile %v of %d is %v, not %v", seed, p, n, got, want)
			}
		}
		if h.Count() != uint64(n) || h.AtMost(100*time.Second) != uint64(n) {
			t.Errorf("%d of %d", h.Count(), n)
		}
	}
	if (&Histogram{}).Percentile(0.5) != 0 {
		t.Error("of none")
	}
	late := Histogram{Counts: [Buckets]uint64{Buckets - 1: 1}}
	if got := late.Percentile(0.5); got != 100*time.Second {
		t.Errorf("beyond the last bound: %v", got)
	}
}

// Shards share no cache line.
func TestCellSize(t *testing.T) {
	if size := unsafe.Sizeof(cell{}); size%64 != 0 {
		t.Errorf("a cell has %d bytes, which is no multiple of a cache line's 64", size)
	}
	if size := unsafe.Sizeof(flying{}); size != 64 {
		t.Errorf("%d bytes", size)
	}
}
