package tasktest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/task"
)

// Call is a call of a task as it was enqueued.
type Call[A any] struct {
	ID     string
	Task   string
	Args   A
	Delay  time.Duration // from the enqueue until it may run, in whole seconds
	Group  string        // message group; on a FIFO queue by default the task's name
	Source string        // ClientOptions.Source
}

// Calls are the calls of a task that were enqueued so far, in order, whatever
// became of them. Arguments that do not fit fail the test.
func Calls[A any](q *Queue, t *task.Task[A]) []Call[A] {
	q.t.Helper()
	var calls []Call[A]
	for _, c := range q.Enqueued() {
		if c.Task != t.Name() {
			continue
		}
		var args A
		if len(c.Args) > 0 {
			if err := json.Unmarshal(c.Args, &args); err != nil {
				q.t.Fatalf("tasktest: arguments %s of %s: %v", c.Args, c.Task, err)
			}
		}
		calls = append(calls, Call[A]{c.ID, c.Task, args, c.Delay, c.Group, c.Source})
	}
	return calls
}

// One is the only call of a task; the test fails at once if there is none, or
// more than one.
func One[A any](q *Queue, t *task.Task[A]) Call[A] {
	q.t.Helper()
	calls := Calls(q, t)
	if len(calls) != 1 {
		q.t.Fatalf("tasktest: %s was enqueued %d times, not once; enqueued were: %s", t.Name(), len(calls), q.summary())
	}
	return calls[0]
}

// Enqueued is everything that was enqueued so far, in order, by name or by
// task. What a worker puts back or sets aside is not.
func (q *Queue) Enqueued() []Call[json.RawMessage] {
	q.t.Helper()
	q.m.mu.Lock()
	defer q.m.mu.Unlock()
	var calls []Call[json.RawMessage]
	seen := map[string]bool{}
	for _, x := range q.m.log {
		e, err := task.Decode(x.Body)
		if err != nil {
			q.t.Fatalf("tasktest: a message that is no task: %v", err)
		}
		// Put back by a worker, or dead: the same time of enqueue.
		key := e.ID + " " + e.Time.Format(time.RFC3339Nano)
		if seen[key] {
			continue
		}
		seen[key] = true
		c := Call[json.RawMessage]{ID: e.ID, Task: e.Type, Args: e.Data, Delay: x.delay, Group: x.GroupID, Source: e.Source}
		if !e.NotBefore.IsZero() {
			c.Delay = e.NotBefore.Sub(e.Time).Round(time.Second)
		}
		calls = append(calls, c)
	}
	return calls
}

func (q *Queue) summary() string {
	var all []string
	for _, c := range q.Enqueued() {
		all = append(all, fmt.Sprintf("%s %s", c.Task, c.Args))
	}
	if len(all) == 0 {
		return "nothing"
	}
	return strings.Join(all, ", ")
}

// Waiting is how many tasks are still in the queue, whether or not they are due.
func (q *Queue) Waiting() int {
	q.m.mu.Lock()
	defer q.m.mu.Unlock()
	return len(q.m.queues[q.o.Name].messages)
}

// Letter is a dead letter: a task that failed for good.
type Letter struct {
	ID       string
	Task     string // "" if it was no task's message
	Args     json.RawMessage
	Error    string // the last
	Attempts int    // how often it was delivered
	Stack    string // of a panic
}

// Dead are the dead letters, oldest first.
func (q *Queue) Dead() []Letter {
	q.m.mu.Lock()
	defer q.m.mu.Unlock()
	var all []Letter
	for _, x := range q.m.queues[deadName(q.o.Name)].messages {
		l := Letter{ID: x.ID, Task: x.Attributes[task.AttributeTask].String, Error: x.Attributes[task.AttributeError].String,
			Stack: x.Attributes[task.AttributeStack].String}
		l.Attempts, _ = strconv.Atoi(x.Attributes[task.AttributeAttempts].String) // the worker wrote it
		if e, err := task.Decode(x.Body); err == nil {
			l.ID, l.Args = e.ID, e.Data
		}
		all = append(all, l)
	}
	return all
}
