// Package memrecords keeps records in this process: for tests, also in a bubble
// of testing/synctest. Nothing is durable and nothing is shared with other
// processes; all else is as the contract says.
package memrecords

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/records/driver"
)

// Store implements driver.Store.
type Store struct {
	mu      sync.Mutex
	records map[string]driver.Record // by key; nil when closed
}

var _ driver.Store = (*Store)(nil)

// New makes an empty store.
func New() *Store { return &Store{records: map[string]driver.Record{}} }

// lock takes the lock if the store may be used.
func (s *Store) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.records == nil {
		s.mu.Unlock()
		return driver.ErrClosed
	}
	return nil
}

// Get implements driver.Store.
func (s *Store) Get(ctx context.Context, key string) (driver.Record, error) {
	if err := s.lock(ctx); err != nil {
		return driver.Record{}, err
	}
	defer s.mu.Unlock()
	r, ok := s.records[key]
	if !ok || expired(r, time.Now()) {
		return driver.Record{}, driver.ErrNotFound
	}
	return clone(r), nil
}

// Put implements driver.Store.
func (s *Store) Put(ctx context.Context, r driver.Record) (string, error) {
	if err := s.lock(ctx); err != nil {
		return "", err
	}
	defer s.mu.Unlock()
	if old, ok := s.records[r.Key]; r.Version != old.Version && (r.Version != "" || ok && !expired(old, time.Now())) {
		return "", driver.ErrConflict
	}
	r = clone(r)
	r.Version = rand.Text()
	s.records[r.Key] = r
	return r.Version, nil
}

// Delete implements driver.Store.
func (s *Store) Delete(ctx context.Context, key, version string) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if old, ok := s.records[key]; !ok || old.Version != version {
		return driver.ErrConflict
	}
	delete(s.records, key)
	return nil
}

// List implements driver.Store; it goes on at the key from.
func (s *Store) List(ctx context.Context, mark, from string, n int) ([]driver.Record, string, error) {
	if err := s.lock(ctx); err != nil {
		return nil, "", err
	}
	defer s.mu.Unlock()
	now := time.Now()
	var found []driver.Record
	for _, r := range s.records {
		if r.Mark == mark && r.Key >= from && !expired(r, now) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b driver.Record) int { return cmp.Compare(a.Key, b.Key) })
	next := ""
	if len(found) > n {
		next, found = found[n].Key, found[:n]
	}
	for i := range found {
		found[i] = clone(found[i])
	}
	return found, next, nil
}

// Sweep implements driver.Store.
func (s *Store) Sweep(ctx context.Context, n int) (int, error) {
	if err := s.lock(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	before := time.Now().Add(-time.Hour)
	removed := 0
	maps.DeleteFunc(s.records, func(_ string, r driver.Record) bool {
		if removed == n || !expired(r, before) {
			return false
		}
		removed++
		return true
	})
	return removed, nil
}

// Close implements driver.Store; the records are gone.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = nil
	return nil
}

func expired(r driver.Record, now time.Time) bool {
	return !r.Expires.IsZero() && !r.Expires.After(now)
}

func clone(r driver.Record) driver.Record {
	r.Value = bytes.Clone(r.Value)
	return r
}
