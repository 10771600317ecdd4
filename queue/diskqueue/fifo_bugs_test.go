package diskqueue

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// bug is what an engine does wrong: the model must find it.
type bug struct {
	noSync   bool                // what is acknowledged is not synced
	reopened func(*Engine)       // is done to the memory after a crash
	wrap     func(*Engine) store // is between clients and engine
}

// disguise is an engine with other answers to some calls; nil: its own.
type disguise struct {
	*Engine
	createQueue func(driver.Attributes) driver.Attributes
	deleteQueue func(name string) error
	purge       func(name string) error
	receive     func(name string, o driver.ReceiveOptions) ([]driver.Message, error)
	delete      func(receipts []string) []error
	hide        func(changes []driver.VisibilityChange) []error
	startMove   func(driver.Move) (string, error)
}

func (d *disguise) CreateQueue(ctx context.Context, name string, a driver.Attributes, tags map[string]string) error {
	if d.createQueue != nil {
		a = d.createQueue(a)
	}
	return d.Engine.CreateQueue(ctx, name, a, tags)
}

func (d *disguise) DeleteQueue(ctx context.Context, name string) error {
	if d.deleteQueue != nil {
		return d.deleteQueue(name)
	}
	return d.Engine.DeleteQueue(ctx, name)
}

func (d *disguise) Purge(ctx context.Context, name string) error {
	if d.purge != nil {
		return d.purge(name)
	}
	return d.Engine.Purge(ctx, name)
}

func (d *disguise) Receive(ctx context.Context, name string, o driver.ReceiveOptions) ([]driver.Message, error) {
	if d.receive != nil {
		return d.receive(name, o)
	}
	return d.Engine.Receive(ctx, name, o)
}

func (d *disguise) Delete(ctx context.Context, name string, receipts []string) ([]error, error) {
	if d.delete != nil {
		return d.delete(receipts), nil
	}
	return d.Engine.Delete(ctx, name, receipts)
}

func (d *disguise) ChangeVisibility(ctx context.Context, name string, changes []driver.VisibilityChange) ([]error, error) {
	if d.hide != nil {
		return d.hide(changes), nil
	}
	return d.Engine.ChangeVisibility(ctx, name, changes)
}

func (d *disguise) StartMove(ctx context.Context, m driver.Move) (string, error) {
	if d.startMove != nil {
		return d.startMove(m)
	}
	return d.Engine.StartMove(ctx, m)
}

// wrapped is a bug between clients and engine.
func wrapped(change func(e *Engine, d *disguise)) bug {
	return bug{wrap: func(e *Engine) store {
		d := &disguise{Engine: e}
		change(e, d)
		return d
	}}
}

// inMemory is a bug of the memory, which do does to each queue.
func inMemory(e *Engine, do func(*state)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, q := range e.queues {
		do(q)
	}
}

// fifoBugs are those that histories must find.
var fifoBugs = map[string]bug{
	"acknowledged before it is synced": {noSync: true},
	"a crash forgets deduplication ids": {reopened: func(e *Engine) {
		inMemory(e, func(q *state) { q.dedup = dedup{} })
	}},
	"a crash makes visible what was in flight": {reopened: func(e *Engine) {
		inMemory(e, func(q *state) {
			for f := q.hidden.top(); f != nil; f = q.hidden.top() {
				q.promote(f.visibleAt)
			}
		})
	}},
	"a crash forgets that a queue was purged": {reopened: func(e *Engine) {
		inMemory(e, func(q *state) { q.purged = 0 })
	}},
	"a delete is dropped": wrapped(func(_ *Engine, d *disguise) {
		d.delete = func(receipts []string) []error { return make([]error, len(receipts)) }
	}),
	"a change of visibility is dropped": wrapped(func(_ *Engine, d *disguise) {
		d.hide = func(changes []driver.VisibilityChange) []error { return make([]error, len(changes)) }
	}),
	"the second of a group comes first": wrapped(func(e *Engine, d *disguise) {
		d.receive = func(name string, o driver.ReceiveOptions) ([]driver.Message, error) {
			got, err := e.Receive(context.Background(), name, o)
			if len(got) > 1 && got[0].GroupID == got[1].GroupID {
				_, err = e.ChangeVisibility(context.Background(), name, []driver.VisibilityChange{{Receipt: got[0].Receipt}})
				got = got[1:]
			}
			return got, err
		}
	}),
	"a group does not block": wrapped(func(e *Engine, d *disguise) {
		d.receive = func(name string, o driver.ReceiveOptions) ([]driver.Message, error) {
			inMemory(e, func(q *state) {
				for _, x := range q.groups.byName {
					x.held = nil
					q.regroup(x)
				}
			})
			return e.Receive(context.Background(), name, o)
		}
	}),
	"an attempt id is not looked at": wrapped(func(e *Engine, d *disguise) {
		d.receive = func(name string, o driver.ReceiveOptions) ([]driver.Message, error) {
			o.AttemptID = ""
			return e.Receive(context.Background(), name, o)
		}
	}),
	"a dead letter is one too early": wrapped(func(_ *Engine, d *disguise) {
		d.createQueue = func(a driver.Attributes) driver.Attributes {
			if a.DeadLetter != nil {
				a.DeadLetter = &driver.DeadLetter{Queue: a.DeadLetter.Queue, MaxReceives: a.DeadLetter.MaxReceives - 1}
			}
			return a
		}
	}),
	"a purge leaves the deduplication ids": wrapped(func(e *Engine, d *disguise) {
		d.purge = func(name string) error {
			var kept dedup
			inMemory(e, func(q *state) {
				if q.name == name {
					kept = q.dedup
				}
			})
			err := e.Purge(context.Background(), name)
			inMemory(e, func(q *state) {
				if q.name == name {
					q.dedup = kept
				}
			})
			return err
		}
	}),
	"a deleted queue's name is free at once": wrapped(func(e *Engine, d *disguise) {
		d.deleteQueue = func(name string) error {
			err := e.DeleteQueue(context.Background(), name)
			e.mu.Lock()
			defer e.mu.Unlock()
			delete(e.dropped, name)
			return err
		}
	}),
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
			list, err := e.Browse(context.Background(), m.Source, "", 1)
			handle, merr := e.StartMove(context.Background(), m)
			if err == nil && len(list) > 0 {
				_, err = e.Send(context.Background(), modelQueue, []driver.Outgoing{{Body: list[0].Body, GroupID: list[0].GroupID, DedupID: "again " + handle}})
			}
			if err != nil {
				return "", err
			}
			return handle, merr
		}
	}),
}

// TestFIFOHistoriesFindBugs gives the engine one bug after the other: the
// histories must find each, soon.
func TestFIFOHistoriesFindBugs(t *testing.T) {
	const most = 200
	first := rand.Uint64()
	t.Logf("seeds from %#x", first)
	for name, bug := range fifoBugs {
		t.Run(name, func(t *testing.T) {
			for n := range uint64(most) {
				var h *fifoHistory
				synctest.Test(t, func(*testing.T) { h = runFIFO(first+n, bug) })
				if h.verdict() != "" {
					t.Logf("found by history %d", n+1)
					return
				}
			}
			t.Errorf("not found by %d histories", most)
		})
	}
}
