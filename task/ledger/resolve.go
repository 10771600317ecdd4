package ledger

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/dayfly-dev/dayfly/records"
)

// ErrNoEntry: the ledger has no record of the key.
var ErrNoEntry = errors.New("there is no record of this key")

// NotUnknownError: the effect is not one a person can decide about.
type NotUnknownError struct{ Entry Entry }

func (e *NotUnknownError) Error() string {
	why := ""
	switch e.Entry.State {
	case StateSending:
		why = ": a worker is at it (" + e.Entry.Worker + "), or was until " + at(e.Entry.Until) + "; wait, and look again"
	case StateClaimed:
		why = ": a worker has it, and nothing has happened yet; wait, and look again"
	case StateNotSent:
		why = ": it certainly did not happen, and is brought about when its task runs"
	case StateSent:
		why = ": it happened, on " + at(e.Entry.At) + ", and never happens again under this key"
		if e.Entry.Error != "" {
			why += " (" + e.Entry.Error + ")"
		}
	}
	return fmt.Sprintf("ledger: %q is not unknown but %s%s", e.Entry.Key, e.Entry.State, why)
}

func at(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Get returns what is on record of a key, else ErrNoEntry.
func (l *Ledger) Get(ctx context.Context, key string) (Entry, error) {
	if err := CheckKey(key); err != nil {
		return Entry{}, err
	}
	r, err := l.store.Get(ctx, prefix+key)
	if errors.Is(err, records.ErrNotFound) {
		return Entry{}, fmt.Errorf("ledger: %q: %w", key, ErrNoEntry)
	}
	if err != nil {
		return Entry{}, fmt.Errorf("ledger: %w", err)
	}
	return decode(key, r.Value)
}

// Unknown goes through the effects a person has to see to: those that are
// UNKNOWN; those in SENDING whose worker has said nothing for the lease and the
// quarantine, and that no run has come by to declare; and those of which it is
// known by now, SENT or NOT_SENT, whose dead letters are still to be sent back
// (Parked). One that cannot be read comes with its key and an error, and the
// others follow.
func (l *Ledger) Unknown(ctx context.Context) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for _, mark := range []string{markUnknown, markSending, markParked} {
			for r, err := range l.store.All(ctx, mark) {
				if err != nil {
					yield(Entry{}, fmt.Errorf("ledger: %w", err))
					return
				}
				key, ours := cutPrefix(r.Key)
				if !ours {
					continue
				}
				e, err := decode(key, r.Value)
				if err == nil && !e.listed(l.now(), l.o.Quarantine) {
					continue
				}
				e.Key = key
				if !yield(e, err) {
					return
				}
			}
		}
	}
}

// listed reports whether a person has to see to an effect that has a mark.
func (e *Entry) listed(now time.Time, quarantine time.Duration) bool {
	switch e.State {
	case StateUnknown:
		return true
	case StateSending:
		return e.overdue(now, quarantine)
	case StateSent, StateNotSent:
		return e.Parked != ""
	}
	return false // somebody is about to bring it about
}

func cutPrefix(key string) (string, bool) {
	if len(key) > len(prefix) && key[:len(prefix)] == prefix {
		return key[len(prefix):], true
	}
	return "", false
}

// ResolveSent puts on record that an effect which is UNKNOWN happened. Runs of
// its task then pass it over. An effect that is SENT already stays as it is. Who
// then sends its dead letters back says so with SentBack of the entry returned.
func (l *Ledger) ResolveSent(ctx context.Context, key, by string) (Entry, error) {
	return l.resolve(ctx, key, StateSent, by)
}

// ResolveNotSent puts on record that an effect which is UNKNOWN did not happen,
// or may happen again: the next run of its task brings it about. One that is
// NOT_SENT already stays as it is. Dead letters are as with ResolveSent.
func (l *Ledger) ResolveNotSent(ctx context.Context, key, by string) (Entry, error) {
	return l.resolve(ctx, key, StateNotSent, by)
}

// resolve is repeated by itself where a write was ambiguous: writing the same
// once more finds it done.
func (l *Ledger) resolve(ctx context.Context, key string, to State, by string) (Entry, error) {
	if err := CheckKey(key); err != nil {
		return Entry{}, err
	}
	for try := 1; ; try++ {
		r, err := l.store.Update(ctx, prefix+key, func(old *records.Record) (records.Record, error) {
			return l.resolved(key, old, to, by)
		})
		switch {
		case err == nil:
			return decode(key, r.Value)
		case records.Ambiguous(err) && try < claimTries:
			continue
		}
		return Entry{}, err
	}
}

// resolved is the record after a person's word.
func (l *Ledger) resolved(key string, old *records.Record, to State, by string) (records.Record, error) {
	if old == nil {
		return records.Record{}, fmt.Errorf("ledger: %q: %w", key, ErrNoEntry)
	}
	e, err := decode(key, old.Value)
	if err != nil {
		return records.Record{}, err
	}
	now := l.now()
	switch {
	case e.State == to:
		return records.Record{}, records.ErrUnchanged
	case e.State == StateUnknown, e.overdue(now, l.o.Quarantine):
	default:
		return records.Record{}, &NotUnknownError{e}
	}
	e.State, e.At, e.Until = to, now, time.Time{}
	e.Error = cut(by+" says that it may be sent again", maxError)
	if to == StateSent {
		e.Error = cut(by+" says that it was sent", maxError)
	}
	value, err := e.encode()
	return records.Record{Value: value, Expires: e.expires(l.o.Retention), Mark: e.mark()}, err
}
