package cert

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/dayfly-dev/dayfly/records"
)

const (
	storageMark = "certificates"
	storageKey  = "certificates/" // before the keys of what is kept
	lockKey     = "certificate-lock/"
	// A lock whose holder died is free after lockLife; a holder that lives renews it.
	lockLife  = time.Minute
	lockRenew = lockLife / 4
	lockPause = time.Second // between looks at a lock that another has
)

// storage keeps what certmagic keeps in records: doc/formats/certificates.md.
type storage struct {
	records *records.Store
	ctx     context.Context // of renewing locks
	wg      sync.WaitGroup

	mu   sync.Mutex
	held map[string]*lock // by name
}

// kept is the value of a record.
type kept struct {
	Modified time.Time `json:"modified"`
	Value    []byte    `json:"value"`
}

// A lock is held by this process.
type lock struct {
	end  context.CancelFunc
	done chan struct{} // closed when it is renewed no more
}

func newStorage(ctx context.Context, r *records.Store) *storage {
	return &storage{records: r, ctx: ctx, held: map[string]*lock{}}
}

// close waits for what renews locks, whose ctx has ended, and gives them back.
func (s *storage) close() {
	s.wg.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	s.mu.Lock()
	names := slices.Collect(maps.Keys(s.held))
	s.mu.Unlock()
	for _, name := range names {
		_ = s.Unlock(ctx, name) // it ends by itself otherwise
	}
}

// Store implements certmagic.Storage.
func (s *storage) Store(ctx context.Context, key string, value []byte) error {
	text, err := json.Marshal(kept{Modified: time.Now().UTC(), Value: value})
	if err != nil {
		return err
	}
	_, err = s.records.Update(ctx, storageKey+key, func(*records.Record) (records.Record, error) {
		return records.Record{Value: text, Mark: storageMark}, nil
	})
	return err
}

func (s *storage) load(ctx context.Context, key string) (kept, error) {
	var k kept
	r, err := s.records.Get(ctx, storageKey+key)
	if errors.Is(err, records.ErrNotFound) {
		return k, fs.ErrNotExist
	}
	if err != nil {
		return k, err
	}
	if err := json.Unmarshal(r.Value, &k); err != nil {
		return k, fmt.Errorf("record %q does not hold what belongs to a certificate: %w", r.Key, err)
	}
	return k, nil
}

// Load implements certmagic.Storage.
func (s *storage) Load(ctx context.Context, key string) ([]byte, error) {
	k, err := s.load(ctx, key)
	return k.Value, err
}

// below returns the keys at and below a path; "" is all.
func (s *storage) below(ctx context.Context, path string) (found []records.Record, err error) {
	for r, err := range s.records.All(ctx, storageMark) {
		if err != nil {
			return nil, err
		}
		r.Key = strings.TrimPrefix(r.Key, storageKey)
		if path == "" || r.Key == path || strings.HasPrefix(r.Key, path+"/") {
			found = append(found, r)
		}
	}
	return found, nil
}

// Delete implements certmagic.Storage.
func (s *storage) Delete(ctx context.Context, key string) error {
	found, err := s.below(ctx, strings.Trim(key, "/"))
	if err != nil {
		return err
	}
	for _, r := range found {
		err := s.records.Delete(ctx, storageKey+r.Key, r.Version)
		if err != nil && !errors.Is(err, records.ErrConflict) && !errors.Is(err, records.ErrNotFound) { // then another wrote it, or removed it
			return err
		}
	}
	return nil
}

// Exists implements certmagic.Storage.
func (s *storage) Exists(ctx context.Context, key string) bool {
	if _, err := s.load(ctx, key); err == nil {
		return true
	}
	found, err := s.below(ctx, strings.Trim(key, "/"))
	return err == nil && len(found) > 0
}

// List implements certmagic.Storage.
func (s *storage) List(ctx context.Context, path string, recursive bool) ([]string, error) {
	path = strings.Trim(path, "/")
	found, err := s.below(ctx, path)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, r := range found {
		rest := strings.TrimPrefix(strings.TrimPrefix(r.Key, path), "/")
		first, _, deeper := strings.Cut(rest, "/")
		if deeper && !recursive {
			names[strings.TrimPrefix(path+"/"+first, "/")] = true
			continue
		}
		names[r.Key] = true
	}
	if len(names) == 0 {
		return nil, fs.ErrNotExist
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// Stat implements certmagic.Storage.
func (s *storage) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	k, err := s.load(ctx, key)
	if err == nil {
		return certmagic.KeyInfo{Key: key, Modified: k.Modified, Size: int64(len(k.Value)), IsTerminal: true}, nil
	}
	if errors.Is(err, fs.ErrNotExist) && s.Exists(ctx, key) {
		return certmagic.KeyInfo{Key: key}, nil
	}
	return certmagic.KeyInfo{}, err
}

// Lock implements certmagic.Locker.
func (s *storage) Lock(ctx context.Context, name string) error {
	t := time.NewTicker(lockPause)
	defer t.Stop()
	for {
		taken, err := s.TryLock(ctx, name)
		if taken || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
	}
}

// TryLock implements certmagic.TryLocker. The lock is a record that expires; a
// goroutine puts that off until Unlock or close.
func (s *storage) TryLock(ctx context.Context, name string) (bool, error) {
	owner := []byte(rand.Text())
	r := records.Record{Key: lockKey + name, Value: owner, Expires: time.Now().Add(lockLife)}
	version, err := s.records.Put(ctx, r)
	if errors.Is(err, records.ErrConflict) {
		return false, nil
	}
	if records.Ambiguous(err) { // it may be ours: it ends by itself
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r.Version = version
	run, end := context.WithCancel(s.ctx)
	l := &lock{end: end, done: make(chan struct{})}
	s.mu.Lock()
	s.held[name] = l
	s.mu.Unlock()
	s.wg.Go(func() {
		defer close(l.done)
		s.renew(run, r)
	})
	return true, nil
}

// renew keeps a lock until ctx ends, then gives it back. It gives up when the
// lock is lost.
func (s *storage) renew(ctx context.Context, r records.Record) {
	t := time.NewTicker(lockRenew)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			back, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			_ = s.records.Delete(back, r.Key, r.Version) // else it ends by itself
			return
		case <-t.C:
		}
		r.Expires = time.Now().Add(lockLife)
		version, err := s.records.Put(ctx, r)
		switch {
		case err == nil:
			r.Version = version
		case errors.Is(err, records.ErrConflict):
			now, errGet := s.records.Get(ctx, r.Key)
			if errGet != nil || string(now.Value) != string(r.Value) {
				return // another has it
			}
			r.Version = now.Version // an earlier renewal of ours that was not known to have succeeded
		}
	}
}

// Unlock implements certmagic.Locker.
func (s *storage) Unlock(_ context.Context, name string) error {
	s.mu.Lock()
	l := s.held[name]
	delete(s.held, name)
	s.mu.Unlock()
	if l == nil {
		return fmt.Errorf("lock %q is not held", name)
	}
	l.end()
	<-l.done
	return nil
}
