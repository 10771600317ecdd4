package diskqueue

import (
	"context"
	"encoding/binary"

	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// Receipts are good for as long as they name the last receive of the message.
// With an older one SQS's Delete succeeds and deletes nothing, and so does this
// one ("the request succeeds, but the message will not be deleted", API
// reference of DeleteMessage, standard queues). That the visibility timeout is
// over does not matter as long as nobody received the message since.
//
// Tokens of receives grow, also from one opening of the store to the next. A
// receipt newer than the last receive known is one whose record was lost with
// the machine: the message was not received again since, so it is good.

// Delete implements driver.Service.
func (e *Engine) Delete(_ context.Context, name string, receipts []string) ([]error, error) {
	room := seglog.RecordSize(maxSmall + len(receipts)*binary.MaxVarintLen64)
	if err := e.lockRoom(room, true); err != nil {
		return nil, opError("delete from", name, err)
	}
	q, err := e.find(name)
	if err != nil {
		e.mu.Unlock()
		return nil, opError("delete from", name, err)
	}
	errs := make([]error, len(receipts))
	var gone []uint64
	wake := q.inFlight >= MaxInFlight || q.fifo // that a group waits for, or room
	if q.fifo {
		q.promote(now())
	}
	for i, handle := range receipts {
		r, err := e.parseHandle(handle, q.uid)
		if errs[i] = err; err != nil {
			continue
		}
		m := q.messages.get(r.seq)
		if m != nil && q.fifo && e.expiredReceipt(m, r) {
			errs[i] = driver.ErrReceiptExpired
			continue
		}
		if m != nil && (m.flight == 0 || r.token >= e.flights.get(m.flight).token) {
			e.remove(q, r.seq)
			gone = append(gone, r.seq)
		}
	}
	if len(gone) > 0 {
		e.log.Append(deleteRecord(q.uid, gone))
	}
	if wake {
		q.wakeUp(len(gone))
	}
	// Also when all were gone: the record that says so may not be synced yet.
	end := e.log.End()
	e.mu.Unlock()
	if err := e.commit(end); err != nil {
		return nil, opError("delete from", name, err)
	}
	return errs, nil
}

// expiredReceipt reports whether a receipt of a FIFO queue is no longer good.
func (e *Engine) expiredReceipt(m *entry, r receipt) bool {
	f := e.flights.get(m.flight)
	return r.token < f.token || r.token == f.token && f.state != inFlight
}

// flying returns the message that is in flight under a receipt, or nil.
func (e *Engine) flying(q *state, r receipt) *entry {
	m := q.messages.get(r.seq)
	if m == nil || m.flight == 0 {
		return nil
	}
	if f := e.flights.get(m.flight); f.state != inFlight || f.token != r.token {
		return nil
	}
	return m
}

// changeable returns the message whose visibility a receipt may change, or nil.
// On a FIFO queue it must be in flight under this receipt. A standard queue
// takes any receipt of a message that is there, also when its visibility is over
// or it was received again since, as SQS does: what is visible is hidden again.
func (e *Engine) changeable(q *state, r receipt) *entry {
	if q.fifo {
		return e.flying(q, r)
	}
	m := q.messages.get(r.seq)
	if m == nil || m.flight == 0 {
		return nil
	}
	f := e.flights.get(m.flight)
	if f.token == 0 { // delayed: nobody received it
		return nil
	}
	if f.state != inFlight && q.inFlight >= MaxInFlight {
		return nil
	}
	return m
}

func deleteRecord(uid uint32, seqs []uint64) []byte {
	b := beginRecord(make([]byte, 0, maxSmall+len(seqs)*binary.MaxVarintLen64), kindDelete, uid)
	b = binary.AppendUvarint(b, uint64(len(seqs)))
	for _, seq := range seqs {
		b = binary.AppendUvarint(b, seq)
	}
	return b
}

// ChangeVisibility implements driver.Service.
func (e *Engine) ChangeVisibility(_ context.Context, name string, cs []driver.VisibilityChange) ([]error, error) {
	room := seglog.RecordSize(maxSmall + len(cs)*2*binary.MaxVarintLen64)
	if err := e.lockRoom(room, true); err != nil {
		return nil, opError("change visibility in", name, err)
	}
	q, err := e.find(name)
	if err != nil {
		e.mu.Unlock()
		return nil, opError("change visibility in", name, err)
	}
	q.promote(now())
	errs := make([]error, len(cs))
	var b []byte
	n := 0
	for i, c := range cs {
		r, err := e.parseHandle(c.Receipt, q.uid)
		if errs[i] = err; err != nil {
			continue
		}
		m := e.changeable(q, r)
		if m == nil {
			errs[i] = driver.ErrNotInFlight
			continue
		}
		at := later(c.Visibility)
		if c.Visibility == 0 {
			at = now()
		}
		if errs[i] = checkTotal(e.flights.get(m.flight), at); errs[i] != nil {
			continue
		}
		e.setVisible(q, m, at)
		f := e.flights.get(m.flight)
		f.given = c.GivenBack && r.token == f.token // by an older receipt somebody else has it
		b = binary.AppendUvarint(binary.AppendUvarint(b, r.seq), uint64(at))
		n++
	}
	if n > 0 {
		head := binary.AppendUvarint(beginRecord(nil, kindVisibility, q.uid), uint64(n))
		e.log.Append(append(head, b...))
		q.wakeUp(n) // a receiver takes what is visible now, or waits for the new time
	}
	end := e.log.End()
	e.mu.Unlock()
	if err := e.commit(end); err != nil {
		return nil, opError("change visibility in", name, err)
	}
	return errs, nil
}
