package task

import "errors"

// Collect makes one error of those of several effects, nils left out; nil if
// all are nil. It is Permanent only if every one of them is, where errors.Join
// would be if one is: as long as one recipient may yet be served the task runs
// again, and those that are done or parked cost nothing then.
func Collect(errs ...error) error {
	var c collected
	for _, err := range errs {
		switch {
		case err == nil:
		case IsPermanent(err):
			c.permanent = append(c.permanent, err)
		default:
			c.passing = append(c.passing, err)
		}
	}
	switch {
	case c.passing == nil:
		return errors.Join(c.permanent...)
	case c.permanent == nil:
		return errors.Join(c.passing...)
	}
	return &c
}

// collected are errors of which some are permanent and some are not.
type collected struct{ passing, permanent []error }

func (c *collected) Error() string {
	return errors.Join(append(c.passing[:len(c.passing):len(c.passing)], c.permanent...)...).Error()
}

// Unwrap returns those that decide when the task runs again.
func (c *collected) Unwrap() []error { return c.passing }

// Is finds the others too.
func (c *collected) Is(target error) bool { return errors.Is(errors.Join(c.permanent...), target) }
