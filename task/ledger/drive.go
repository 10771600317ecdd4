package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/dayfly-dev/dayfly/records"
)

const (
	// callTime bounds one request to the store.
	callTime = 10 * time.Second
	// claimTries is how often a store that fails is asked before anything is at
	// stake; the task is run again anyway.
	claimTries = 3
	// settleTime is how long the store is asked once SENDING may be in it: what
	// is not recorded then becomes UNKNOWN.
	settleTime = 30 * time.Second
)

// drive does what an attempt asks for.
type drive struct {
	*Ledger
	call    Call
	attempt attempt

	failures  int       // of the store, in a row
	since     time.Time // the first of them
	storeErr  error     // the last of them
	effectErr error     // what Effect or Prepare returned
}

// errStopped is why an effect did not begin.
var errStopped = errors.New("the run was stopped before the effect began")

// errExited is the error of an effect that called runtime.Goexit.
var errExited = errors.New("the effect's goroutine exited instead of returning")

func (d *drive) run(ctx context.Context) {
	a := &d.attempt
	for {
		switch a.next() {
		case actRead:
			d.read(ctx)
		case actWrite:
			d.write(ctx)
		case actPrepare:
			d.effectErr = d.prepare(ctx)
			a.prepared(cut(fmt.Sprint(d.effectErr), maxError), d.effectErr == nil, d.now())
		case actPerform:
			a.performed(d.perform(ctx), d.now())
		case actEnd:
			return
		}
	}
}

// read reads the record, and again while that fails and there is patience.
func (d *drive) read(ctx context.Context) {
	for {
		e, version, err := d.get(ctx)
		if err == nil {
			d.attempt.read(e, version, d.now())
			return
		}
		if !d.patient(ctx, err) {
			d.attempt.unreachable()
			return
		}
	}
}

func (d *drive) get(ctx context.Context) (Entry, string, error) {
	ctx, cancel := d.request(ctx)
	defer cancel()
	r, err := d.store.Get(ctx, prefix+d.call.Key)
	if errors.Is(err, records.ErrNotFound) {
		return Entry{}, "", nil
	}
	if err != nil {
		return Entry{}, "", err
	}
	e, err := decode(d.call.Key, r.Value)
	return e, r.Version, err
}

// write writes what the attempt wants.
func (d *drive) write(ctx context.Context) {
	version, err := d.put(ctx, d.attempt.want)
	switch {
	case err == nil:
		d.failures = 0
		d.attempt.wrote(wroteIt, version, d.now())
	case errors.Is(err, records.ErrConflict):
		d.attempt.wrote(wroteNot, "", d.now())
	case d.patient(ctx, err):
		d.attempt.wrote(wroteMaybe, "", d.now())
	default:
		d.attempt.wrote(wroteNoMore, "", d.now())
	}
}

func (d *drive) put(ctx context.Context, e Entry) (version string, err error) {
	value, err := e.encode()
	if err != nil {
		return "", err
	}
	ctx, cancel := d.request(ctx)
	defer cancel()
	return d.store.Put(ctx, records.Record{
		Key: prefix + e.Key, Value: value, Version: d.attempt.base,
		Expires: e.expires(d.o.Retention), Mark: e.mark(),
	})
}

// atStake is whether SENDING may be in the store: then an end of the context
// must not keep the outcome from being recorded.
func (d *drive) atStake() bool { return d.attempt.goal == goalBarrier || d.attempt.goal == goalRecord }

func (d *drive) request(ctx context.Context) (context.Context, context.CancelFunc) {
	if d.atStake() {
		ctx = context.WithoutCancel(ctx)
	}
	return context.WithTimeout(ctx, callTime)
}

// patient pauses after a failure of the store and reports whether to go on.
func (d *drive) patient(ctx context.Context, err error) bool {
	if d.failures == 0 {
		d.since = time.Now()
	}
	d.failures++
	d.storeErr = err
	_, unread := errors.AsType[*unreadableError](err)
	switch {
	case unread, errors.Is(err, records.ErrClosed):
		return false
	case d.atStake():
		ctx = context.WithoutCancel(ctx)
		if time.Since(d.since) > d.settle {
			return false
		}
	case d.failures >= claimTries:
		return false
	}
	pause := min(time.Second, 20*time.Millisecond<<min(d.failures, 10))
	t := time.NewTimer(pause/2 + rand.N(pause/2))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (d *drive) prepare(ctx context.Context) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", errStopped, context.Cause(ctx))
	}
	if d.call.Prepare == nil {
		return nil
	}
	return d.call.Prepare(ctx)
}

// perform runs the effect and renews the lease meanwhile.
func (d *drive) perform(ctx context.Context) outcome {
	if ctx.Err() != nil {
		d.effectErr = NotSent(fmt.Errorf("%w: %w", errStopped, context.Cause(ctx)))
		return outcome{fate: fateNotSent, why: cut(d.effectErr.Error(), maxError)}
	}
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	go func() { // ends with the effect, which is waited for
		r := result{err: errExited}
		defer func() {
			if v := recover(); v != nil {
				r.err = fmt.Errorf("the effect panicked: %v", v)
			}
			done <- r
		}()
		r.text, r.err = d.call.Effect(ctx)
	}()
	beat := time.NewTicker(d.o.Lease / 3)
	defer beat.Stop()
	for {
		select {
		case <-beat.C:
			d.renew(ctx)
		case r := <-done:
			d.effectErr = r.err
			switch {
			case r.err == nil:
				return outcome{fate: fateSent, result: cut(r.text, MaxResult)}
			case IsNotSent(r.err):
				return outcome{fate: fateNotSent, why: cut(r.err.Error(), maxError)}
			}
			return outcome{fate: fateUnknown, why: cut(r.err.Error(), maxError)}
		}
	}
}

// renew writes SENDING with a new lease. Where that fails it looks at what is
// there, and the next beat tries again.
func (d *drive) renew(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(d.o.Lease/6, time.Second))
	defer cancel()
	want, ok := d.attempt.renewal(d.now())
	if !ok {
		return
	}
	version, err := d.put(ctx, want)
	if err == nil {
		d.attempt.renewed(want, version)
		return
	}
	e, version, err := d.get(ctx)
	if err != nil {
		d.o.Log.Warn("cannot renew the lease of an effect", "key", d.call.Key, "error", err)
		return
	}
	if e.Owner != d.attempt.owner || e.State != StateSending {
		d.o.Log.Warn("an effect under way was declared otherwise; its end will be recorded all the same",
			"key", d.call.Key, "state", e.State)
	}
	d.attempt.renewed(e, version)
}
