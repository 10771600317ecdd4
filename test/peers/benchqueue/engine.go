package main

import (
	"fmt"
	"path/filepath"
	"time"
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
		h.kill()
	}
}

func (m *embedded) processes() (all []*process) {
	for _, h := range m.hands {
		all = append(all, h.process)
	}
	return all
}

func (m *embedded) works() []work {
	always := aim{"", 10, []string{streamAlways}}
	unsynced := aim{"", 1, []string{streamDefault}}
	send := func(clients int) order { return order{Do: "send", Clients: clients, Batch: 1} }
	consume := func(clients, batch int) order { return order{Do: "consume", Clients: clients, Batch: batch} }
	return []work{
		{"send, 1 producer", []aim{{"", 0.9, []string{diskName}}}, m.run(send(1), diskName, m.lasts/10), 10},
		{"send, 16 producers", []aim{always}, m.run(send(16), "", m.lasts), 1},
		{"send, 256 producers", []aim{always, unsynced}, m.run(send(256), "", m.lasts), 1},
		{"receive + acknowledge singly, 16 consumers", []aim{always}, m.run(consume(16, 1), "", m.lasts), 1},
		{"receive + acknowledge singly, 256 consumers", []aim{always, unsynced}, m.run(consume(256, 1), "", m.lasts), 1},
		{"receive + acknowledge by 10, 16 consumers", []aim{always}, m.run(consume(16, 10), "", m.lasts), 1},
		{"receive + acknowledge by 10, 64 consumers", []aim{always, unsynced}, m.run(consume(64, 10), "", m.lasts), 1},
	}
}

var orders int

// run measures an order on a queue of its own; what is consumed was filled in
// before. The disk takes part only in the one row that is about it.
func (m *embedded) run(o order, withDisk string, lasts time.Duration) func(string) (sample, error) {
	return func(subject string) (sample, error) {
		if subject == diskName && withDisk == "" {
			return sample{}, errSkip
		}
		h := m.hands[subject]
		orders++
		o := o
		o.Queue, o.Lasts = fmt.Sprintf("bench-%d", orders), lasts
		if _, err := h.tell(order{Do: "create", Queue: o.Queue}); err != nil {
			return sample{}, err
		}
		if o.Do == "consume" {
			// Enough for the time at a million a second.
			enough := int(m.lasts.Seconds() * 1e6)
			if _, err := h.tell(order{Do: "send", Queue: o.Queue, Clients: 64, Batch: 10, Lasts: 2 * m.lasts, Max: enough}); err != nil {
				return sample{}, err
			}
		}
		settle([]*process{h.process})
		a, err := h.tell(o)
		if err != nil {
			return a.Sample, err
		}
		_, err = h.tell(order{Do: "drop", Queue: o.Queue})
		return a.Sample, err
	}
}
