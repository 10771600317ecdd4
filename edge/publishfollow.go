package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/dayfly-dev/dayfly/edge/publish"
	"github.com/dayfly-dev/dayfly/edge/respcache"
)

const (
	stateTime   = 10 * time.Second // for a look at the state
	reportEvery = time.Minute
	askedTime   = 10 * time.Minute // that a release stays wanted after a preview
	// mostPurged is how many paths are purged one by one: with more, all that is in
	// the response cache goes, which is sooner done than compared.
	mostPurged = 5000
)

// follow looks at what is live, again and again.
func (p *publisher) follow() {
	timer := time.NewTicker(p.opt.Poll)
	defer timer.Stop()
	for {
		p.look(p.ctx) //nolint:errcheck // it is noted
		select {
		case <-p.ctx.Done():
			return
		case <-timer.C:
		}
	}
}

// look reads the state and does what it asks for. One look at a time: what was
// read first must not be taken for the newer.
func (p *publisher) look(ctx context.Context) error {
	p.lookMu.Lock()
	defer p.lookMu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, stateTime)
	defer cancel()
	state, err := p.opt.Store.State(ctx)
	p.mu.Lock()
	if err != nil {
		if p.trouble == "" && ctx.Err() == nil {
			p.e.log.Warn("which release is live cannot be read; what was live stays", "error", err)
		}
		p.trouble = err.Error()
		p.changed()
		p.mu.Unlock()
		return err
	}
	p.trouble = ""
	if !state.Same(p.state) {
		p.state = state
		p.forget()
	}
	p.mu.Unlock()
	p.settle()
	nudge(p.work)
	return nil
}

// changed wakes who waits. The lock is held.
func (p *publisher) changed() {
	close(p.seen)
	p.seen = make(chan struct{})
	nudge(p.told)
}

// await waits until done is true, which is asked without the lock.
func (p *publisher) await(ctx context.Context, done func() bool) error {
	for {
		p.mu.Lock()
		seen := p.seen
		p.mu.Unlock()
		if done() {
			return nil
		}
		select {
		case <-seen:
		case <-ctx.Done():
			return ctx.Err()
		case <-p.ctx.Done():
			return ErrClosed
		}
	}
}

// forget drops releases from memory that there is no reason for. The lock is held.
func (p *publisher) forget() {
	want := p.wanted()
	now := p.now.Load()
	for id, r := range p.loaded {
		if !slices.Contains(want, id) && (now.live == nil || now.live.ID != id) || !p.is(r) {
			delete(p.loaded, id)
		}
	}
	for id := range p.failed {
		if !slices.Contains(want, id) {
			delete(p.failed, id)
		}
	}
}

// is reports whether a release in memory is the one of its name in the state.
func (p *publisher) is(r *release) bool {
	e, ok := p.state.Find(r.ID)
	return ok && e.List == r.List
}

// wanted are the releases to have in memory, the most urgent first: what is live,
// what somebody looks at, what was staged last, what was live before. The lock is
// held.
func (p *publisher) wanted() []string {
	var want []string
	add := func(id string) {
		if _, ok := p.state.Find(id); ok && !slices.Contains(want, id) {
			want = append(want, id)
		}
	}
	add(p.state.Live)
	for id, at := range p.asked {
		if time.Since(at) < askedTime {
			add(id)
		} else {
			delete(p.asked, id)
		}
	}
	if e, ok := p.state.Latest(); ok {
		add(e.ID)
	}
	if id, ok := p.state.Before(); ok {
		add(id)
	}
	return want
}

// settle has requests be answered from what is live, if that is loaded. What it
// takes away is purged while nothing else can be kept in its place, and what it
// adds or changes when it is there.
func (p *publisher) settle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.changed()
	if p.state == nil {
		return
	}
	was := p.now.Load()
	next := &publishedNow{state: p.state}
	if p.state.Live != "" {
		if next.live = p.loaded[p.state.Live]; next.live == nil {
			next.live, next.missing = was.live, was.missing // whole as it was
			p.now.Store(next)
			return
		}
	}
	if was.live == next.live && p.settled {
		p.now.Store(next)
		return
	}
	d := publish.Compare(listOf(was.live), listOf(next.live))
	first := !p.settled
	p.settled = true
	if first && p.remembered() != p.state.Live {
		p.e.purgePublished(nil) // switched while this edge was away
	} else if !first {
		p.e.purgePublished(d.Removed)
	}
	p.now.Store(next)
	if !first {
		p.e.purgePublished(append(d.Added, d.Changed...))
		p.e.log.Info("another release is live", "release", p.state.Live, "before", nameOf(was.live), "added", len(d.Added), "changed", len(d.Changed), "removed", len(d.Removed))
	}
	p.remember(p.state.Live)
}

func listOf(r *release) []publish.Page {
	if r == nil {
		return nil
	}
	return r.list
}

func nameOf(r *release) string {
	if r == nil {
		return ""
	}
	return r.ID
}

// purgePublished purges paths with every query, nil everything.
func (e *Edge) purgePublished(paths []string) {
	if e.setup().cache == nil || paths != nil && len(paths) == 0 {
		return
	}
	if paths == nil || len(paths) > mostPurged {
		e.Purge(respcache.Purge{All: true}) //nolint:errcheck // it is well formed
		return
	}
	targets := make([]string, 0, len(paths))
	for _, path := range paths {
		targets = append(targets, publishedTarget(path))
	}
	for some := range slices.Chunk(targets, 1000) {
		if _, err := e.Purge(respcache.Purge{Paths: some}); err != nil {
			e.log.Error("the response cache is not purged path by path but whole", "error", err)
			e.Purge(respcache.Purge{All: true}) //nolint:errcheck // it is well formed
		}
	}
}

type rememberedRelease struct {
	Live string `json:"live"`
}

// remembered is what was live when this edge ended.
func (p *publisher) remembered() string {
	var r rememberedRelease
	if text, err := os.ReadFile(p.opt.File); err == nil {
		_ = json.Unmarshal(text, &r) // what cannot be read is no release
	}
	return r.Live
}

func (p *publisher) remember(id string) {
	if p.opt.File == "" || p.e.setup().Cache == nil {
		return
	}
	text, _ := json.Marshal(rememberedRelease{id})
	if err := replaceFile(p.opt.File, append(text, '\n'), true); err != nil {
		p.e.log.Warn("which release is live is not noted; the response cache begins anew at the next start", "error", err)
	}
}

// why says what keeps the edge from where it should be, "" if nothing does.
func (p *publisher) why() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.problem()
}

// problem is why with the lock held.
func (p *publisher) problem() string {
	if p.trouble != "" {
		return p.trouble
	}
	if p.state == nil {
		return "what is live was not read yet"
	}
	if f, ok := p.failed[p.state.Live]; ok && nameOf(p.now.Load().live) != p.state.Live {
		return fmt.Sprintf("%s is live and cannot be loaded: %v", p.state.Live, f.err)
	}
	return ""
}

func (p *publisher) stats() PublishStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.now.Load()
	s := PublishStats{Name: p.opt.Name, Live: nameOf(n.live), Ready: !n.missing, Loaded: []string{}, Warm: []string{}, Reads: p.opt.Store.Reads(), Error: p.problem()}
	counted := map[*publishedContent]bool{}
	for id, r := range p.loaded {
		s.Loaded = append(s.Loaded, id)
		if r.warm.Load() {
			s.Warm = append(s.Warm, id)
		}
		for _, c := range r.contents {
			if !counted[c] {
				counted[c] = true
				s.Bytes += c.size()
			}
		}
	}
	slices.Sort(s.Loaded)
	slices.Sort(s.Warm)
	return s
}

// reporter tells the others what this edge does: when that changes, and now and
// then.
func (p *publisher) reporter() {
	timer := time.NewTimer(reportEvery)
	defer timer.Stop()
	var last PublishStats
	for due := true; ; {
		if s := p.stats(); due || s.Live != last.Live || s.Error != last.Error || !slices.Equal(s.Loaded, last.Loaded) || !slices.Equal(s.Warm, last.Warm) {
			ctx, cancel := context.WithTimeout(p.ctx, stateTime)
			err := p.opt.Store.Report(ctx, publish.Presence{Edge: s.Name, Live: s.Live, Loaded: s.Loaded, Warm: s.Warm, Error: s.Error, At: time.Now().UTC()})
			cancel()
			if err != nil && !errors.Is(err, context.Canceled) {
				p.e.log.Debug("this edge is not listed by `dayfly publish status`", "error", err)
			}
			last = s
		}
		select {
		case <-p.told:
			due = false
		case <-timer.C:
			due = true
			timer.Reset(reportEvery)
		case <-p.ctx.Done():
			return
		}
	}
}
