package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/dayfly-dev/dayfly/test/peers/process"
	"github.com/dayfly-dev/dayfly/test/peers/turns"
)

// The subjects of the second table.
const (
	streamAlways  = "JetStream (sync always)"
	streamDefault = "JetStream (default: not synced)"
	diskName      = "the disk alone"
)

// embedded measures queues in process.
type embedded struct {
	hands map[string]*hand
	lasts time.Duration
}

func startEmbedded(dir string, lasts time.Duration) (*embedded, error) {
	m := &embedded{hands: map[string]*hand{}, lasts: lasts}
	for i, name := range []string{dayfly, streamAlways, streamDefault, diskName} {
		h, err := startWorker(name, filepath.Join(dir, fmt.Sprint("worker", i), "store"))
		if err != nil {
			m.stop()
			return nil, err
		}
		m.hands[name] = h
	}
	return m, nil
}

func (m *embedded) stop() {
	for _, h := range m.hands {
		h.Kill()
	}
}

func (m *embedded) processes() (all []*process.Process) {
	for _, h := range m.hands {
		all = append(all, h.Process)
	}
	return all
}

func (m *embedded) works() []turns.Work {
	always := turns.AtLeast(10, streamAlways)
	unsynced := turns.AtLeast(1, streamDefault)
	send := func(clients int) order { return order{Do: "send", Clients: clients, Batch: 1} }
	consume := func(clients, batch int) order { return order{Do: "consume", Clients: clients, Batch: batch} }
	return []turns.Work{
		{Name: "send, 1 producer", Aims: []turns.Aim{turns.AtLeast(0.9, diskName)}, Run: m.run(send(1), diskName, m.lasts/10), Slices: 10},
		{Name: "send, 16 producers", Aims: []turns.Aim{always}, Run: m.run(send(16), "", m.lasts)},
		{Name: "send, 256 producers", Aims: []turns.Aim{always, unsynced}, Run: m.run(send(256), "", m.lasts)},
		{Name: "receive + acknowledge singly, 16 consumers", Aims: []turns.Aim{always}, Run: m.run(consume(16, 1), "", m.lasts)},
		{Name: "receive + acknowledge singly, 256 consumers", Aims: []turns.Aim{always, unsynced}, Run: m.run(consume(256, 1), "", m.lasts)},
		{Name: "receive + acknowledge by 10, 16 consumers", Aims: []turns.Aim{always}, Run: m.run(consume(16, 10), "", m.lasts)},
		{Name: "receive + acknowledge by 10, 64 consumers", Aims: []turns.Aim{always, unsynced}, Run: m.run(consume(64, 10), "", m.lasts)},
	}
}

var orders int

// run measures an order on a queue of its own; what is consumed was filled in
// before. The disk takes part only in the one row that is about it.
func (m *embedded) run(o order, withDisk string, lasts time.Duration) func(string) (turns.Sample, error) {
	return func(subject string) (turns.Sample, error) {
		if subject == diskName && withDisk == "" {
			return turns.Sample{}, turns.ErrSkip
		}
		h := m.hands[subject]
		orders++
		o := o
		o.Queue, o.Lasts = fmt.Sprintf("bench-%d", orders), lasts
		if _, err := h.tell(order{Do: "create", Queue: o.Queue}); err != nil {
			return turns.Sample{}, err
		}
		if o.Do == "consume" {
			// Enough for the time at a million a second.
			enough := int(m.lasts.Seconds() * 1e6)
			if _, err := h.tell(order{Do: "send", Queue: o.Queue, Clients: 64, Batch: 10, Lasts: 2 * m.lasts, Max: enough}); err != nil {
				return turns.Sample{}, err
			}
		}
		process.Settle([]*process.Process{h.Process})
		a, err := h.tell(o)
		if err != nil {
			return a.Sample, err
		}
		_, err = h.tell(order{Do: "drop", Queue: o.Queue})
		return a.Sample, err
	}
}
