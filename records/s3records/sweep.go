package s3records

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// leeway is how long ago a record must have expired to be removed.
const leeway = time.Hour

// sweepPages bounds what one Sweep looks through, in pages of a thousand objects.
const sweepPages = 4

// Sweep implements driver.Store. It goes through the objects that tell of expiry
// from the oldest until one is not due. One that stands in the way (its record
// cannot be read) is passed over and told of at the end.
func (s *Store) Sweep(ctx context.Context, n int) (removed int, err error) {
	ctx, cancel, err := s.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer cancel()
	limit, from := time.Now().Add(-leeway), ""
	var bad error
	for range sweepPages {
		p, err := s.page(ctx, s.prefix+expiryFolder, from, 1000)
		if err != nil {
			return removed, errors.Join(bad, err)
		}
		due, all := p.due(limit)
		for len(due) > 0 && removed < n && ctx.Err() == nil {
			some := due[:min(len(due), abreast, n-removed)]
			due = due[len(some):]
			gone, err := s.sweep(ctx, some, limit)
			removed, bad = removed+gone, errors.Join(bad, err)
		}
		if !all || !p.more || removed == n || ctx.Err() != nil {
			break
		}
		from = p.names[len(p.names)-1]
	}
	return removed, errors.Join(ctx.Err(), bad)
}

// expiry is an object that tells when a record may have expired.
type expiry struct {
	due     int64
	hash    string
	settled bool
}

// due returns what is due of a page, and whether that is all of it.
func (p page) due(limit time.Time) (found []expiry, all bool) {
	for i, name := range p.names {
		due, hash, ok := parseExpiry(name)
		if !ok {
			continue
		}
		if due > limit.Unix() {
			return found, false
		}
		found = append(found, expiry{due, hash, p.settled(i)})
	}
	return found, true
}

func (s *Store) sweep(ctx context.Context, some []expiry, limit time.Time) (int, error) {
	var removed atomic.Int64
	errs := make([]error, len(some))
	var wg sync.WaitGroup
	for i, e := range some {
		wg.Go(func() {
			gone, err := s.sweepOne(ctx, e, limit)
			if gone {
				removed.Add(1)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	return int(removed.Load()), errors.Join(errs...)
}

// sweepOne looks what became of the record that e tells of.
func (s *Store) sweepOne(ctx context.Context, e expiry, limit time.Time) (removed bool, err error) {
	name := s.expiryName(e.hash, e.due)
	o, etag, err := s.fetch(ctx, e.hash)
	switch {
	case errors.Is(err, errNone), err == nil && o.Expires == 0:
		if !e.settled {
			return false, nil // it may be on its way
		}
		return false, s.remove(ctx, name, "")
	case err != nil:
		return false, err
	case !o.expired(limit): // it was written anew
		if _, err := s.put(ctx, s.expiryName(e.hash, o.Expires), nil, ""); err != nil {
			return false, err
		}
		return false, s.remove(ctx, name, "")
	}
	err = s.remove(ctx, s.recordName(e.hash), etag)
	if errors.Is(err, errChanged) {
		return false, nil // the next Sweep looks again
	}
	if err != nil {
		return false, err
	}
	if o.Mark != "" {
		err = s.remove(ctx, s.markName(o.Mark, e.hash, o.Entry), "")
	}
	if err = errors.Join(err, s.remove(ctx, name, "")); err != nil {
		return true, fmt.Errorf("the record is gone, but not what told of it: %w", err)
	}
	return true, nil
}
