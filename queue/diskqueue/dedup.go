package diskqueue

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// dedupFor is how long a FIFO queue remembers a deduplication id: five minutes,
// whether the message is still there or not, in Unix milliseconds.
const dedupFor = 5 * 60 * 1000

// dedup is the deduplication ids of the last five minutes. They are kept in
// generations of a minute each, so that forgetting is dropping a generation.
// One id costs 60 to 80 bytes.
type dedup struct {
	generations []generation // oldest first
}

type generation struct {
	begun int64             // Unix milliseconds; ids in it were sent then or later
	index map[dupKey]uint32 // in list
	list  []dup
}

const generationFor = 60 * 1000

// dupKey is the first half of a SHA-256 of the id, and of the group where ids
// are unique within it only.
type dupKey [16]byte

// dup is a message that was sent.
type dup struct {
	key  dupKey
	seq  uint64
	sent int64 // Unix milliseconds
}

func dedupKey(q *state, group, id string) (k dupKey) {
	var room [2 * 130]byte
	b := room[:0]
	if q.attrs.GroupDedup {
		b = append(b, group...)
	}
	b = append(append(b, 0), id...) // neither can have a zero
	sum := sha256.Sum256(b)
	copy(k[:], sum[:])
	return k
}

// find returns the message sent under a key in the five minutes before at.
func (d *dedup) find(k dupKey, at int64) (dup, bool) {
	for len(d.generations) > 0 && d.generations[0].begun+generationFor+dedupFor <= at {
		d.generations = d.generations[1:]
	}
	for i := len(d.generations) - 1; i >= 0; i-- {
		g := &d.generations[i]
		if j, ok := g.index[k]; ok && g.list[j].sent+dedupFor > at {
			return g.list[j], true
		}
	}
	return dup{}, false
}

// put remembers a message. Putting it twice does no harm.
func (d *dedup) put(k dupKey, seq uint64, sent int64) {
	last := len(d.generations) - 1
	if last < 0 || sent >= d.generations[last].begun+generationFor {
		d.generations = append(d.generations, generation{begun: sent, index: map[dupKey]uint32{}})
		last++
	}
	g := &d.generations[last]
	g.index[k] = uint32(len(g.list))
	g.list = append(g.list, dup{k, seq, sent})
}

// contentID is the deduplication id of a message that has none, on a queue that
// makes it of the content.
func contentID(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// firstSequence makes numbers of 20 digits that look like those of SQS; with
// zeros in it, they would hold what some suites take for an account.
const firstSequence = 18_376_452_981_376_452_981

// sequence is a message's number as FIFO queues show it.
func sequence(seq uint64) string { return strconv.FormatUint(firstSequence+seq, 10) }

// withContentIDs gives messages of a FIFO queue that have no deduplication id
// the one of their content, and reports whether there were any.
func withContentIDs(out []driver.Outgoing) (list []driver.Outgoing, any bool) {
	for i := range out {
		if out[i].DedupID != "" {
			continue
		}
		if !any {
			list, any = append([]driver.Outgoing{}, out...), true
		}
		list[i].DedupID = contentID(out[i].Body)
	}
	if !any {
		return out, false
	}
	return list, true
}
