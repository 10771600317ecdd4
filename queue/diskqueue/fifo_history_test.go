package diskqueue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
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

// fifoClient is one goroutine.
type fifoClient struct {
	*fifoHistory
	number   int
	rng      *rand.Rand
	receipts []heldReceipt
}

type heldReceipt struct{ queue, group, receipt string }

func (c *fifoClient) run() {
	for n := 0; n < 40 && !c.over.Load(); n++ {
		switch p := c.rng.IntN(100); {
		case p < 50:
		case p < 95:
			time.Sleep(time.Duration(1+c.rng.IntN(4)) * time.Second)
		default:
			time.Sleep(time.Duration(1+c.rng.IntN(90)) * time.Second)
		}
		switch p := c.rng.IntN(1000); {
		case p < 330:
			c.send()
		case p < 680:
			c.receive()
		case p < 940:
			c.finish()
		case p < 970:
			c.reclaim()
		case p < 980:
			c.purge()
		case p < 983:
			c.drop()
		default:
			c.do(c.number, func(at int64) map[string]*act {
				return each(act{kind: actCreate, at: at, queue: modelQueue, err: c.createQueue()})
			})
		}
	}
}

func (c *fifoClient) send() {
	group := fifoGroups[c.rng.IntN(len(fifoGroups))]
	var out []driver.Outgoing
	for range 1 + c.rng.IntN(3) {
		body := fmt.Sprintf("%d %s", c.ids.Add(1), strings.Repeat("x", c.rng.IntN(2000)))
		out = append(out, driver.Outgoing{Body: body, Delay: -1, GroupID: group, DedupID: fmt.Sprint("d", c.rng.IntN(30))})
	}
	c.sendOne(group, out)
}

// sendOne sends; a call for several is one operation for each.
func (c *fifoClient) sendOne(group string, out []driver.Outgoing) {
	from, at := c.clock.Add(1), now()
	sent, err := c.s.Send(context.Background(), modelQueue, out)
	to := c.clock.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, o := range out {
		a := &act{kind: actSend, at: at, queue: modelQueue, err: err, message: driver.Message{Body: o.Body, DedupID: o.DedupID}}
		if err == nil {
			a.message.ID, a.message.Sequence = sent[i].ID, sent[i].Sequence
		}
		c.calls = append(c.calls, call{client: c.number, from: from, to: to, acts: map[string]*act{group: a}})
	}
}

func (c *fifoClient) receive() {
	name := modelQueue
	if c.rng.IntN(4) == 0 {
		name = modelDead
	}
	o := driver.ReceiveOptions{Max: 1 + c.rng.IntN(4), Visibility: -1}
	if c.rng.IntN(2) == 0 {
		o.Visibility = []time.Duration{0, time.Second, 3 * time.Second, time.Minute}[c.rng.IntN(4)]
	}
	if c.rng.IntN(5) == 0 {
		o.AttemptID = fmt.Sprint("attempt ", c.ids.Add(1))
	}
	c.mu.Lock()
	disturbed, at := c.disturbed, now()
	c.mu.Unlock()
	first := c.receiveOnce(name, o, nil)
	if o.AttemptID == "" || len(first) == 0 {
		return
	}
	again := c.receiveOnce(name, o, first)
	c.mu.Lock()
	same := c.disturbed == disturbed && now() == at
	c.mu.Unlock()
	if same && o.Visibility != 0 && !sameReceipts(first, again) {
		c.fail("%s got %d messages, and when it was repeated others", o.AttemptID, len(first))
	}
}

func sameReceipts(a, b []driver.Message) bool {
	return slices.EqualFunc(a, b, func(x, y driver.Message) bool { return x.Receipt == y.Receipt })
}

// receiveOnce receives; first is what an earlier call with the same attempt id got.
func (c *fifoClient) receiveOnce(name string, o driver.ReceiveOptions, first []driver.Message) (got []driver.Message) {
	c.do(c.number, func(at int64) map[string]*act {
		var err error
		got, err = c.s.Receive(context.Background(), name, o)
		hide := o.Visibility.Milliseconds()
		if o.Visibility < 0 {
			hide = modelHidden
		}
		a := act{kind: actReceive, at: at, queue: name, err: err, total: len(got), full: len(got) == o.Max, hide: hide}
		if first != nil && sameReceipts(first, got) {
			a.kind = actRepeat
		}
		acts := each(a)
		for _, m := range got {
			if a := acts[m.GroupID]; a != nil {
				a.got = append(a.got, m)
			}
			c.receipts = append(c.receipts, heldReceipt{name, m.GroupID, m.Receipt})
		}
		return acts
	})
	return got
}

// finish deletes a message, gives it back or keeps it longer; sometimes by a
// receipt that was used before.
func (c *fifoClient) finish() {
	if len(c.receipts) == 0 {
		return
	}
	i := c.rng.IntN(len(c.receipts))
	r := c.receipts[i]
	if c.rng.IntN(4) > 0 {
		c.receipts = slices.Delete(c.receipts, i, i+1)
	}
	ctx := context.Background()
	hide := []time.Duration{-1, -1, -1, 0, 0, 5 * time.Second, time.Minute}[c.rng.IntN(7)]
	c.do(c.number, func(at int64) map[string]*act {
		a := &act{kind: actDelete, at: at, queue: r.queue, receipt: r.receipt, hide: hide.Milliseconds()}
		var errs []error
		if hide < 0 {
			errs, a.err = c.s.Delete(ctx, r.queue, []string{r.receipt})
		} else {
			a.kind = actHide
			errs, a.err = c.s.ChangeVisibility(ctx, r.queue, []driver.VisibilityChange{{Receipt: r.receipt, Visibility: hide}})
		}
		if a.err == nil {
			a.err = errs[0]
		}
		return map[string]*act{r.group: a}
	})
}

func (c *fifoClient) purge() {
	name := []string{modelQueue, modelDead}[c.rng.IntN(2)]
	c.do(c.number, func(at int64) map[string]*act {
		c.mu.Lock()
		c.disturbed++
		c.mu.Unlock()
		return each(act{kind: actPurge, at: at, queue: name, err: c.s.Purge(context.Background(), name)})
	})
}

func (c *fifoClient) drop() {
	c.do(c.number, func(at int64) map[string]*act {
		c.mu.Lock()
		c.disturbed++
		c.mu.Unlock()
		return each(act{kind: actDrop, at: at, queue: modelQueue, err: c.s.DeleteQueue(context.Background(), modelQueue)})
	})
}

// reclaim is the upkeep that is due after 64 MiB of log otherwise.
func (c *fifoClient) reclaim() {
	c.engine.upkeep.Lock()
	defer c.engine.upkeep.Unlock()
	err := c.engine.checkpoint()
	if err == nil {
		_, err = c.engine.log.Reclaim(c.engine.last.from.Segment())
	}
	if err == nil {
		err = c.engine.clean()
	}
	if err != nil {
		c.fail("%v", err)
	}
}

// fifoModel is the model for porcupine.
var fifoModel = (&porcupine.NondeterministicModel{
	Init: func() []any { return []any{world{}} },
	Step: func(state, input, _ any) (after []any) {
		for _, w := range state.(world).step(input.(*act)) {
			after = append(after, w)
		}
		return after
	},
	Equal: func(a, b any) bool { return a.(world).equal(b.(world)) },
	Hash:  func(a any) uint64 { return a.(world).hash() },
}).ToModel()

// verdict says what is wrong with a history; "": nothing.
func (h *fifoHistory) verdict() string {
	if h.wrong != "" {
		return h.wrong
	}
	for _, group := range fifoGroups {
		ops := h.groups[group]
		slices.SortFunc(ops, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
		if r := porcupine.CheckOperationsTimeout(fifoModel, ops, time.Minute); r != porcupine.Ok {
			return fmt.Sprintf("group %s: %s: no order of these explains the last:\n%s", group, r, explain(ops))
		}
	}
	return ""
}

// explain shows the last operations, up to the first that nothing explains.
func explain(ops []porcupine.Operation) string {
	n := 1
	for n < len(ops) && porcupine.CheckOperationsTimeout(fifoModel, ops[:n], time.Minute) == porcupine.Ok {
		n++
	}
	var b strings.Builder
	for _, op := range ops[max(0, n-25):n] {
		fmt.Fprintf(&b, "client %d, %d to %d: %s\n", op.ClientId, op.Call, op.Return, op.Input.(*act))
	}
	return b.String()
}

// TestFIFOHistories checks random histories of concurrent clients, with crashes,
// against the model.
func TestFIFOHistories(t *testing.T) {
	var operations, crashes int
	n := histories(t, 6*time.Second, func(t *testing.T, seed uint64) {
		var h *fifoHistory
		synctest.Test(t, func(*testing.T) { h = runFIFO(seed, bug{}) })
		for _, ops := range h.groups {
			operations += len(ops)
		}
		crashes += h.crashes
		if wrong := h.verdict(); wrong != "" {
			t.Error(wrong)
		}
	})
	t.Logf("%d histories, %d crashes, %d operations", n, crashes, operations)
}
