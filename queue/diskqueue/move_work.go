package diskqueue

import (
	"context"
	"errors"
	"time"

	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

const (
	moveHide       = 30 * time.Second
	moveBatch      = 10
	moveRetry      = time.Second
	moveNote       = time.Second // between records of how far a move is
	failureNoQueue = "AWS.SimpleQueueService.NonExistentQueue"
	failureNoFrom  = "CouldNotDetermineMessageSource"
)

// errMove ends a move as failed, with the reason that is shown.
type errMove string

func (e errMove) Error() string { return string(e) }

// moveAll moves until nothing is left, it is cancelled, or it cannot.
func (e *Engine) moveAll(t *moveTask) {
	noted := time.Now()
	for {
		begun := time.Now()
		n, more, err := e.moveSome(t)
		var failed errMove
		switch {
		case t.ctx.Err() != nil:
			e.endMove(t, driver.MoveCancelled, "")
			return
		case errors.Is(err, driver.ErrClosed):
			return // goes on when the store is open again
		case errors.As(err, &failed):
			e.endMove(t, driver.MoveFailed, string(failed))
			return
		case errors.Is(err, driver.ErrQueueNotFound):
			e.endMove(t, driver.MoveFailed, failureNoQueue)
			return
		case err != nil:
			e.o.Log.Warn("moving queue messages failed; it is tried again", "queue", t.state.Source, "error", err)
			e.pause(t, moveRetry)
		case !more:
			e.endMove(t, driver.MoveCompleted, "")
			return
		case t.state.Rate > 0:
			e.pause(t, time.Duration(n)*time.Second/time.Duration(t.state.Rate)-time.Since(begun))
		}
		if time.Since(noted) >= moveNote && e.lockRoom(seglog.RecordSize(maxMoveTask), false) == nil {
			e.noteMove(t)
			e.mu.Unlock()
			noted = time.Now()
		}
	}
}

func (e *Engine) pause(t *moveTask, d time.Duration) {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.ctx.Done():
	case <-e.ending:
	}
}

func (e *Engine) endMove(t *moveTask, s driver.MoveStatus, failure string) {
	err := e.lockRoom(seglog.RecordSize(maxMoveTask), true)
	if err != nil {
		e.mu.Lock()
	}
	t.state.Status, t.state.Failure = s, failure
	if err != nil {
		e.mu.Unlock()
		return // a restart goes on with it, and finds the same
	}
	e.noteMove(t)
	end := e.log.End()
	e.mu.Unlock()
	if err := e.commit(end); err != nil {
		e.o.Log.Warn("the end of moving queue messages is not on the disk", "queue", t.state.Source, "error", err)
	}
}

// moveSome moves up to ten messages and returns how many, and whether there may
// be more.
func (e *Engine) moveSome(t *moveTask) (moved int, more bool, err error) {
	o := driver.ReceiveOptions{Max: moveBatch, Visibility: moveHide}
	if t.state.Rate > 0 {
		o.Max = min(o.Max, t.state.Rate)
	}
	if !t.resumed.IsZero() { // what it had in hand before is hidden still
		o.Wait = max(min(time.Until(t.resumed.Add(moveHide+time.Second)), 20*time.Second), 0)
	}
	got, err := e.Receive(t.ctx, t.state.Source, o)
	more = len(got) > 0 || o.Wait > 0
	for len(got) > 0 && err == nil {
		n := 1
		to := t.to(&got[0])
		for n < len(got) && t.to(&got[n]) == to {
			n++
		}
		if err = e.moveTo(t, to, got[:n]); err == nil {
			moved, got = moved+n, got[n:]
		}
	}
	if len(got) > 0 {
		e.giveBack(t, got)
	}
	return moved, more, err
}

// to is where a message goes; "": nobody knows.
func (t *moveTask) to(m *driver.Message) string {
	if t.state.Destination != "" {
		return t.state.Destination
	}
	return m.Source
}

func (e *Engine) giveBack(t *moveTask, list []driver.Message) {
	changes := make([]driver.VisibilityChange, len(list))
	for i := range list {
		changes[i].Receipt = list[i].Receipt
	}
	if _, err := e.ChangeVisibility(context.Background(), t.state.Source, changes); err != nil {
		e.o.Log.Warn("messages that could not be moved stay hidden for a while", "queue", t.state.Source, "error", err)
	}
}

// moveTo moves messages that are in flight to a queue.
func (e *Engine) moveTo(t *moveTask, to string, list []driver.Message) error {
	if to == "" {
		return errMove(failureNoFrom)
	}
	var end seglog.Pos
	for i := range list {
		at, err := e.moveOne(t, to, &list[i])
		if err != nil {
			return err
		}
		end = max(end, at)
	}
	if err := e.commit(end); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, name := range []string{to, t.state.Source} { // of a FIFO source a group may be free
		if q := e.queues[name]; q != nil {
			q.wakeUp(len(list))
		}
	}
	return nil
}

// moveOne stores a message in a queue and takes it from the source, in one
// holding of the lock and by one record: nobody sees it in both or in none, also
// after a crash. It does nothing with a message that is not in flight any more, as
// when the source was purged meanwhile.
func (e *Engine) moveOne(t *moveTask, to string, m *driver.Message) (end seglog.Pos, err error) {
	out := []driver.Outgoing{{Body: m.Body, Attributes: m.Attributes, System: m.System, GroupID: m.GroupID, DedupID: m.DedupID}}
	s := scratches.Get().(*scratch)
	defer s.release()
	s.b = asRedrive(putMessage(s.b, &out[0]))
	s.ends = append(s.ends, len(s.b))
	if err := e.lockRoom(seglog.RecordSize(len(s.b)), false); err != nil {
		return 0, err
	}
	defer e.mu.Unlock()
	from, err := e.find(t.state.Source)
	if err != nil {
		return 0, err
	}
	q, err := e.find(to)
	if err == nil {
		err = fits(q, out)
	}
	if errors.Is(err, driver.ErrTooLarge) {
		err = errMove(err.Error())
	}
	if err != nil {
		return 0, err
	}
	r, err := e.parseHandle(m.Receipt, from.uid)
	if err != nil || e.flying(from, r) == nil {
		return 0, err
	}
	stampRedrive(s.b, from.uid, r.seq)
	e.send(q, out, s, make([]driver.Sent, 1), true)
	e.remove(from, r.seq)
	t.state.Moved++
	return e.log.End(), nil
}
