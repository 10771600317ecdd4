package ledger

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/dayfly-dev/dayfly/records"
)

// Park puts on record that a run which met this error has left its message where
// somebody has to send it back: a dead letter. It is to be called when the letter
// is stored, and before the message goes.
//
// While an effect is UNKNOWN it is listed anyway. But a worker that was silent
// may come back and say that it was sent, and a person's word may fall between
// the end of the run and its letter: then nothing is unknown any more, and the
// letter would lie there with nobody told. What was parked stays listed, whatever
// the state, until SentBack.
//
// Where there is no record any more it does nothing.
func (e *UnknownError) Park(ctx context.Context) error {
	if e.ledger == nil { // it is not of Do
		return nil
	}
	return e.ledger.note(ctx, e.Key, parked(rand.Text()))
}

// SentBack puts on record that the dead letters of an effect were sent back: all
// that there were after e was read. One that came later keeps it listed.
func (l *Ledger) SentBack(ctx context.Context, e Entry) error {
	return l.note(ctx, e.Key, sentBack(e.Parked))
}

// parked is the change of Park; false: there is nothing to change.
func parked(letter string) func(*Entry) bool {
	return func(e *Entry) bool {
		e.Parked = letter
		return true
	}
}

// sentBack is the change of SentBack.
func sentBack(letter string) func(*Entry) bool {
	return func(e *Entry) bool {
		if letter == "" || e.Parked != letter {
			return false
		}
		e.Parked = ""
		return true
	}
}

// note changes a record beside its state. It is repeated where a write was
// ambiguous: either change may be made twice.
func (l *Ledger) note(ctx context.Context, key string, change func(*Entry) bool) error {
	for try := 1; ; try++ {
		_, err := l.store.Update(ctx, prefix+key, func(old *records.Record) (records.Record, error) {
			if old == nil {
				return records.Record{}, records.ErrUnchanged
			}
			e, err := decode(key, old.Value)
			if err != nil {
				return records.Record{}, err
			}
			if !change(&e) {
				return records.Record{}, records.ErrUnchanged
			}
			value, err := e.encode()
			return records.Record{Value: value, Expires: e.expires(l.o.Retention), Mark: e.mark()}, err
		})
		switch {
		case err == nil:
			return nil
		case records.Ambiguous(err) && try < claimTries:
			continue
		}
		return fmt.Errorf("ledger: %q: %w", key, err)
	}
}
