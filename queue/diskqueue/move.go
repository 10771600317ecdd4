package diskqueue

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// maxRunning is how many moves may run at a time.
const maxRunning = 100

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
