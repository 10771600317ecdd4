package test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
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

// enqueue enqueues one task of a random type; some effects twice, under two ids.
func (s *soak) enqueue(random *rand.Rand) {
	q := []string{"default", "default", "default", "py", "node"}[random.IntN(5)]
	name := s.types[q][random.IntN(len(s.types[q]))]
	switch random.IntN(50) {
	case 0:
		name = "stranger-" + q
	case 1:
		if q == "default" {
			name = "poison-default"
		}
	}
	kind, _, _ := strings.Cut(name, "-")
	// Dayfly's own ledger needs a minute and a half to declare the effect of a
	// dayfly that was killed; a short soak has no time for that.
	if kind == "once" && q == "py" && s.length < time.Minute {
		kind, name = "plain", strings.Replace(name, "once", "plain", 1)
	}
	x := s.register(kind, name, q)
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
	s.send(random, x, a, options)
	if (kind == "once" || kind == "atleast") && random.IntN(5) == 0 {
		again := s.register(kind, name, q)
		again.key = x.key
		s.send(random, again, a, options)
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
func (s *soak) send(random *rand.Rand, x *sentTask, a soakArgs, options []task.EnqueueOption) {
	data, err := json.Marshal(a)
	if err != nil {
		s.t.Error(err)
		return
	}
	x.undone = x.kind == "outbox" && random.IntN(4) == 0
	for patience := time.Now().Add(time.Minute); ; {
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
			return
		}
		if x.repeated = true; time.Now().After(patience) {
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
