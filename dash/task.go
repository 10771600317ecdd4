package dash

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/dayfly-dev/dayfly/queue"
)

// longestID of a task in bytes.
const longestID = 256

// taskPage is what is known of the task of an id.
type taskPage struct {
	ID     string      `json:"id"`   // "" when none is asked for
	None   bool        `json:"none"` // there is no store of records
	Status *TaskStatus `json:"status,omitempty"`
	Queues []string    `json:"-"` // where its message may be
}

func (taskPage) Title() string { return "Task" }

// Final: nothing more is to come of it by itself.
func (p taskPage) Final() bool {
	return p.Status != nil && p.Status.Batch != nil && !p.Status.Batch.Complete.IsZero() ||
		p.Status != nil && slices.Contains([]string{"done", "failed", "cancelled"}, p.Status.State)
}

// Find is where messages of this task are looked for.
func (p taskPage) Find(name string) string {
	return address(messageFilter{Text: p.ID}.query(""), "queues", name)
}

func (d *Dash) task(r *http.Request) (model, error) {
	p := taskPage{ID: strings.TrimSpace(r.URL.Query().Get("id")), None: d.Tasks == nil}
	if len(p.ID) > longestID {
		return nil, invalid("the id of a task has at most %d bytes", longestID)
	}
	if p.ID == "" || p.None {
		return p, nil
	}
	s, err := d.Tasks.Task(r.Context(), p.ID)
	switch {
	case err == nil:
		s.Error, s.Text = strip(s.Error, 4_000), strip(s.Text, 1_024)
		if s.Result, _ = pretty(s.Result); len(s.Result) > bodyIndented {
			s.Result = strip(s.Result, bodyIndented)
		}
		s.Batch = s.Batch.fit()
		p.Status = &s
	case !errors.Is(err, ErrNotFound):
		return nil, err
	}
	if d.Queues != nil && d.QueueService == "" {
		list, err := d.Queues.ListQueues(r.Context(), queue.ListOptions{Max: queuesShown})
		if err != nil {
			return nil, err
		}
		p.Queues = list.Names
	}
	return p, nil
}

func (d *Dash) cancel(r *http.Request) (done, error) {
	id := strings.TrimSpace(r.PostForm.Get("id"))
	switch {
	case d.Tasks == nil:
		return done{}, ErrNotFound
	case id == "" || len(id) > longestID:
		return done{}, invalid("id must be the id of a task, of at most %d bytes", longestID)
	}
	text, err := d.Tasks.Cancel(r.Context(), id, strip(r.PostForm.Get("why"), 500))
	next := taskAddress(id)
	if name := r.PostForm.Get("queue"); name != "" { // it was pressed there
		next = viewOf(r, name)
	}
	return done{Text: text, Next: next}, err
}

func taskAddress(id string) string { return address(url.Values{"id": {id}}, "task") }

// OfID is the page of the message's task.
func (m message) OfID() string { return taskAddress(m.TaskID) }
