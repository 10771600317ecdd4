package dash

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/dayfly-dev/dayfly/queue"
)

// Bounds of one press of "redrive all" and "delete all that match", in messages.
const (
	redriveMost = 10_000  // done
	sweepMost   = 100_000 // looked at
)

// targets are the queues a message can be sent back to: those that name this
// queue as their dead-letter queue, the one it came from first.
func targets(q queueRow, b queue.Browsed) []string {
	from := source(b)
	if from == "" || !slices.Contains(q.Sources, from) {
		return q.Sources // the attribute is anybody's to write
	}
	rest := slices.DeleteFunc(slices.Clone(q.Sources), func(s string) bool { return s == from })
	return append([]string{from}, rest...)
}

// source is the queue a dead letter comes from, as the engine or the task
// worker says, "" if neither does.
func source(b queue.Browsed) string {
	if b.Source != "" {
		return b.Source
	}
	return b.Attributes[attrQueue].String
}

// target is where the form wants a message sent, checked against targets.
func target(q queueRow, b queue.Browsed, wanted string) (string, error) {
	t := targets(q, b)
	switch {
	case len(t) == 0:
		return "", invalid("no queue names %s as its dead-letter queue, so there is nowhere to send a message back to", q.Name)
	case wanted == "":
		return t[0], nil
	case slices.Contains(t, wanted):
		return wanted, nil
	}
	return "", invalid("%q is not a queue whose dead letters come to %s", wanted, q.Name)
}

func (d *Dash) redriveOne(r *http.Request) (done, error) {
	q, err := d.deadQueue(r)
	if err != nil {
		return done{}, err
	}
	d.redriving.Lock()
	defer d.redriving.Unlock()
	b, err := d.find(r.Context(), q.Name, r.PostForm.Get("id"), r.PostForm.Get("at"))
	if err != nil {
		return done{}, err
	}
	to, err := d.redrive(r.Context(), q, b.Browsed, r.PostForm.Get("to"))
	return done{Text: "Sent back to " + to, Next: back(r)}, err
}

// redrive stores the message in its queue again, then removes it here. A
// machine that dies between the two leaves it in both: never in none.
func (d *Dash) redrive(ctx context.Context, q queueRow, b queue.Browsed, wanted string) (to string, err error) {
	if b.State == queue.StateInFlight {
		return "", invalid("message %s was just received by somebody; try again when it is visible", b.ID)
	}
	if to, err = target(q, b, wanted); err != nil {
		return "", err
	}
	if _, err := d.Queues.Send(ctx, to, []queue.Outgoing{again(b, to)}); err != nil {
		return "", fmt.Errorf("send message %s back to %s: %w", b.ID, to, err)
	}
	if _, err := d.Queues.DeleteID(ctx, q.Name, b.ID); err != nil {
		return "", fmt.Errorf("message %s was sent back to %s, but is still in %s: %w", b.ID, to, q.Name, err)
	}
	return to, nil
}

// again is the message as it was before it failed: what the task worker wrote
// about the failure is left out, so that its attempts count from the start.
func again(b queue.Browsed, to string) queue.Outgoing {
	o := queue.Outgoing{Body: b.Body, Attributes: maps.Clone(b.Attributes), System: maps.Clone(b.System), Delay: -1}
	maps.DeleteFunc(o.Attributes, func(name string, _ queue.Attribute) bool { return strings.HasPrefix(name, attrPrefix) })
	o.GroupID = b.GroupID // of a standard queue: the tenant
	if strings.HasSuffix(to, ".fifo") {
		o.DedupID = "redrive-" + b.ID
	}
	return o
}

func (d *Dash) redriveAll(r *http.Request) (done, error) {
	q, err := d.deadQueue(r)
	if err != nil {
		return done{}, err
	}
	d.redriving.Lock()
	defer d.redriving.Unlock()
	n, err := d.sweep(r.Context(), q.Name, newFilter(r.PostForm), func(b queue.Browsed) error {
		_, err := d.redrive(r.Context(), q, b, r.PostForm.Get("to"))
		return err
	})
	return n.said("Sent %s back", back(r), err)
}

// deleteMatching deletes the messages that pass a filter; without one there is
// purge.
func (d *Dash) deleteMatching(r *http.Request) (done, error) {
	f, name := newFilter(r.PostForm), r.PathValue("queue")
	switch {
	case d.Queues == nil:
		return done{}, ErrNotFound
	case !f.Any():
		return done{}, invalid("task, q or state must say which messages are to be deleted")
	case r.PostForm.Get("confirm") != name:
		return done{}, invalid("to delete messages of %s, its name must be given", name)
	}
	d.redriving.Lock()
	defer d.redriving.Unlock()
	n, err := d.sweep(r.Context(), name, f, func(b queue.Browsed) error {
		_, err := d.Queues.DeleteID(r.Context(), name, b.ID)
		return err
	})
	return n.said("Deleted %s", "/queues/"+name, err)
}

// swept counts messages.
type swept struct {
	done, skipped int
	more          bool // it ended before the queue did
}

func (n swept) said(what, next string, err error) (done, error) {
	text := fmt.Sprintf(what, plural(n.done, "message"))
	if n.skipped > 0 {
		text += fmt.Sprintf("; left %s that somebody had just received", plural(n.skipped, "message"))
	}
	if n.more {
		text += "; press again for more"
	}
	if err != nil {
		err = fmt.Errorf("%s, then: %w", text, err)
	}
	return done{Text: text, Next: next}, err
}

// sweep does something that removes a message to those that pass, from the
// oldest on, of those that are there now.
func (d *Dash) sweep(ctx context.Context, name string, f messageFilter, do func(queue.Browsed) error) (n swept, err error) {
	until := d.Now()
	after := "" // the last that stays
	for looked := 0; looked < sweepMost && ctx.Err() == nil; {
		found, err := d.Queues.Browse(ctx, name, after, browseStep)
		if len(found) == 0 { // with an error, those that can be read are done first
			return n, err
		}
		looked += len(found)
		for _, b := range found {
			if !f.pass(b) {
				after = b.ID
				continue
			}
			// One sent while we work has failed again already: moving it too
			// would go round for ever.
			if b.State == queue.StateInFlight || b.Sent.After(until) {
				n.skipped++
				after = b.ID
				continue
			}
			if n.done == redriveMost {
				n.more = true
				return n, nil
			}
			if err := do(b); err != nil {
				return n, err
			}
			n.done++
		}
	}
	n.more = true
	return n, ctx.Err()
}

// back is the page of messages that a form was on, of the queue it is about.
func back(r *http.Request) string { return viewOf(r, r.PathValue("queue")) }

// viewOf is the page of a queue's messages that a form was on.
func viewOf(r *http.Request, name string) string {
	v, err := url.ParseQuery(r.PostForm.Get("view"))
	if err != nil {
		v = nil
	}
	return address(newFilter(v).query(v.Get("after")), "queues", name)
}

func (d *Dash) deleteMessage(r *http.Request) (done, error) {
	if d.Queues == nil {
		return done{}, ErrNotFound
	}
	name := r.PathValue("queue")
	ok, err := d.Queues.DeleteID(r.Context(), name, r.PostForm.Get("id"))
	if err != nil {
		return done{}, err
	}
	if !ok {
		return done{}, ErrNotFound
	}
	return done{Text: "Message deleted", Next: back(r)}, nil
}

func (d *Dash) purge(r *http.Request) (done, error) {
	if d.Queues == nil {
		return done{}, ErrNotFound
	}
	name := r.PathValue("queue")
	if r.PostForm.Get("confirm") != name {
		return done{}, invalid("to delete every message of %s, its name must be given", name)
	}
	err := d.Queues.Purge(r.Context(), name)
	if errors.Is(err, queue.ErrPurgeInProgress) {
		err = errors.New("this queue was emptied less than a minute ago; wait, then try again")
	}
	return done{Text: "Every message of " + name + " was deleted", Next: "/queues/" + name}, err
}

// deadQueue is the queue a form is about, with its sources.
func (d *Dash) deadQueue(r *http.Request) (queueRow, error) {
	return d.queueRow(r.Context(), r.PathValue("queue"))
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return count(n) + " " + noun + "s"
}
