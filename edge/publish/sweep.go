package publish

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
	"golang.org/x/sync/errgroup"

	"github.com/dayfly-dev/dayfly/records"
)

// errStaging ends a sweep: somebody stages.
var errStaging = errors.New("somebody stages")

// Sweep deletes contents and lists that no kept release names, and returns how
// many objects that was. While somebody stages or sweeps it does nothing.
func (s *Store) Sweep(ctx context.Context) (deleted int, err error) {
	lease := &Lease{ID: rand.Text(), Until: time.Now().Add(sweepTime).UTC()}
	ctx, cancel := context.WithDeadline(ctx, lease.Until.Add(-2*skew))
	defer cancel()
	st, err := s.update(ctx, func(st *State) error {
		now := time.Now()
		if st.Sweeping != nil && st.Sweeping.ID != lease.ID && now.Before(st.Sweeping.Until.Add(skew)) {
			return errStaging
		}
		live := st.Staging[:0]
		for _, l := range st.Staging {
			if now.Before(l.Until.Add(skew)) {
				live = append(live, l)
			}
		}
		if st.Staging = live; len(live) > 0 {
			return errStaging
		}
		st.Sweeping = lease
		return nil
	})
	if errors.Is(err, errStaging) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	deleted, err = s.sweep(ctx, st)
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, end := s.update(patience, func(st *State) error {
		if st.Sweeping == nil || st.Sweeping.ID != lease.ID {
			return records.ErrUnchanged
		}
		st.Sweeping = nil
		return nil
	})
	return deleted, errors.Join(err, end)
}

// sweep goes by the state as it was when the lease was taken: since then releases
// can only have become fewer.
func (s *Store) sweep(ctx context.Context, st *State) (deleted int, err error) {
	named := map[string]bool{}
	for _, e := range st.Releases {
		pages, err := s.Pages(ctx, e)
		if err != nil {
			return 0, fmt.Errorf("nothing is deleted: %w", err)
		}
		named[s.listKey(e.List)] = true
		for _, p := range pages {
			named[s.contentKey(p.Hash)] = true
		}
	}
	g, deleting := errgroup.WithContext(ctx)
	g.SetLimit(requests)
	for _, prefix := range []string{s.opt.Prefix + "contents/", s.opt.Prefix + "lists/"} {
		err := s.each(deleting, prefix, func(o *blob.ListObject) error {
			if named[o.Key] {
				return nil
			}
			deleted++
			g.Go(func() error {
				if err := s.opt.Bucket.Delete(deleting, o.Key); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
					return fmt.Errorf("delete %s: %w", o.Key, err)
				}
				return nil
			})
			return deleting.Err()
		})
		if err != nil {
			return deleted, errors.Join(err, g.Wait())
		}
	}
	return deleted, g.Wait()
}
