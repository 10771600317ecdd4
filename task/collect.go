package task

import (
	"errors"
	"slices"
)

// Collect makes one error of those of several effects, nils left out; nil if
// all are nil. It is Permanent only if every one of them is, where errors.Join
// would be if one is: as long as one recipient may yet be served the task runs
// again, and those that are done or parked cost nothing then. Nor does it use up
// an attempt where every one that may pass is Postponed, as when the ledger
// cannot be reached; it does where one failed.
func Collect(errs ...error) error {
	var failed, waiting, permanent []error
	for _, err := range errs {
		switch {
		case err == nil:
		case IsPostponed(err):
			waiting = append(waiting, err)
		case IsPermanent(err):
			permanent = append(permanent, err)
		default:
			failed = append(failed, err)
		}
	}
	decide, other := failed, slices.Concat(waiting, permanent)
	switch {
	case failed == nil && waiting == nil:
		decide, other = permanent, nil
	case failed == nil:
		decide, other = waiting, permanent
	}
	if other == nil {
		return errors.Join(decide...)
	}
	return &collected{decide, other}
}

// collected are errors of which some say what becomes of the task, and the
// others are only told.
type collected struct{ decide, other []error }

func (c *collected) Error() string { return errors.Join(slices.Concat(c.decide, c.other)...).Error() }

// Unwrap returns those that decide when the task runs again.
func (c *collected) Unwrap() []error { return c.decide }

// Is finds the others too.
func (c *collected) Is(target error) bool { return errors.Is(errors.Join(c.other...), target) }
