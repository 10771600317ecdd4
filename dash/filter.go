package dash

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/dayfly-dev/dayfly/queue"
)

// Bounds of what one look at a page of filtered messages reads.
const (
	filterStep   = 50
	filterLooked = 2_000    // messages
	filterRead   = 16 << 20 // bytes of bodies
	filterLong   = 200      // bytes of what is looked for
)

// messageFilter picks messages; the zero filter takes all.
type messageFilter struct {
	Task string `json:"task"` // its name
	Text string `json:"q"`    // in id, error, limit, source or body, whatever the case
	// State of the messages; "": any.
	State queue.State `json:"state"`
}

var states = []queue.State{queue.StateVisible, queue.StateDelayed, queue.StateInFlight}

func newFilter(v url.Values) messageFilter {
	cut := func(name string) string {
		s := strings.TrimSpace(v.Get(name))
		return s[:min(len(s), filterLong)]
	}
	f := messageFilter{Task: cut("task"), Text: cut("q"), State: queue.State(v.Get("state"))}
	if !slices.Contains(states, f.State) {
		f.State = ""
	}
	return f
}

// Any reports whether it picks at all.
func (f messageFilter) Any() bool { return f != messageFilter{} }

func (f messageFilter) pass(b queue.Browsed) bool {
	if f.Task != "" && f.Task != taskOf(b) {
		return false
	}
	if f.State != "" && f.State != b.State {
		return false
	}
	if f.Text == "" {
		return true
	}
	want := strings.ToLower(f.Text)
	for _, s := range []string{b.ID, b.Attributes[attrError].String, b.Attributes[attrLimit].String, source(b), b.Body} {
		if strings.Contains(strings.ToLower(s), want) {
			return true
		}
	}
	return false
}

// taskOf is the name of a message's task, "" if it tells none.
func taskOf(b queue.Browsed) string {
	if name := b.Attributes[attrTask].String; name != "" {
		return name
	}
	e, _ := newEnvelope(b.Body)
	return e.Type
}

// query are the parts of a queue page's address that say what it shows.
func (f messageFilter) query(after string) url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"task": f.Task, "q": f.Text, "state": string(f.State), "after": after} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

// placed is a message and the one before it, by which it is found again without
// going through all before.
type placed struct {
	queue.Browsed
	before string
}

// matches is what one page of messages found.
type matches struct {
	messages []placed
	looked   int
	next     string // the last message looked at; "" at the end of the queue
	problem  error  // some could not be read
}

// lookThrough finds the next page of messages that pass.
func (d *Dash) lookThrough(ctx context.Context, name, after string, f messageFilter) (l matches, err error) {
	step, read := messagesShown+1, 0
	if f.Any() {
		step = filterStep
	}
	for {
		found, err := d.Queues.Browse(ctx, name, after, step)
		if err != nil {
			l.problem = err
		}
		if len(found) == 0 {
			if l.looked == 0 {
				return l, err
			}
			return l, nil
		}
		for _, b := range found {
			if len(l.messages) == messagesShown {
				l.next = after
				return l, nil
			}
			if f.pass(b) {
				l.messages = append(l.messages, placed{b, after})
			}
			after = b.ID
			l.looked++
			read += len(b.Body)
		}
		if err == nil && len(found) < step {
			return l, nil
		}
		if l.looked >= filterLooked || read >= filterRead || ctx.Err() != nil {
			l.next = after
			return l, nil
		}
	}
}
