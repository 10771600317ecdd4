package s3records

import (
	"context"
	"errors"
	"time"

	"github.com/dayfly-dev/dayfly/records/driver"
)

// Delete implements driver.Store.
func (s *Store) Delete(ctx context.Context, key, version string) error {
	ctx, cancel, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	seen, ok := parseVersion(key, version)
	if !ok {
		return driver.ErrConflict
	}
	hash := hashOf(key)
	if err := s.remove(ctx, s.recordName(hash), seen.etag); errors.Is(err, errChanged) {
		return driver.ErrConflict
	} else if err != nil {
		return err
	}
	s.forgetMark(hash, seen)
	return nil
}

// At most forgettable objects are removed in the background at once, each within
// forgetPatience. Those left out, or whose removal fails, List removes later.
const (
	forgettable    = 64
	forgetPatience = 5 * time.Second
)

// forgetMark removes the object that told of a record's mark, without having the
// caller wait. No later record is told of by an object of that name.
func (s *Store) forgetMark(hash string, was state) {
	if was.entry != "" {
		s.forget(s.markName(was.mark, hash, was.entry))
	}
}

func (s *Store) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.forgetting == forgettable {
		return
	}
	s.forgetting++
	s.background.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), forgetPatience)
		defer cancel()
		_ = s.remove(ctx, name, "")
		s.mu.Lock()
		defer s.mu.Unlock()
		s.forgetting--
	})
}
