package ledger

import (
	"errors"
	"fmt"
	"time"
)

// ErrUnknown: nobody knows whether the effect happened, and a person has to
// say (dayfly task unknown). It comes wrapped in an *UnknownError.
var ErrUnknown = errors.New("it is not known whether the effect happened")

// ErrUnreachable: the ledger's store cannot be read or written. The effect did
// not begin.
var ErrUnreachable = errors.New("the ledger cannot be reached, so nothing was sent")

// UnknownError is an effect whose end is unknown under AtMostOnce. It Is ErrUnknown.
type UnknownError struct {
	Key   string
	Entry Entry // what is on record
	Err   error // what the effect of this very run returned; nil if it was an earlier one

	ledger *Ledger
}

func (e *UnknownError) Error() string {
	why := e.Entry.Error
	if e.Err != nil {
		why = e.Err.Error()
	}
	return fmt.Sprintf("ledger: %q: %v (%s); find out, then `dayfly task sent %q` or `dayfly task resend %q`",
		e.Key, ErrUnknown, why, e.Key, e.Key)
}

// Unwrap returns ErrUnknown and the cause.
func (e *UnknownError) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrUnknown}
	}
	return []error{ErrUnknown, e.Err}
}

// UncertainError is an effect under AtLeastOnce whose end is unknown; it is
// begun again at Until at the earliest, by a later call.
type UncertainError struct {
	Key   string
	Until time.Time
	Err   error
}

func (e *UncertainError) Error() string {
	return fmt.Sprintf("ledger: %q: it is not known whether the effect happened; it begins again after %s: %v",
		e.Key, e.Until.UTC().Format(time.RFC3339), e.Err)
}

// Unwrap returns what the effect returned.
func (e *UncertainError) Unwrap() error { return e.Err }

// HeldError: another run has the key until then at least.
type HeldError struct {
	Key   string
	Entry Entry
	Until time.Time
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("ledger: %q is %s by another run (%s) until %s at least",
		e.Key, e.Entry.State, e.Entry.Worker, e.Until.UTC().Format(time.RFC3339))
}

// PayloadError: the key is on record for an effect with another payload.
type PayloadError struct {
	Key   string
	Entry Entry
}

func (e *PayloadError) Error() string {
	return fmt.Sprintf("ledger: the key %q is on record (%s, by task %q, run %q) with another payload: give what is another effect another key",
		e.Key, e.Entry.State, e.Entry.Task, e.Entry.Run)
}

// UnrecordedError: how the effect ended is known, and the store could not be
// told. The record says SENDING and becomes UNKNOWN.
type UnrecordedError struct {
	Key  string
	Sent bool
	Err  error // why the store could not be told, and what the effect returned
}

func (e *UnrecordedError) Error() string {
	what := "did not end well"
	if e.Sent {
		what = "happened"
	}
	return fmt.Sprintf("ledger: %q: the effect %s, and that could not be recorded: %v", e.Key, what, e.Err)
}

// Unwrap returns the cause.
func (e *UnrecordedError) Unwrap() error { return e.Err }

type notSentError struct{ err error }

func (e *notSentError) Error() string { return e.err.Error() }
func (e *notSentError) Unwrap() error { return e.err }

// NotSent marks the error of an effect after which it certainly has not
// happened: it may be begun again. NotSent(nil) is nil.
func NotSent(err error) error {
	if err == nil {
		return nil
	}
	return &notSentError{err}
}

// IsNotSent reports whether err is, or wraps, NotSent.
func IsNotSent(err error) bool {
	_, ok := errors.AsType[*notSentError](err)
	return ok
}
