package task

import (
	"context"

	"github.com/dayfly-dev/dayfly/task/ledger"
)

// park tells the ledger of a letter that waits for a person's word about effects
// of which nobody knows. It comes after the letter and before the message goes:
// who dies in between has the message run again, and a letter too many.
func (s *shift) park(d *delivery, reason error) {
	for _, e := range unknowns(reason) {
		ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
		err := e.Park(ctx)
		cancel()
		if err != nil {
			s.about(d).Error("the ledger does not know of a dead letter: should the effect turn out to have been sent, the letter is not listed by `dayfly task unknown`",
				"key", e.Key, "error", err)
			return // nor would it of the others
		}
	}
}

// unknowns are all the effects in an error of which nobody knows whether they
// happened.
func unknowns(err error) (all []*ledger.UnknownError) {
	switch e := err.(type) { //nolint:errorlint // it looks at each error of the tree
	case *ledger.UnknownError:
		return []*ledger.UnknownError{e}
	case *collected:
		return append(unknownsOf(e.decide), unknownsOf(e.other)...)
	case interface{ Unwrap() error }:
		return unknowns(e.Unwrap())
	case interface{ Unwrap() []error }:
		return unknownsOf(e.Unwrap())
	}
	return nil
}

func unknownsOf(errs []error) (all []*ledger.UnknownError) {
	for _, err := range errs {
		all = append(all, unknowns(err)...)
	}
	return all
}
