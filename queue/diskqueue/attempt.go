package diskqueue

import (
	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// attemptFor is how long a receive may be repeated with the same
// ReceiveRequestAttemptId, in Unix milliseconds.
const attemptFor = 5 * 60 * 1000

// maxAttempts a queue remembers; the oldest is forgotten first. More cannot be
// repeated anyway, for that is how many messages there are in flight.
const maxAttempts = MaxInFlight

// attempts are what receives of a FIFO queue handed out, by the id their caller
// gave them. They live in memory only: after a restart an id is a new one.
type attempts struct {
	byID map[string]*attempt
	all  []remembered // in the order of time
}

// remembered is when an attempt was made; its id may have been used anew since.
type remembered struct {
	id string
	at int64
}

type attempt struct {
	at  int64 // Unix milliseconds of the first receive under the id
	got []attempted
}

// attempted is one message as it was handed out.
type attempted struct {
	seq, token uint64
	visibleAt  int64
}

// repeat hands out once more what an earlier receive with the same attempt id
// got, hidden anew, with the same receipts and counts. It does nothing if one of
// the messages was touched since: then this is a receive like any other.
func (r *reception) repeat(at, visibleAt int64) error {
	q := r.q
	a := q.attempts.byID[r.o.AttemptID]
	if a == nil || a.at+attemptFor <= at {
		return nil
	}
	list := make([]*entry, len(a.got))
	pins := make([]seglog.Pinned, 0, len(a.got))
	for i, x := range a.got {
		m := r.e.flying(q, receipt{seq: x.seq, token: x.token})
		if m == nil || r.e.flights.get(m.flight).visibleAt != x.visibleAt {
			return nil
		}
		list[i] = m
	}
	for _, m := range list {
		pin, err := r.e.log.Pin(m.pos)
		if err != nil {
			for _, p := range pins {
				p.Unpin()
			}
			return err
		}
		pins = append(pins, pin)
	}
	for i, m := range list {
		f := r.e.flights.get(m.flight)
		again := received{seq: m.seq(), visibleAt: visibleAt, token: f.token, receives: f.receives, first: f.first, since: uint32(at / 1000)}
		r.got = append(r.got, taken{pin: pins[i], pos: m.pos, size: m.size(), r: again, source: r.e.sources.name(f.source)})
		r.e.receive(q, m, again)
		a.got[i].visibleAt = visibleAt
	}
	r.record()
	return nil
}

// remember keeps what was handed out under the attempt id.
func (r *reception) remember(at int64) {
	a := &attempt{at: at}
	for i := range r.got {
		x := &r.got[i].r
		a.got = append(a.got, attempted{x.seq, x.token, x.visibleAt})
	}
	r.q.attempts.add(r.o.AttemptID, a)
}

// add remembers an attempt, and forgets those that are too old or too many.
func (s *attempts) add(id string, a *attempt) {
	if s.byID == nil {
		s.byID = map[string]*attempt{}
	}
	s.byID[id] = a
	s.all = append(s.all, remembered{id, a.at})
	for s.all[0].at+attemptFor <= a.at || len(s.all) > maxAttempts {
		old := s.all[0]
		s.all = s.all[1:]
		if x := s.byID[old.id]; x != nil && x != a && x.at == old.at {
			delete(s.byID, old.id)
		}
	}
}

// checkTotal refuses to hide a message for more than 12 hours since it was
// received.
func checkTotal(f *flight, visibleAt int64) error {
	if f.since != 0 && visibleAt > (int64(f.since)+1+maxHidden)*1000 {
		return driver.ErrVisibilityTooLong
	}
	return nil
}

const maxHidden = 12 * 60 * 60 // seconds
