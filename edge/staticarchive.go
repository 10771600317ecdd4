package edge

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/dayfly-dev/dayfly/edge/versions"
	"github.com/dayfly-dev/dayfly/edge/versions/archive"
)

const (
	// keepPatience is how long new versions wait for the archive before pages may
	// name them all the same: a site that starts without is better than none.
	keepPatience  = 30 * time.Second
	tendEvery     = time.Hour
	tendAgain     = time.Minute // after an error
	tendPatience  = 30 * time.Minute
	lookupsAtOnce = 16
	lookupsHeld   = 256
	lookupTime    = 10 * time.Second
	missingFor    = 5 * time.Second // that a version is not there is believed
	missingMost   = 10_000          // addresses
	awayFor       = 5 * time.Second // without asking again after an error
)

// keepNew has the archive keep all versions of now. What is there already costs
// nothing. The caller holds scanMu.
func (s *staticFiles) keepNew(first bool) {
	if s.opt.Archive == nil {
		return
	}
	ctx, cancel := context.WithTimeout(s.ctx, keepPatience)
	defer cancel()
	var err error
	if first {
		_, err = s.opt.Archive.Look(ctx)
	}
	if err == nil {
		err = s.opt.Archive.Put(ctx, s.archivable())
	}
	s.tell(err)
}

// archivable are the versions of now, those that refer to others after those.
func (s *staticFiles) archivable() []*versions.Version {
	list := slices.SortedFunc(maps.Values(s.versions), func(a, b *versions.Version) int { return cmp.Compare(a.Name, b.Name) })
	for _, v := range list {
		if len(v.Data) > archive.MaxSize {
			s.warn(v.Name, "static file too large for the archive: its old versions are not kept", "file", v.Name, "limit", archive.MaxSize)
		}
	}
	return list
}

// tell logs when the archive begins to fail, and when it works again.
func (s *staticFiles) tell(err error) {
	switch {
	case err != nil && s.ctx.Err() == nil && !s.troubled:
		s.log.Warn("static versions cannot be kept in the object store; this node serves its own files, and no other has those that are new; tried again each minute", "error", err)
	case err == nil && s.troubled:
		s.log.Info("static versions are kept in the object store again")
	}
	s.troubled = err != nil
}

// tender has versions that are served stay in the archive and others leave it.
func (s *staticFiles) tender() {
	timer := time.NewTimer(tendAgain)
	defer timer.Stop()
	next := time.Now().Add(tendEvery)
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-timer.C:
		}
		s.scanMu.Lock()
		due := s.troubled || time.Now().After(next)
		list := s.archivable()
		s.scanMu.Unlock()
		if due {
			s.tend(list)
			next = time.Now().Add(tendEvery + rand.N(tendEvery/10)) // nodes spread out
		}
		timer.Reset(tendAgain)
	}
}

func (s *staticFiles) tend(list []*versions.Version) {
	ctx, cancel := context.WithTimeout(s.ctx, tendPatience)
	defer cancel()
	deleted, err := s.opt.Archive.Look(ctx)
	if deleted > 0 {
		s.log.Info("deleted static versions that nobody has served for long", "versions", deleted)
	}
	if err == nil {
		err = s.opt.Archive.Put(ctx, list)
	}
	s.scanMu.Lock()
	defer s.scanMu.Unlock()
	s.tell(err)
}

// lookup bounds what strangers can have the archive asked.
type lookup struct {
	flight  singleflight.Group // requests for one address share one
	slots   chan struct{}
	held    atomic.Int64
	mu      sync.Mutex
	missing map[string]time.Time // until when an address is known not to be there
	away    time.Time            // until when the archive is not asked
}

// errBusy: nobody knows now whether there is such a version.
var errBusy = errors.New("archive not asked")

// serveArchived answers with a version that this node has never had, or has no
// longer.
func (s *staticFiles) serveArchived(x *exchange, address string) {
	if s.opt.Archive == nil || !versions.IsAddress(address) {
		x.page(http.StatusNotFound, pageMissing)
		return
	}
	f, err := s.fetch(x.r.Context(), address)
	switch {
	case err == nil:
		f.serve(x, immutable)
	case errors.Is(err, archive.ErrNotFound):
		x.page(http.StatusNotFound, pageMissing)
	default: // not 404: somebody could keep that
		x.failure = err.Error()
		x.page(http.StatusServiceUnavailable, pageText{"Not at hand", "This file cannot be had at the moment. Please try again in a few seconds."})
	}
}

// fetch takes a version out of the archive.
func (s *staticFiles) fetch(ctx context.Context, address string) (*staticFile, error) {
	l := &s.lookup
	if err := l.known(address); err != nil {
		return nil, err
	}
	defer l.held.Add(-1)
	if l.held.Add(1) > lookupsHeld {
		return nil, errBusy
	}
	result := l.flight.DoChan(address, func() (any, error) {
		if !s.begin() {
			return nil, errBusy
		}
		defer s.wg.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), lookupTime) // answered also if the files were replaced
		defer cancel()
		select {
		case l.slots <- struct{}{}:
			defer func() { <-l.slots }()
		case <-ctx.Done():
			return nil, errBusy
		}
		data, err := s.opt.Archive.Get(ctx, address)
		if err != nil {
			s.note(address, err)
			return nil, err
		}
		name, hash := versions.Parse(address)
		f := newStaticFile(name, address, hash, data)
		s.past.add(f)
		nudge(s.compress)
		return f, nil
	})
	select {
	case r := <-result:
		f, _ := r.Val.(*staticFile)
		return f, r.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// begin counts in a lookup that close has to wait for; false: it is closed.
func (s *staticFiles) begin() bool {
	s.lookup.mu.Lock()
	defer s.lookup.mu.Unlock()
	if s.ctx.Err() != nil {
		return false
	}
	s.wg.Add(1)
	return true
}

// known returns what was found out lately, or nil.
func (l *lookup) known(address string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if until, ok := l.missing[address]; ok && now.Before(until) {
		return archive.ErrNotFound
	}
	if now.Before(l.away) {
		return errBusy
	}
	return nil
}

// note keeps what was found out, and logs what is a fault of the archive.
func (s *staticFiles) note(address string, err error) {
	l := &s.lookup
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(err, archive.ErrNotFound) {
		if l.missing == nil || len(l.missing) >= missingMost {
			l.missing = map[string]time.Time{}
		}
		l.missing[address] = time.Now().Add(missingFor)
		return
	}
	if s.ctx.Err() != nil {
		return
	}
	s.log.Warn("static version cannot be read from the object store", "address", address, "error", err)
	if !errors.Is(err, archive.ErrDamaged) {
		l.away = time.Now().Add(awayFor)
	}
}
