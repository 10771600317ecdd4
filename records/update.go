package records

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Update tries so often, with pauses of random length between that double up
// to half a second: some four seconds together on average, enough for dozens of
// writers of one record in S3, where a write takes about 50 ms.
const (
	updateTries = 24
	firstPause  = 2 * time.Millisecond
	lastPause   = 500 * time.Millisecond
)

// Update reads the record of a key, has f make the next one of it, and writes
// that; where someone else wrote meanwhile it begins anew after a pause. f is
// given nil if there is no record. It may be called several times and must do
// nothing but compute. Key and Version of what it returns are set by Update.
// An error of f ends Update, which returns it as it is, except ErrUnchanged:
// then nothing is written, and Update returns the record as it was read, or
// the zero Record if there was none.
//
// Update returns the record as written, with its new version. It fails with
// ErrConflict when 24 times in a row others wrote first. After an error that is
// Ambiguous what f made may have been written: only who knows what it means can
// tell by reading.
func (s *Store) Update(ctx context.Context, key string, f func(old *Record) (Record, error)) (Record, error) {
	for try := 1; ; try++ {
		old, err := s.Get(ctx, key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return Record{}, err
		}
		r, err := next(old, err == nil, f)
		if errors.Is(err, ErrUnchanged) {
			return old, nil
		} else if err != nil {
			return Record{}, err
		}
		r.Key, r.Version = key, old.Version
		if r, err = s.put(ctx, r); !errors.Is(err, ErrConflict) {
			return r, err
		}
		if try == updateTries {
			return Record{}, fmt.Errorf("%w, and did so %d times in a row: too many write this one record", err, try)
		}
		if err := pause(ctx, try); err != nil {
			return Record{}, &Error{Op: "update", Key: key, Err: err, untried: true}
		}
	}
}

// next gives f a copy, so that f may change it.
func next(old Record, found bool, f func(*Record) (Record, error)) (Record, error) {
	if !found {
		return f(nil)
	}
	return f(&old)
}

// pause waits a random time, the longer the more tries there were.
func pause(ctx context.Context, try int) error {
	t := time.NewTimer(rand.N(min(lastPause, firstPause<<try)))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
