package diskqueue

import (
	"slices"
	"time"

	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
)

// entry is a message in memory: 24 bytes, no pointer. The rest of it is in the
// log; what a message only has once it was delayed or received is a flight.
type entry struct {
	key    uint64 // seq<<16 | size of the record in units of 64 bytes, rounded up
	pos    seglog.Pos
	sent   uint32 // Unix seconds
	flight uint32 // index in the engine's flights; 0: never delayed nor received
}

const sizeUnit = 64

// maxSeq is the last message number: 48 bits, 8.9 years at a million a second.
const maxSeq = 1<<48 - 1

func newEntry(seq uint64, pos seglog.Pos, size uint32, sentMilli int64) entry {
	return entry{key: seq<<16 | uint64(size+sizeUnit-1)/sizeUnit, pos: pos, sent: uint32(sentMilli / 1000)}
}

func (e *entry) seq() uint64 { return e.key >> 16 }

// size of the record in bytes, rounded up to 64.
func (e *entry) size() uint32 { return uint32(e.key&0xffff) * sizeUnit }

// visibleAfter is when a message of a FIFO queue, sent then, is visible: not
// early, and at most a millisecond late.
func visibleAfter(sentMilli int64, delay time.Duration) int64 {
	return sentMilli + 1 + delay.Milliseconds()
}

// run is a stretch of entries in ascending order of seq. Entries are removed
// by moving the shorter side, so removing the first is cheap.
type run struct {
	start, end int
	e          [runSize]entry
}

const runSize = 256

func (r *run) entries() []entry { return r.e[r.start:r.end] }
func (r *run) len() int         { return r.end - r.start }
func (r *run) first() uint64    { return r.e[r.start].seq() }

// find returns the index of the first entry with at least that seq.
func (r *run) find(seq uint64) int {
	lo, hi := r.start, r.end
	for lo < hi {
		m := int(uint(lo+hi) / 2)
		if r.e[m].seq() < seq {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

func (r *run) remove(i int) {
	if i-r.start < r.end-1-i {
		copy(r.e[r.start+1:i+1], r.e[r.start:i])
		r.start++
		return
	}
	copy(r.e[i:r.end-1], r.e[i+1:r.end])
	r.end--
}

// insert puts an entry before index i; the run is not full.
func (r *run) insert(i int, e entry) {
	if r.end < runSize {
		copy(r.e[i+1:r.end+1], r.e[i:r.end])
		r.e[i] = e
		r.end++
		return
	}
	copy(r.e[r.start-1:i-1], r.e[r.start:i])
	r.start--
	r.e[i-1] = e
}

// entries of a queue in ascending order of seq, which is the order of sending.
// Appending and removing the first cost a constant, finding is a binary search
// over runs and one within a run. Removing elsewhere moves at most half a run,
// and once in a run's lifetime the 8-byte pointers of the runs on the shorter
// side. A run less than a quarter full is joined with its neighbour, so memory
// stays proportional to the number of messages.
type entries struct {
	runs []*run
	n    int
}

// at returns the index of the run that has seq, if any has.
func (l *entries) at(seq uint64) int {
	lo, hi := 0, len(l.runs)
	for lo < hi {
		m := int(uint(lo+hi) / 2)
		if l.runs[m].first() <= seq {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return max(lo-1, 0)
}

// get returns the entry of a message, or nil. It is valid until the next change.
func (l *entries) get(seq uint64) *entry {
	if l.n == 0 {
		return nil
	}
	r := l.runs[l.at(seq)]
	if i := r.find(seq); i < r.end && r.e[i].seq() == seq {
		return &r.e[i]
	}
	return nil
}

// add puts an entry in; one with its seq is not there yet.
func (l *entries) add(e entry) {
	l.n++
	k := len(l.runs)
	if k == 0 || l.runs[k-1].e[l.runs[k-1].end-1].seq() < e.seq() {
		if k == 0 || l.runs[k-1].end == runSize {
			l.runs = append(l.runs, &run{})
			k++
		}
		r := l.runs[k-1]
		r.e[r.end] = e
		r.end++
		return
	}
	k = l.at(e.seq())
	r := l.runs[k]
	if r.len() == runSize {
		half := &run{end: runSize / 2}
		copy(half.e[:], r.e[runSize/2:])
		r.end = runSize / 2
		l.runs = slices.Insert(l.runs, k+1, half)
		if half.first() <= e.seq() {
			r = half
		}
	}
	r.insert(r.find(e.seq()), e)
}

// remove takes a message out and returns its entry.
func (l *entries) remove(seq uint64) (entry, bool) {
	if l.n == 0 {
		return entry{}, false
	}
	k := l.at(seq)
	r := l.runs[k]
	i := r.find(seq)
	if i == r.end || r.e[i].seq() != seq {
		return entry{}, false
	}
	e := r.e[i]
	r.remove(i)
	l.n--
	switch {
	case r.len() == 0:
		l.dropRun(k)
	case r.len() < runSize/4 && k+1 < len(l.runs) && l.runs[k+1].len() <= runSize/2:
		l.join(k)
	case r.len() < runSize/4 && k > 0 && l.runs[k-1].len() <= runSize/2:
		l.join(k - 1)
	}
	return e, true
}

// dropRun removes an empty run, moving the shorter side.
func (l *entries) dropRun(k int) {
	if k < len(l.runs)/2 {
		copy(l.runs[1:k+1], l.runs[:k])
		l.runs[0] = nil
		l.runs = l.runs[1:]
		return
	}
	l.runs = slices.Delete(l.runs, k, k+1)
}

// join moves the entries of the run after k into run k.
func (l *entries) join(k int) {
	a, b := l.runs[k], l.runs[k+1]
	copy(a.e[:], a.entries())
	a.start, a.end = 0, a.len()
	a.end += copy(a.e[a.end:], b.entries())
	l.dropRun(k + 1)
}

// from calls visit for each entry with at least that seq, in order, until it
// returns false.
func (l *entries) from(seq uint64, visit func(*entry) bool) {
	if l.n == 0 {
		return
	}
	k := l.at(seq)
	i := l.runs[k].find(seq)
	for ; k < len(l.runs); k++ {
		r := l.runs[k]
		for i = max(i, r.start); i < r.end; i++ {
			if !visit(&r.e[i]) {
				return
			}
		}
		i = 0
	}
}

// first returns the oldest entry, or nil.
func (l *entries) first() *entry {
	if l.n == 0 {
		return nil
	}
	r := l.runs[0]
	return &r.e[r.start]
}
