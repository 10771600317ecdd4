package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dayfly-dev/dayfly/records"
)

// stateVersion is the form of the record.
const stateVersion = 1

// State is the record on which all machines agree.
type State struct {
	Version int `json:"version"`
	// Live is the release that visitors see, "" for none.
	Live string `json:"live"`
	// Seq counts the switches there have been.
	Seq int `json:"seq"`
	// Next numbers the releases: the next one staged is r<Next>.
	Next int `json:"next"`
	// History has the latest 50 switches, the newest last.
	History []Switch `json:"history,omitempty"`
	// Releases are those that are kept, the oldest first.
	Releases []Entry `json:"releases,omitempty"`
	// Key signs previews.
	Key []byte `json:"key,omitempty"`
	// Staging and Sweeping are what is under way.
	Staging  []Lease `json:"staging,omitempty"`
	Sweeping *Lease  `json:"sweeping,omitempty"`

	version string // of the record
}

// Entry is what the state says of a release.
type Entry struct {
	ID    string    `json:"id"`
	At    time.Time `json:"at"`
	By    string    `json:"by,omitempty"`
	From  string    `json:"from,omitempty"` // the folder or the list it was made of
	Note  string    `json:"note,omitempty"`
	Pages int       `json:"pages"`
	Bytes int64     `json:"bytes"` // of its contents, each counted once
	List  string    `json:"list"`  // SHA-256 of its list of pages
	// Base is the release it adds to, "" if it is whole by itself.
	Base string `json:"base,omitempty"`

	Lease string `json:"lease"` // that it was staged under: tells it from others after an error
}

// Switch is a change of what is live.
type Switch struct {
	ID   string    `json:"id"` // random: tells it from others after an error
	At   time.Time `json:"at"`
	By   string    `json:"by,omitempty"`
	From string    `json:"from"`
	To   string    `json:"to"`
}

// Lease is work that others heed until it ends.
type Lease struct {
	ID    string    `json:"id"`
	Until time.Time `json:"until"`
}

// Find returns a release by its name.
func (s *State) Find(id string) (Entry, bool) {
	i := slices.IndexFunc(s.Releases, func(e Entry) bool { return e.ID == id })
	if i < 0 {
		return Entry{}, false
	}
	return s.Releases[i], true
}

// Latest is the release that was staged last.
func (s *State) Latest() (Entry, bool) {
	if len(s.Releases) == 0 {
		return Entry{}, false
	}
	return s.Releases[len(s.Releases)-1], true
}

// Before is what was live before what is live now, "" for none, and false if
// there never was a switch.
func (s *State) Before() (string, bool) {
	if len(s.History) == 0 {
		return "", false
	}
	return s.History[len(s.History)-1].From, true
}

// Same reports whether two states are of one version of the record.
func (s *State) Same(o *State) bool { return o != nil && s.version == o.version && s.version != "" }

// State reads the record; where there is none, the State is empty.
func (s *Store) State(ctx context.Context) (*State, error) {
	r, err := s.opt.Records.Get(ctx, stateKey)
	if errors.Is(err, records.ErrNotFound) {
		return &State{Version: stateVersion, Next: 1}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("publish: read what is live: %w", err)
	}
	return readState(r)
}

func readState(r records.Record) (*State, error) {
	st := &State{}
	if err := json.Unmarshal(r.Value, st); err != nil {
		return nil, fmt.Errorf("publish: the record %s: %w: %w", stateKey, ErrDamaged, err)
	}
	if st.Version != stateVersion {
		return nil, fmt.Errorf("publish: the record %s has version %d, and this dayfly knows %d: use the newer dayfly", stateKey, st.Version, stateVersion)
	}
	st.version = r.Version
	return st, nil
}

// update changes the state. f may run several times; it returns
// records.ErrUnchanged when what it wants is already so. Where nobody can say
// whether a write happened, f is asked again with what there is then.
func (s *Store) update(ctx context.Context, f func(*State) error) (*State, error) {
	for try := 1; ; try++ {
		var is *State
		r, err := s.opt.Records.Update(ctx, stateKey, func(old *records.Record) (records.Record, error) {
			is = &State{Version: stateVersion, Next: 1}
			if old != nil {
				read, err := readState(*old)
				if err != nil {
					return records.Record{}, err
				}
				is = read
			}
			if err := f(is); err != nil {
				return records.Record{}, err
			}
			value, err := json.Marshal(is)
			return records.Record{Value: value}, err
		})
		if err == nil {
			if is != nil {
				is.version = r.Version
			}
			return is, nil
		}
		if !records.Ambiguous(err) || try == 3 || ctx.Err() != nil {
			return nil, err
		}
	}
}
