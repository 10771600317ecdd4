package advisory

import "bytes"

// Bounds of a line comparison: beyond them the count is a rough one.
const (
	maxDiffLines = 100_000 // of both files together
	maxDiffEdits = 3_000   // lines added and removed
)

// countLines says how many lines were added and removed between two texts.
//
// Only the length of the shortest edit script is needed, not the script: Myers'
// greedy algorithm finds it with one array ("An O(ND) Difference Algorithm and
// Its Variations", 1986, figure 2). Of D edits, with lengths n and m, added
// minus removed is m-n, so D gives both. Time grows with D squared, hence the
// bound; beyond it the lines that have no equal in the other file at all are
// counted, whatever their order, and rough is true.
func countLines(a, b []byte) (added, removed int, rough bool) {
	x, y := splitLines(a), splitLines(b)
	for len(x) > 0 && len(y) > 0 && bytes.Equal(x[0], y[0]) {
		x, y = x[1:], y[1:]
	}
	for len(x) > 0 && len(y) > 0 && bytes.Equal(x[len(x)-1], y[len(y)-1]) {
		x, y = x[:len(x)-1], y[:len(y)-1]
	}
	if len(x) == 0 || len(y) == 0 {
		return len(y), len(x), false
	}
	if len(x)+len(y) <= maxDiffLines {
		if d, ok := editDistance(number(x, y)); ok {
			return (d + len(y) - len(x)) / 2, (d - len(y) + len(x)) / 2, false
		}
	}
	added, removed = unmatched(x, y)
	return added, removed, true
}

func splitLines(b []byte) [][]byte {
	if len(b) == 0 {
		return nil
	}
	b = bytes.TrimSuffix(b, []byte("\n"))
	return bytes.Split(b, []byte("\n"))
}

// number replaces lines by small numbers, equal for equal lines.
func number(x, y [][]byte) ([]int, []int) {
	ids := map[string]int{}
	of := func(lines [][]byte) []int {
		out := make([]int, len(lines))
		for i, l := range lines {
			id, ok := ids[string(l)]
			if !ok {
				id = len(ids)
				ids[string(l)] = id
			}
			out[i] = id
		}
		return out
	}
	return of(x), of(y)
}

// editDistance is the least number of insertions and deletions that turn a
// into b; ok is false when it is above maxDiffEdits.
func editDistance(a, b []int) (int, bool) {
	n, m := len(a), len(b)
	limit := min(n+m, maxDiffEdits)
	// v[k+offset] is the furthest x reached on diagonal k = x-y.
	offset := limit + 1
	v := make([]int, 2*limit+3)
	for d := 0; d <= limit; d++ {
		for k := -d; k <= d; k += 2 {
			var x int
			if k == -d || (k != d && v[offset+k-1] < v[offset+k+1]) {
				x = v[offset+k+1]
			} else {
				x = v[offset+k-1] + 1
			}
			for y := x - k; x < n && y < m && y >= 0 && a[x] == b[y]; y = x - k {
				x++
			}
			v[offset+k] = x
			if x >= n && x-k >= m {
				return d, true
			}
		}
	}
	return 0, false
}

// unmatched counts lines without an equal on the other side.
func unmatched(x, y [][]byte) (added, removed int) {
	count := map[string]int{}
	for _, l := range x {
		count[string(l)]++
	}
	for _, l := range y {
		if count[string(l)] > 0 {
			count[string(l)]--
		} else {
			added++
		}
	}
	for _, c := range count {
		removed += c
	}
	return added, removed
}
