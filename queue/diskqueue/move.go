package diskqueue

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

const (
	maxRunning     = 100 // moves at a time
	movesKept      = 10  // that are over, of one queue
	moveHide       = 30 * time.Second
	moveBatch      = 10
	moveRetry      = time.Second
	moveNote       = time.Second // between records of how far a move is
	maxMoveTask    = maxSmall + 3*binary.MaxVarintLen64 + 512
	failureNoQueue = "AWS.SimpleQueueService.NonExistentQueue"
	failureNoFrom  = "CouldNotDetermineMessageSource"
)

// moveTask is a move of messages out of a queue. It receives them, and then
// sends each as a new one and deletes it at once. Of what was received when the
// process ended the rest is hidden for a while.
type moveTask struct {
	id      string
	uid     uint32 // of the source
	state   driver.MoveTask
	resumed time.Time // when the store was opened, if the move began before
	ctx     context.Context
	cancel  context.CancelFunc
	done    chan struct{}
}

func (t *moveTask) over() bool {
	return t.state.Status != driver.MoveRunning && t.state.Status != driver.MoveCancelling
}

// statuses by their number on disk; append only.
var statuses = []driver.MoveStatus{driver.MoveRunning, driver.MoveCompleted, driver.MoveCancelling, driver.MoveCancelled, driver.MoveFailed}

// StartMove implements driver.Mover.
func (e *Engine) StartMove(_ context.Context, m driver.Move) (string, error) {
	const op = "start move from"
	if err := e.lockRoom(seglog.RecordSize(maxMoveTask), false); err != nil {
		return "", opError(op, m.Source, err)
	}
	t, err := e.newMove(m)
	if err != nil {
		e.mu.Unlock()
		return "", opError(op, m.Source, err)
	}
	e.forgetMoves(t.uid)
	e.moves = append(e.moves, t)
	e.noteMove(t)
	end := e.log.End()
	e.runMove(t)
	e.mu.Unlock()
	return t.id, opError(op, m.Source, e.commit(end))
}

// newMove checks what a move needs; mu is held.
func (e *Engine) newMove(m driver.Move) (*moveTask, error) {
	q, err := e.find(m.Source)
	if err != nil {
		return nil, err
	}
	if m.Destination != "" {
		if _, err := e.find(m.Destination); err != nil {
			return nil, fmt.Errorf("to %q: %w", m.Destination, err)
		}
	}
	running := 0
	for _, t := range e.moves {
		if t.over() {
			continue
		}
		if running++; t.uid == q.uid || running == maxRunning {
			return nil, driver.ErrMoveActive
		}
	}
	at := now()
	q.promote(at)
	return &moveTask{id: uuid.NewString(), uid: q.uid, state: driver.MoveTask{
		Move: m, Status: driver.MoveRunning, ToMove: int64(q.visible()), Started: fromMilli(at),
	}}, nil
}

// noteMove records how far a move is; mu is held, with room.
func (e *Engine) noteMove(t *moveTask) {
	e.log.Append(putMoveTask(beginRecord(nil, kindMoveTask, t.uid), t))
}

func putMoveTask(b []byte, t *moveTask) []byte {
	b = putString(putString(b, t.id), t.state.Destination)
	for _, v := range []int64{int64(t.state.Rate), milli(t.state.Started), int64(slices.Index(statuses, t.state.Status)), t.state.Moved, t.state.ToMove} {
		b = binary.AppendUvarint(b, uint64(v))
	}
	return putString(b, t.state.Failure)
}

// moveTask reads what putMoveTask wrote.
func (d *decoder) moveTask(uid uint32) *moveTask {
	t := &moveTask{uid: uid, id: d.string()}
	t.state.Destination = d.string()
	t.state.Rate = int(d.upTo(1 << 31))
	t.state.Started = fromMilli(d.milli())
	t.state.Status = statuses[d.upTo(uint64(len(statuses)-1))]
	t.state.Moved, t.state.ToMove = d.milli(), d.milli()
	t.state.Failure = d.string()
	return t
}

func (e *Engine) applyMoveTask(q *state, d *decoder) {
	if t := d.moveTask(q.uid); d.err == nil && e.byUID[q.uid] == q {
		e.enterMove(q, t)
	}
}

func (e *Engine) loadMoveTask(d *decoder) {
	uid := uint32(d.upTo(1<<32 - 1))
	q := e.byUID[uid]
	if q == nil {
		d.fail()
	}
	if t := d.moveTask(uid); d.err == nil {
		e.enterMove(q, t)
	}
}

// enterMove makes known a move, or what became of a known one.
func (e *Engine) enterMove(q *state, t *moveTask) {
	t.state.Source = q.name
	if i := slices.IndexFunc(e.moves, func(x *moveTask) bool { return x.id == t.id }); i >= 0 {
		e.moves[i] = t
		return
	}
	e.forgetMoves(q.uid)
	e.moves = append(e.moves, t)
}

// forgetMoves forgets the moves out of a queue that are over, but for the last ten.
func (e *Engine) forgetMoves(uid uint32) {
	over := 0
	for i := len(e.moves) - 1; i >= 0; i-- {
		if t := e.moves[i]; t.uid == uid && t.over() {
			if over++; over > movesKept {
				e.moves = slices.Delete(e.moves, i, i+1)
			}
		}
	}
}

// dropMoves forgets the moves out of a queue that is deleted. What runs ends at its
// next step; a restart must not go on with it in a queue made under that name since.
func (e *Engine) dropMoves(uid uint32) {
	e.moves = slices.DeleteFunc(e.moves, func(t *moveTask) bool { return t.uid == uid })
}

// moveBlocks are the checkpoint's blocks of the moves.
func (e *Engine) moveBlocks() (blocks [][]byte) {
	for _, t := range e.moves {
		blocks = append(blocks, putMoveTask(binary.AppendUvarint([]byte{blockMoveTask}, uint64(t.uid)), t))
	}
	return blocks
}

// resumeMoves goes on with what ran when the store was last used.
func (e *Engine) resumeMoves() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, t := range e.moves {
		if !t.over() {
			t.resumed = time.Now()
			e.runMove(t)
		}
	}
}

func (e *Engine) runMove(t *moveTask) {
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.done = make(chan struct{})
	if t.state.Status == driver.MoveCancelling {
		t.cancel()
	}
	e.work.Add(1)
	go func() {
		defer e.work.Done()
		defer close(t.done)
		defer t.cancel()
		e.moveAll(t)
	}()
}

// CancelMove implements driver.Mover. That the move is to end is on the disk before
// it answers, or a restart would go on with it. It waits until the move has stopped.
func (e *Engine) CancelMove(ctx context.Context, handle string) (int64, error) {
	const op = "cancel move"
	if err := e.lockRoom(seglog.RecordSize(maxMoveTask), true); err != nil {
		return 0, opError(op, handle, err)
	}
	i := slices.IndexFunc(e.moves, func(t *moveTask) bool { return t.id == handle && !t.over() })
	if i < 0 {
		e.mu.Unlock()
		return 0, opError(op, handle, driver.ErrMoveNotFound)
	}
	t := e.moves[i]
	t.state.Status = driver.MoveCancelling
	e.noteMove(t)
	end := e.log.End()
	e.mu.Unlock()
	t.cancel()
	select {
	case <-t.done:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	if err := e.commit(end); err != nil {
		return 0, opError(op, handle, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return t.state.Moved, nil
}

// ListMoves implements driver.Mover.
func (e *Engine) ListMoves(_ context.Context, source string, max int) ([]driver.MoveTask, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	q, err := e.find(source)
	if err != nil {
		return nil, opError("list moves from", source, err)
	}
	var list []driver.MoveTask
	for i := len(e.moves) - 1; i >= 0 && len(list) < max; i-- {
		t := e.moves[i]
		if t.uid != q.uid {
			continue
		}
		s := t.state
		if !t.over() {
			s.Handle = t.id
		}
		list = append(list, s)
	}
	return list, nil
}

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
