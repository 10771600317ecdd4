// Package supervise starts processes and keeps them running: each instance is
// started, gated on its health, watched, restarted with capped back-off and
// jitter, replaced without a gap, and ended with everything it started.
//
// Processes are children of dayfly in process groups of their own. The kernel
// ends them when dayfly is killed (parent-death signal); what they themselves
// have started is ended by the guard, or at the next start. Linux only.
package supervise

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Spec is one kind of process.
type Spec struct {
	Name    string // "web"
	Command string // for sh -c
	Dir     string
	// Env is the whole environment of an instance. port is 0 without HTTP.
	Env func(instance string, port int) []string

	HTTP          bool
	H2C           bool          // with HTTP: it speaks HTTP/2 without TLS
	Health        string        // path, with HTTP; "": a connection that is accepted is healthy
	HealthTimeout time.Duration // of one check
	StartTimeout  time.Duration // until healthy
	StopTimeout   time.Duration // from SIGTERM to SIGKILL
	Instances     int           // at start
	// RestartUnhealthy is how long an instance may fail the health checks of the
	// front before it is replaced; 0: it never is.
	RestartUnhealthy time.Duration
}

// Front is what sends requests to the instances: the edge.
type Front interface {
	// Add begins sending requests to a healthy instance.
	Add(target, url string) error
	// Drain sends no new requests and returns when none is outstanding or ctx ends.
	Drain(ctx context.Context, target string) error
	// Remove forgets a target.
	Remove(target string)
	// Down says since when a target fails its health checks, and why; the zero
	// time if it does not.
	Down(target string) (since time.Time, reason string)
}

// Options of a group. Zero fields take the defaults named.
type Options struct {
	Front Front // nil: none; required for a Spec with HTTP
	// Output takes each line a process writes; stream is "out" or "err", or
	// "dayfly" for what happens to the process. Required.
	Output func(process, stream, text string)
	Log    *slog.Logger // default discards
	// BackoffMin and BackoffMax bound the wait before a process that failed is
	// started again; the wait doubles from one to the other, ± 25 %.
	BackoffMin time.Duration // default 250ms
	BackoffMax time.Duration // default 30s
	// StableAfter is how long a process must run before its failures are forgotten.
	StableAfter time.Duration // default 10s
	// DrainTimeout bounds the wait for outstanding requests.
	DrainTimeout time.Duration // default 30s
	// Mark is set as DAYFLY_SUPERVISED in the environment of every process, so
	// that Reap finds what a killed dayfly left behind. Required.
	Mark string
}

// MarkVariable is the environment variable that carries Options.Mark.
const MarkVariable = "DAYFLY_SUPERVISED"

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.BackoffMin, 250 * time.Millisecond}, {&o.BackoffMax, 30 * time.Second},
		{&o.StableAfter, 10 * time.Second}, {&o.DrainTimeout, 30 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return o
}

// State of an instance.
type State string

// The states an instance passes through.
const (
	Starting   State = "starting"
	Running    State = "running"
	Draining   State = "draining"
	BackingOff State = "backing off"
	Stopped    State = "stopped"
)

// Status of one instance.
type Status struct {
	Name     string // "web.1"
	Group    string // "web"
	State    State
	PID      int       // 0: not running
	Port     int       // 0: does not listen
	Target   string    // name given to the Front, "" while it is not there
	Started  time.Time // of the present run
	Restarts int       // not counting those asked for
	LastExit string    // why the last run ended; "" if it never did
}

// StartError explains a process that does not start.
type StartError struct {
	Process string   // "web.1"
	Command string   // as in the manifest
	Cause   string   // "exited with status 1 after 0.1s"
	Tried   string   // what was tried
	Remedy  string   // what to do, where it is known
	Output  []string // its last lines, at most 20
}

// Error is several lines: what, the last lines of output, what to do.
func (e *StartError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "process %s does not start: it %s\n  command: %s\n  tried:   %s\n", e.Process, e.Cause, e.Command, e.Tried)
	if e.Remedy != "" {
		fmt.Fprintf(&b, "  remedy:  %s\n", e.Remedy)
	}
	if len(e.Output) == 0 {
		b.WriteString("  it wrote nothing")
	} else {
		b.WriteString("  the last it wrote:")
		for _, l := range e.Output {
			b.WriteString("\n    | " + l)
		}
	}
	return b.String()
}
