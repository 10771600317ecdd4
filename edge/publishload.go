package edge

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dayfly-dev/dayfly/edge/publish"
)

const (
	loadsAtOnce = 16
	loadTime    = 10 * time.Minute // for one release
	firstRetry  = time.Second
	lastRetry   = 30 * time.Second
)

// loader loads releases and compresses contents, one after the other, so that it
// takes one core at most from serving. What is live comes before all else.
func (p *publisher) loader() {
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-p.work:
		}
		for p.ctx.Err() == nil && p.job() {
		}
	}
}

// job does the most urgent thing, and reports whether there was any.
func (p *publisher) job() bool {
	if e, ok := p.toLoad(); ok {
		p.load(e)
		return true
	}
	r, c := p.toCompress()
	if c == nil {
		return false
	}
	c.compress()
	r.addForms()
	p.mu.Lock()
	p.changed()
	p.mu.Unlock()
	return true
}

// toLoad returns the release to load next. What is not live is left out where
// memory is short, unless somebody looks at it.
func (p *publisher) toLoad() (publish.Entry, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state == nil {
		return publish.Entry{}, false
	}
	var held int64
	for id, r := range p.loaded {
		if id != p.state.Live {
			held += r.Bytes
		}
	}
	for _, id := range p.wanted() {
		e, _ := p.state.Find(id)
		if p.loaded[id] != nil || time.Now().Before(p.failed[id].again) {
			continue
		}
		if _, asked := p.asked[id]; id != p.state.Live && !asked && held+e.Bytes > p.opt.Memory {
			continue
		}
		return e, true
	}
	return publish.Entry{}, false
}

func (p *publisher) load(e publish.Entry) {
	ctx, cancel := context.WithTimeout(p.ctx, loadTime)
	defer cancel()
	r, err := p.read(ctx, e)
	p.mu.Lock()
	if err != nil {
		f := p.failed[e.ID]
		if f.err == nil && p.ctx.Err() == nil {
			p.e.log.Warn("a release cannot be loaded; tried again", "release", e.ID, "live", e.ID == p.state.Live, "error", err)
		}
		f.err, f.wait = err, min(max(2*f.wait, firstRetry), lastRetry)
		f.again = time.Now().Add(f.wait)
		p.failed[e.ID] = f
		p.changed()
		p.mu.Unlock()
		return
	}
	delete(p.failed, e.ID)
	p.loaded[e.ID] = r
	p.mu.Unlock()
	p.settle()
}

// read brings a release into memory. Contents that another has are shared with
// it, and not read.
func (p *publisher) read(ctx context.Context, e publish.Entry) (*release, error) {
	list, err := p.opt.Store.Pages(ctx, e)
	if err != nil {
		return nil, err
	}
	known := p.known()
	contents := make(map[string]*publishedContent, len(list))
	var mu sync.Mutex
	g, reading := errgroup.WithContext(ctx)
	g.SetLimit(loadsAtOnce)
	for i := range list {
		page := &list[i]
		mu.Lock()
		_, have := contents[page.Hash]
		if !have {
			contents[page.Hash] = known[page.Hash] // nil until it is read
		}
		mu.Unlock()
		if have || known[page.Hash] != nil {
			continue
		}
		g.Go(func() error {
			data, err := p.opt.Store.Content(reading, page.Hash)
			if err != nil {
				return fmt.Errorf("%s: %w", page.Key(), err)
			}
			c := &publishedContent{}
			c.forms[identity].Store(&data)
			mu.Lock()
			contents[page.Hash] = c
			mu.Unlock()
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return newRelease(e, list, contents), nil
}

// known are the contents in memory.
func (p *publisher) known() map[string]*publishedContent {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := map[string]*publishedContent{}
	releases := []*release{p.now.Load().live}
	for _, r := range p.loaded {
		releases = append(releases, r)
	}
	for _, r := range releases {
		if r == nil {
			continue
		}
		for hash, c := range r.contents {
			all[hash] = c
		}
	}
	return all
}

// toCompress returns a content that is not compressed yet, of the most urgent
// release that has one.
func (p *publisher) toCompress() (*release, *publishedContent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state == nil {
		return nil, nil
	}
	for _, id := range p.wanted() {
		r := p.loaded[id]
		if r == nil || r.warm.Load() {
			continue
		}
		return r, r.contents[r.list[r.pending[0]].Hash]
	}
	return nil, nil
}

// compress adds the forms that are smaller than the content itself.
func (c *publishedContent) compress() {
	if c.done.Load() {
		return
	}
	plain := c.plain()
	for e, form := range [encodings]func([]byte) []byte{gzipped: toGzip, zstandard: toZstd, brotlied: toBrotli} {
		if form == nil {
			continue
		}
		if data := form(plain); len(data) < len(plain) {
			c.forms[e].Store(&data)
		}
	}
	c.done.Store(true)
}
