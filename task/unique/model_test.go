package unique

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/records"
)

// design is a way to enqueue a task of one key once: production's, or a control
// that must fail. Its enqueue returns the id of the task that is there.
type design struct {
	enqueue func(a *actor, id string) (there string, err error)
	work    func(a *actor)
}

var production = design{
	enqueue: func(a *actor, id string) (string, error) {
		ctx := context.Background()
		c, err := a.keys().Claim(ctx, Call{Key: "k", ID: id, Queue: "q", Window: time.Hour})
		if taken, ok := errors.AsType[*TakenError](err); ok {
			return taken.ID, nil
		}
		if err != nil {
			return "", err
		}
		if c == nil {
			return id, nil
		}
		if err := c.Hold(ctx); err != nil {
			return "", err
		}
		if err := a.send(c.ID()); err != nil {
			c.GiveUp(ctx)
			return "", err
		}
		c.Sent(ctx)
		return c.ID(), nil
	},
	work: func(a *actor) {
		id := a.receive()
		if err := a.keys().Done(context.Background(), "k", id); err == nil { // else the window is the bound
			a.acknowledge(id)
		}
	},
}

// receive waits for a message; acknowledge deletes it.
func (a *actor) receive() (id string) {
	a.at(&step{"receives", []way{{
		do: func() {
			id = slices.Min(slices.Collect(maps.Keys(a.h.sent)))
		},
		when: func() bool { return len(a.h.sent) > 0 },
	}}})
	return id
}

func (a *actor) acknowledge(id string) {
	a.at(&step{"acknowledges " + id, []way{{do: func() { a.h.acked[id] = true }}}})
}

// scope of an exploration.
type scope struct {
	enqueuers, workers, faults int
}

// explore goes through all histories and returns the first that is wrong.
func explore(d design, s scope) (histories int, bad string) {
	var choices []int
	for {
		histories++
		h := &history{choices: choices, faults: s.faults, sent: map[string]int{}, acked: map[string]bool{}, stop: make(chan struct{})}
		for i := range s.enqueuers {
			h.enqueuer(d, string(rune('A'+i)))
		}
		for range s.workers {
			h.start("worker", d.work)
		}
		h.run()
		h.judge(s)
		if h.bad == "" && s.workers == 0 {
			h.aftermath(d)
		}
		if h.bad != "" {
			return histories, h.bad
		}
		if choices = h.following(); choices == nil {
			return histories, ""
		}
	}
}

// enqueuer is a process that enqueues the task once; what it is told must be so.
func (h *history) enqueuer(d design, name string) {
	h.start(name, func(a *actor) {
		id, err := d.enqueue(a, "id"+name)
		switch {
		case err != nil && h.happened == 0:
			h.fail("%s failed without a fault: %v", name, err)
		case err != nil:
		case h.sent[id] == 0:
			h.fail("%s was told that %s is there, and it was never sent", name, id)
		case id != "id"+name && a.looked[id]:
			h.fail("%s was told that %s is there, and it was done before %s looked", name, id, name)
		default:
			h.told++
		}
	})
}

// judge says what holds at the end of every history.
func (h *history) judge(s scope) {
	messages := 0
	for _, n := range h.sent {
		messages += n
	}
	if s.workers > 0 { // the key may be taken once more for each task that is done
		messages -= len(h.acked)
	}
	if h.happened == 0 && h.told != s.enqueuers {
		h.fail("%d of %d enqueuers ended without a fault", h.told, s.enqueuers)
	}
	if most := 1 + h.happened; messages > most {
		h.fail("%d messages after %d faults", messages, h.happened)
	}
	if s.workers == 0 && len(h.sent) > 1 {
		h.fail("messages of two ids: %v", h.sent)
	}
}

// aftermath is one who comes when all is over, and to whom nothing happens:
// then there is a task.
func (h *history) aftermath(d design) {
	after := &history{rec: h.rec, write: h.write, sent: h.sent, acked: h.acked, trace: h.trace, stop: make(chan struct{})}
	after.enqueuer(d, "Z")
	after.run()
	if after.fail("who came after it all ended with nothing"); after.told == 1 {
		return
	}
	h.bad = after.bad
}

// TestModel: every order of the steps of several enqueuers, with every fault at
// every step; with DAYFLY_SOAK set, more of them, which takes some ten minutes
// (-timeout 30m).
func TestModel(t *testing.T) {
	scopes := []scope{{1, 0, 2}, {2, 0, 0}, {2, 0, 1}, {1, 1, 1}, {2, 1, 0}}
	if os.Getenv("DAYFLY_SOAK") != "" {
		scopes = append(scopes, scope{2, 0, 2}, scope{3, 0, 0}, scope{2, 1, 1}, scope{1, 0, 3}, scope{1, 1, 2})
	}
	for _, s := range scopes {
		begun := time.Now()
		n, bad := explore(production, s)
		t.Logf("%+v: %d histories, %v", s, n, time.Since(begun).Round(time.Millisecond))
		if bad != "" {
			t.Errorf("%+v: %s", s, bad)
		}
		if n < 10 {
			t.Errorf("%+v: only %d histories: the model does not move", s, n)
		}
	}
}

// lock is the design of most libraries: the key is set if it is not there, and
// then the task is sent; who finds the key is told that there is a task.
func lock(a *actor, id string) (string, error) {
	ctx, k := context.Background(), a.keys()
	e := entry{key: "k", State: sent, ID: id, Queue: "q", Owner: a.name}
	c := &Claim{keys: k, entry: e, expires: epoch.Add(100 * time.Hour)}
	switch err := c.write(ctx); {
	case errors.Is(err, records.ErrConflict):
		r, err := k.get(ctx, "k")
		if err != nil {
			return "", err
		}
		there, err := decode("k", r.Value)
		return there.ID, err
	case err != nil:
		return "", err
	}
	return id, a.send(id)
}

// afterwards sends first and then takes the key.
func afterwards(a *actor, id string) (string, error) {
	ctx, k := context.Background(), a.keys()
	r, err := k.get(ctx, "k")
	if err != nil {
		return "", err
	}
	if r.Version != "" {
		there, err := decode("k", r.Value)
		return there.ID, err
	}
	if err := a.send(id); err != nil {
		return "", err
	}
	c := &Claim{keys: k, entry: entry{key: "k", State: sent, ID: id, Queue: "q", Owner: a.name}, expires: epoch.Add(100 * time.Hour)}
	c.Sent(ctx)
	return id, nil
}

// TestModelFindsBugs: what is known to be wrong is found to be.
func TestModelFindsBugs(t *testing.T) {
	for name, c := range map[string]struct {
		design design
		scope  scope
		want   string
	}{
		"a key that is set before the task is sent": {design{enqueue: lock}, scope{2, 0, 0}, "never sent"},
		"a key that is set before, and a crash":     {design{enqueue: lock}, scope{1, 0, 1}, "never sent"},
		"a key that is set after the task was sent": {design{enqueue: afterwards}, scope{2, 0, 0}, "2 messages after 0 faults"},
		"a key that is removed after the message": {design{production.enqueue, func(a *actor) {
			id := a.receive()
			a.acknowledge(id)
			_ = a.keys().Done(context.Background(), "k", id)
		}}, scope{2, 1, 0}, "was done before"},
	} {
		n, bad := explore(c.design, c.scope)
		if !strings.Contains(bad, c.want) {
			t.Errorf("%s: not found in %d histories: %q", name, n, bad)
			continue
		}
		t.Logf("%s: found after %d histories, one of %d steps", name, n, len(slices.Collect(strings.Lines(bad)))-1)
	}
}
