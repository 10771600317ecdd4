package taskotel

import (
	"errors"
	"reflect"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/dayfly-dev/dayfly/task"
)

// failure is what a run failed for, given its error and the cause its context
// had ended with; nil if it did not fail. A run whose lease was lost runs
// again, whatever it returned.
func failure(err, cause error) error {
	switch {
	case errors.Is(cause, task.ErrLeaseLost):
		return cause
	case err == nil || task.IsPostponed(err):
		return nil
	case errors.Is(cause, task.ErrTimeout), errors.Is(cause, task.ErrDraining):
		return cause
	}
	return err
}

// errorType is error.type: a word for what package task tells apart, for other
// errors the type of the error, below what only wraps it; or what its method
// ErrorType returns.
func errorType(err error) attribute.KeyValue {
	for _, known := range []struct {
		err  error
		name string
	}{{task.ErrLeaseLost, "lease_lost"}, {task.ErrDraining, "draining"}, {task.ErrTimeout, "timeout"}, {errExited, "exited"},
		{task.ErrLedgerUnreachable, "ledger_unreachable"}} {
		if errors.Is(err, known.err) {
			return semconv.ErrorTypeKey.String(known.name)
		}
	}
	if _, ok := errors.AsType[*task.PanicError](err); ok {
		return semconv.ErrorTypeKey.String("panic")
	}
	if _, ok := errors.AsType[*task.ArgumentsError](err); ok {
		return semconv.ErrorTypeKey.String("arguments")
	}
	return semconv.ErrorType(unwrapped(err))
}

var taskPackage = reflect.TypeFor[task.Run]().PkgPath()

// unwrapped is err without the marks of task.Permanent and task.RetryAfter, nor
// what fmt.Errorf put around it.
func unwrapped(err error) error {
	for {
		t := reflect.TypeOf(err)
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		inner := errors.Unwrap(err)
		if inner == nil || t.PkgPath() != taskPackage && t.PkgPath() != "fmt" {
			return err
		}
		err = inner
	}
}
