package diskqueue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// store is what a history is made against: the engine, or one with a bug.
type store interface {
	driver.Service
	driver.Browser
	driver.Mover
}

// fifoHistory is what clients of a FIFO queue and its dead-letter queue did and
// were answered, through crashes, in virtual time.
type fifoHistory struct {
	rng    *rand.Rand
	bug    bug
	clock  atomic.Int64
	over   atomic.Bool  // the crash came: clients stop
	from   atomic.Int64 // the image of the crash was taken from here
	to     atomic.Int64 // to here, by clock
	fsys   *crashFS
	engine *Engine
	s      store
	power  bool // the last crash was the machine's death
	noted  int  // moves known
	ids    atomic.Int64

	mu        sync.Mutex
	calls     []call // since the last opening
	groups    map[string][]porcupine.Operation
	disturbed int // purges and deletions of queues so far
	crashes   int
	wrong     string // what was wrong at once
}

// call is one operation, by what it is in each group.
type call struct {
	client   int
	from, to int64
	acts     map[string]*act
}

var fifoGroups = []string{"a", "b", "c"}

const fifoClients = 4

// runFIFO makes the history of a seed; it must run in a bubble.
func runFIFO(seed uint64, bug bug) *fifoHistory {
	h := &fifoHistory{rng: rand.New(rand.NewPCG(seed, 1)), bug: bug, groups: map[string][]porcupine.Operation{}}
	image := faultfs.New()
	defer func() {
		if h.engine != nil {
			h.engine.Close()
		}
	}()
	for epoch := range 6 {
		if image = h.open(image, epoch); image == nil {
			return h
		}
		if epoch == 0 {
			h.makeQueues()
		} else {
			h.browse(false)
		}
		if epoch > 0 && h.rng.IntN(2) == 0 {
			if h.move(); h.wrong != "" {
				return h
			}
		}
		image = h.epoch()
	}
	if h.open(image, 6) != nil {
		h.browse(false)
		h.settleCalls()
	}
	return h
}

func (h *fifoHistory) fail(format string, a ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.wrong == "" {
		h.wrong = fmt.Sprintf(format, a...)
	}
}

// open opens an image, sometimes more than once: the first is then crashed in
// the middle of it.
func (h *fifoHistory) open(image *faultfs.FS, epoch int) *faultfs.FS {
	o := smallOptions(32 << 10)
	o.replay = 48 << 10
	for again := h.rng.IntN(4) == 0; ; again = false {
		h.fsys = &crashFS{FS: image, rng: rand.New(rand.NewPCG(h.rng.Uint64(), 2)), power: h.rng.IntN(2) == 0,
			crashed: func() { h.from.Store(h.clock.Add(1)); h.over.Store(true) },
			taken:   func() { h.to.Store(h.clock.Add(1)) },
		}
		if again && epoch > 0 {
			h.fsys.arm(1 + h.rng.IntN(12))
		}
		e, err := open(h.fsys, o)
		if err != nil {
			h.fail("open: %v", err)
			return nil
		}
		h.engine, h.s = e, e
		if !again || epoch == 0 {
			break
		}
		image = h.crash()
	}
	h.over.Store(false)
	h.from.Store(0)
	h.to.Store(0)
	if h.bug.reopened != nil && epoch > 0 {
		h.bug.reopened(h.engine)
	}
	if h.bug.wrap != nil {
		h.s = h.bug.wrap(h.engine)
	}
	return image
}

// crash ends this opening and returns what it leaves.
func (h *fifoHistory) crash() *faultfs.FS {
	image := h.fsys.crash()
	h.engine.Close()
	h.power = h.power || h.fsys.power
	h.crashes++
	return image
}

func (h *fifoHistory) makeQueues() {
	a := driver.Attributes{FIFO: true, GroupDedup: true, Visibility: modelHidden * time.Millisecond, Retention: 14 * 24 * time.Hour, MaxMessageSize: 1 << 20}
	if err := h.s.CreateQueue(context.Background(), modelDead, a, nil); err != nil {
		h.fail("%v", err)
	}
	if err := h.createQueue(); err != nil {
		h.fail("%v", err)
	}
}

func (h *fifoHistory) createQueue() error {
	a := driver.Attributes{FIFO: true, GroupDedup: true, Visibility: modelHidden * time.Millisecond, Retention: 14 * 24 * time.Hour, MaxMessageSize: 1 << 20,
		DeadLetter: &driver.DeadLetter{Queue: modelDead, MaxReceives: modelKept}}
	return h.s.CreateQueue(context.Background(), modelQueue, a, nil)
}

// epoch runs clients until the crash, and returns what it leaves.
func (h *fifoHistory) epoch() *faultfs.FS {
	h.fsys.noSync.Store(h.bug.noSync)
	h.fsys.arm(10 + h.rng.IntN(150))
	var wg sync.WaitGroup
	for i := range fifoClients {
		c := &fifoClient{fifoHistory: h, number: i, rng: rand.New(rand.NewPCG(h.rng.Uint64(), 3))}
		wg.Go(c.run)
	}
	wg.Wait()
	image := h.crash()
	h.settleCalls()
	return image
}

// settleCalls enters the calls of an opening. Those the crash came upon may have
// had no effect; those after it had none.
func (h *fifoHistory) settleCalls() {
	from, to := h.from.Load(), h.to.Load()
	for _, c := range h.calls {
		unsure := from != 0 && c.to > from
		if from != 0 && c.from > to {
			continue
		}
		if unsure {
			c.to = to
		}
		for group, a := range c.acts {
			a.unsure = unsure
			h.groups[group] = append(h.groups[group], porcupine.Operation{ClientId: c.client, Input: a, Call: c.from, Return: c.to})
		}
	}
	h.calls = nil
}

// do makes one call: what it is to each group is known when it is answered.
func (h *fifoHistory) do(client int, f func(at int64) map[string]*act) {
	c := call{client: client, from: h.clock.Add(1)}
	at := now()
	c.acts = f(at)
	if now() != at {
		h.fail("time went on during a call: the model knows no time for it")
	}
	c.to = h.clock.Add(1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, c)
}

// each is the same act to all groups.
func each(a act) map[string]*act {
	m := map[string]*act{}
	for _, g := range fifoGroups {
		copied := a
		m[g] = &copied
	}
	return m
}

// browse looks at everything, while nobody else does anything.
func (h *fifoHistory) browse(moved bool) {
	h.do(0, func(at int64) map[string]*act {
		acts := each(act{kind: actBrowse, at: at, power: h.power, moved: moved})
		for _, name := range []string{modelQueue, modelDead} {
			list, err := h.s.Browse(context.Background(), name, "", 1<<20)
			missing := name == modelQueue && errors.Is(err, driver.ErrQueueNotFound)
			if err != nil && !missing {
				h.fail("browse: %v", err)
			}
			for _, a := range acts {
				a.missing = a.missing || missing
			}
			for _, b := range list {
				if a := acts[b.GroupID]; a != nil {
					a.found = append(a.found, finding{name, b})
				} else {
					h.fail("%.30q is in group %q, which nobody sent to", b.Body, b.GroupID)
				}
			}
		}
		return acts
	})
	h.power = false
}

// move moves the dead letters back, with a crash meanwhile or without. Only a
// move knows in what order it takes groups, so that no client runs beside it
// here; TestMoveHistories has them.
func (h *fifoHistory) move() {
	ctx := context.Background()
	if _, err := h.s.Describe(ctx, modelQueue); err != nil {
		return
	}
	crash := h.rng.IntN(2) == 0
	if crash {
		time.Sleep(61 * time.Second) // what was in flight is not, whenever the crash comes
		h.fsys.arm(1 + h.rng.IntN(25))
	}
	_, err := h.s.StartMove(ctx, driver.Move{Source: modelDead})
	if err != nil {
		h.fail("%v", err)
		return
	}
	synctest.Wait()
	if crash {
		image := h.crash()
		h.settleCalls()
		if h.open(image, 1) == nil {
			return
		}
		time.Sleep(62 * time.Second)
		synctest.Wait()
	}
	list, err := h.s.ListMoves(ctx, modelDead, 10)
	if err != nil {
		h.fail("%v", err)
		return
	}
	began := len(list) > h.noted
	if !began && !crash || began && list[0].Status != driver.MoveCompleted {
		h.fail("the move is not over: %+v", list)
	}
	h.noted = len(list)
	h.browse(began)
}
