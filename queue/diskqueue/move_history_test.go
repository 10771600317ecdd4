package diskqueue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// Moves beside clients, over a standard queue with groups and a FIFO queue, each
// with its dead-letter queue. What is demanded:
//
//   - in the end each message acknowledged, and not deleted, is in one of the
//     queues, once: through any number of moves, their ends and crashes;
//   - what was deleted comes back in none of them, what was not sent is nowhere;
//   - what a client has in flight nobody else gets, neither client nor move;
//   - of a group of a FIFO queue nobody gets what is behind a message in flight.
type moveHistory struct {
	mu     sync.Mutex
	bodies map[string]*moving
	wrong  string
	over   atomic.Bool
	n      int // messages sent
	calls  int
}

type moving struct {
	acked, deleting, deleted bool
	queue, group, sequence   string
	receipt                  string
	until                    time.Time // held by a client
}

var moveQueues = []string{"q", "dead", modelQueue, modelDead}

func (h *moveHistory) fail(format string, a ...any) {
	if h.wrong == "" {
		h.wrong = fmt.Sprintf(format, a...)
	}
}

// mover is a client of one opening.
type mover struct {
	*moveHistory
	s     store
	rng   *rand.Rand
	held  []driver.Message
	queue []string
	moves []string
}

func (c *mover) run() {
	for n := 0; n < 60 && !c.over.Load(); n++ {
		if c.rng.IntN(3) == 0 {
			time.Sleep(time.Duration(c.rng.IntN(2000)) * time.Millisecond)
		}
		c.mu.Lock()
		c.calls++
		c.mu.Unlock()
		switch p := c.rng.IntN(100); {
		case p < 30:
			c.send()
		case p < 65:
			c.receive()
		case p < 88:
			c.finish()
		default:
			c.move()
		}
	}
}

func (c *mover) failed(err error) bool {
	if err != nil && !errors.Is(err, driver.ErrClosed) {
		c.mu.Lock()
		c.fail("%v", err)
		c.mu.Unlock()
	}
	return err != nil || c.over.Load()
}

func (c *mover) send() {
	name := []string{"q", modelQueue}[c.rng.IntN(2)]
	o := driver.Outgoing{Delay: -1, GroupID: fifoGroups[c.rng.IntN(3)]}
	c.mu.Lock()
	c.n++
	o.Body = fmt.Sprintf("%d%*s", c.n, 1+c.rng.IntN(1500), "")
	if name == modelQueue {
		o.DedupID = fmt.Sprint(c.n)
	}
	x := &moving{}
	c.bodies[o.Body] = x
	c.mu.Unlock()
	if _, err := c.s.Send(context.Background(), name, []driver.Outgoing{o}); !c.failed(err) {
		c.mu.Lock()
		x.acked = true
		c.mu.Unlock()
	}
}

func (c *mover) receive() {
	name := moveQueues[c.rng.IntN(4)]
	visibility := []time.Duration{time.Millisecond, time.Second, 20 * time.Second}[c.rng.IntN(3)] // 0 would not be over in order
	at := time.Now()
	got, err := c.s.Receive(context.Background(), name, driver.ReceiveOptions{Max: 1 + c.rng.IntN(5), Visibility: visibility})
	if c.failed(err) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range got {
		x := c.bodies[m.Body]
		switch {
		case x == nil:
			c.fail("received %.10q, which nobody sent", m.Body)
			return
		case x.deleted:
			c.fail("%.10q received from %s after its deletion was acknowledged", m.Body, name)
		case x.until.After(at):
			c.fail("%.10q received from %s while another client has it from %s", m.Body, name, x.queue)
		}
		c.judgeGroup(name, &m, at)
	}
	for _, m := range got {
		x := c.bodies[m.Body]
		x.queue, x.group, x.sequence, x.receipt, x.until = name, m.GroupID, m.Sequence, m.Receipt, at.Add(visibility)
		c.held, c.queue = append(c.held, m), append(c.queue, name)
	}
}

// judgeGroup: nothing before it in its group is in flight. mu is held.
func (c *mover) judgeGroup(name string, m *driver.Message, at time.Time) {
	for body, y := range c.bodies {
		if m.Sequence != "" && y.queue == name && y.group == m.GroupID && y.sequence < m.Sequence && y.until.After(at) {
			c.fail("%.10q received from %s, and %.10q before it is in flight", m.Body, name, body)
		}
	}
}

// finish deletes what the client holds, gives it back, or leaves it to its timeout.
func (c *mover) finish() {
	if len(c.held) == 0 {
		return
	}
	i := c.rng.IntN(len(c.held))
	m, name := c.held[i], c.queue[i]
	c.held, c.queue = append(c.held[:i:i], c.held[i+1:]...), append(c.queue[:i:i], c.queue[i+1:]...)
	ctx, del := context.Background(), c.rng.IntN(2) == 0
	c.mu.Lock()
	x := c.bodies[m.Body]
	mine := x.until.After(time.Now()) && x.receipt == m.Receipt
	if mine {
		x.until = time.Time{} // from here on another may get it
	}
	x.deleting = x.deleting || del
	c.mu.Unlock()
	if !del && !mine && m.Sequence == "" {
		return // an old receipt of a standard queue too makes a message visible, whoever has it
	}
	if !del {
		_, err := c.s.ChangeVisibility(ctx, name, []driver.VisibilityChange{{Receipt: m.Receipt}})
		c.failed(err)
		return
	}
	errs, err := c.s.Delete(ctx, name, []string{m.Receipt})
	if c.failed(err) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if mine && errs[0] != nil {
		c.fail("%.10q, held, is not deleted: %v", m.Body, errs[0])
	}
	x.deleted = x.deleted || mine
}

// move starts a move, or ends one.
func (c *mover) move() {
	ctx := context.Background()
	if len(c.moves) > 0 && c.rng.IntN(3) == 0 {
		_, err := c.s.CancelMove(ctx, c.moves[len(c.moves)-1])
		if !errors.Is(err, driver.ErrMoveNotFound) {
			c.failed(err)
		}
		return
	}
	m := driver.Move{Source: "dead", Destination: []string{"", "q"}[c.rng.IntN(2)], Rate: []int{0, 0, 3, 20}[c.rng.IntN(4)]}
	if c.rng.IntN(2) == 0 {
		m.Source = modelDead
		if m.Destination != "" {
			m.Destination = modelQueue
		}
	}
	handle, err := c.s.StartMove(ctx, m)
	if errors.Is(err, driver.ErrMoveActive) {
		return
	}
	if !c.failed(err) {
		c.moves = append(c.moves, handle)
	}
}

func makeMoveQueues(e *Engine) error {
	ctx := context.Background()
	for i := 3; i >= 0; i-- {
		a := driver.Attributes{FIFO: i > 1, Visibility: 10 * time.Second, Retention: 96 * time.Hour, MaxMessageSize: 1 << 20}
		if i%2 == 0 {
			a.DeadLetter = &driver.DeadLetter{Queue: moveQueues[i+1], MaxReceives: 1}
		}
		if err := e.CreateQueue(ctx, moveQueues[i], a, nil); err != nil {
			return err
		}
	}
	return nil
}

// census counts what is there once all moves are over.
func (h *moveHistory) census(e *Engine) {
	ctx := context.Background()
	for n := 0; ; n++ {
		running := 0
		for _, name := range []string{"dead", modelDead} {
			list, err := e.ListMoves(ctx, name, 10)
			if err != nil {
				h.fail("%v", err)
			}
			for _, task := range list {
				if task.Status == driver.MoveRunning || task.Status == driver.MoveCancelling {
					running++
				}
			}
		}
		if running == 0 {
			break
		}
		if n == 20 {
			h.fail("%d moves stand still", running)
			return
		}
		time.Sleep(moveHide)
	}
	found := map[string]string{}
	for _, name := range moveQueues {
		list, err := e.Browse(ctx, name, "", 1<<20)
		if err != nil {
			h.fail("%v", err)
		}
		for _, b := range list {
			x, other := h.bodies[b.Body], found[b.Body]
			found[b.Body] = name
			switch {
			case x == nil:
				h.fail("%.10q is in %s, and nobody sent it", b.Body, name)
			case other != "":
				h.fail("%.10q is in %s and in %s", b.Body, other, name)
			case x.deleted:
				h.fail("%.10q is in %s, and its deletion was acknowledged", b.Body, name)
			}
		}
	}
	for body, x := range h.bodies {
		if x.acked && !x.deleting && found[body] == "" {
			h.fail("%.10q is lost", body)
		}
		if found[body] == "" {
			delete(h.bodies, body)
			continue
		}
		*x = moving{acked: true} // may be relied on from now on
	}
}

// runMoves makes the history of a seed; it must run in a bubble.
func runMoves(seed uint64, wrap func(*Engine) store) *moveHistory {
	h := &moveHistory{bodies: map[string]*moving{}}
	rng := rand.New(rand.NewPCG(seed, 4))
	o := smallOptions(32 << 10)
	o.replay = 48 << 10
	image := faultfs.New()
	for epoch := range 5 {
		fsys := &crashFS{FS: image, rng: rand.New(rand.NewPCG(rng.Uint64(), 5)), power: rng.IntN(2) == 0,
			crashed: func() { h.over.Store(true) }, taken: func() {}}
		e, err := open(fsys, o)
		if err != nil {
			h.fail("open: %v", err)
			return h
		}
		h.over.Store(false)
		if epoch == 0 {
			err = makeMoveQueues(e)
		} else {
			h.census(e)
		}
		if err != nil || h.wrong != "" || epoch == 4 {
			if err != nil {
				h.fail("%v", err)
			}
			e.Close()
			return h
		}
		fsys.arm(20 + rng.IntN(250))
		var wg sync.WaitGroup
		for range 4 {
			c := &mover{moveHistory: h, s: e, rng: rand.New(rand.NewPCG(rng.Uint64(), 6))}
			if wrap != nil {
				c.s = wrap(e)
			}
			wg.Go(c.run)
		}
		wg.Wait()
		image = fsys.crash()
		e.Close()
	}
	return h
}

// TestMoveHistories checks random histories of clients with moves and crashes.
func TestMoveHistories(t *testing.T) {
	calls := 0
	n := histories(t, 3*time.Second, func(t *testing.T, seed uint64) {
		var h *moveHistory
		synctest.Test(t, func(*testing.T) { h = runMoves(seed, nil) })
		if calls += h.calls; h.wrong != "" {
			t.Error(h.wrong)
		}
	})
	t.Logf("%d histories, %d crashes, %d operations", n, 4*n, calls)
}

// TestMoveHistoriesFindBugs: a move that loses a message, or is done twice.
func TestMoveHistoriesFindBugs(t *testing.T) {
	for name, bug := range map[string]bug{
		"a move loses a message": wrapped(func(e *Engine, d *disguise) {
			d.startMove = func(m driver.Move) (string, error) {
				if list, err := e.Browse(context.Background(), m.Source, "", 1); err == nil && len(list) > 0 {
					if _, err := e.DeleteID(context.Background(), m.Source, list[0].ID); err != nil {
						return "", err
					}
				}
				return e.StartMove(context.Background(), m)
			}
		}),
		"a move is done twice": wrapped(func(e *Engine, d *disguise) {
			d.startMove = func(m driver.Move) (string, error) {
				if list, err := e.Browse(context.Background(), m.Source, "", 1); err == nil && len(list) > 0 {
					out := driver.Outgoing{Body: list[0].Body, GroupID: list[0].GroupID, DedupID: "again " + list[0].ID, Delay: -1}
					if _, err := e.Send(context.Background(), m.Source, []driver.Outgoing{out}); err != nil {
						return "", err
					}
				}
				return e.StartMove(context.Background(), m)
			}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			const most = 60
			first := rand.Uint64()
			for n := range uint64(most) {
				var h *moveHistory
				synctest.Test(t, func(*testing.T) { h = runMoves(first+n, bug.wrap) })
				if h.wrong != "" {
					t.Logf("found by history %d: %s", n+1, h.wrong)
					return
				}
			}
			t.Errorf("not found by %d histories from seed %#x", most, first)
		})
	}
}
