package logs

import (
	"fmt"
	"slices"
)

// ring holds the newest lines of a group.
type ring struct {
	lines []Line
	next  int // where the next line goes once lines is full
}

func (r *ring) add(l Line) {
	if len(r.lines) < keep {
		r.lines = append(r.lines, l)
		return
	}
	r.lines[r.next] = l
	r.next = (r.next + 1) % keep
}

func (r *ring) ordered() []Line {
	return slices.Concat(r.lines[r.next:], r.lines[:r.next])
}

func sortByTime(ls []Line) {
	slices.SortStableFunc(ls, func(a, b Line) int { return a.Time.Compare(b.Time) })
}

func lostNotice(n int) string {
	return fmt.Sprintf("… %d lines were written faster than they could be shown; they are in the log files", n)
}
