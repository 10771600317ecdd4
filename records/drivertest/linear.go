package drivertest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/dayfly-dev/dayfly/records/driver"
)

// A history is what goroutines did to a few keys and what came of it. Every
// write has a value of its own, so that a record's state is its value's number
// (0: none) and versions need not be known: a write that got no answer has one
// that only a later read tells.
type history struct {
	*env
	seed   uint64
	clock  atomic.Int64 // orders calls and returns, also where time stands still
	values atomic.Int64

	mu       sync.Mutex
	ops      []porcupine.Operation
	versions map[string]string // value by version
}

type call struct {
	op   string // "get", "put", "delete"
	key  string
	from string // value of the record that is written or deleted; "" for none
	to   string // value that is written
}

type outcome struct {
	found    string // value that a get found; "" for none
	conflict bool
	unknown  error // happened, or not, or will
}

// keys are few, so that writers meet.
var historyKeys = []string{"x", "y", "z"}

func newHistory(e *env) *history {
	h := &history{env: e, seed: rand.Uint64(), versions: map[string]string{}}
	e.Logf("seed %d", h.seed)
	return h
}

// worker does operations at random, on what it saw last.
type worker struct {
	*history
	id   int
	d    driver.Store
	rand *rand.Rand
	seen map[string]driver.Record
}

func (h *history) worker(id int, d driver.Store) *worker {
	return &worker{history: h, id: id, d: d, rand: rand.New(rand.NewPCG(h.seed, uint64(id))), seen: map[string]driver.Record{}}
}

// work does n operations.
func (w *worker) work(n int) {
	for range n {
		key := historyKeys[w.rand.IntN(len(historyKeys))]
		switch last, known := w.seen[key]; {
		case !known || w.rand.IntN(10) < 4:
			if got, ok := w.get(key); ok {
				w.seen[key] = got
			}
		case last.Version != "" && w.rand.IntN(10) < 3:
			if w.delete(last) {
				w.seen[key] = driver.Record{Key: key}
			}
		default:
			if got, ok := w.put(last); ok && w.rand.IntN(4) > 0 { // else at an old version
				w.seen[key] = got
			}
		}
	}
}

func (w *worker) get(key string) (driver.Record, bool) {
	start := w.clock.Add(1)
	r, err := w.d.Get(w.ctx, key)
	if err != nil && !errors.Is(err, driver.ErrNotFound) {
		w.unlessCut(err)
		return r, false // a read without an answer says nothing
	}
	r.Key = key
	w.add(w.id, start, call{op: "get", key: key}, outcome{found: string(r.Value)})
	w.knows(r.Version, string(r.Value))
	return r, true
}

func (w *worker) put(old driver.Record) (driver.Record, bool) {
	next := driver.Record{Key: old.Key, Version: old.Version, Value: fmt.Append(nil, w.values.Add(1))}
	c := call{op: "put", key: old.Key, from: string(old.Value), to: string(next.Value)}
	start := w.clock.Add(1)
	version, err := w.d.Put(w.ctx, next)
	w.add(w.id, start, c, w.outcome(err))
	next.Version = version
	if err == nil {
		w.knows(version, c.to)
	}
	return next, err == nil
}

func (w *worker) delete(old driver.Record) bool {
	start := w.clock.Add(1)
	err := w.d.Delete(w.ctx, old.Key, old.Version)
	w.add(w.id, start, call{op: "delete", key: old.Key, from: string(old.Value)}, w.outcome(err))
	return err == nil
}

func (h *history) outcome(err error) outcome {
	switch {
	case err == nil, isConflict(err):
		return outcome{conflict: err != nil}
	case errors.Is(err, driver.ErrNotFound), errors.Is(err, driver.ErrClosed):
		h.Errorf("a write failed with %v", err)
	}
	h.unlessCut(err)
	return outcome{unknown: err}
}

// unlessCut fails the test at an error though every packet was passed on.
func (h *history) unlessCut(err error) {
	if h.store.Cut == nil {
		h.Error(err)
	}
}

func (h *history) add(worker int, start int64, c call, o outcome) {
	end := h.clock.Add(1)
	if o.unknown != nil {
		end = math.MaxInt64 // it may happen later
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: worker, Input: c, Call: start, Output: o, Return: end})
}

// knows checks that a version is of one value and no other.
func (h *history) knows(version, value string) {
	if version == "" {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if before, ok := h.versions[version]; ok && before != value {
		h.Errorf("version %q is of value %q and of %q", version, before, value)
	}
	h.versions[version] = value
}

// check looks for an order of each key's operations that explains them.
func (h *history) check() {
	h.Helper()
	byKey := map[string][]porcupine.Operation{}
	for _, op := range h.ops {
		key := op.Input.(call).key
		byKey[key] = append(byKey[key], op)
	}
	for key, ops := range byKey {
		if result := porcupine.CheckOperationsTimeout(recordModel, ops, time.Minute); result != porcupine.Ok {
			h.Errorf("no order of the %d operations on %q explains them (%s); seed %d", len(ops), key, result, h.seed)
			for _, op := range ops[:min(len(ops), 200)] {
				h.Logf("%d–%d worker %d: %s", op.Call, op.Return, op.ClientId, describe(op.Input.(call), op.Output.(outcome)))
			}
		}
	}
}

// recordModel is one record: its state is its value, "" for none.
var recordModel = (&porcupine.NondeterministicModel{
	Init: func() []any { return []any{""} },
	Step: func(state, input, output any) []any {
		c, o := input.(call), output.(outcome)
		matches := state.(string) == c.from
		switch {
		case c.op == "get":
			if state.(string) == o.found {
				return []any{state}
			}
			return nil
		case o.unknown != nil && matches:
			return []any{state, c.to} // of a delete, to is ""
		case o.unknown != nil, o.conflict && !matches:
			return []any{state}
		case o.conflict != matches:
			return []any{c.to}
		}
		return nil
	},
	Equal: func(a, b any) bool { return a == b },
}).ToModel()

func describe(c call, o outcome) string {
	switch {
	case c.op == "get":
		return fmt.Sprintf("get %s: %q", c.key, o.found)
	case o.unknown != nil:
		return fmt.Sprintf("%s %s %q to %q: unknown (%v)", c.op, c.key, c.from, c.to, o.unknown)
	case o.conflict:
		return fmt.Sprintf("%s %s %q to %q: conflict", c.op, c.key, c.from, c.to)
	}
	return fmt.Sprintf("%s %s %q to %q: done", c.op, c.key, c.from, c.to)
}
