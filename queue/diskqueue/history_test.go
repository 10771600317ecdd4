package diskqueue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// A model of two queues, one the other's dead-letter queue, as clients see
// them, against random histories of concurrent clients with crashes. What it
// demands:
//
//   - acknowledged sends are there until their deletion was tried, and in
//     exactly one of the queues; acknowledged deletions are final;
//   - what was never sent is never there, bodies and attributes are intact;
//   - a message held by a client is given to nobody else (no visibility ends in
//     a history), except after a loss of power;
//   - each receive counts one more than the last; only a loss of power may
//     lower the count; in the dead-letter queue arrives nothing that was received
//     less often than the policy says;
//   - a message that waits for its time, and is put in its own place to begin now,
//     is there once all the while, and once that is acknowledged waits no more.
type model struct {
	t  *testing.T
	mu sync.Mutex
	m  map[string]*modelled // by body
}

type modelled struct {
	acked, deleting, deleted bool
	held                     bool
	receives                 int
	hastened                 bool // or about to be: it is received for the first time then
	hasty                    bool // that was acknowledged
}

const modelReceives = 3

// client is one goroutine of a history, against one opening of the store.
type client struct {
	*model
	e     *Engine
	rng   *rand.Rand
	over  *atomic.Bool // set before the store is crashed: answers count no more
	held  []driver.Message
	queue []string         // queue of held[i]
	waits []driver.Browsed // messages of q that wait, as this client knows them
	id    string
	n     int
}

func (c *client) run(ops int) {
	for range ops {
		switch r := c.rng.IntN(100); {
		case r < 40:
			c.send()
		case r < 75:
			c.receive()
		case r < 90:
			c.finish(true)
		case r < 95:
			c.finish(false)
		default:
			c.hasten()
		}
		if c.over.Load() {
			return
		}
	}
}

// failed reports whether an operation was refused; only a crash may refuse one.
func (c *client) failed(err error) bool {
	if err != nil && !c.over.Load() && !errors.Is(err, driver.ErrClosed) {
		c.t.Errorf("client %s: %v", c.id, err)
	}
	return err != nil
}

func (c *client) send() {
	var out []driver.Outgoing
	c.mu.Lock()
	for range 1 + c.rng.IntN(3) {
		c.n++
		body := fmt.Sprintf("%s/%d/%s", c.id, c.n, strings.Repeat("x", c.rng.IntN(2000)))
		out = append(out, driver.Outgoing{Body: body, Delay: -1, GroupID: []string{"", "a", "b"}[c.rng.IntN(3)],
			Attributes: map[string]driver.Attribute{"copy": {DataType: "String", String: body}}})
		c.m[body] = &modelled{}
	}
	c.mu.Unlock()
	for i := range out {
		if c.rng.IntN(10) == 0 {
			out[i].Delay = time.Hour
		}
	}
	sent, err := c.e.Send(context.Background(), "q", out)
	if c.failed(err) || c.over.Load() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, o := range out {
		c.m[o.Body].acked = true
		if o.Delay > 0 {
			c.waits = append(c.waits, driver.Browsed{Message: driver.Message{ID: sent[i].ID, Body: o.Body, Attributes: o.Attributes, GroupID: o.GroupID}})
		}
	}
}

func (c *client) receive() {
	name := "q"
	if c.rng.IntN(4) == 0 {
		name = "dead"
	}
	got, err := c.e.Receive(context.Background(), name, driver.ReceiveOptions{Max: 1 + c.rng.IntN(4), Visibility: -1})
	if c.failed(err) || c.over.Load() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range got {
		c.judge(name, m)
		c.held, c.queue = append(c.held, m), append(c.queue, name)
	}
}

// judge checks a message received against the model; mu is held.
func (c *client) judge(name string, m driver.Message) {
	k := c.m[m.Body]
	switch {
	case k == nil:
		c.t.Errorf("received %.30q, which nobody sent", m.Body)
		return
	case m.Attributes["copy"].String != m.Body:
		c.t.Errorf("%.30q has the attributes of another message", m.Body)
	case k.deleted:
		c.t.Errorf("%.30q received after its deletion was acknowledged", m.Body)
	case k.held:
		c.t.Errorf("%.30q received while another client holds it", m.Body)
	case name == "dead" && m.Receives <= modelReceives:
		c.t.Errorf("%.30q is in the dead-letter queue after %d receives", m.Body, m.Receives-1)
	case name == "dead" && m.Source != "q":
		c.t.Errorf("%.30q came from %q", m.Body, m.Source)
	case m.Receives != k.receives+1 && !(k.hastened && m.Receives == 1):
		c.t.Errorf("%.30q received with count %d after %d", m.Body, m.Receives, k.receives)
	}
	k.held, k.receives, k.hastened = true, m.Receives, false
}

// finish deletes a held message, or gives it back.
func (c *client) finish(del bool) {
	if len(c.held) == 0 {
		return
	}
	i := c.rng.IntN(len(c.held))
	m, name := c.held[i], c.queue[i]
	c.held, c.queue = append(c.held[:i:i], c.held[i+1:]...), append(c.queue[:i:i], c.queue[i+1:]...)
	c.mu.Lock()
	k := c.m[m.Body]
	k.held = false // from here on another client may get it
	k.deleting = k.deleting || del
	c.mu.Unlock()
	var errs []error
	var err error
	if del {
		errs, err = c.e.Delete(context.Background(), name, []string{m.Receipt})
	} else {
		change := driver.VisibilityChange{Receipt: m.Receipt}
		if name == "q" && c.rng.IntN(2) == 0 {
			change.GivenBack, change.Visibility = true, time.Hour
		}
		errs, err = c.e.ChangeVisibility(context.Background(), name, []driver.VisibilityChange{change})
		if err == nil && errs[0] == nil && change.GivenBack {
			c.waits = append(c.waits, driver.Browsed{Message: m})
		}
	}
	if c.failed(err) || c.over.Load() {
		return
	}
	if errs[0] != nil {
		c.t.Errorf("%.30q, held: %v", m.Body, errs[0])
	}
	if del {
		c.mu.Lock()
		k.deleted = true
		c.mu.Unlock()
	}
}

// hasten has a message that waits begin now: it is put in its own place.
func (c *client) hasten() {
	if len(c.waits) == 0 {
		return
	}
	i := c.rng.IntN(len(c.waits))
	old := c.waits[i]
	c.waits = append(c.waits[:i:i], c.waits[i+1:]...)
	c.mu.Lock()
	k := c.m[old.Body]
	k.hastened = true
	c.mu.Unlock()
	_, err := c.e.Replace(context.Background(), "q", old, driver.Outgoing{Body: old.Body, Attributes: old.Attributes, GroupID: old.GroupID})
	if c.failed(err) || c.over.Load() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	k.hasty = true
}

// check compares a store just opened with the model.
func (m *model) check(e *Engine, powerLost bool) {
	found := map[string]bool{}
	for _, name := range []string{"q", "dead"} {
		list, err := e.Browse(context.Background(), name, "", 1<<20)
		if err != nil {
			m.t.Fatal(err)
		}
		for _, b := range list {
			k := m.m[b.Body]
			switch {
			case k == nil:
				m.t.Errorf("%.30q is there, and nobody sent it", b.Body)
				continue
			case found[b.Body]:
				m.t.Errorf("%.30q is there twice", b.Body)
			case k.deleted:
				m.t.Errorf("%.30q is there, and its deletion was acknowledged", b.Body)
			case !powerLost && k.held && b.State != driver.StateInFlight:
				m.t.Errorf("%.30q was held, and the process died, not the machine; it is %s", b.Body, b.State)
			case k.hasty && b.State == driver.StateDelayed:
				m.t.Errorf("%.30q waits for its time again", b.Body)
			case !powerLost && b.Receives < k.receives && !k.hastened:
				m.t.Errorf("%.30q was received %d times, and the process died, not the machine; it counts %d", b.Body, k.receives, b.Receives)
			}
			found[b.Body] = true
			// From now on it may be relied on, whatever was acknowledged. Its count
			// may be higher than known: the answer was on its way.
			*k = modelled{acked: true, receives: b.Receives}
		}
	}
	for body, k := range m.m {
		if k.acked && !k.deleting && !found[body] {
			m.t.Errorf("%.30q is lost", body)
		}
		if !found[body] {
			delete(m.m, body)
		}
	}
}

// TestHistories runs clients, crashes, opens again and compares, many times
// over one store. Segments are small and checkpoints frequent, so that all of
// recycling, cleaning and checkpointing goes on under the clients.
func TestHistories(t *testing.T) {
	n := histories(t, 0, testHistory)
	t.Logf("%d histories", n)
}

func testHistory(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	rounds := 20
	if os.Getenv("DAYFLY_SOAK") != "" || os.Getenv("DAYFLY_SEED") != "" {
		rounds = 60 // the later take longer, as the store has ever more
	}
	o := smallOptions(64 << 10)
	o.replay = 128 << 10
	fsys := faultfs.New()
	m := &model{t: t, m: map[string]*modelled{}}
	for round := 0; round < rounds && !t.Failed(); round++ {
		e, err := open(fsys, o)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if round == 0 {
			makeModelQueues(t, e)
		} else {
			m.check(e, round%2 == 1) // see round: even ones lose power
			forgetHeld(t, e)
		}
		fsys = m.round(e, fsys, rng, round)
	}
}

func makeModelQueues(t *testing.T, e *Engine) {
	t.Helper()
	a := testAttributes
	if err := e.CreateQueue(context.Background(), "dead", a, nil); err != nil {
		t.Fatal(err)
	}
	a.DeadLetter = &driver.DeadLetter{Queue: "dead", MaxReceives: modelReceives}
	if err := e.CreateQueue(context.Background(), "q", a, nil); err != nil {
		t.Fatal(err)
	}
}

// forgetHeld makes visible what clients of an earlier opening held.
func forgetHeld(t *testing.T, e *Engine) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, q := range e.queues {
		for f := q.hidden.top(); f != nil; f = q.hidden.top() {
			q.promote(f.visibleAt)
		}
	}
}

// round runs clients until the store is crashed, and returns what is left of it.
func (m *model) round(e *Engine, fsys *faultfs.FS, rng *rand.Rand, round int) *faultfs.FS {
	var over atomic.Bool
	var wg sync.WaitGroup
	for i := range 4 {
		c := &client{model: m, e: e, over: &over, id: fmt.Sprintf("%d.%d", round, i),
			rng: rand.New(rand.NewPCG(rng.Uint64(), 0))}
		wg.Go(func() { c.run(2000) })
	}
	time.Sleep(time.Duration(rng.IntN(25)) * time.Millisecond)
	over.Store(true)
	var after *faultfs.FS
	if round%2 == 0 {
		after = fsys.Crash(rng)
	} else {
		after = fsys.Kill()
	}
	wg.Wait()
	e.Close()
	return after
}
