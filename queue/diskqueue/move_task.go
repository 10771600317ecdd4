package diskqueue

import (
	"context"
	"encoding/binary"
	"slices"
	"time"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

const (
	movesKept   = 10 // that are over, of one queue
	maxMoveTask = maxSmall + 3*binary.MaxVarintLen64 + 512
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
