package turns

import (
	"math"
	"sync/atomic"
)

// Budget hands out a number of messages to clients that work at once.
type Budget struct {
	max  int64
	used atomic.Int64
}

// NewBudget of max messages; 0 is without end.
func NewBudget(max int) *Budget {
	if max == 0 {
		max = math.MaxInt64 / 2
	}
	return &Budget{max: int64(max)}
}

// Take takes up to n messages; 0 when there are no more.
func (b *Budget) Take(n int) int {
	n, _ = b.Cut(n)
	return n
}

// Cut is Take, and says which: n of them beginning with from.
func (b *Budget) Cut(n int) (taken, from int) {
	end := b.used.Add(int64(n))
	from64 := end - int64(n)
	if from64 >= b.max {
		return 0, 0
	}
	return int(min(end, b.max) - from64), int(from64)
}
