package tasktest

import (
	"context"
	"time"

	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/driver"
	"github.com/dayfly-dev/dayfly/records/memrecords"
)

// clocked is a store whose records expire by the queue's clock. Within, an expiry
// is a time of that clock; outside, one of the real clock, which the queue's has
// left behind.
type clocked struct {
	driver.Store
	m *memory
}

func (m *memory) records() *records.Store { return records.New(clocked{memrecords.New(), m}) }

// ahead is by how much the queue's clock is ahead of the real one.
func (m *memory) ahead() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.turned
}

// outside is a record as who reads it sees it; false if it expired.
func outside(r driver.Record, ahead time.Duration) (driver.Record, bool) {
	if r.Expires.IsZero() {
		return r, true
	}
	r.Expires = r.Expires.Add(-ahead)
	return r, r.Expires.After(time.Now())
}

func (s clocked) Get(ctx context.Context, key string) (driver.Record, error) {
	r, err := s.Store.Get(ctx, key)
	if err != nil {
		return r, err
	}
	r, ok := outside(r, s.m.ahead())
	if !ok {
		return driver.Record{}, driver.ErrNotFound
	}
	return r, nil
}

func (s clocked) Put(ctx context.Context, r driver.Record) (version string, err error) {
	ahead := s.m.ahead()
	if r.Version == "" { // what expired by the queue's clock counts as none
		if old, err := s.Store.Get(ctx, r.Key); err == nil {
			if _, ok := outside(old, ahead); !ok {
				r.Version = old.Version
			}
		}
	}
	if !r.Expires.IsZero() {
		r.Expires = r.Expires.Add(ahead)
	}
	return s.Store.Put(ctx, r)
}

func (s clocked) List(ctx context.Context, mark, from string, n int) ([]driver.Record, string, error) {
	found, next, err := s.Store.List(ctx, mark, from, n)
	ahead := s.m.ahead()
	live := found[:0]
	for _, r := range found {
		if r, ok := outside(r, ahead); ok {
			live = append(live, r)
		}
	}
	return live, next, err
}
