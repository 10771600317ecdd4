package limit

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/records"
)

// Usage is how much of a limit is used, as its record says.
type Usage struct {
	Name string
	// Terms are those of the worker that wrote last; zero: it did not say.
	Terms Terms
	// Used are the places that workers have, Workers is how many have some.
	Used, Workers int
	// Free is how many tasks may begin at once by the rate, 0–Burst; Next is when
	// one may, in the past or the future. Without a rate both are zero.
	Free int
	Next time.Time
	// Waiting are tasks that wait in their workers, which they do for some two
	// seconds, each worker's as of its last write.
	Waiting int
	// Back is when the last of those that were sent away is to come again; zero:
	// none is away.
	Back time.Time
}

// List returns up to n (1–1000) limits that were used within the last hour, in no
// particular order, and where to go on, as records.Store.List does. A record that
// cannot be read is left out, and in the error, which is then beside the others.
func List(ctx context.Context, s *records.Store, from string, n int) (all []Usage, next string, err error) {
	found, next, err := s.List(ctx, mark, from, n)
	if err != nil {
		return nil, "", err
	}
	now := time.Now()
	var broken []error
	for _, r := range found {
		name, ok := strings.CutPrefix(r.Key, prefix)
		if !ok {
			continue
		}
		a, err := decode(r.Value)
		if err != nil {
			broken = append(broken, err)
			continue
		}
		all = append(all, a.usage(name, now))
	}
	return all, next, errors.Join(broken...)
}

// Get returns how much of one limit is used, else records.ErrNotFound.
func Get(ctx context.Context, s *records.Store, name string) (Usage, error) {
	r, err := s.Get(ctx, prefix+name)
	if err != nil {
		return Usage{}, err
	}
	a, err := decode(r.Value)
	return a.usage(name, time.Now()), err
}

func (a *account) usage(name string, now time.Time) Usage {
	u := Usage{Name: name, Terms: a.terms}
	for _, h := range a.holders {
		if !now.After(h.until) {
			u.Used += h.n
			u.Workers++
		}
	}
	for _, h := range a.waiting {
		if !now.After(h.until) {
			u.Waiting += h.n
		}
	}
	if a.back.After(now) {
		u.Back = a.back
	}
	if every := a.terms.interval(); every > 0 {
		tolerance := every * time.Duration(a.terms.Burst-1)
		u.Next = a.tat.Add(-tolerance)
		if ahead := a.tat.Sub(now); ahead <= 0 {
			u.Free = a.terms.Burst
		} else {
			u.Free = max(0, a.terms.Burst-int((ahead+every-1)/every))
		}
	}
	return u
}
