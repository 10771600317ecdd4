package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task"
)

// Firing is one task to enqueue.
type Firing struct {
	// ID of the task: <schedule>@<tick>, the tick in RFC 3339 and UTC, so that
	// a tick fired twice is seen to be; <schedule>@by-hand-<uuid> for RunNow.
	ID       string
	Schedule string
	Task     string
	Queue    string
	Args     json.RawMessage
	Tick     time.Time // zero for RunNow
	Overlap  Overlap   // of the schedule; "" for RunNow
}

// ErrOverlap is what Options.Enqueue returns of a tick that is skipped, as the
// task of one before is still there. The tick is not tried again.
var ErrOverlap = errors.New("schedule: the task of an earlier tick is neither done nor dead")

// Missed is what is done about ticks that passed while no process ran.
type Missed string

// Policies for missed ticks. All of them look back no further than
// Options.Window, and never to before the schedule was first seen with its
// present times.
const (
	MissedLatest Missed = "latest" // the latest of them is fired; default
	MissedAll    Missed = "all"    // each is fired, oldest first, the latest 100 at most
	MissedNone   Missed = "none"   // none is
)

// Options of a scheduler.
type Options struct {
	// Schedules, no two of one name.
	Schedules []Schedule
	// Ticks is the store shared by all processes; required.
	Ticks Ticks
	// Enqueue stores a task; required. See Into. It must return within the
	// context's deadline.
	Enqueue func(context.Context, Firing) error
	// Owner names this process in the records; default a random name.
	Owner string
	// Lease is how long a process may take to enqueue what it claimed before
	// another takes over; default 30 s, 1 s–1 h.
	Lease time.Duration
	// Missed is the policy for missed ticks; default MissedLatest.
	Missed Missed
	// Window is how old a tick may be and still be fired; default 24 h.
	Window time.Duration
	// Keep is how many ticks of a schedule stay recorded; older ones are
	// deleted. Default 500, at least 10.
	Keep int
	// Log takes what happens; default nothing is logged.
	Log *slog.Logger

	now func() time.Time // the wall clock; tests turn it
}

// Into returns an Options.Enqueue that puts tasks into the queues of s. For
// schedules with OverlapSkip o needs Records, and so do the workers: without
// them a worker does not say that a task has ended, and later ticks are skipped
// for OverlapWindow.
func Into(s *queue.Service, o *task.ClientOptions) func(context.Context, Firing) error {
	return func(ctx context.Context, f Firing) error {
		options := []task.EnqueueOption{task.ID(f.ID)}
		if f.Overlap == OverlapSkip {
			options = append(options, task.UniqueUntilDone("schedule/"+f.Schedule, OverlapWindow))
		}
		_, err := task.EnqueueNamed(ctx, task.NewClient(s.Queue(f.Queue), o), f.Task, f.Args, options...)
		if errors.Is(err, task.ErrDuplicate) {
			return fmt.Errorf("%w: %w", ErrOverlap, err)
		}
		return err
	}
}

// Scheduler fires schedules.
type Scheduler struct {
	o       Options
	entries []*entry
	running atomic.Bool
}

// New checks the options. Nothing happens before Run.
func New(options Options) (*Scheduler, error) {
	o, err := options.normalise()
	if err != nil {
		return nil, err
	}
	s := &Scheduler{o: o}
	for i := range o.Schedules {
		e := &entry{Schedule: o.Schedules[i], o: &s.o, handled: map[time.Time]*claim{}}
		if e.times, err = e.Times(); err != nil {
			return nil, err
		}
		if s.find(e.Name) != nil {
			return nil, fmt.Errorf("schedule: two schedules are named %s", e.Name)
		}
		e.log = o.Log.With("schedule", e.Name)
		s.entries = append(s.entries, e)
	}
	return s, nil
}

func (o Options) normalise() (Options, error) {
	if o.Owner == "" {
		o.Owner = uuid.NewString()
	}
	if o.Lease == 0 {
		o.Lease = 30 * time.Second
	}
	if o.Missed == "" {
		o.Missed = MissedLatest
	}
	if o.Window == 0 {
		o.Window = 24 * time.Hour
	}
	if o.Keep == 0 {
		o.Keep = 500
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.now == nil {
		o.now = time.Now
	}
	var errs []error
	if o.Ticks == nil {
		errs = append(errs, errors.New("schedule: Options.Ticks is missing"))
	}
	if o.Enqueue == nil {
		errs = append(errs, errors.New("schedule: Options.Enqueue is missing"))
	}
	if len(o.Owner) > 256 {
		errs = append(errs, fmt.Errorf("schedule: Options.Owner has %d bytes, more than 256", len(o.Owner)))
	}
	if o.Lease < time.Second || o.Lease > time.Hour {
		errs = append(errs, fmt.Errorf("schedule: Options.Lease is %v, not 1s–1h", o.Lease))
	}
	if o.Missed != MissedLatest && o.Missed != MissedAll && o.Missed != MissedNone {
		errs = append(errs, fmt.Errorf("schedule: Options.Missed is %q, not latest, all or none", o.Missed))
	}
	if o.Window < 0 {
		errs = append(errs, fmt.Errorf("schedule: Options.Window is %v, not positive", o.Window))
	}
	if o.Keep < 10 {
		errs = append(errs, fmt.Errorf("schedule: Options.Keep is %d, less than 10", o.Keep))
	}
	return o, errors.Join(errs...)
}

// Run fires ticks until ctx ends, and returns nil then. A firing under way is
// finished first, within Lease. A store or queue that cannot be reached is
// tried again for as long as the tick is within Window. One Run at a time.
func (s *Scheduler) Run(ctx context.Context) error {
	if !s.running.CompareAndSwap(false, true) {
		return errors.New("schedule: the scheduler runs already")
	}
	defer s.running.Store(false)
	var wg sync.WaitGroup
	for _, e := range s.entries {
		wg.Go(func() { e.run(ctx) })
	}
	wg.Wait()
	return nil
}

// RunNow enqueues the task of a schedule at once, apart from its ticks, and
// returns the id of the task.
func (s *Scheduler) RunNow(ctx context.Context, name string) (id string, err error) {
	e := s.find(name)
	if e == nil {
		return "", fmt.Errorf("schedule: there is no schedule %.80q", name)
	}
	f := e.firing(time.Time{})
	f.Overlap = "" // somebody wants it now
	f.ID = e.Name + "@by-hand-" + uuid.NewString()
	if err := s.o.Enqueue(ctx, f); err != nil {
		return "", fmt.Errorf("schedule %s: %w", name, err)
	}
	e.log.Info("run by hand", "id", f.ID)
	return f.ID, nil
}

func (s *Scheduler) find(name string) *entry {
	for _, e := range s.entries {
		if e.Name == name {
			return e
		}
	}
	return nil
}

// Status of a schedule.
type Status struct {
	Schedule
	Next   time.Time // its next tick; zero: never
	Last   time.Time // the latest tick that was fired, by any process; zero: not known
	LastID string    // id of the task enqueued for it
	Err    error     // why a tick could not be fired or looked into, lately; nil: all is well
}

// Status returns that of every schedule, in the order of Options.
func (s *Scheduler) Status() []Status {
	all := make([]Status, len(s.entries))
	for i, e := range s.entries {
		all[i] = e.status()
	}
	return all
}
