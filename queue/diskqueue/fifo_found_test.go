package diskqueue

import (
	"cmp"
	"hash/maphash"
	"slices"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

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
