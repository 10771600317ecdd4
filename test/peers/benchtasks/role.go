package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/pprof"
	"time"

	"github.com/dayfly-dev/dayfly/test/peers/turns"
)

// A role is this program again, as a process of an application that enqueues
// tasks, runs them, or both. celery_tasks.py is the same for Celery.

// setting of a role.
type setting struct {
	Library     string
	Address     string // of its server
	Work        bool   // runs tasks from the start; else it only enqueues
	Concurrency int    // tasks that run at once
	Register    string // file
	Profile     string // file for a profile of the processor time; "": none
}

// order is what a role is told.
type order struct {
	Do      string // enqueue, pace, left
	From    int    // number of the first task
	Max     int    // tasks, at most
	Clients int
	Batch   int           // tasks a call
	Fast    bool          // by the call that is faster and says less, where there is one
	Lasts   time.Duration // at most
	Rate    int           // tasks a second, for pace
}

// answer of a role.
type answer struct {
	Tasks   int
	Begun   int64 // nanoseconds since 1970
	Elapsed time.Duration
	Left    int
	Error   string
}

// call is the argument of the task, which does nothing but note its number.
type call struct {
	I int `json:"i"`
}

// Kind is the name of the task, for River.
func (call) Kind() string { return "noop" }

// library is what runs tasks. Its methods may run at once.
type library interface {
	enqueue(ctx context.Context, task int) error
	// enqueueMany stores tasks numbered from a first one, in one call.
	enqueueMany(ctx context.Context, first, n int, fast bool) error
	// left is how many tasks are stored and not done with.
	left(ctx context.Context) (int, error)
	// work runs tasks, begin for each, until ctx ends. It may return before.
	work(ctx context.Context, concurrency int, begin func(int) error) error
	close() error
}

var errNotOffered = errors.New("not offered")

func openLibrary(ctx context.Context, s setting) (library, error) {
	switch s.Library {
	case "dayfly":
		return openDayfly(ctx, s.Address)
	case "embedded":
		return openEmbedded(ctx, s.Address)
	case "asynq":
		return openAsynq(s.Address, s.Concurrency)
	case "river":
		return openRiver(ctx, s.Address)
	}
	return nil, fmt.Errorf("no library %q", s.Library)
}

// runRole obeys orders until the input ends.
func runRole(s setting, in io.Reader, out io.Writer) (err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if s.Profile != "" {
		f, err := os.Create(filepath.Clean(s.Profile))
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	l, err := openLibrary(ctx, s)
	if err != nil {
		return err
	}
	worked := make(chan error, 1)
	if s.Work {
		r, err := openRegister(s.Register, 0)
		if err != nil {
			return err
		}
		go func() { worked <- l.work(ctx, s.Concurrency, r.begin) }()
	} else {
		worked <- nil
	}
	err = obeyAll(ctx, l, in, out)
	cancel()
	return errors.Join(err, <-worked, l.close())
}

func obeyAll(ctx context.Context, l library, in io.Reader, out io.Writer) error {
	reply := json.NewEncoder(out)
	if err := reply.Encode(answer{}); err != nil { // ready
		return err
	}
	for orders := json.NewDecoder(in); ; {
		var o order
		if err := orders.Decode(&o); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		a, err := obey(ctx, l, o)
		if err != nil {
			a.Error = err.Error()
		}
		if err := reply.Encode(a); err != nil {
			return err
		}
	}
}

func obey(ctx context.Context, l library, o order) (a answer, err error) {
	a.Begun = time.Now().UnixNano()
	switch o.Do {
	case "enqueue":
		a.Tasks, a.Elapsed, err = enqueue(ctx, l, o)
	case "pace":
		a.Tasks, a.Elapsed, err = pace(ctx, l, o, time.Unix(0, a.Begun))
	case "left":
		a.Left, err = l.left(ctx)
	default:
		err = fmt.Errorf("no order %q", o.Do)
	}
	return a, err
}

// enqueue has a number of clients enqueue one call after the other.
func enqueue(ctx context.Context, l library, o order) (int, time.Duration, error) {
	budget := turns.NewBudget(o.Max)
	s, err := turns.Load(o.Clients, o.Lasts, func(int) (int, error) {
		n, from := budget.Cut(o.Batch)
		switch {
		case n == 0:
			return 0, nil
		case o.Batch == 1:
			return 1, l.enqueue(ctx, o.From+from)
		}
		return n, l.enqueueMany(ctx, o.From+from, n, o.Fast)
	})
	return s.Messages, s.Elapsed, err
}

// pace enqueues at a steady rate, whatever becomes of the tasks before: each
// at its time, counted from the beginning, in a goroutine of its own.
func pace(ctx context.Context, l library, o order, begun time.Time) (int, time.Duration, error) {
	n := min(o.Max, int(o.Lasts.Seconds()*float64(o.Rate)))
	failed := make(chan error, n)
	for i := range n {
		time.Sleep(time.Until(begun.Add(time.Duration(i) * time.Second / time.Duration(o.Rate))))
		go func() { failed <- l.enqueue(ctx, o.From+i) }()
	}
	var errs []error
	for range n {
		if err := <-failed; err != nil && len(errs) < 3 {
			errs = append(errs, err)
		}
	}
	return n, time.Since(begun), errors.Join(errs...)
}
