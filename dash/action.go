package dash

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// actionTimeout bounds one press of a button.
const actionTimeout = 60 * time.Second

// done says what an action did, and the page to go on to.
type done struct {
	Text string `json:"done"`
	Next string `json:"next"` // path on the dashboard
}

// action answers a POST: it does, then sends the browser on to a page that
// says what was done or why not.
func (d *Dash) action(do func(*http.Request) (done, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), actionTimeout)
		defer cancel()
		r = r.WithContext(ctx)
		if err := r.ParseForm(); err != nil {
			d.fail(w, r, invalid("the form could not be read: %v", err))
			return
		}
		res, err := do(r)
		var bad badRequest
		if err != nil && (res.Next == "" || wantsJSON(r) || isNotFound(err) || errors.As(err, &bad)) {
			d.fail(w, r, err)
			return
		}
		d.Log.Info("asked on the dashboard", "action", r.URL.Path, "done", res.Text, "error", err)
		if wantsJSON(r) {
			writeJSON(w, http.StatusOK, res)
			return
		}
		n := note{Text: res.Text}
		if err != nil {
			n = note{Text: err.Error(), Failed: true}
		}
		next, _ := url.Parse(res.Next)
		q := next.Query()
		q.Set("note", d.notes.put(n))
		next.RawQuery = q.Encode()
		http.Redirect(w, r, next.String(), http.StatusSeeOther)
	})
}

// note is a sentence shown once after an action.
type note struct {
	Text   string
	Failed bool
}

// notes keeps the last few notes under random names, so that an address
// cannot make a page say what its author likes.
type notes struct {
	mu    sync.Mutex
	byKey map[string]note
	order []string
}

const maxNotes = 64

func (n *notes) put(x note) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.byKey == nil {
		n.byKey = make(map[string]note)
	}
	key := rand.Text()
	n.byKey[key] = x
	n.order = append(n.order, key)
	if len(n.order) > maxNotes {
		delete(n.byKey, n.order[0])
		n.order = n.order[1:]
	}
	return key
}

func (n *notes) get(key string) *note {
	n.mu.Lock()
	defer n.mu.Unlock()
	if x, ok := n.byKey[key]; ok {
		return &x
	}
	return nil
}
