package task

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/records"
)

// A member whose workers die each time is dead-lettered by the queue itself, and
// no worker is there to tell its batch. Nor can one be in time: a worker that
// dies with ten messages uses up a delivery of each, begun or not. So while
// batches of a queue are open, its dead-letter queue is looked through for their
// members, by one worker of the queue at a time.
//
// The letters stay: they are received and given back, and hidden meanwhile.
const (
	sweepPrefix  = "task/sweep/"
	sweepVersion = 1

	minSweepEach = 5 * time.Second
	maxSweepEach = time.Minute
	sweepAnyway  = 10 * time.Minute // though there are as many letters as before
	sweepHides   = time.Minute      // letters, if the worker dies
	sweepLimit   = 40 * time.Second // of one sweep; less than letters are hidden
	sweepReturn  = 20 * time.Second // of giving back what was looked at
)

// sweep is the record of the latest look.
type sweep struct {
	V       int    `json:"v"`
	At      string `json:"at"`      // when it began
	Letters int64  `json:"letters"` // that there were at its end; -1: it has not ended
}

// sweepLetters looks for dead members until ctx ends: about once each visibility
// timeout, at most each 5 s and at least each minute.
func (s *shift) sweepLetters(ctx context.Context) {
	each := min(max(s.o.Visibility, minSweepEach), maxSweepEach)
	for failures := 0; ; {
		if waitFor(ctx.Done(), each-each/10+rand.N(each/5)) {
			return
		}
		err := s.sweepOnce(ctx, each)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			failures = 0
		} else if failures++; failures == 1 || failures%60 == 0 {
			s.log.Warn("cannot look for members of batches among the dead letters; a batch stays open that has one there",
				"dead-letter queue", s.o.DeadLetter.Name(), "error", err, "failures", failures)
		}
	}
}

// sweepOnce looks if there is something to look for, and nobody just did.
func (s *shift) sweepOnce(ctx context.Context, each time.Duration) error {
	open, err := s.openBatches(ctx)
	if err != nil || len(open) == 0 {
		return err
	}
	n, err := s.countLetters(ctx)
	if err != nil || n == 0 {
		return err
	}
	mine, err := s.claimSweep(ctx, each, n)
	if err != nil || !mine {
		return err
	}
	if err := s.lookThrough(ctx, open); err != nil {
		return err
	}
	if n, err = s.countLetters(ctx); err == nil {
		err = s.noteSweep(ctx, n)
	}
	return err
}

// openBatches of this queue, by id.
func (s *shift) openBatches(ctx context.Context) (map[string]bool, error) {
	open := map[string]bool{}
	for r, err := range s.o.Records.All(ctx, batchMark) {
		if err != nil {
			return nil, err
		}
		if h, err := decodeHead(r); err == nil && h.Queue == s.q.Name() && h.Complete == "" {
			open[r.Key[len(batchPrefix):]] = true
		}
	}
	return open, nil
}

func (s *shift) countLetters(ctx context.Context) (int64, error) {
	d, err := s.o.DeadLetter.Describe(ctx)
	return d.Visible + d.Delayed + d.InFlight, err
}

// claimSweep has one worker look at a time, and none as long as nothing changed.
func (s *shift) claimSweep(ctx context.Context, each time.Duration, letters int64) (mine bool, err error) {
	_, err = s.o.Records.Update(ctx, sweepPrefix+s.q.Name(), func(old *records.Record) (records.Record, error) {
		if old != nil {
			last, err := decodeSweep(*old)
			if err != nil {
				return records.Record{}, err
			}
			at, _ := when(last.At) // checked
			wait := each / 2
			switch last.Letters {
			case -1:
				wait = sweepLimit + sweepReturn
			case letters:
				wait = sweepAnyway
			}
			if mine = time.Since(at) >= wait; !mine {
				return records.Record{}, records.ErrUnchanged
			}
		}
		mine = true
		return sweep{sweepVersion, stamp(time.Now()), -1}.record()
	})
	return mine && err == nil, err
}

// noteSweep says that a sweep ended.
func (s *shift) noteSweep(ctx context.Context, letters int64) error {
	_, err := s.o.Records.Update(ctx, sweepPrefix+s.q.Name(), func(*records.Record) (records.Record, error) {
		return sweep{sweepVersion, stamp(time.Now()), letters}.record()
	})
	return err
}

func (x sweep) record() (records.Record, error) {
	value, err := json.Marshal(x)
	return records.Record{Value: value, Expires: time.Now().Add(24 * time.Hour)}, err
}

func decodeSweep(r records.Record) (x sweep, err error) {
	if err = json.Unmarshal(r.Value, &x); err == nil && x.V != sweepVersion {
		err = fmt.Errorf("it has version %d, this program knows %d", x.V, sweepVersion)
	}
	if err == nil {
		_, err = when(x.At)
	}
	if err != nil {
		return x, fmt.Errorf("task: record %q cannot be read: %w", r.Key, err)
	}
	return x, nil
}

// lookThrough receives all letters, counts the members among them, and gives all
// back. Of a FIFO queue it sees the first ten of each group.
func (s *shift) lookThrough(ctx context.Context, open map[string]bool) (err error) {
	var seen []string // receipts
	defer func() { err = errors.Join(err, s.putBackLetters(ctx, seen)) }()
	for end := time.Now().Add(sweepLimit); time.Now().Before(end); {
		// A second, as SQS asks only some of its servers where it need not wait.
		got, err := s.o.DeadLetter.Receive(ctx, queue.ReceiveOptions{Max: receiveMax, Visibility: sweepHides, Wait: time.Second})
		if err != nil || len(got) == 0 {
			return err
		}
		for _, m := range got {
			seen = append(seen, m.Receipt)
			if err := s.countLetter(ctx, m, open); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("task: more than %d letters are not looked through in %v: redrive or delete some", len(seen), sweepLimit)
}

// countLetter counts a letter that is a member of an open batch. A worker that
// dead-lettered it did already, if it could.
func (s *shift) countLetter(ctx context.Context, letter queue.Message, open map[string]bool) error {
	event, err := Decode(letter.Body)
	if err != nil || event.Extensions[batchExtension] == "" {
		return nil
	}
	m, _, err := readBatch(event.Extensions[batchExtension])
	if err != nil || m == nil || !open[m.ID] {
		return nil
	}
	reason := letter.Attributes[AttributeError].String
	if reason == "" {
		reason = "the queue dead-lettered it: its runs ended without a result each time, as when a worker dies"
	}
	if err := s.count(ctx, m, letter.GroupID, errors.New(reason), false); err != nil && !errors.Is(err, errNoBatch) {
		return err
	}
	return nil
}

// putBackLetters makes letters visible again, also when ctx has ended.
func (s *shift) putBackLetters(ctx context.Context, receipts []string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sweepReturn)
	defer cancel()
	for len(receipts) > 0 {
		n := min(batchSize, len(receipts))
		changes := make([]queue.VisibilityChange, n)
		for i, receipt := range receipts[:n] {
			changes[i] = queue.VisibilityChange{Receipt: receipt}
		}
		receipts = receipts[n:]
		// A letter that was deleted meanwhile, or redriven, is not given back.
		if _, err := s.o.DeadLetter.ChangeVisibility(ctx, changes...); err != nil {
			return err
		}
	}
	return nil
}
