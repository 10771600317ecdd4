package ledger

import (
	"context"
	"sync"

	"github.com/dayfly-dev/dayfly/records/driver"
)

// shaky is a store that fails when it is told to.
type shaky struct {
	driver.Store
	put func(n int, r driver.Record) (before, after error) // n from 1
	get func() error
	n   int
	mu  sync.Mutex // of all this, where the effect changes it
}

// breaks sets how writes fail; nil: they do not.
func (s *shaky) breaks(put func(n int, r driver.Record) (before, after error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put = put
}

func (s *shaky) nextPut(r driver.Record) (before, after error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	if s.put != nil {
		before, after = s.put(s.n, r)
	}
	return before, after
}

func (s *shaky) Put(ctx context.Context, r driver.Record) (string, error) {
	before, after := s.nextPut(r)
	if before != nil {
		return "", before
	}
	v, err := s.Store.Put(ctx, r)
	if err == nil && after != nil {
		return "", after
	}
	return v, err
}

func (s *shaky) Get(ctx context.Context, key string) (driver.Record, error) {
	if s.get != nil {
		if err := s.get(); err != nil {
			return driver.Record{}, err
		}
	}
	return s.Store.Get(ctx, key)
}
