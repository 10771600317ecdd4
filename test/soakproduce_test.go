package test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/outbox"
)

// soakArgs are what each kind of task takes.
type soakArgs struct {
	Key   string `json:"key"`
	Due   int64  `json:"due"`
	Fails int    `json:"fails"`
	Size  int    `json:"size"`
	Text  string `json:"text"`
}

// deal returns the types that a producer begins with, so that each is there in
// the shortest run; then it is as it comes.
func (s *soak) deal(p, producers int) (names []string) {
	var all []string
	for _, q := range slices.Sorted(maps.Keys(s.types)) {
		all = append(all, s.types[q]...)
	}
	rand.New(rand.NewPCG(s.seed, 200)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for i := p; i < len(all); i += producers {
		names = append(names, all[i])
	}
	return names
}

// choose is a type at random, also one that nobody knows, or no task at all.
func (s *soak) choose(random *rand.Rand) string {
	q := []string{"default", "default", "default", "py", "node"}[random.IntN(5)]
	switch random.IntN(50) {
	case 0:
		return "stranger-" + q
	case 1:
		if q == "default" {
			return "poison-default"
		}
	}
	return s.types[q][random.IntN(len(s.types[q]))]
}

// enqueue enqueues one task; some effects twice, under two ids.
func (s *soak) enqueue(random *rand.Rand, name string, mayUndo bool) {
	kind, rest, _ := strings.Cut(name, "-")
	q, _, _ := strings.Cut(rest, "-")
	x := s.register(kind, name, q)
	x.undone = kind == "outbox" && mayUndo && random.IntN(4) == 0
	a := soakArgs{Key: x.id, Fails: 1 + random.IntN(2)}
	if q == "py" {
		a.Fails = 1
	}
	if kind == "large" {
		a.Size = 250_000 + random.IntN(250_000)
		a.Text = strings.Repeat("x", a.Size)
	}
	var options []task.EnqueueOption
	if kind == "delayed" {
		d := time.Duration(1+random.IntN(8)) * time.Second
		a.Due = time.Now().Add(d).UnixMilli()
		options = append(options, task.Delay(d))
	}
	x.key = x.id
	s.send(x, a, options)
	if (kind == "once" || kind == "atleast") && random.IntN(5) == 0 {
		again := s.register(kind, name, q)
		again.key = x.key
		s.send(again, a, options)
	}
}

func (s *soak) register(kind, name, q string) *sentTask {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	x := &sentTask{id: fmt.Sprintf("s%d", s.next), kind: kind, name: name, queue: q, at: time.Now()}
	s.sent[x.id] = x
	return x
}

// send repeats an enqueue, under the same id, until it is acknowledged.
func (s *soak) send(x *sentTask, a soakArgs, options []task.EnqueueOption) {
	data, err := json.Marshal(a)
	if err != nil {
		s.t.Error(err)
		return
	}
	for end := time.Now().Add(patience); ; {
		switch x.kind {
		case "outbox":
			err = s.inTransaction(x, data)
		case "poison":
			_, err = s.queues[x.queue].Send(s.t.Context(), queue.Outgoing{Body: "poison " + x.id, Delay: -1})
		case "once":
			err = s.sendOnce(x, data, options)
		default:
			_, err = task.EnqueueNamed(s.t.Context(), s.clients[x.queue], x.name, data, append(options, task.ID(x.id))...)
		}
		if err == nil {
			x.acked = time.Now()
			return
		}
		if x.repeated = true; time.Now().After(end) {
			s.t.Errorf("%s was not enqueued: %v", x.id, err)
			return
		}
		time.Sleep(50 * time.Millisecond) // dayfly is being started
	}
}

// sendOnce is an effect: by task.Once in the Go worker, by the key in the message
// where dayfly pushes.
func (s *soak) sendOnce(x *sentTask, data json.RawMessage, options []task.EnqueueOption) error {
	if x.queue != "py" {
		_, err := task.EnqueueNamed(s.t.Context(), s.clients[x.queue], x.name, data, append(options, task.ID(x.id))...)
		return err
	}
	body, err := (&task.Event{ID: x.id, Source: "soak", Type: x.name, Time: x.at, Data: data,
		Extensions: map[string]string{"oncekey": "push/" + x.key}}).Encode()
	if err != nil {
		return err
	}
	_, err = s.queues[x.queue].Send(s.t.Context(), queue.Outgoing{Body: body, Delay: -1})
	return err
}

// inTransaction enqueues beside a row of the application's own, and commits or
// rolls back.
func (s *soak) inTransaction(x *sentTask, data json.RawMessage) error {
	tx, err := s.db.BeginTx(s.t.Context(), nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.Exec("INSERT INTO orders VALUES (?)", x.id); err != nil {
		return err
	}
	var box outbox.Box
	if _, err := task.EnqueueNamed(s.t.Context(), box.In(tx), x.name, data, task.ID(x.id)); err != nil {
		return err
	}
	if x.undone {
		return tx.Rollback()
	}
	return tx.Commit()
}
