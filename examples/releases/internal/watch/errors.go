package watch

import (
	"errors"
	"fmt"
)

// Problem is why a registry gave no answer.
type Problem string

// The problems a registry may have. Only Unreachable passes by itself: asking
// again soon is of no use with the others.
const (
	Missing     Problem = "missing"     // the registry answered: there is no such package or version
	Unreachable Problem = "unreachable" // no answer, or an error of the server
	Refused     Problem = "refused"     // the registry does not answer this question, or not to us
	Malformed   Problem = "malformed"   // an answer that cannot be understood, or is not what was promised
	Unsupported Problem = "unsupported" // the configuration asks for what is not done here
)

// RegistryError is one clear message about a registry. Registry is an address
// without user name and password.
type RegistryError struct {
	Problem  Problem
	Registry string
	Package  string
	Reason   string
	Err      error
}

func (e *RegistryError) Error() string {
	switch e.Problem {
	case Missing:
		return fmt.Sprintf("%s: not found at %s%s", e.Package, e.Registry, tail(e.Reason))
	case Refused:
		return fmt.Sprintf("%s: refused by %s%s", e.Package, e.Registry, tail(e.Reason))
	case Unreachable:
		return fmt.Sprintf("%s: registry %s gave no answer%s", e.Package, e.Registry, tail(e.Reason))
	default:
		return fmt.Sprintf("%s: %s%s", e.Package, e.Registry, tail(e.Reason))
	}
}

func (e *RegistryError) Unwrap() error { return e.Err }

func tail(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// ProblemOf returns the problem err stands for, or "" when it is of another kind.
func ProblemOf(err error) Problem {
	var re *RegistryError
	if errors.As(err, &re) {
		return re.Problem
	}
	return ""
}
