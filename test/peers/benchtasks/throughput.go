package main

import (
	"fmt"
	"io"
	"time"

	"github.com/dayfly-dev/dayfly/test/peers/turns"
)

const (
	singly = 16   // clients that enqueue at once
	bulk   = 1000 // tasks of one call
)

// endless is more tasks than any measurement has.
const endless = 1 << 40

// runEndToEnd measures tasks from the first enqueue to the last start, workers
// running all the while.
func runEndToEnd(o *options, out io.Writer) error {
	aims := []turns.Aim{
		turns.AtLeast(5, peers(func(s *subject) bool { return s.durable })...),
		turns.AtLeast(2, peers(func(s *subject) bool { return !s.durable })...),
	}
	shown := []turns.Aim{turns.AtLeast(0, peers(func(s *subject) bool { return s.library == "river" })...)}
	b := turns.NewBoard("Tasks, end to end", "task", o.names(), []turns.Work{
		{Name: fmt.Sprintf("enqueued singly by %d clients", singly), Aims: aims, Run: o.endToEnd(order{Do: "enqueue", Clients: singly, Batch: 1})},
		{Name: fmt.Sprintf("enqueued by %d, 1 client", bulk), Aims: shown, Run: o.endToEnd(order{Do: "enqueue", Clients: 1, Batch: bulk, Fast: true})},
	})
	b.Measure(o.rounds, func() {})
	b.Write(out)
	return b.Failed()
}

func (o *options) endToEnd(work order) func(string) (turns.Sample, error) {
	return func(name string) (s turns.Sample, err error) {
		st, err := subjectOf(name).open(o, true)
		if err != nil {
			return s, err
		}
		defer st.close()
		work.Max = endless
		if work.Lasts = o.lasts / 4; work.Lasts > 0 { // warm up
			if _, _, err = st.tell(work); err == nil {
				err = st.rest()
			}
			if err != nil {
				return s, err
			}
		}
		client, server := st.used()
		work.Lasts = o.lasts
		a, first, err := st.tell(work)
		if err != nil {
			return s, err
		}
		if err := st.register.wait(st.next-1, patience); err != nil {
			return s, err
		}
		s.Elapsed = time.Duration(st.register.latest(first, st.next-1) - a.Begun)
		s.Messages = a.Tasks
		if err := st.rest(); err != nil {
			return s, err
		}
		clientNow, serverNow := st.used()
		s.Client, s.Server = clientNow-client, serverNow-server
		return s, nil
	}
}

// runEnqueue measures enqueuing alone: no worker runs.
func runEnqueue(o *options, out io.Writer) error {
	single := []turns.Aim{turns.AtLeast(5, "River, commit on"), turns.AtLeast(0, "River, commit off")}
	many := []turns.Aim{turns.AtLeast(1, "River, commit on"), turns.AtLeast(0, "River, commit off")}
	b := turns.NewBoard("Enqueue", "task", o.names(), []turns.Work{
		{Name: "singly, 1 client", Aims: single, Run: o.enqueue(order{Clients: 1, Batch: 1})},
		{Name: fmt.Sprintf("singly, %d clients", singly), Aims: single, Run: o.enqueue(order{Clients: singly, Batch: 1})},
		{Name: fmt.Sprintf("by %d, 1 client", bulk), Aims: many, Run: o.enqueue(order{Clients: 1, Batch: bulk})},
		{Name: fmt.Sprintf("by %d, 1 client, River's InsertManyFast (COPY)", bulk), Aims: many, Run: o.enqueue(order{Clients: 1, Batch: bulk, Fast: true})},
		{Name: fmt.Sprintf("by %d, 4 clients, River's InsertManyFast (COPY)", bulk), Aims: many, Run: o.enqueue(order{Clients: 4, Batch: bulk, Fast: true})},
	})
	b.Measure(o.rounds, func() {})
	b.Write(out)
	return b.Failed()
}

func (o *options) enqueue(work order) func(string) (turns.Sample, error) {
	work.Do = "enqueue"
	return func(name string) (s turns.Sample, err error) {
		st, err := subjectOf(name).open(o, false)
		if err != nil {
			return s, err
		}
		defer st.close()
		work.Max, work.Lasts = endless, o.lasts/4 // warm up
		if _, _, err := st.tell(work); err != nil {
			return s, err
		}
		client, server := st.used()
		work.Lasts = o.lasts
		a, _, err := st.tell(work)
		if err != nil {
			return s, err
		}
		clientNow, serverNow := st.used()
		var left answer
		if err := st.producer.Tell(order{Do: "left"}, &left); err != nil {
			return s, err
		}
		if left.Left != st.next-1 {
			return s, fmt.Errorf("%d tasks were enqueued, and %d are stored", st.next-1, left.Left)
		}
		return turns.Sample{Messages: a.Tasks, Elapsed: a.Elapsed, Client: clientNow - client, Server: serverNow - server}, nil
	}
}
