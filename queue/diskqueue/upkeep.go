package diskqueue

import (
	"errors"
	"time"

	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

const (
	// buryStep is how many messages of a purged queue are given back under one
	// holding of the lock; expireStep how many expired ones are removed.
	buryStep   = 4096
	expireStep = 256
	// expireEvery is the longest time between looks for expired messages: the
	// shortest retention.
	expireEvery = 60 * time.Second
	// fullEvery is how often a full disk is answered with a checkpoint.
	fullEvery = time.Second
)

func (e *Engine) wakeUpkeep() {
	select {
	case e.kick <- struct{}{}:
	default:
	}
}

// keepUp does what no caller waits for, until Close.
func (e *Engine) keepUp() {
	defer e.work.Done()
	for {
		next := e.tidy()
		timer := time.NewTimer(next)
		select {
		case <-e.kick:
		case <-timer.C:
		case <-e.ending:
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// tidy removes what is dead and returns when to do so again.
func (e *Engine) tidy() time.Duration {
	if e.log.Err() != nil {
		return expireEvery
	}
	for more := true; more; {
		e.mu.Lock()
		more = e.bury(buryStep)
		e.mu.Unlock()
	}
	next := e.expire()
	e.upkeep.Lock()
	defer e.upkeep.Unlock()
	if err := e.reclaim(); err != nil && !errors.Is(err, seglog.ErrFailed) {
		e.o.Log.Error("upkeep of the queue store failed; it is tried again", "error", err)
		return min(next, fullEvery)
	}
	return next
}

// reclaim gives room back: a checkpoint when one is due, then the segments
// nothing needs, then those hardly anything needs.
func (e *Engine) reclaim() error {
	since := e.log.Appended() - e.last.appended
	due := since >= max(e.o.replay, 2*e.last.size)
	if e.log.Full() && since > 0 && time.Since(e.lastFull) >= fullEvery {
		e.lastFull = time.Now()
		due = true
	}
	if due {
		if err := e.checkpoint(); err != nil {
			return err
		}
	}
	if _, err := e.log.Reclaim(e.last.from.Segment()); err != nil {
		return err
	}
	if !due {
		return nil
	}
	if err := e.clean(); err != nil {
		return err
	}
	_, err := e.log.Reclaim(e.last.from.Segment())
	return err
}

// expire removes messages past their retention and returns when the next will
// be. The records need no sync: a message that comes back expires again.
func (e *Engine) expire() time.Duration {
	for {
		if err := e.lockRoom(seglog.RecordSize(maxSmall+expireStep*maxReceived), true); err != nil {
			return e.expireLater(err)
		}
		next, left := int64(expireEvery/time.Millisecond), expireStep
		at := now()
		for _, q := range e.queues {
			left -= e.expireSome(q, at, left)
			if m := q.messages.first(); m != nil {
				next = min(next, (int64(m.sent)+1)*1000+q.attrs.Retention.Milliseconds()-at)
			}
			if left == 0 {
				break
			}
		}
		e.mu.Unlock()
		if left > 0 {
			return time.Duration(max(next, 1)) * time.Millisecond
		}
	}
}

// expireLater says when to look again after there was no room for it. That woke
// upkeep, which is who asks: without taking that back it would go round and round
// for as long as the disk is full.
func (e *Engine) expireLater(err error) time.Duration {
	if !errors.Is(err, driver.ErrFull) {
		return expireEvery
	}
	select {
	case <-e.kick:
	default:
	}
	return fullEvery
}

func (e *Engine) expireSome(q *state, at int64, most int) int {
	var gone []uint64
	for len(gone) < most {
		m := q.messages.first()
		if m == nil || !q.expired(m, at) {
			break
		}
		gone = append(gone, m.seq())
		e.remove(q, m.seq())
	}
	if len(gone) > 0 {
		e.log.Append(deleteRecord(q.uid, gone))
	}
	return len(gone)
}
