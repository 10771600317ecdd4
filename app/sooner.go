package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/dayfly-dev/dayfly/app/control"
	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task"
)

// soonerMost messages of a queue are looked through for a task.
const soonerMost = 100_000

// RunNow has a message that waits begin before its time.
func (t *tasks) RunNow(ctx context.Context, name string, b queue.Browsed) (string, error) {
	_, text, err := t.app.begin(ctx, name, b, byDashboard)
	return text, err
}

// begin puts the message in its own place, to begin now, and says what comes next.
func (a *App) begin(ctx context.Context, name string, b queue.Browsed, by string) (queue.Sent, string, error) {
	sent, err := a.queues.Replace(ctx, name, b, task.Sooner(b))
	switch {
	case errors.Is(err, queue.ErrUnsupported) && strings.HasSuffix(name, ".fifo"):
		err = fmt.Errorf("on the FIFO queue %s each message has its place in its group, and none begins before its time", name)
	case errors.Is(err, queue.ErrUnsupported):
		err = fmt.Errorf("the service of the queue %s has no way to have a message begin before its time", name)
	case errors.Is(err, queue.ErrNotWaiting):
		err = errors.New("it does not wait: it is there to be received, or somebody received it and may be at work on it")
	case errors.Is(err, queue.ErrMessageNotFound):
		err = fmt.Errorf("the message is not in %s any more: it ran, or was deleted", name)
	}
	if err != nil {
		return sent, "", err
	}
	a.log.Info("a message that waited is to begin now", "queue", name, "message", b.ID, "now", sent.ID, "by", by)
	text := "It begins as soon as a worker receives it"
	for _, p := range a.pausesNow(ctx) {
		if p.Service == name {
			text = "It begins when the queue is resumed"
		}
	}
	return sent, text, nil
}

// Now has the task of an id begin before its time: the first message of it that
// waits.
func (a *App) Now(ctx context.Context, s control.Sooner) (control.Began, error) {
	if s.ID == "" || len(s.ID) > task.MaxID {
		return control.Began{}, fmt.Errorf("id must be that of a task, 1–%d bytes", task.MaxID)
	}
	names := []string{}
	for _, name := range sortedKeys(a.names) {
		names = append(names, a.names[name])
	}
	if s.Queue != "" {
		name, err := a.serviceQueue(s.Queue)
		if err != nil {
			return control.Began{}, err
		}
		names = []string{name}
	}
	var there, short string // a queue that has it, though not waiting; one not looked through
	for _, name := range names {
		b, all, err := a.messageOf(ctx, name, s.ID)
		if errors.Is(err, queue.ErrUnsupported) {
			return control.Began{}, fmt.Errorf("the service of the queue %s shows no messages, and ends no delay: a task there begins when its time has come", name)
		}
		if err != nil {
			return control.Began{}, err
		}
		if !all {
			short = name
		}
		if b == nil {
			continue
		}
		there = name
		if strings.HasSuffix(name, ".fifo") || b.Waits {
			sent, text, err := a.begin(ctx, name, *b, s.By)
			e, _ := task.Decode(b.Body)
			return control.Began{ID: s.ID, Task: e.Type, Queue: a.manifestQueue(name), Message: sent.ID, Text: text}, err
		}
	}
	switch {
	case there != "":
		return control.Began{}, fmt.Errorf("the task %s in %s does not wait: it is there to be received, or somebody received it and may be at work on it", s.ID, there)
	case short != "":
		return control.Began{}, fmt.Errorf("the task %s is not among the first %d messages of %s, and there are more: find it on the dashboard", s.ID, soonerMost, short)
	}
	return control.Began{}, fmt.Errorf("no queue has a message of the task %s: it ran, or is a dead letter, or there is none", s.ID)
}

// messageOf finds a message of a task, one that waits if there is; all is false if
// there are more messages than were looked through.
func (a *App) messageOf(ctx context.Context, name, id string) (found *queue.Browsed, all bool, err error) {
	plain := !strings.ContainsFunc(id, func(r rune) bool { // as JSON always has it
		return r != '-' && r != '_' && r != '.' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
	for after, looked := "", 0; looked < soonerMost; {
		page, err := a.queues.Browse(ctx, name, after, 1_000)
		if len(page) == 0 { // with an error, those that can be read were looked at
			return found, true, err
		}
		for i := range page {
			b := &page[i]
			after = b.ID
			if plain && !strings.Contains(b.Body, id) {
				continue
			}
			if e, err := task.Decode(b.Body); err != nil || e.ID != id {
				continue
			}
			if found = b; b.Waits {
				return found, true, nil
			}
		}
		looked += len(page)
	}
	return found, false, nil
}

func (c *controller) now(w http.ResponseWriter, r *http.Request) { answer(w, r, c.app.Now) }
