package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/dayfly-dev/dayfly/test/peers/process"
	"github.com/dayfly-dev/dayfly/test/peers/turns"
)

const (
	fifoBacklog = 200_000 // messages retained in one FIFO queue
	standing    = "waiting"
	standingOne = "waiting.fifo"
	// How many messages are received at a time: in a FIFO queue each blocks its
	// group; a standard queue has 120,000 in flight at most.
	heldFIFO = groups * 3 / 4
	heldMost = 90_000
)

// backlogEngine is the part in process: a store with messages waiting beside
// one without.
type backlogEngine struct {
	hands map[string]*hand
	none  string            // the subject without messages waiting
	fresh map[string]string // its present queue for each of the other's
	lasts time.Duration
}

// fact is a figure that is not a rate.
type fact struct{ name, value, aim string }

func runBacklog(o *options, out io.Writer) error {
	full := filepath.Join(o.dir, "dayfly-waiting")
	store := filepath.Join(full, "data", "queue")
	var facts []fact
	for _, step := range []func() ([]fact, error){
		func() ([]fact, error) { return nil, prefill(store, o.backlog) },
		func() ([]fact, error) { return restarts(o, store) },
		func() ([]fact, error) { return backlogInProcess(o, store, out) },
		func() ([]fact, error) { return backlogOverHTTP(o, full, out) },
	} {
		found, err := step()
		if err != nil {
			return err
		}
		facts = append(facts, found...)
	}
	fmt.Fprintf(out, "\n### Backlog: memory and start\n\n")
	turns.Row(out, "figure", "value", "aim")
	turns.Rule(out, 3)
	for _, f := range facts {
		turns.Row(out, f.name, f.value, f.aim)
	}
	return nil
}

// prefill makes a store with messages waiting, and ends it by SIGKILL.
func prefill(store string, messages int) error {
	h, err := startWorker(dayfly, store)
	if err != nil {
		return err
	}
	defer h.Kill()
	for _, q := range []struct {
		name     string
		messages int
	}{{standing, messages}, {standingOne, fifoBacklog}} {
		if _, err := h.tell(order{Do: "create", Queue: q.name}); err != nil {
			return err
		}
		a, err := h.tell(order{Do: "send", Queue: q.name, Clients: 64, Batch: 10, Lasts: 10 * time.Minute, Max: q.messages})
		if err != nil {
			return err
		}
		log.Printf("backlog: %d messages in %s in %.1fs", a.Sample.Messages, q.name, a.Sample.Elapsed.Seconds())
	}
	return nil
}

// restarts opens the store that was killed, sends to it, and kills it again.
func restarts(o *options, store string) ([]fact, error) {
	var opened []float64
	for range o.rounds {
		h, err := startWorker(dayfly, store)
		if err != nil {
			return nil, err
		}
		opened = append(opened, h.opened.Seconds())
		_, err = h.tell(order{Do: "send", Queue: standing, Clients: 16, Batch: 1, Lasts: o.lasts})
		h.Kill()
		if err != nil {
			return nil, err
		}
	}
	s := turns.SpreadOf(opened)
	return []fact{{fmt.Sprintf("opening the engine after SIGKILL, %s waiting", count(o.backlog)),
		fmt.Sprintf("%.2f s (%.2f–%.2f)", s.Median, s.Low, s.High), verdict("< 5 s", s.Median < 5)}}, nil
}

func verdict(aim string, met bool) string {
	if met {
		return aim + ", **met**"
	}
	return aim + ", **missed**"
}

func count(n int) string {
	if n%1_000_000 == 0 {
		return fmt.Sprintf("%d million", n/1_000_000)
	}
	return turns.Short(float64(n))
}

// backlogInProcess compares a store with messages to one without.
func backlogInProcess(o *options, store string, out io.Writer) ([]fact, error) {
	waiting, none := "Dayfly, "+count(o.backlog)+" waiting", "Dayfly, none waiting"
	m := &backlogEngine{hands: map[string]*hand{}, none: none, fresh: map[string]string{}, lasts: o.lasts}
	defer func() {
		for _, h := range m.hands {
			h.Kill()
		}
	}()
	var all []*process.Process
	live := map[string]int64{}
	for name, at := range map[string]string{waiting: store, none: filepath.Join(o.dir, "dayfly-none", "store")} {
		h, err := startWorker(dayfly, at)
		if err != nil {
			return nil, err
		}
		m.hands[name], all = h, append(all, h.Process)
		a, err := h.tell(order{Do: "heap"})
		if err != nil {
			return nil, err
		}
		live[name] = a.Heap
	}
	b := turns.NewBoard("Backlog, in process, 16 callers", "message", []string{waiting, none}, m.works())
	b.Measure(o.rounds, func() { process.Settle(all) })
	b.Write(out)
	each := float64(live[waiting]-live[none]) / float64(o.backlog+fifoBacklog)
	return []fact{{"live heap a waiting message, engine", fmt.Sprintf("%.1f bytes", each), "–"}}, b.Failed()
}

func (m *backlogEngine) works() []turns.Work {
	aims := []turns.Aim{turns.AtLeast(0.8, m.none)}
	rows := func(q, name string, held int) []turns.Work {
		return []turns.Work{
			{Name: "send" + name, Aims: aims, Run: m.run(order{Do: "send", Queue: q, Clients: 16, Batch: 1, Lasts: m.lasts / 5}, 0), Slices: 5},
			{Name: "receive" + name, Aims: aims, Run: m.run(order{Do: "receive", Queue: q, Clients: 16, Batch: 1, Lasts: m.lasts, Max: held}, held)},
			// What was received is deleted whole, so that nothing stays in flight.
			{Name: "delete" + name, Aims: aims, Run: m.run(order{Do: "acknowledge", Queue: q, Clients: 16, Batch: 1, Lasts: time.Minute}, 0)},
		}
	}
	return append(rows(standing, "", heldMost), rows(standingOne, ", one FIFO queue", heldFIFO)...)
}

// run gives an order; before it so many messages are made sure to be there.
func (m *backlogEngine) run(o order, needs int) func(string) (turns.Sample, error) {
	return func(subject string) (turns.Sample, error) {
		h, o := m.hands[subject], o
		if subject == m.none {
			var err error
			if o.Queue, err = m.empty(h, o); err != nil {
				return turns.Sample{}, err
			}
		}
		if needs > 0 {
			if _, err := h.tell(order{Do: "send", Queue: o.Queue, Clients: 64, Batch: 10, Lasts: time.Minute, Max: needs}); err != nil {
				return turns.Sample{}, err
			}
			process.Settle([]*process.Process{h.Process})
		}
		a, err := h.tell(o)
		return a.Sample, err
	}
}

// empty is a queue that nobody has sent to in place of the order's; for what
// was received it is the queue it was received from.
func (m *backlogEngine) empty(h *hand, o order) (string, error) {
	last := m.fresh[o.Queue]
	if o.Do == "acknowledge" {
		return last, nil
	}
	if last != "" {
		if _, err := h.tell(order{Do: "drop", Queue: last}); err != nil {
			return "", err
		}
	}
	orders++
	m.fresh[o.Queue] = fmt.Sprintf("empty-%d-%s", orders, o.Queue)
	_, err := h.tell(order{Do: "create", Queue: m.fresh[o.Queue]})
	return m.fresh[o.Queue], err
}

// bytesOf is the size of what a folder holds.
func bytesOf(dir string) (n int64) {
	filepath.Walk(dir, func(_ string, i os.FileInfo, err error) error { //nolint:errcheck // what is gone counts nothing
		if err == nil && i.Mode().IsRegular() {
			n += i.Size()
		}
		return nil
	})
	return n
}
