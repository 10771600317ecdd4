package diskqueue

import (
	"errors"
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
