package diskqueue

import (
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// A model of one message group in a FIFO queue and in its dead-letter queue, as
// clients see them. Every rule says what an operation must answer in a state,
// and which states it leaves; package porcupine looks for an order of the
// operations, within the time each took, in which all are answered so.
//
// Groups are checked apart: what an operation does to one does not depend on the
// others, but for a receive that got as many as it asked for, which may have
// come to any point of a group (walk).

// Queues and rules of the model.
const (
	modelQueue  = "q.fifo"
	modelDead   = "dead.fifo"
	modelKept   = 2      // receives before a message is a dead letter
	modelHidden = 10_000 // visibility timeout, milliseconds
)

// act is one operation, as far as it concerns the group, and its answer.
type act struct {
	kind    actKind
	at      int64 // virtual Unix milliseconds
	unsure  bool  // the crash came before it returned: it may have had no effect
	queue   string
	message driver.Message // sent: body, deduplication id; once answered id and sequence
	got     []driver.Message
	total   int  // messages a receive got, of all groups
	full    bool // a receive got as many as it asked for, of whatever groups
	receipt string
	hide    int64 // milliseconds
	err     error
	found   []finding // by browsing after an opening or a move, both queues
	missing bool      // the queue, when browsed
	power   bool      // the machine died, not the process alone
	moved   bool      // a move to the queue it came from ended before it was browsed
}

type actKind string

const (
	actSend    actKind = "send"
	actReceive actKind = "receive"
	actRepeat  actKind = "receive again" // with the attempt id of an earlier one
	actDelete  actKind = "delete"
	actHide    actKind = "change visibility"
	actPurge   actKind = "purge"
	actDrop    actKind = "delete queue"
	actCreate  actKind = "create queue"
	actBrowse  actKind = "browse"
)

type finding struct {
	queue string
	driver.Browsed
}

// place is where a message is and in what condition.
type place struct {
	queue    string
	receives int
	until    int64 // in flight until then, Unix milliseconds
	receipt  int   // index of its last one; -1: none is good
}

// kept is a message.
type kept struct {
	body, id, dedup, sequence string
	now                       place
	past                      []place  // since something was surely synced
	receipts                  []string // issued, in order
}

// known is a deduplication id of the queue.
type known struct {
	dedup, id, sequence string
	sent                int64
}

// world is the state of the model. It is never changed: operations return others.
type world struct {
	kept     []kept // by sequence
	known    []known
	last     string // greatest sequence
	missing  bool   // the queue
	dropped  int64  // when it was deleted; 0: never
	purged   int64  // the queue, and
	deadAt   int64  // its dead-letter queue; 0: never
	reissued bool   // it was made again: receipts of before are not its own
	lost     *world // not nil: what the crash to come leaves, with what is after it undone
}

func (w world) clone() world {
	w.kept, w.known = slices.Clone(w.kept), slices.Clone(w.known)
	return w
}

// step returns the states that an operation may leave; none: its answer is wrong.
func (w world) step(a *act) []world {
	after := w.clone().do(a)
	if a.unsure {
		if a.kind == actReceive { // its dead letters may be on the disk, and no more of it
			moves := *a
			moves.got, moves.full = nil, true
			after = append(after, w.clone().do(&moves)...)
		}
		return append(w.undone(after), w)
	}
	if a.kind == actReceive || a.kind == actRepeat || a.err != nil {
		return after
	}
	// It was acknowledged: this and all before it is on the disk.
	after = slices.DeleteFunc(after, func(x world) bool { return x.lost != nil })
	for i := range after {
		after[i].settle()
	}
	return after
}

// undone adds that others saw what an operation did, and the crash undid it all
// the same: it was not acknowledged.
func (w world) undone(after []world) []world {
	if w.lost != nil {
		return after
	}
	for _, x := range slices.Clone(after) {
		x.lost = &w
		after = append(after, x)
	}
	return after
}

// settle: what happened until now is on the disk.
func (w *world) settle() {
	for i := range w.kept {
		w.kept[i].past = nil
	}
}

func (w world) do(a *act) []world {
	if w.missing && a.queue == modelQueue && a.kind != actCreate && a.kind != actBrowse {
		return w.when(errors.Is(a.err, driver.ErrQueueNotFound))
	}
	switch a.kind {
	case actSend:
		return w.send(a)
	case actReceive:
		return w.receive(a)
	case actRepeat:
		return w.repeat(a)
	case actDelete:
		return w.delete(a)
	case actHide:
		return w.hide(a)
	case actPurge:
		return w.purge(a)
	case actDrop:
		w.empty(modelQueue)
		w.missing, w.dropped, w.purged, w.reissued = true, a.at, 0, true
		return w.when(a.err == nil)
	case actCreate:
		if w.missing && a.at-w.dropped < 60_000 {
			return w.when(errors.Is(a.err, driver.ErrQueueDeletedRecently))
		}
		w.missing = false
		return w.when(a.err == nil)
	case actBrowse:
		return w.browse(a)
	}
	return nil
}

func (w world) when(right bool) []world {
	if right {
		return []world{w}
	}
	return nil
}

func (w world) send(a *act) []world {
	m := &a.message
	if a.err != nil {
		return nil
	}
	for i := len(w.known) - 1; i >= 0; i-- {
		if k := &w.known[i]; k.dedup == m.DedupID && k.sent+5*60_000 > a.at {
			return w.when(k.id == m.ID && k.sequence == m.Sequence)
		}
	}
	if m.Sequence <= w.last {
		return nil
	}
	w.add(m, a.at)
	return []world{w}
}

func (w *world) add(m *driver.Message, at int64) {
	w.last = m.Sequence
	w.known = append(w.known, known{m.DedupID, m.ID, m.Sequence, at})
	w.kept = append(w.kept, kept{body: m.Body, id: m.ID, dedup: m.DedupID, sequence: m.Sequence,
		now: place{queue: modelQueue, receipt: -1}})
}

// become puts a message elsewhere; where it was may come back with the machine's death.
func (k *kept) become(p place) {
	k.past = append(slices.Clip(k.past), k.now)
	k.now = p
}

func (k *kept) inFlight(at int64) bool { return k.now.until > at }

// walk takes from a queue what a receive may: messages in order up to the first
// in flight, past those that are dead letters, which it moves. It calls hand for
// each, which says whether it goes on, and returns how many were moved since the
// last hand, by index. It is the special rule of SQS that what is given back comes
// again though a later one of its group is in flight.
func (w *world) walk(queue string, at int64, hand func(*kept) bool) (moved []int) {
	for i := range w.kept {
		k := &w.kept[i]
		if k.now.queue != queue {
			continue
		}
		if k.inFlight(at) {
			return moved
		}
		if queue == modelQueue && k.now.receives >= modelKept {
			moved = append(moved, i)
			continue
		}
		if !hand(k) {
			return moved
		}
		w.bury(moved)
		moved = nil
	}
	return moved
}

// bury moves messages to the dead-letter queue.
func (w *world) bury(indexes []int) {
	for _, i := range indexes {
		k := &w.kept[i]
		k.become(place{queue: modelDead, receives: k.now.receives, receipt: -1})
	}
}

func (w world) receive(a *act) []world {
	if a.err != nil {
		return nil
	}
	got, right := a.got, true
	// In flight is what was before this receive, not what it takes itself.
	before := w.clone()
	held := map[string]bool{}
	moved := before.walk(a.queue, a.at, func(k *kept) bool {
		if len(got) == 0 {
			right = right && a.full
			return false
		}
		right = right && k.is(&got[0], a.queue, k.now.receives+1)
		held[k.sequence] = true
		got = got[1:]
		return true
	})
	if len(got) > 0 || !right {
		return nil
	}
	for i := range before.kept {
		if k := &before.kept[i]; held[k.sequence] {
			n := slices.IndexFunc(a.got, func(m driver.Message) bool { return m.Sequence == k.sequence })
			k.receipts = append(slices.Clip(k.receipts), a.got[n].Receipt)
			k.become(place{a.queue, k.now.receives + 1, a.at + a.hide, len(k.receipts) - 1})
		}
	}
	var after []world
	for n := len(moved); n >= 0; n-- { // when it was full it may have stopped anywhere
		x := before.clone()
		x.bury(moved[:n])
		after = append(after, x)
		if !a.full {
			break
		}
	}
	return after
}

// is reports whether a message received is this one.
func (k *kept) is(m *driver.Message, queue string, receives int) bool {
	dedup, source := k.dedup, ""
	if queue == modelDead {
		dedup, source = k.id, modelQueue
	}
	return m.Body == k.body && m.ID == k.id && m.Sequence == k.sequence && m.DedupID == dedup &&
		m.Source == source && m.Receives == receives
}

// repeat: what was got before is hidden anew.
func (w world) repeat(a *act) []world {
	for i := range a.got {
		m := &a.got[i]
		n := slices.IndexFunc(w.kept, func(k kept) bool { return k.sequence == m.Sequence })
		if n < 0 {
			return nil
		}
		k := &w.kept[n]
		if !k.is(m, a.queue, k.now.receives) || !k.inFlight(a.at) || k.receipts[k.now.receipt] != m.Receipt {
			return nil
		}
		k.become(place{a.queue, k.now.receives, a.at + a.hide, k.now.receipt})
	}
	return []world{w}
}

// find returns the message a receipt was issued for, if it is in that queue.
func (w *world) find(queue, receipt string) (k *kept, i int) {
	for n := range w.kept {
		k := &w.kept[n]
		if i := slices.Index(k.receipts, receipt); i >= 0 && k.now.queue == queue {
			return k, i
		}
	}
	return nil, 0
}

func (w world) delete(a *act) []world {
	k, i := w.find(a.queue, a.receipt)
	switch {
	case k == nil:
		return w.when(a.err == nil || w.reissued && errors.Is(a.err, driver.ErrReceiptInvalid))
	case i == k.now.receipt && k.inFlight(a.at):
	case i > k.now.receipt && a.err == nil: // the receive was lost with the machine
	default:
		return w.when(errors.Is(a.err, driver.ErrReceiptExpired))
	}
	if a.err != nil {
		return nil
	}
	w.kept = slices.DeleteFunc(w.kept, func(x kept) bool { return x.sequence == k.sequence })
	return []world{w}
}

func (w world) hide(a *act) []world {
	k, i := w.find(a.queue, a.receipt)
	if k == nil || i != k.now.receipt || !k.inFlight(a.at) {
		return w.when(errors.Is(a.err, driver.ErrNotInFlight) ||
			k == nil && w.reissued && errors.Is(a.err, driver.ErrReceiptInvalid))
	}
	p := k.now
	p.until = a.at + a.hide
	k.become(p)
	return w.when(a.err == nil)
}

func (w world) purge(a *act) []world {
	last := &w.purged
	if a.queue == modelDead {
		last = &w.deadAt
	}
	if *last != 0 && a.at-*last < 60_000 {
		return w.when(errors.Is(a.err, driver.ErrPurgeInProgress))
	}
	*last = a.at
	w.empty(a.queue)
	return w.when(a.err == nil)
}

func (w *world) empty(queue string) {
	w.kept = slices.DeleteFunc(w.kept, func(k kept) bool { return k.now.queue == queue })
	if queue == modelQueue {
		w.known = nil
	}
}

// browse compares what is there with what must be. After the machine died a
// message may be in any of the conditions it had since something was surely
// synced; after the process died alone, in its last. From then on it is as found.
func (w world) browse(a *act) []world {
	if w.lost != nil {
		w = w.lost.clone()
	}
	if a.missing != w.missing {
		return nil
	}
	found := a.found
	if a.moved {
		if found = w.move(a); found == nil {
			return nil
		}
	}
	if len(found) != len(w.kept) {
		return nil
	}
	for i := range w.kept {
		k := &w.kept[i]
		n := slices.IndexFunc(found, func(f finding) bool { return f.Sequence == k.sequence })
		if n < 0 || !k.is(&found[n].Message, found[n].queue, found[n].Receives) {
			return nil
		}
		could := []place{k.now}
		if a.power {
			could = append(could, k.past...)
		}
		was := slices.IndexFunc(could, func(p place) bool { return p.shows(&found[n], a.at) })
		if was < 0 {
			return nil
		}
		k.now, k.past = could[was], nil
	}
	return []world{w}
}

func (p place) shows(f *finding, at int64) bool {
	if p.queue != f.queue || p.receives != f.Receives {
		return false
	}
	if p.until <= at {
		return f.State == driver.StateVisible
	}
	return f.State == driver.StateInFlight && f.VisibleAt.UnixMilli() == p.until
}

// move does what a move does: every dead letter up to the first in flight is a
// new message at the end of the queue, in order, and none of them is left. It
// returns what should be there; nil: something else is.
func (w *world) move(a *act) []finding {
	w.settle() // the record of the move, which is there, is behind all that was before
	fresh := slices.DeleteFunc(slices.Clone(a.found), func(f finding) bool {
		return f.queue != modelQueue || f.Sequence <= w.last
	})
	slices.SortFunc(fresh, func(x, y finding) int { return cmp.Compare(x.Sequence, y.Sequence) })
	var old []kept
	w.walk(modelDead, a.at, func(k *kept) bool { old = append(old, *k); return true })
	if len(old) != len(fresh) {
		return nil
	}
	for i := range old {
		if f := &fresh[i].Message; f.Body != old[i].body || f.DedupID != old[i].id || f.Receives != 0 || f.Source != "" {
			return nil
		}
		w.kept = slices.DeleteFunc(w.kept, func(k kept) bool { return k.sequence == old[i].sequence })
		w.add(&fresh[i].Message, a.at)
	}
	return append([]finding{}, a.found...) // not nil
}

var modelSeed = maphash.MakeSeed()

func (w world) hash() uint64 {
	var h maphash.Hash
	h.SetSeed(modelSeed)
	for i := range w.kept {
		maphash.WriteComparable(&h, w.kept[i].now)
		h.WriteString(w.kept[i].sequence)
	}
	h.WriteString(w.last)
	return h.Sum64()
}

func (w world) equal(v world) bool {
	if (w.lost == nil) != (v.lost == nil) || w.lost != nil && !w.lost.equal(*v.lost) {
		return false
	}
	return slices.EqualFunc(w.kept, v.kept, kept.equal) && slices.Equal(w.known, v.known) && w.last == v.last &&
		w.missing == v.missing && w.dropped == v.dropped && w.purged == v.purged && w.deadAt == v.deadAt && w.reissued == v.reissued
}

func (k kept) equal(l kept) bool {
	return k.body == l.body && k.sequence == l.sequence && k.now == l.now && slices.Equal(k.past, l.past) && slices.Equal(k.receipts, l.receipts)
}

func (a *act) String() string {
	s := fmt.Sprintf("%d %s %s", a.at, a.kind, a.queue)
	switch a.kind {
	case actSend:
		s += fmt.Sprintf(" %.12q dedup %s: %s", a.message.Body, a.message.DedupID, a.message.Sequence)
	case actReceive, actRepeat:
		s += fmt.Sprintf(" full=%v total=%d hide=%d:", a.full, a.total, a.hide)
		for i := range a.got {
			s += fmt.Sprintf(" %.12q(%s, %d. time, %.22s…)", a.got[i].Body, a.got[i].Sequence, a.got[i].Receives, a.got[i].Receipt)
		}
	case actDelete, actHide:
		s += fmt.Sprintf(" %.22s… %d", a.receipt, a.hide)
	case actBrowse:
		s += fmt.Sprintf(" missing=%v power=%v moved=%v:", a.missing, a.power, a.moved)
		for i := range a.found {
			f := &a.found[i]
			s += fmt.Sprintf(" %s:%.12q(%s, %d receives, %s", f.queue, f.Body, f.Sequence, f.Receives, f.State)
			if f.State == driver.StateInFlight {
				s += fmt.Sprintf(" until %d", f.VisibleAt.UnixMilli())
			}
			s += ")"
		}
	}
	if a.err != nil {
		s += " error: " + a.err.Error()
	}
	if a.unsure {
		s += " (crash meanwhile)"
	}
	return s
}
