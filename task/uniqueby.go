package task

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/dayfly-dev/dayfly/task/unique"
)

// Extensions by which a program that only sends messages, in whatever language,
// asks for what Unique does: the key, 1–240 bytes of UTF-8 without control
// characters, and for how many seconds it is taken, 1–31,622,400. It cannot be
// told that a task is there already, so this is enforced where tasks run: of the
// messages of one task and key only the first that is to begin does, and those
// that are to begin within the window from then on are removed, as Duplicate.
const (
	UniqueBy  = "uniqueby"
	UniqueFor = "uniquefor"
)

// uniqueByWait is how long a run waits for an enqueuer that has claimed its key.
const uniqueByWait = 2 * time.Second

// isFirst takes the key that a message asks for, if it does, before its task
// begins. Else, where the task is not to begin, the message is seen to.
//
// A task that failed, and waits for its next attempt for longer than its window,
// may find that another of the key began meanwhile. It is removed then, too: what
// is to be done for the key is done by that one, or that one is a dead letter.
func (s *shift) isFirst(ctx context.Context, d *delivery) bool {
	call, asked, err := s.uniqueCall(d)
	if !asked {
		return true
	}
	if err == nil {
		waiting, cancel := context.WithTimeout(ctx, uniqueByWait)
		defer cancel()
		err = unique.New(s.o.Records).Take(waiting, call)
		if taken, ok := errors.AsType[*unique.TakenError](err); ok {
			s.setAside(d, func() Outcome { return s.duplicate(d, taken) })
			return false
		}
		if err != nil {
			err = Postpone(err, time.Second+rand.N(4*time.Second))
		}
	}
	if err != nil {
		s.conclude(d, err)
	}
	return err == nil
}

// uniqueCall is what a message asks for.
func (s *shift) uniqueCall(d *delivery) (call unique.Call, asked bool, err error) {
	e := d.event
	key, hasKey := e.Extensions[UniqueBy]
	window, hasWindow := e.Extensions[UniqueFor]
	if !hasKey && !hasWindow {
		return call, false, nil
	}
	seconds, errWindow := strconv.Atoi(window)
	most := int(unique.MaxWindow / time.Second)
	switch {
	case !hasKey || !hasWindow:
		err = fmt.Errorf("task: of the extensions %s and %s the message has one: it takes both", UniqueBy, UniqueFor)
	case key == "" || len(key) > MaxUniqueKey || !plain(key):
		err = fmt.Errorf("task: %s %.40q is not 1–%d bytes of UTF-8 without control characters", UniqueBy, key, MaxUniqueKey)
	case errWindow != nil || seconds < 1 || seconds > most:
		err = fmt.Errorf("task: %s is %.20q, not 1–%d seconds", UniqueFor, window, most)
	case CheckName(e.Type) != nil:
		err = fmt.Errorf("task: %s: %w", UniqueBy, CheckName(e.Type))
	}
	if err != nil {
		return call, true, Permanent(err)
	}
	if s.o.Records == nil {
		return call, true, fmt.Errorf("task %s: %s: %w (WorkerOptions.Records)", e.Type, UniqueBy, ErrNoRecords)
	}
	u := uniqueness{key: key}
	return unique.Call{Key: e.Type + u.suffix(nil), ID: e.ID, Queue: s.q.Name(), Window: time.Duration(seconds) * time.Second}, true, nil
}

// duplicate removes a message of whose key there is another. Arguments that are
// stored apart stay until they are swept: both messages may refer to them.
func (s *shift) duplicate(d *delivery, of *unique.TakenError) Outcome {
	s.about(d).Info("task removed: there is one of its unique key", "key", of.Key, "first", of.ID)
	s.settledFor(d, ErrDuplicate)
	s.deletes.add(d)
	return Duplicate
}
