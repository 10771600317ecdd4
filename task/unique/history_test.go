package unique

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/driver"
)

// A history is one order of the steps of some processes, with what went wrong.
// All of them are gone through, by running the package's own code again and
// again: each process is a goroutine that stops at each of its steps, and which
// of them goes on, and what happens to it, is the next choice. The histories
// differ in the choices, and the one after is found by changing the last that
// can be changed.
type history struct {
	choices []int // to be made
	widths  []int // of how many; as far as the history went
	trace   []string

	faults   int // that may still happen
	happened int
	actors   []*actor
	late     []driver.Record // writes that may still land, with their base as Version

	rec   driver.Record // Version "": none
	write int
	sent  map[string]int // messages by id
	acked map[string]bool
	told  int           // enqueuers told that there is a task
	stop  chan struct{} // closed: the processes of this history end
	bad   string
}

// step is what a process is about to do.
type step struct {
	what string
	// ways it can go; the first is the one without a fault.
	ways []way
}

type way struct {
	what  string
	fault bool
	do    func()
	when  func() bool // nil: at any time
}

type actor struct {
	h       *history
	name    string
	next    chan *step // nil: it ended
	resume  chan struct{}
	todo    *step
	alive   bool
	clock   time.Duration
	looked  map[string]bool // tasks that were acknowledged when it last read
	reply   error
	version string
	got     driver.Record
}

var epoch = time.Unix(1_800_000_000, 0).UTC()

// at stops the process before a step until it is its turn.
func (a *actor) at(s *step) {
	a.next <- s
	select {
	case <-a.resume:
	case <-a.h.stop:
		runtime.Goexit()
	}
}

// start begins a process and waits for its first step.
func (h *history) start(name string, run func(*actor)) {
	a := &actor{h: h, name: name, next: make(chan *step, 1), resume: make(chan struct{}), alive: true}
	h.actors = append(h.actors, a)
	go func() { // ends with the process, or with the history
		defer func() { a.next <- nil }()
		run(a)
	}()
	a.todo = <-a.next
	a.alive = a.todo != nil
}

// run makes the choices until all processes ended or wait for what never comes.
func (h *history) run() {
	defer close(h.stop)
	for n := 0; h.bad == ""; n++ {
		type option struct {
			a *actor
			w way
		}
		var options []option
		for _, a := range h.actors {
			if !a.alive {
				continue
			}
			for _, w := range a.todo.ways {
				if (!w.fault || h.faults > 0) && (w.when == nil || w.when()) {
					options = append(options, option{a, w})
				}
			}
			if h.faults > 0 {
				options = append(options, option{a, way{what: "crashes", fault: true}})
			}
		}
		for i, r := range h.late {
			if r.Version == h.rec.Version {
				options = append(options, option{nil, way{what: "a late write lands", do: func() {
					h.late = slices.Delete(h.late, i, i+1)
					h.put(r)
				}}})
			}
		}
		if len(options) == 0 {
			return
		}
		if n == len(h.choices) {
			h.choices = append(h.choices, 0)
		}
		h.widths = append(h.widths, len(options))
		h.take(options[h.choices[n]].a, options[h.choices[n]].w)
	}
}

func (h *history) take(a *actor, w way) {
	if w.fault {
		h.faults--
		h.happened++
	}
	if a == nil {
		h.trace = append(h.trace, w.what)
		w.do()
		return
	}
	if w.do == nil {
		h.trace = append(h.trace, a.name+" crashes before it "+a.todo.what)
		a.alive = false
		return
	}
	h.trace = append(h.trace, a.name+" "+a.todo.what+w.what)
	w.do()
	a.resume <- struct{}{}
	a.todo = <-a.next
	a.alive = a.todo != nil
}

// following is the next history's choices; nil: there is none.
func (h *history) following() []int {
	c := slices.Clone(h.choices)
	for i := len(c) - 1; i >= 0; i-- {
		if c[i]+1 < h.widths[i] {
			c[i]++
			return c[:i+1]
		}
	}
	return nil
}

func (h *history) put(r driver.Record) bool {
	if r.Version != h.rec.Version {
		return false
	}
	h.write++
	h.rec = r
	h.rec.Version = strconv.Itoa(h.write)
	return true
}

// fail notes the first thing that does not hold.
func (h *history) fail(format string, args ...any) {
	if h.bad != "" {
		return
	}
	h.bad = fmt.Sprintf(format, args...)
	for i, s := range h.trace {
		h.bad += fmt.Sprintf("\n%3d. %s", i+1, s)
	}
}

var errLost = errors.New("the answer was lost")

// Get, Put and Delete make a process's store of records of the history's.
func (a *actor) Get(context.Context, string) (driver.Record, error) {
	a.at(&step{"reads", []way{
		{what: "", do: func() {
			a.got, a.reply = a.h.rec, nil
			a.looked = map[string]bool{}
			for id := range a.h.acked {
				a.looked[id] = true
			}
			if a.got.Version == "" {
				a.reply = driver.ErrNotFound
			}
		}},
		{what: ", and the store is away", fault: true, do: func() { a.reply = errLost }},
	}})
	return a.got, a.reply
}

func (a *actor) Put(_ context.Context, r driver.Record) (string, error) {
	put := func() {
		a.reply = nil
		if !a.h.put(r) {
			a.reply = driver.ErrConflict
		}
		a.version = a.h.rec.Version
	}
	a.at(&step{"writes " + states(r), []way{
		{what: "", do: put},
		{what: ", and the answer is lost", fault: true, do: func() { put(); a.reply = errLost }},
		{what: ", and it never arrives", fault: true, do: func() { a.reply = errLost }},
		{what: ", and it arrives later", fault: true, do: func() { a.h.late = append(a.h.late, r); a.reply = errLost }},
	}})
	return a.version, a.reply
}

func (a *actor) Delete(_ context.Context, _, version string) error {
	remove := func() {
		a.reply = driver.ErrConflict
		if version == a.h.rec.Version && version != "" {
			a.h.rec, a.reply = driver.Record{}, nil
		}
	}
	a.at(&step{"removes the record", []way{
		{what: "", do: remove},
		{what: ", and the answer is lost", fault: true, do: func() { remove(); a.reply = errLost }},
		{what: ", and it never arrives", fault: true, do: func() { a.reply = errLost }},
	}})
	return a.reply
}

func (*actor) List(context.Context, string, string, int) ([]driver.Record, string, error) {
	return nil, "", errLost
}
func (*actor) Sweep(context.Context, int) (int, error) { return 0, errLost }
func (*actor) Close() error                            { return nil }

func states(r driver.Record) string {
	e, err := decode("k", r.Value)
	if err != nil {
		return string(r.Value)
	}
	return string(e.State) + " " + e.ID
}

// send puts a message into the queue.
func (a *actor) send(id string) error {
	a.at(&step{"sends " + id, []way{
		{what: "", do: func() { a.h.sent[id]++; a.reply = nil }},
		{what: ", and the answer is lost", fault: true, do: func() { a.h.sent[id]++; a.reply = errLost }},
		{what: ", and it never arrives", fault: true, do: func() { a.reply = errLost }},
	}})
	return a.reply
}

// pause waits until the record changed, or the process's clock says that the
// lease is over: rightly, when its owner is gone, or wrongly.
func (a *actor) pause(_ context.Context, version string, _ time.Duration) error {
	turn := func() { a.clock += time.Hour }
	gone := func() bool {
		e, err := decode("k", a.h.rec.Value)
		return err != nil || !slices.ContainsFunc(a.h.actors, func(b *actor) bool { return b.alive && b.name == e.Owner })
	}
	a.at(&step{"waits", []way{
		{what: " until the record changed", do: func() {}, when: func() bool { return a.h.rec.Version != version }},
		{what: " until the lease is over", do: turn, when: gone},
		{what: " until its clock says that the lease is over", fault: true, do: turn, when: func() bool { return !gone() }},
	}})
	return nil
}

// keys are a process's, on the history's store.
func (a *actor) keys() *Keys {
	k := New(records.New(a))
	k.now = func() time.Time { return epoch.Add(a.clock) }
	k.pause = a.pause
	k.owner = func() string { return a.name }
	return k
}
