package task

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dayfly-dev/dayfly/task/limit"
)

// Limit lets only so many tasks run at once, or begin in a time: over all
// workers with the same WorkerOptions.Records, or without those over one worker.
// A task has to be let in by every limit that is its. One that is not let in
// within two seconds is postponed without an attempt used up, for as long as it
// takes those before it, at most 15 minutes; tasks under other limits, and of
// other keys, go on meanwhile. On a FIFO queue what follows in its group waits
// with it.
type Limit struct {
	// Task the limit is for; "" for all of the queue.
	Task string
	// By makes a limit of its own for each of the values it returns, as for each
	// tenant; a task for which it returns "" is not limited. Default nil: one
	// limit for all. See ByArgs and ByExtension. It must return the same for each
	// run of a task, at once, and may be called from many goroutines.
	By func(*Event) string
	// Concurrency is how many run at once, 1–10,000; 0: any number.
	Concurrency int
	// Rate is how many begin in each Per (default 1 s; 1 ms–24 h), evenly spread,
	// 1–1,000,000; 0: any number. Burst is how many may begin at once after a
	// rest, default 1: no span of time Per then sees more than Rate and one.
	Rate  int
	Per   time.Duration
	Burst int
	// Name of the limit on the records, at most 200 bytes; limits of one name are
	// one limit, of whatever queue or task. Default the name of the queue and of
	// the task, if there is one.
	Name string
}

const (
	// MaxLimits of one worker.
	MaxLimits    = 100
	maxLimitName = 200
	maxLimitKey  = 200
)

// ByArgs is a Limit.By of the arguments: those of Event.Data as an A. Of
// arguments that are stored apart, as of those that do not fit, the zero A.
func ByArgs[A any](key func(A) string) func(*Event) string {
	return func(e *Event) string {
		var args A
		if len(e.Data) > 0 && json.Unmarshal(e.Data, &args) != nil {
			var none A // not what was read so far
			args = none
		}
		return key(args)
	}
}

// ByExtension is a Limit.By of an extension of the event.
func ByExtension(name string) func(*Event) string {
	return func(e *Event) string { return e.Extensions[name] }
}

func (l Limit) terms() limit.Terms {
	setDefault(&l.Per, time.Second)
	setDefault(&l.Burst, 1)
	return limit.Terms{Concurrency: l.Concurrency, Rate: l.Rate, Per: l.Per, Burst: l.Burst}
}

// checkLimits reports what is wrong with a worker's limits.
func checkLimits(of []Limit) error {
	if len(of) > MaxLimits {
		return fmt.Errorf("task: WorkerOptions.Limits has %d, more than %d", len(of), MaxLimits)
	}
	for i, l := range of {
		err := l.terms().Check()
		if l.Task != "" && err == nil {
			err = CheckName(l.Task)
		}
		if err == nil && (len(l.Name) > maxLimitName || !plain(l.Name)) {
			err = fmt.Errorf("name %.40q is not up to %d bytes of UTF-8 without control characters", l.Name, maxLimitName)
		}
		if err != nil {
			return fmt.Errorf("task: WorkerOptions.Limits[%d]: %w", i, err)
		}
	}
	return nil
}

func plain(s string) bool { return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl) }

// limits are those of one worker.
type limits struct {
	of     []Limit     // the most particular first, so that what is scarce for many is taken last
	book   *limit.Book // of all queues of the worker
	claims *claims
	aside  chan struct{} // a token for each task that waits without a slot
}

// newLimits are those of one queue; nil if there are none.
func newLimits(of []Limit, queue string, book *limit.Book, c *claims) *limits {
	if len(of) == 0 {
		return nil
	}
	l := &limits{of: slices.Clone(of), book: book, claims: c}
	l.aside = make(chan struct{}, max(200, 4*c.all.total))
	for i := range l.of {
		if l.of[i].Name == "" {
			l.of[i].Name = strings.TrimSpace(queue + " " + l.of[i].Task)
		}
	}
	slices.SortStableFunc(l.of, func(a, b Limit) int { return cmp.Compare(a.rank(), b.rank()) })
	return l
}

// rank is 0 for the most particular limits.
func (l Limit) rank() int {
	switch {
	case l.By != nil:
		return 0
	case l.Task != "":
		return 1
	}
	return 2
}

// bound is a limit that a task is under.
type bound struct {
	name  string
	terms limit.Terms
}

// boundsOf are the limits that a task is under.
func (l *limits) boundsOf(e *Event) []bound {
	var all []bound
	for _, x := range l.of {
		if x.Task != "" && x.Task != e.Type {
			continue
		}
		name := x.Name
		if x.By != nil {
			key := x.By(e)
			if key == "" {
				continue
			}
			name += limitKey(key)
		}
		all = append(all, bound{name, x.terms()})
	}
	return all
}

// limitKey is the key as a part of the record's name: as it is, or a hash.
func limitKey(key string) string {
	if len(key) <= maxLimitKey && plain(key) {
		return "=" + key
	}
	sum := sha256.Sum256([]byte(key))
	return "#" + hex.EncodeToString(sum[:])
}

// errStopped is why a task that waited for its limits was not let in.
var errStopped = errors.New("task: the worker is stopping")

// admit waits for the limits of a task to let it in, and returns how it leaves.
// The error is errStopped, the cause of ctx, of Postpone, or of a panic in By.
func (l *limits) admit(ctx context.Context, stopping <-chan struct{}, e *Event, held *slot) (leave func(), err error) {
	if l == nil {
		return func() {}, nil
	}
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: stack()}
		}
	}()
	all := l.boundsOf(e)
	if len(all) == 0 {
		return func() {}, nil
	}
	waiting, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{})
	defer close(done)
	go func() { // ends with admit
		select {
		case <-stopping:
			cancel(errStopped)
		case <-done:
		}
	}()
	back := held.lend(l)
	leave, err = l.enter(waiting, all)
	if !back(waiting, err == nil) && err == nil {
		leave()
		err = context.Cause(waiting)
		if err == nil {
			err = Postpone(errNoSlot, time.Second+rand.N(4*time.Second))
		}
	}
	return leave, err
}

var errNoSlot = errors.New("task: it was let in, but all that may run at once in this worker were others")

// enter takes a place of each limit, or none.
func (l *limits) enter(ctx context.Context, all []bound) (leave func(), err error) {
	var places []*limit.Place
	leave = func() {
		for _, p := range slices.Backward(places) {
			p.Release()
		}
	}
	for _, b := range all {
		p, err := l.book.Take(ctx, b.name, b.terms)
		if busy, ok := errors.AsType[*limit.BusyError](err); ok {
			err = Postpone(busy, busy.Pause)
		}
		if err != nil {
			leave()
			return leave, err
		}
		places = append(places, p)
	}
	return leave, nil
}
