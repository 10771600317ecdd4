package publish

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dayfly-dev/dayfly/records"
)

// A Source is what a release is made of. It calls add for each page with its
// content, several at once if it likes; Hash and Size are filled in by add. An
// error of add is to be returned.
type Source func(ctx context.Context, add func(p Page, content []byte) error) error

// Staging is what is asked of Stage.
type Staging struct {
	From, By, Note string
	Source         Source
	// Add has the release begin with the pages of the one that is live; Remove are
	// paths of those to leave out, with what is below where they end with a slash.
	Add    bool
	Remove []string
	// Progress is told how many pages there are so far, one call at a time.
	// Default: nothing.
	Progress func(pages int)
}

// Staged is what Stage did.
type Staged struct {
	Entry
	Uploaded      int   `json:"uploaded"` // contents that were not there
	UploadedBytes int64 `json:"uploaded_bytes"`
}

// Stage makes a release and keeps it; nobody sees it yet. Only contents that the
// bucket does not have are written. Old releases beyond those to keep go. One that
// ends on its way leaves contents that the next sweep deletes.
func (s *Store) Stage(ctx context.Context, o Staging) (Staged, error) {
	lease := Lease{ID: rand.Text(), Until: time.Now().Add(stageTime).UTC()}
	ctx, cancel := context.WithDeadline(ctx, lease.Until.Add(-skew))
	defer cancel()
	st, err := s.begin(ctx, lease)
	if err != nil {
		return Staged{}, err
	}
	staged, err := s.stage(ctx, o, st, lease)
	if err != nil {
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		// If that fails it ends by itself.
		_, _ = s.update(patience, func(st *State) error { return st.release(lease.ID) })
	}
	return staged, err
}

// begin takes the lease of a stage. A sweep under way is waited for.
func (s *Store) begin(ctx context.Context, lease Lease) (*State, error) {
	for {
		st, err := s.update(ctx, func(st *State) error {
			if st.Sweeping != nil && time.Now().Before(st.Sweeping.Until) {
				return ErrSweeping
			}
			st.Sweeping = nil
			st.Staging = slices.DeleteFunc(st.Staging, func(l Lease) bool { return l.ID == lease.ID || time.Now().After(l.Until.Add(skew)) })
			st.Staging = append(st.Staging, lease)
			if len(st.Key) == 0 {
				st.Key = newKey()
			}
			return nil
		})
		if !errors.Is(err, ErrSweeping) {
			return st, err
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return nil, fmt.Errorf("publish: %w: %w", ErrSweeping, ctx.Err())
		}
	}
}

// release gives up a lease of a stage.
func (st *State) release(id string) error {
	before := len(st.Staging)
	st.Staging = slices.DeleteFunc(st.Staging, func(l Lease) bool { return l.ID == id })
	if len(st.Staging) == before {
		return records.ErrUnchanged
	}
	return nil
}

func (s *Store) stage(ctx context.Context, o Staging, st *State, lease Lease) (Staged, error) {
	pages, base, err := s.base(ctx, o, st)
	if err != nil {
		return Staged{}, err
	}
	up := upload{s: s, o: o, pages: pages}
	if up.present, err = s.present(ctx); err != nil {
		return Staged{}, err
	}
	if err := up.run(ctx); err != nil {
		return Staged{}, err
	}
	all := make([]Page, 0, len(up.pages))
	for _, p := range up.pages {
		all = append(all, p)
	}
	if len(all) == 0 {
		return Staged{}, errors.New("there is nothing to publish: no page is left")
	}
	if err := checkPages(all); err != nil {
		return Staged{}, err
	}
	data, hash, err := encodeList(all)
	if err != nil {
		return Staged{}, err
	}
	if err := s.put(ctx, s.listKey(hash), "application/json", data); err != nil {
		return Staged{}, err
	}
	e := Entry{At: time.Now().UTC().Truncate(time.Millisecond), By: o.By, From: o.From, Note: o.Note, Pages: len(all), Bytes: sizeOf(all), List: hash, Base: base, Lease: lease.ID}
	if err := s.register(ctx, &e); err != nil {
		return Staged{}, err
	}
	return Staged{e, up.uploaded, up.bytes}, nil
}

// base is what the release begins with.
func (s *Store) base(ctx context.Context, o Staging, st *State) (map[string]Page, string, error) {
	pages := map[string]Page{}
	if !o.Add {
		return pages, "", nil
	}
	e, ok := st.Find(st.Live)
	if !ok {
		return nil, "", errors.New("nothing is live to add to: stage a whole release first")
	}
	list, err := s.Pages(ctx, e)
	if err != nil {
		return nil, "", err
	}
	for _, p := range list {
		if !slices.ContainsFunc(o.Remove, func(r string) bool { return below(p.Path, r) }) {
			pages[p.Key()] = p
		}
	}
	return pages, e.ID, nil
}

// below reports whether a path is one that is named, or below it.
func below(path, named string) bool {
	if named == "" || named[len(named)-1] != '/' {
		return path == named
	}
	return len(path) >= len(named) && path[:len(named)] == named
}

// register puts the release into the state, under the next number.
func (s *Store) register(ctx context.Context, e *Entry) error {
	_, err := s.update(ctx, func(st *State) error {
		for _, r := range st.Releases {
			if r.Lease == e.Lease { // an earlier try did it
				*e = r
				return records.ErrUnchanged
			}
		}
		if !slices.ContainsFunc(st.Staging, func(l Lease) bool { return l.ID == e.Lease }) {
			return fmt.Errorf("publish: %w: stage it again", ErrExpired)
		}
		e.ID = fmt.Sprintf("r%d", st.Next)
		st.Next++
		st.Releases = append(st.Releases, *e)
		_ = st.release(e.Lease)
		st.prune(s.opt.Keep)
		return nil
	})
	return err
}

// prune drops the oldest releases beyond those to keep.
func (st *State) prune(keep int) {
	before, _ := st.Before()
	n := 0
	for i := len(st.Releases) - 1; i >= 0; i-- {
		if id := st.Releases[i].ID; id == st.Live || id == before {
			continue
		}
		if n++; n > keep {
			st.Releases = slices.Delete(st.Releases, i, i+1)
		}
	}
}

func sizeOf(pages []Page) int64 {
	var n int64
	seen := map[string]bool{}
	for _, p := range pages {
		if !seen[p.Hash] {
			seen[p.Hash] = true
			n += p.Size
		}
	}
	return n
}

// An upload gathers the pages of a Source.
type upload struct {
	s       *Store
	o       Staging
	present map[string]int64

	mu       sync.Mutex
	pages    map[string]Page
	own      int // pages of the source
	uploaded int
	bytes    int64
	named    map[string]bool
}

func (u *upload) run(ctx context.Context) error {
	u.named = map[string]bool{}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(requests)
	err := u.o.Source(ctx, func(p Page, content []byte) error {
		put, err := u.note(&p, content)
		if err != nil || !put {
			return err
		}
		g.Go(func() error { return u.s.put(ctx, u.s.contentKey(p.Hash), "application/octet-stream", content) })
		return ctx.Err()
	})
	if e := g.Wait(); e != nil { // what made the source end, if anything did
		return e
	}
	return err
}

// note adds a page, and reports whether its content is to be written.
func (u *upload) note(p *Page, content []byte) (put bool, err error) {
	p.Hash, p.Size = hashOf(content), int64(len(content))
	if err := p.check(); err != nil {
		return false, fmt.Errorf("%s: %w", p.Key(), err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.named[p.Key()] {
		return false, fmt.Errorf("%s is there twice", p.Key())
	}
	u.named[p.Key()] = true
	u.pages[p.Key()] = *p
	u.own++
	if len(u.pages) > MaxPages {
		return false, fmt.Errorf("more than %d pages: a release has at most that many", MaxPages)
	}
	if u.o.Progress != nil {
		u.o.Progress(u.own)
	}
	if n, ok := u.present[p.Hash]; ok && n == p.Size {
		return false, nil
	}
	u.present[p.Hash] = p.Size
	u.uploaded++
	u.bytes += p.Size
	if u.bytes > MaxBytes {
		return false, fmt.Errorf("more than %d MiB: a release has at most that much", MaxBytes>>20)
	}
	return true, nil
}
