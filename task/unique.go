package task

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dayfly-dev/dayfly/task/unique"
)

// MaxUniqueKey is the longest key of Unique in bytes.
const MaxUniqueKey = 240

// uniqueExtension of an event says which key the worker is to free when the task
// is done or dead: what follows the task's name in the key's record.
const uniqueExtension = "uniquekey"

// ErrDuplicate is what an enqueue of a task that is there already wraps: a
// *DuplicateError says which it is. Nothing was enqueued, and nothing needs to
// be. See OrExisting for callers to whom both are one.
var ErrDuplicate = errors.New("task: it is enqueued already")

// DuplicateError is an ErrDuplicate.
type DuplicateError struct {
	Task  string
	ID    string // of the task that is there
	Queue string // it was put into
}

func (e *DuplicateError) Error() string {
	return fmt.Sprintf("task %s: it is enqueued already, as %s in %s", e.Task, e.ID, e.Queue)
}

// Is reports whether target is ErrDuplicate.
func (e *DuplicateError) Is(target error) bool { return target == ErrDuplicate }

// DuplicatesError is an ErrDuplicate of EnqueueMany: all calls that are not
// duplicates are stored.
type DuplicatesError struct {
	Of []*DuplicateError // by call; nil: it is stored
}

func (e *DuplicatesError) Error() string {
	n, first := 0, ""
	for _, d := range e.Of {
		if d != nil {
			if n++; n == 1 {
				first = d.Error()
			}
		}
	}
	return fmt.Sprintf("%d of %d calls are enqueued already, the first: %s", n, len(e.Of), first)
}

// Is reports whether target is ErrDuplicate.
func (e *DuplicatesError) Is(target error) bool { return target == ErrDuplicate }

// OrExisting takes what an enqueue returned and makes a success of ErrDuplicate:
//
//	id, err := task.OrExisting(Digest.Enqueue(ctx, client, args, task.Unique("", time.Hour)))
//
// id is then that of the task that is there, and of EnqueueMany each of them.
func OrExisting[ID string | []string](id ID, err error) (ID, error) {
	if errors.Is(err, ErrDuplicate) {
		return id, nil
	}
	return id, err
}

// uniqueness that a call asks for; zero: none.
type uniqueness struct {
	key       string
	window    time.Duration
	untilDone bool
}

// Unique has the task enqueued only if no task of its name and this key was
// enqueued within the window (1 s–366 days, from the enqueue on), by whatever
// process and into whatever queue; else the enqueue returns the id of that task
// and a *DuplicateError. The key is 1–240 bytes of UTF-8 without control
// characters; "" is made of the arguments as JSON values.
//
// It needs ClientOptions.Records, and costs two writes and a read there. While
// another process is about to enqueue the task the call waits for it, at most
// 30 s. When a process died between its claim of the key and the message, the
// next that enqueues takes the claim over, so that nothing is lost; since nobody
// can know whether the message was sent, there may then be two, of one id.
//
// An enqueue that failed may be tried again at once. With ID, one that finds its
// own task on record succeeds.
func Unique(key string, window time.Duration) EnqueueOption {
	return uniquely(uniqueness{key, window, false})
}

// UniqueUntilDone is Unique, until the task is done or a dead letter, and for
// the window at most, which here is counted from when the task is due. The
// workers need WorkerOptions.Records for it; a worker that has none, or cannot
// reach them, leaves the key to its window.
func UniqueUntilDone(key string, window time.Duration) EnqueueOption {
	return uniquely(uniqueness{key, window, true})
}

func uniquely(u uniqueness) EnqueueOption {
	return func(e *enqueue) error {
		switch {
		case len(u.key) > MaxUniqueKey:
			return fmt.Errorf("unique key %.40q has %d bytes, more than %d: hash the long part of it", u.key, len(u.key), MaxUniqueKey)
		case !utf8.ValidString(u.key) || strings.ContainsFunc(u.key, unicode.IsControl):
			return fmt.Errorf("unique key %.40q is not UTF-8 without control characters", u.key)
		case u.window < unique.MinWindow || u.window > unique.MaxWindow:
			return fmt.Errorf("unique for %v is not in 1s–366 days", u.window)
		}
		e.unique = u
		return nil
	}
}

// suffix of the key's record after the name of the task, which has neither
// space nor #.
func (u uniqueness) suffix(args json.RawMessage) string {
	if u.key != "" {
		return " " + u.key
	}
	sum := sha256.Sum256(canonical(args))
	return "#" + hex.EncodeToString(sum[:])
}

// only makes the draft of a call that is to be unique.
func (c *Client) only(d *draft, u uniqueness, delay time.Duration) error {
	if u.window == 0 {
		return nil
	}
	if c.o.Records == nil {
		return fmt.Errorf("task %s: Unique: %w (ClientOptions.Records)", d.event.Type, ErrNoRecords)
	}
	suffix := u.suffix(d.event.Data)
	d.unique = &unique.Call{Key: d.event.Type + suffix, ID: d.event.ID, Queue: c.q.Name(), Window: u.window}
	if u.untilDone {
		d.unique.Window = min(u.window+delay, unique.MaxWindow)
		if d.event.Extensions == nil {
			d.event.Extensions = map[string]string{}
		}
		d.event.Extensions[uniqueExtension] = suffix
	}
	return nil
}

// claim takes the key of a draft, if it is to be unique. There may be another
// task, which is the error, or this very one, which stored says.
func (c *Client) claim(ctx context.Context, d *draft) (stored bool, err error) {
	if d.unique == nil {
		return false, nil
	}
	got, err := unique.New(c.o.Records).Claim(ctx, *d.unique)
	if taken, ok := errors.AsType[*unique.TakenError](err); ok {
		return false, &DuplicateError{Task: d.event.Type, ID: taken.ID, Queue: taken.Queue}
	}
	if err != nil || got == nil {
		return err == nil, err
	}
	d.claim = got
	if d.event.ID != got.ID() {
		d.event.ID = got.ID()
		if d.out.DedupID != "" {
			d.out.DedupID = dedupID(got.ID())
		}
	}
	return false, nil
}

// there is what an enqueue that stores nothing returns.
func (d *draft) there(err error) (id string, _ error) {
	if dup, ok := errors.AsType[*DuplicateError](err); ok {
		return dup.ID, err
	}
	if err != nil {
		return "", fmt.Errorf("task %s: %w", d.event.Type, err)
	}
	return d.event.ID, nil
}

// hold is called right before the message of a draft is sent.
func (d *draft) hold(ctx context.Context) error {
	if d.claim == nil {
		return nil
	}
	return d.claim.Hold(ctx)
}

// settle notes what became of the message of a draft.
func (d *draft) settle(ctx context.Context, sent bool) {
	switch {
	case d.claim == nil:
	case sent:
		d.claim.Sent(ctx)
	default:
		d.claim.GiveUp(ctx)
	}
}

// free gives back the key of a task that is done or dead, before its message is
// acknowledged. What cannot be freed ends with its window.
func (s *shift) free(d *delivery) {
	if d.event == nil || s.o.Records == nil {
		return
	}
	suffix, ok := d.event.Extensions[uniqueExtension]
	if !ok || suffix == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
	defer cancel()
	if err := unique.New(s.o.Records).Done(ctx, d.event.Type+suffix, d.event.ID); err != nil {
		s.about(d).Error("cannot free the unique key of a task that ended; it is taken until its window is over", "error", err)
	}
}
