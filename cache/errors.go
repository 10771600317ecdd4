package cache

import (
	"strconv"

	"github.com/dayfly-dev/dayfly/cache/driver"
)

// Errors of a Cache, wrapped in *Error; test with errors.Is.
var (
	ErrNotFound  = driver.ErrNotFound  // no value of that key
	ErrNotStored = driver.ErrNotStored // Add found a value, or Replace, Append, Prepend none
	ErrConflict  = driver.ErrConflict  // CompareAndSwap: written since it was read
	ErrNotNumber = driver.ErrNotNumber // Increment, Decrement of something else
	ErrTooLarge  = driver.ErrTooLarge  // value above the bound
	ErrClosed    = driver.ErrClosed    // cache was closed
)

// Error says which operation failed on which key.
type Error struct {
	Op  string // "get", "set", …
	Key string // "" where there is none
	Err error
}

func (e *Error) Error() string {
	if e.Key == "" {
		return "cache: " + e.Op + ": " + e.Err.Error()
	}
	return "cache: " + e.Op + " " + strconv.Quote(e.Key) + ": " + e.Err.Error()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// InvalidError is an argument that no cache accepts.
type InvalidError struct {
	Field  string // "key", "item", …
	Value  string // what was given, shortened
	Reason string
}

func (e *InvalidError) Error() string {
	return "invalid " + e.Field + " " + strconv.Quote(e.Value) + ": " + e.Reason
}
