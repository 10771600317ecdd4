package driver

import "errors"

// PartialError is the error of a Send of which each message's fate is known
// and some were stored: a service on a network answers for each by itself.
type PartialError struct {
	Errs []error // by message; nil where it is stored
}

// Error is the first message's that has one.
func (e *PartialError) Error() string { return e.first().Error() }

// Unwrap returns the error of the first message that has one.
func (e *PartialError) Unwrap() error { return e.first() }

func (e *PartialError) first() error {
	for _, err := range e.Errs {
		if err != nil {
			return err
		}
	}
	return errNone
}

var errNone = errors.New("queue: every message was stored")
