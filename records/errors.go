package records

import (
	"errors"
	"strconv"

	"github.com/dayfly-dev/dayfly/records/driver"
)

// Errors of a Store, wrapped in *Error; test with errors.Is. After any of them
// nothing was written.
var (
	ErrNotFound = driver.ErrNotFound // no record of that key, or it expired
	ErrConflict = driver.ErrConflict // the record is not at the version given
	ErrClosed   = driver.ErrClosed   // the store was closed
)

// ErrUnchanged is what the function given to Update returns to leave the
// record as it is; Update then returns it, and no error.
var ErrUnchanged = errors.New("the record stays as it is")

// Error says which operation failed on which key.
type Error struct {
	Op  string // "get", "put", "delete", "update", "list", "sweep", "close"
	Key string // of "list" the mark; "" where there is none
	Err error

	untried bool // the driver was not asked
}

func (e *Error) Error() string {
	if e.Key == "" {
		return "records: " + e.Op + ": " + e.Err.Error()
	}
	return "records: " + e.Op + " " + strconv.Quote(e.Key) + ": " + e.Err.Error()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Ambiguous says whether a Put, Delete or Update that failed with err may have
// happened, or may still happen. Read the record to find out; only a write of
// your own on top of what was read keeps the other from happening later.
func Ambiguous(err error) bool {
	var e *Error
	switch {
	case !errors.As(err, &e), e.untried:
		return false
	case errors.Is(err, ErrConflict), errors.Is(err, ErrNotFound), errors.Is(err, ErrClosed):
		return false
	}
	return e.Op == "put" || e.Op == "delete"
}

// InvalidError is an argument that no store accepts.
type InvalidError struct {
	Field  string // "key", "value", "mark", "version", "expiry", "limit"
	Value  string // what was given, shortened
	Reason string
}

func (e *InvalidError) Error() string {
	return "invalid " + e.Field + " " + strconv.Quote(e.Value) + ": " + e.Reason
}
