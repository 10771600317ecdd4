package diskqueue

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// maxMoves is how many messages one holding of the lock moves to the
// dead-letter queue, at most.
const maxMoves = 32

// maxExpired likewise, for messages found past their retention.
const maxExpired = 10

// receiveRoom is the most bytes of records that two takes append.
var receiveRoom = 2 * (seglog.RecordSize(maxSmall+10*maxReceived) +
	seglog.RecordSize(maxSmall+maxExpired*maxReceived) +
	maxMoves*seglog.RecordSize(maxSmall+maxMoved))

// taken is a message handed out, before its record is read.
type taken struct {
	pin    seglog.Pinned
	pos    seglog.Pos
	size   uint32
	r      received
	source string
}

// Receive implements driver.Service.
func (e *Engine) Receive(ctx context.Context, name string, o driver.ReceiveOptions) ([]driver.Message, error) {
	r := reception{e: e, name: name, o: o}
	m, err := r.run(ctx)
	return m, opError("receive from", name, err)
}

// reception is one call of Receive.
type reception struct {
	e      *Engine
	name   string
	o      driver.ReceiveOptions
	q      *state
	w      *waiter // when registered with q
	until  time.Time
	got    []taken
	more   bool       // nothing was got, but only because a bound was reached
	end    seglog.Pos // of what was appended and not yet written; 0: nothing
	streak *streak    // FIFO: what the last message got is of
}

func (r *reception) run(ctx context.Context) ([]driver.Message, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		wait, err := r.try()
		if err != nil {
			return nil, err
		}
		if len(r.got) > 0 {
			return r.read()
		}
		if r.end != 0 {
			if err := r.e.log.Flush(r.end); err != nil {
				return nil, logError(err)
			}
			r.end = 0
		}
		if r.more {
			continue
		}
		if wait <= 0 {
			return nil, nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-r.w.wake:
		case <-timer.C:
		case <-ctx.Done():
			err = ctx.Err()
		case <-r.e.ending:
			err = driver.ErrClosed
		}
		timer.Stop()
		if err != nil {
			r.e.mu.Lock()
			r.unregister()
			r.e.mu.Unlock()
			return nil, err
		}
	}
}

// try takes messages, or else says how long to wait for some; 0: no longer.
func (r *reception) try() (wait time.Duration, err error) {
	e := r.e
	if err := e.lockRoom(receiveRoom, true); err != nil {
		if r.q != nil {
			e.mu.Lock()
			r.unregister()
			e.mu.Unlock()
		}
		return 0, err
	}
	defer e.mu.Unlock()
	q, err := e.find(r.name)
	if err == nil && r.q != nil && q != r.q {
		err = driver.ErrQueueNotFound // deleted, and another one made, while waiting
	}
	if err != nil {
		r.unregister()
		return 0, err
	}
	if r.q == nil {
		r.q = q
		if r.o.Wait < 0 {
			r.o.Wait = q.attrs.ReceiveWait
		}
		r.until = time.Now().Add(r.o.Wait)
	}
	if r.w != nil {
		r.w.signaled = false
	}
	if err := r.take(); err != nil || len(r.got) > 0 {
		r.unregister()
		return 0, err
	}
	if r.more {
		return 0, nil
	}
	left := time.Until(r.until)
	if left <= 0 {
		r.unregister()
		return 0, nil
	}
	if r.w == nil {
		// Once more after registering: a message synced in between found no
		// waiter to wake.
		r.register()
		if err := r.take(); err != nil || len(r.got) > 0 {
			r.unregister()
			return 0, err
		}
		if r.more {
			return 0, nil
		}
	}
	if r.q.waiters[0] == r.w { // one waiter watches the clock for all
		if f := q.hidden.top(); f != nil {
			left = min(left, time.Until(fromMilli(f.visibleAt)))
		}
	}
	return max(left, 1), nil
}

func (r *reception) register() {
	r.w = &waiter{wake: make(chan struct{}, 1)}
	r.q.waiters = append(r.q.waiters, r.w)
	r.q.waiting.Add(1)
}

// unregister leaves the waiters. A signal not used is passed on, as is the
// watching of the clock; so is what is still there after some was taken.
func (r *reception) unregister() {
	if r.q == nil {
		return
	}
	if r.w != nil {
		i := slices.Index(r.q.waiters, r.w)
		r.q.waiters = slices.Delete(r.q.waiters, i, i+1)
		r.q.waiting.Add(-1)
		if i == 0 || r.w.signaled {
			r.q.wakeUp(1)
		}
		r.w = nil
	}
	if len(r.q.waiters) > 0 && r.q.next(r.e.log.Synced(), nil) != nil {
		r.q.wakeUp(1)
	}
}

// take hands out messages and appends the record of it; mu is held, with room.
func (r *reception) take() error {
	q, at := r.q, now()
	q.promote(at)
	visibility := r.o.Visibility
	if visibility < 0 {
		visibility = q.attrs.Visibility
	}
	visibleAt := later(visibility)
	if visibility == 0 {
		visibleAt = at // for the next receive, however soon it comes
	}
	repeatable := r.o.AttemptID != "" && q.fifo
	if repeatable {
		if err := r.repeat(at, visibleAt); err != nil || len(r.got) > 0 {
			return err
		}
	}
	err := r.takeNext(at, visibleAt)
	if len(r.got) == 0 {
		return err
	}
	if repeatable {
		r.remember(at)
	}
	return nil
}

// takeNext takes what is next, and does away with what is not to be handed out
// any more. The error says why there is not more, if there is something too.
func (r *reception) takeNext(at, visibleAt int64) (err error) {
	e, q, synced := r.e, r.q, r.e.log.Synced()
	var expired []uint64
	moves := 0
	for len(r.got) < r.o.Max && len(expired) < maxExpired && moves < maxMoves {
		m := q.next(synced, r.streak)
		if m == nil {
			break
		}
		if q.expired(m, at) {
			expired = append(expired, m.seq())
			e.remove(q, m.seq())
			continue
		}
		if to := e.deadLetter(q, m); to != nil {
			e.move(q, to, m)
			moves++
			continue
		}
		if q.inFlight >= MaxInFlight {
			if r.o.Wait == 0 && !q.fifo { // SQS too says nothing when the caller is ready to wait
				err = driver.ErrOverLimit
			}
			break
		}
		if err = r.hand(m, at, visibleAt); err != nil {
			break
		}
	}
	if len(expired) > 0 {
		e.log.Append(deleteRecord(q.uid, expired))
	}
	if len(r.got) > 0 {
		r.record()
	}
	if moves+len(expired) > 0 {
		r.end = e.log.End()
	}
	r.more = len(r.got) == 0 && (moves == maxMoves || len(expired) == maxExpired)
	return err
}

// hand puts a message in flight for this caller.
func (r *reception) hand(m *entry, at, visibleAt int64) error {
	e, q := r.e, r.q
	pin, err := e.log.Pin(m.pos)
	if err != nil {
		return err
	}
	e.token++
	got := taken{pin: pin, pos: m.pos, size: m.size(), r: received{seq: m.seq(), visibleAt: visibleAt, token: e.token, receives: 1, first: at, since: uint32(at / 1000)}}
	q.dueTurn = true
	if m.flight != 0 {
		f := e.flights.get(m.flight)
		if f.group != 0 {
			x := q.groups.list[f.group]
			x.dueTurn = f.state != due
			if q.fifo && (r.streak == nil || r.streak.of != x) {
				r.streak = &streak{x, x.firstHeld()}
			}
		} else {
			q.dueTurn = false
		}
		got.r.receives = f.receives + 1
		if f.first != 0 {
			got.r.first = f.first
		}
		got.source = e.sources.name(f.source)
	}
	e.receive(q, m, got.r)
	r.got = append(r.got, got)
	return nil
}

// record appends what was handed out.
func (r *reception) record() {
	b := beginRecord(make([]byte, 0, maxSmall+len(r.got)*maxReceived), kindReceive, r.q.uid)
	b = append(b, byte(len(r.got)))
	for i := range r.got {
		b = putReceived(b, r.got[i].r)
	}
	b = binary.AppendUvarint(b, uint64(r.got[0].r.since))
	r.e.log.Append(b)
	r.end = r.e.log.End()
}

// deadLetter returns the queue a message is to be moved to instead of being
// handed out once more, or nil. Without the queue it stays where it is.
func (e *Engine) deadLetter(q *state, m *entry) *state {
	d := q.attrs.DeadLetter
	if d == nil || m.flight == 0 {
		return nil
	}
	f := e.flights.get(m.flight)
	if int(f.receives-f.before) < d.MaxReceives {
		return nil
	}
	return e.queues[d.Queue]
}

// move moves a message to its dead-letter queue. Nobody waits for the record to
// be synced: until it is, a crash leaves the message in its old queue.
func (e *Engine) move(q, to *state, m *entry) {
	f := e.flights.get(m.flight)
	group := q.groups.name(f.group)
	moved, receives, first := *m, f.receives, f.first
	if to.fifo { // where retention counts from the move
		moved.sent = uint32(now() / 1000)
	}
	e.log.Append(putMove(nil, q.uid, to.uid, &moved, f, q.name, group))
	e.moveIn(to, moved, receives, first, q.name, group)
	e.remove(q, moved.seq())
	to.wakeUp(1)
}

var readBuffers = sync.Pool{New: func() any { return new([]byte) }}

// read reads the messages handed out, once their record is written.
func (r *reception) read() ([]driver.Message, error) {
	err := r.e.log.Flush(r.end)
	buf := readBuffers.Get().(*[]byte)
	defer func() {
		if cap(*buf) <= scratchLimit {
			readBuffers.Put(buf)
		}
	}()
	messages := make([]driver.Message, 0, len(r.got))
	var damage []error
	for i := range r.got {
		if err == nil {
			m, derr := r.readOne(&r.got[i], buf)
			if derr == nil {
				messages = append(messages, m)
			} else {
				damage = append(damage, derr)
				r.e.o.Log.Error("queue message cannot be read; it stays hidden for the visibility timeout",
					"queue", r.name, "error", derr)
			}
		}
		r.got[i].pin.Unpin()
	}
	if err != nil {
		return nil, logError(err)
	}
	if len(messages) == 0 {
		return nil, logError(errors.Join(damage...))
	}
	return messages, nil
}

func (r *reception) readOne(t *taken, buf *[]byte) (driver.Message, error) {
	m, err := r.e.readMessage(t.pin, t.pos, t.size, t.r.seq, buf)
	if err != nil {
		return m, err
	}
	m.Receipt = r.e.handle(receipt{uid: r.q.uid, seq: t.r.seq, token: t.r.token})
	m.Receives = int(t.r.receives)
	m.FirstReceived = fromMilli(t.r.first)
	m.Source = t.source
	if r.q.fifo {
		asFIFO(&m, t.r.seq)
	}
	return m, nil
}

// asFIFO fills in what a message of a FIFO queue has beside. A dead letter's
// deduplication id is its message id, as on SQS: two that share one because five
// minutes were between them stay two.
func asFIFO(m *driver.Message, seq uint64) {
	m.Sequence = sequence(seq)
	if m.Source != "" {
		m.DedupID = m.ID
	}
}

// readMessage reads a message's record. It must be that of the message asked
// for: a place that leads elsewhere is damage too.
func (e *Engine) readMessage(pin seglog.Pinned, pos seglog.Pos, size uint32, seq uint64, buf *[]byte) (driver.Message, error) {
	payload, b, err := pin.Read(pos.Offset(), size, *buf)
	*buf = b
	if err != nil {
		return driver.Message{}, err
	}
	s, m, err := decodeMessage(payload)
	if err == nil && s.seq != seq {
		err = errMalformed
	}
	if err != nil {
		return driver.Message{}, &seglog.CorruptError{File: pos.File(), Offset: int64(pos.Offset()), Reason: err.Error()}
	}
	m.ID = e.id(seq, s.sent)
	return m, nil
}
