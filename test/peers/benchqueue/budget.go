package main

import (
	"math"
	"sync/atomic"
)

// budget hands out a number of messages to clients that work at once.
type budget struct {
	max  int64
	used atomic.Int64
}

// newBudget of max messages; 0 is without end.
func newBudget(max int) *budget {
	if max == 0 {
		max = math.MaxInt64 / 2
	}
	return &budget{max: int64(max)}
}

// take takes up to n messages; 0 when there are no more.
func (b *budget) take(n int) int {
	n, _ = b.cut(n)
	return n
}

// cut is take, and says which: n of them beginning with from.
func (b *budget) cut(n int) (taken, from int) {
	end := b.used.Add(int64(n))
	from64 := end - int64(n)
	if from64 >= b.max {
		return 0, 0
	}
	return int(min(end, b.max) - from64), int(from64)
}
