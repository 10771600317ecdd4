package dash

import (
	"errors"
	"net/http"
	"time"
)

const keysShown = 50

// Key by which a task is unique, and which is held.
type Key struct {
	Key   string    `json:"key"`  // as it is released by
	Task  string    `json:"task"` // name
	Name  string    `json:"name"` // that was given; "": the key is made of the arguments
	ID    string    `json:"id"`   // of the task that holds it
	Queue string    `json:"queue"`
	State string    `json:"state"` // "sent", "pending", "abandoned"
	Since time.Time `json:"since"`
	Until time.Time `json:"until"` // when it is free by itself
}

// KeyList is a part of the keys.
type KeyList struct {
	Keys    []Key  `json:"keys"`
	Next    string `json:"next"`   // for Ask.From; "" at the end
	Looked  int    `json:"looked"` // records looked through
	Problem string `json:"problem,omitempty"`
}

// OfID is the page of the task that holds the key.
func (k Key) OfID() string { return taskAddress(k.ID) }

// Anchor is the id of the question whether it is to be released.
func (k Key) Anchor() string { return anchor("release", k.Key+" "+k.ID) }

// Find is where its message is looked for.
func (k Key) Find() string {
	return address(messageFilter{Text: k.ID}.query(""), "queues", k.Queue)
}

// keysPage is a part of the keys that are held.
type keysPage struct {
	None    bool   `json:"none"`
	Service string `json:"service"`
	Text    string `json:"q"`
	After   string `json:"after"`
	KeyList
}

func (keysPage) Title() string { return "Unique keys" }

// NextPage goes on where this one ends.
func (p keysPage) NextPage() string { return listAddress("keys", p.Text, p.Next) }

// View says which keys are shown, to come back to them.
func (p keysPage) View() string { return listAddress("keys", p.Text, p.After) }

func (d *Dash) keys(r *http.Request) (model, error) {
	ask := newAsk(r, keysShown)
	p := keysPage{Service: d.RecordService, Text: ask.Text, After: ask.From}
	if d.Tasks == nil {
		p.None = true
		return p, nil
	}
	found, err := d.Tasks.Keys(r.Context(), ask)
	if errors.Is(err, ErrNotFound) {
		p.None = true
		return p, nil
	}
	p.KeyList = found
	for i := range p.Keys {
		k := &p.Keys[i]
		k.Queue, k.ID = strip(k.Queue, 128), strip(k.ID, longestID)
	}
	return p, err
}

// release frees a key for the task that the page showed: if another has it by
// now, that one keeps it.
func (d *Dash) release(r *http.Request) (done, error) {
	key, id := r.PostForm.Get("key"), r.PostForm.Get("id")
	switch {
	case d.Tasks == nil:
		return done{}, ErrNotFound
	case key == "" || id == "":
		return done{}, invalid("key and id must say which key is to be released, and of which task")
	}
	text, err := d.Tasks.ReleaseKey(r.Context(), key, id)
	return done{Text: text, Next: listAddress("keys", r.PostForm.Get("q"), r.PostForm.Get("after"))}, err
}
