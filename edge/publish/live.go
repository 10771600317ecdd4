package publish

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dayfly-dev/dayfly/records"
)

// LostError: someone else switched first.
type LostError struct{ Switch }

// Error says who, when and to what.
func (e *LostError) Error() string {
	what := e.To + " live"
	if e.To == "" {
		what = "no release live"
	}
	by := ""
	if e.By != "" {
		by = " by " + e.By
	}
	return fmt.Sprintf("%s was made%s at %s while this command ran, and nothing else was changed: look with `dayfly publish status`, and run it again if you still want it",
		what, by, e.At.Format(time.DateTime+" UTC"))
}

// BaseError: a release was made of another than the one that is live.
type BaseError struct{ Release, Base, Live string }

func (e *BaseError) Error() string {
	live := e.Live
	if live == "" {
		live = "none"
	}
	return fmt.Sprintf("%s was staged onto %s, and live is %s: what was published since would be lost; stage it again, or use --force", e.Release, e.Base, live)
}

// Live makes a release live ("" none), if the state is still as it was seen:
// otherwise it fails with a *LostError. With force a release that was staged onto
// another than the one that is live is taken all the same. It returns the switch,
// which has no ID if the release was live already.
func (s *Store) Live(ctx context.Context, seen *State, id, by string, force bool) (Switch, error) {
	w := Switch{ID: rand.Text(), At: time.Now().UTC().Truncate(time.Millisecond), By: by, To: id}
	_, err := s.update(ctx, func(st *State) error {
		if i := slices.IndexFunc(st.History, func(h Switch) bool { return h.ID == w.ID }); i >= 0 {
			w = st.History[i] // an earlier try did it
			return records.ErrUnchanged
		}
		if st.Seq != seen.Seq {
			return &LostError{st.History[len(st.History)-1]}
		}
		e, ok := st.Find(id)
		if !ok && id != "" {
			return fmt.Errorf("%s: %w", id, ErrNotFound)
		}
		if st.Live == id {
			w.ID, w.From = "", id
			return records.ErrUnchanged
		}
		if e.Base != "" && e.Base != st.Live && !force && !st.was(id) {
			return &BaseError{id, e.Base, st.Live}
		}
		w.From = st.Live
		st.Live = id
		st.Seq++
		st.History = append(st.History, w)
		st.History = st.History[max(0, len(st.History)-maxHistory):]
		return nil
	})
	if err != nil && records.Ambiguous(err) {
		err = errors.Join(errors.New("nobody can say whether it is live: look with `dayfly publish status`"), err)
	}
	return w, err
}

// was reports whether a release has been live: going back to it loses nothing
// that its stage could have known of.
func (st *State) was(id string) bool {
	return slices.ContainsFunc(st.History, func(h Switch) bool { return h.To == id })
}

// Drop removes a release that is not live.
func (s *Store) Drop(ctx context.Context, id string) error {
	_, err := s.update(ctx, func(st *State) error {
		i := slices.IndexFunc(st.Releases, func(e Entry) bool { return e.ID == id })
		switch {
		case id == st.Live:
			return fmt.Errorf("%s: %w: make another one live first", id, ErrIsLive)
		case i < 0:
			return fmt.Errorf("%s: %w", id, ErrNotFound)
		}
		st.Releases = slices.Delete(st.Releases, i, i+1)
		return nil
	})
	return err
}
