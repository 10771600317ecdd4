package s3records

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dayfly-dev/dayfly/records/driver"
)

// slack is how far a record's expiry may move without a new object that tells of
// it: so the rewriting of a record that is kept for days costs nothing more. Sweep
// meets it early and moves the object.
const slack = 4 * time.Hour

// Get implements driver.Store.
func (s *Store) Get(ctx context.Context, key string) (driver.Record, error) {
	ctx, cancel, err := s.begin(ctx)
	if err != nil {
		return driver.Record{}, err
	}
	defer cancel()
	o, etag, err := s.fetch(ctx, hashOf(key))
	if errors.Is(err, errNone) || err == nil && o.expired(time.Now()) {
		return driver.Record{}, driver.ErrNotFound
	}
	if err != nil {
		return driver.Record{}, err
	}
	return o.record(etag), nil
}

// Put implements driver.Store.
func (s *Store) Put(ctx context.Context, r driver.Record) (string, error) {
	ctx, cancel, err := s.begin(ctx)
	if err != nil {
		return "", err
	}
	defer cancel()
	seen, ok := state{etag: "*"}, true
	if r.Version != "" {
		seen, ok = parseVersion(r.Key, r.Version)
	}
	if !ok {
		return "", driver.ErrConflict
	}
	p := newWriting(r, seen)
	if err := s.announce(ctx, p); err != nil {
		return "", err
	}
	etag, replaced, err := s.write(ctx, p, r.Version == "")
	if err != nil {
		if errors.Is(err, driver.ErrConflict) && p.Entry != seen.entry {
			s.forgetMark(p.hash, p.state(""))
		}
		return "", err
	}
	if replaced.entry != p.Entry {
		s.forgetMark(p.hash, replaced)
	}
	return p.state(etag).version(r.Key), nil
}

// writing is a record on its way.
type writing struct {
	object
	hash  string
	seen  state     // what it is written on top of
	begun time.Time // before the objects that tell of it were written
}

// newWriting decides which of the objects that tell of the record seen tell of
// the new one too.
func newWriting(r driver.Record, seen state) *writing {
	p := &writing{hash: hashOf(r.Key), seen: seen, begun: time.Now(), object: object{value: r.Value,
		header: header{Key: r.Key, Write: rand.Text(), Mark: r.Mark}}}
	if r.Mark != "" {
		p.Entry = newEntry()
		if seen.mark == r.Mark {
			p.Entry = seen.entry
		}
	}
	if !r.Expires.IsZero() {
		p.Expires = r.Expires.Unix()
		p.Due = p.Expires
		if d := p.Expires - seen.due; seen.due != 0 && d >= 0 && d <= int64(slack/time.Second) {
			p.Due = seen.due
		}
	}
	return p
}

// announce writes the objects that tell of the record and are not there yet.
func (s *Store) announce(ctx context.Context, p *writing) error {
	var both errgroup.Group
	if p.Entry != p.seen.entry && p.Mark != "" {
		both.Go(func() error {
			_, err := s.put(ctx, s.markName(p.Mark, p.hash, p.Entry), nil, "")
			return err
		})
	}
	if p.Due != p.seen.due && p.Due != 0 {
		both.Go(func() error {
			_, err := s.put(ctx, s.expiryName(p.hash, p.Due), nil, "")
			return err
		})
	}
	return both.Wait()
}

// write writes the record in the state that p has seen, or, if it is to be made,
// in that of one that has expired. It returns what it replaced.
func (s *Store) write(ctx context.Context, p *writing, making bool) (etag string, replaced state, err error) {
	body, err := p.encode()
	if err != nil {
		return "", state{}, err
	}
	replaced = p.seen
	// Once more where one expired or was swept just now, and again if that
	// happens in between.
	for range 5 {
		etag, err = s.put(ctx, s.recordName(p.hash), body, replaced.etag, within(p.begun))
		if !errors.Is(err, errChanged) {
			return etag, replaced, err
		}
		if !making && !errors.Is(err, errRefusedFirst) {
			return "", state{}, driver.ErrConflict
		}
		o, now, err := s.fetch(ctx, p.hash)
		switch {
		case err == nil && o.Write == p.Write:
			return now, replaced, nil // refused, and done all the same
		case err != nil && !errors.Is(err, errNone):
			return "", state{}, err
		case !making, err == nil && !o.expired(time.Now()):
			return "", state{}, driver.ErrConflict
		case err != nil:
			replaced = state{etag: "*"}
		default:
			replaced = o.state(now)
		}
	}
	return "", state{}, fmt.Errorf("%w: others make and remove it again and again", driver.ErrConflict)
}
