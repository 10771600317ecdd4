package task

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/records"
)

const (
	minKeep       = time.Minute
	maxKeep       = 366 * 24 * time.Hour
	progressEvery = time.Second
)

// Keep has the state, progress and result of each call of the task kept on
// record, for retention (1 min–366 days) after the latest word: see StatusOf. It
// takes WorkerOptions.Records, and costs a read and two writes a run, and a write
// a second while Progress is told.
//
// That a run succeeded is on record before its message is deleted; a run whose
// success cannot be recorded has failed, and is tried again.
func Keep(retention time.Duration) Option {
	return func(s *settings) error {
		if retention < minKeep || retention > maxKeep {
			return fmt.Errorf("retention %v is not in %v–%v", retention, minKeep, maxKeep)
		}
		s.keep = retention
		return nil
	}
}

// ErrNotKept: the task has no Keep, so there is no place for a result.
var ErrNotKept = errors.New("task: a result is set by a task without task.Keep, or outside of its run")

// keeper writes the status of one run. Only the run that took the record over
// last writes it: one that lost its lease comes too late.
type keeper struct {
	store     *records.Store
	key       string
	retention time.Duration

	writing sync.Mutex // around each write
	version string     // of the record as this run wrote it
	begun   bool       // the record was this run's once

	mu    sync.Mutex
	entry entry
	timer *time.Timer // of the next write of progress; nil: none
	wrote time.Time   // progress
	over  bool
}

type keeperKey struct{}

// keeperOf returns the keeper for a delivery; nil if its task keeps nothing.
func (s *shift) keeperOf(d *delivery, keep time.Duration) *keeper {
	if keep == 0 || s.o.Records == nil {
		return nil
	}
	return &keeper{store: s.o.Records, key: statusPrefix + d.run.ID, retention: keep, entry: entry{
		V: statusVersion, State: Running, Task: d.run.Task, Queue: d.run.Queue, Owner: rand.Text(),
		Sent: d.msg.Sent.UnixMilli(), Attempt: d.run.Attempt, Started: stamp(time.Now())}}
}

// errSuperseded: a newer run has the record, or the task was done.
var errSuperseded = errors.New("task: the record is another run's")

// begin takes the record over, unless it is of a newer message or attempt, or
// says that the task is done.
func (k *keeper) begin(ctx context.Context) error {
	k.writing.Lock()
	defer k.writing.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	return k.update(ctx, k.mayTake)
}

// mayTake: a newer message, or a later attempt of this one, is not overwritten,
// nor is that the task is done.
func (k *keeper) mayTake(old entry, found bool) bool {
	newer := old.Sent > k.entry.Sent || old.Sent == k.entry.Sent && old.Attempt > k.entry.Attempt
	return !found || old.Owner == k.entry.Owner || old.State != Finished && !newer
}

// update writes the entry where may allows it on what is there.
func (k *keeper) update(ctx context.Context, may func(entry, bool) bool) error {
	barred := false
	r, err := k.store.Update(ctx, k.key, func(old *records.Record) (records.Record, error) {
		var was entry
		if old != nil {
			was, _ = decodeEntry(*old) // what cannot be read is overwritten
		}
		if barred = !may(was, old != nil); barred {
			return records.Record{}, records.ErrUnchanged
		}
		return k.record()
	})
	if err == nil && barred {
		err = errSuperseded
	}
	if err == nil {
		k.version, k.begun = r.Version, true
	}
	return err
}

func (k *keeper) record() (records.Record, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.entry.At = stamp(time.Now())
	value, err := json.Marshal(k.entry)
	return records.Record{Key: k.key, Value: value, Expires: time.Now().Add(k.retention)}, err
}

// write puts the entry on record if this run still has it. The version makes one
// write of it; where that fails in whatever way, it is read who has it.
func (k *keeper) write(ctx context.Context) error {
	k.writing.Lock()
	defer k.writing.Unlock()
	if k.version != "" {
		r, err := k.record()
		if err != nil {
			return err
		}
		r.Version = k.version
		version, err := k.store.Put(ctx, r)
		if err == nil {
			k.version = version
			return nil
		}
		k.version = ""
	}
	if !k.begun { // the store did not answer then, or the message was not run
		return k.update(ctx, k.mayTake)
	}
	return k.update(ctx, func(old entry, found bool) bool { return !found || old.Owner == k.entry.Owner })
}

// progress has a write made at most once a second.
func (k *keeper) progress(done float64, text string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over {
		return
	}
	k.entry.Done, k.entry.Text = done, clipped(text, maxProgressText)
	if k.timer == nil {
		k.timer = time.AfterFunc(max(0, progressEvery-time.Since(k.wrote)), k.flush)
	}
}

func (k *keeper) flush() {
	k.mu.Lock()
	if k.over {
		k.mu.Unlock()
		return
	}
	k.wrote = time.Now()
	k.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
	defer cancel()
	before := k.told()
	err := k.write(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.timer = nil
	told := [2]any{k.entry.Done, k.entry.Text}
	if err == nil && told != before && !k.over {
		k.timer = time.AfterFunc(max(0, progressEvery-time.Since(k.wrote)), k.flush)
	}
}

func (k *keeper) told() [2]any {
	k.mu.Lock()
	defer k.mu.Unlock()
	return [2]any{k.entry.Done, k.entry.Text}
}

// stop has nothing more written.
func (k *keeper) stop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.over = true
	if k.timer != nil {
		k.timer.Stop()
	}
}

// end puts the last word of a run on record. An error says that it is not.
func (k *keeper) end(state State, failure error, result json.RawMessage) error {
	k.stop()
	k.mu.Lock()
	k.entry.State, k.entry.Error = state, ""
	if failure != nil {
		k.entry.Error = clipped(failure.Error(), maxErrorText)
	}
	k.entry.Result = result
	k.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
	defer cancel()
	var err error
	for try := range settleTries {
		if err = k.write(ctx); err == nil || errors.Is(err, errSuperseded) {
			return nil
		}
		if try < settleTries-1 {
			<-time.After(50 * time.Millisecond << try)
		}
	}
	return err
}

// Progress says how far the run of ctx is, as a number of the task's own choice
// and a text of up to 1 KiB, for StatusOf. It may be called as often as one
// likes: about one record a second is written. Without Keep, and outside of a
// run, it does nothing.
func Progress(ctx context.Context, done float64, text string) {
	if k, ok := ctx.Value(keeperKey{}).(*keeper); ok && !math.IsNaN(done) && !math.IsInf(done, 0) {
		k.progress(done, text)
	}
}

// SetResult has v, as JSON of at most 128 KiB, kept as the result of the run of
// ctx if that succeeds; the last call counts. A task in a chain may set one for
// the next without Keep.
func SetResult(ctx context.Context, v any) error {
	set, ok := ctx.Value(resultKey{}).(*result)
	if !ok {
		return ErrNotKept
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("task: result: %w", err)
	}
	if len(text) > MaxResult {
		return Permanent(fmt.Errorf("task: the result has %d bytes of JSON, more than %d: keep the bulk in a bucket", len(text), MaxResult))
	}
	set.mu.Lock()
	defer set.mu.Unlock()
	set.value = text
	return nil
}

type resultKey struct{}

// result of a run, as it was set.
type result struct {
	mu    sync.Mutex
	value json.RawMessage
}

func (r *result) get() json.RawMessage {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.value
}
