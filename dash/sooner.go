package dash

import (
	"net/http"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
)

// attrLimit names the limit for which a worker put the message back.
const attrLimit = "dayfly.limit"

// runNow has a message that waits begin before its time.
func (d *Dash) runNow(r *http.Request) (done, error) {
	name, id := r.PathValue("queue"), r.PostForm.Get("id")
	if d.Tasks == nil || d.Queues == nil {
		return done{}, ErrNotFound
	}
	if id == "" {
		return done{}, invalid("id must say which message is to begin")
	}
	d.redriving.Lock() // so that two presses are not told different things
	defer d.redriving.Unlock()
	b, err := d.find(r.Context(), name, id, r.PostForm.Get("at"))
	if err != nil {
		return done{}, err
	}
	text, err := d.Tasks.RunNow(r.Context(), name, b.Browsed)
	return done{Text: text, Next: back(r)}, err
}

// waits says why a message waits, and that it can begin before.
func (m *message) waits(b queue.Browsed) {
	m.Waits, m.Limit = b.Waits, strip(b.Attributes[attrLimit].String, 480)
	if e, ok := newEnvelope(b.Body); ok {
		m.NotBefore, _ = time.Parse(time.RFC3339Nano, e.NotBefore)
	}
}

// Why a message waits, in words.
func (m message) Why() string {
	switch {
	case m.Limit != "":
		return "waits for the limit " + m.Limit
	case m.State == queue.StateInFlight:
		return "waits for its next attempt"
	}
	return "delayed"
}

// Far: the task waits for longer than the queue can delay it, which its worker
// sees to by and by.
func (m message) Far() bool { return m.Waits && m.NotBefore.After(m.VisibleAt.Add(time.Second)) }
