package edge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dayfly-dev/dayfly/edge/publish"
)

// PreviewHeader tells the application that a request is not of the public: its
// value is "stage" where the answer is to be published, else the release that is
// looked at. The edge removes it from every client's request.
const PreviewHeader = "Dayfly-Preview"

// ErrNoPublishing: the edge publishes nothing.
var ErrNoPublishing = errors.New("edge: there is nothing published here")

// Publishing has the edge answer from the release that is live, before the
// application is asked.
type Publishing struct {
	// Store is where releases are. Required.
	Store *publish.Store
	// Name tells this edge from others, such as "web-1:8080". Required.
	Name string
	// File is where the edge keeps which release it answered from, for its response
	// cache when it starts again. Required if that is on disk.
	File string
	// Poll is the time between looks at what is live. Default 1 s.
	Poll time.Duration
	// Memory bounds what is in memory of releases that are not live, for previews
	// and for a switch that waits for nothing, in bytes. Default 512 MiB.
	Memory int64
	// Patience bounds how long New waits for the release that is live to be loaded.
	// Afterwards pages are answered with 503 until it is. Default 30 s.
	Patience time.Duration
}

func (o Publishing) normalize() (Publishing, error) {
	if o.Store == nil || o.Name == "" {
		return o, errors.New("edge: Publishing needs a Store and a Name")
	}
	if o.Poll == 0 {
		o.Poll = time.Second
	}
	if o.Memory == 0 {
		o.Memory = 512 << 20
	}
	if o.Patience == 0 {
		o.Patience = 30 * time.Second
	}
	if o.Poll < time.Millisecond || o.Memory < 0 || o.Patience < 0 {
		return o, fmt.Errorf("edge: Publishing.Poll is %v, Memory %d, Patience %v; none may be negative, and Poll is at least 1ms", o.Poll, o.Memory, o.Patience)
	}
	return o, nil
}

// A publisher follows what is live.
type publisher struct {
	e   *Edge
	opt Publishing
	now atomic.Pointer[publishedNow]

	work chan struct{} // holds one: there may be something to load or to compress
	told chan struct{} // holds one: something is to be reported
	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup

	lookMu  sync.Mutex
	mu      sync.Mutex
	seen    chan struct{} // closed and replaced when anything below changes
	state   *publish.State
	loaded  map[string]*release
	asked   map[string]time.Time // releases that somebody wants to see, and when
	failed  map[string]failedLoad
	trouble string // why the state cannot be read
	settled bool   // the response cache knows what is live
	looked  time.Time
}

// publishedNow is what requests are answered from; it is replaced, not changed.
type publishedNow struct {
	state   *publish.State
	live    *release // nil: none
	missing bool     // there is one, and it could not be loaded yet
}

type failedLoad struct {
	err   error
	again time.Time
	wait  time.Duration
}

func (e *Edge) openPublishing() error {
	given := e.setup().Publish
	if given == nil {
		return nil
	}
	o, err := given.normalize()
	if err != nil {
		return err
	}
	p := &publisher{e: e, opt: o, work: make(chan struct{}, 1), told: make(chan struct{}, 1), seen: make(chan struct{}),
		loaded: map[string]*release{}, asked: map[string]time.Time{}, failed: map[string]failedLoad{}}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.now.Store(&publishedNow{state: &publish.State{}, missing: true})
	e.published = p
	p.wg.Go(p.follow)
	p.wg.Go(p.loader)
	p.wg.Go(p.reporter)
	patience, cancel := context.WithTimeout(p.ctx, o.Patience)
	defer cancel()
	if p.await(patience, func() bool { return !p.now.Load().missing }) != nil {
		e.log.Error("the release that is live cannot be loaded; pages are answered with 503 until it is", "error", p.why())
	}
	return nil
}

func (p *publisher) close() {
	p.stop()
	p.wg.Wait()
	patience, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = p.opt.Store.Leave(patience, p.opt.Name) // else its record expires
}

// servePublished answers from a release, and reports whether it did.
func (e *Edge) servePublished(x *exchange) bool {
	p := e.published
	if strings.HasPrefix(x.r.URL.Path, PreviewPath) {
		p.servePreview(x)
		return true
	}
	n := p.now.Load()
	if cookie := previewCookieOf(x.r); cookie != "" {
		if id, _, ok := readPreviewCookie(n.state, cookie); ok {
			return p.answerPreview(x, id)
		}
	}
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		return false
	}
	if n.missing {
		if x.setup.HealthPath != "/" && x.r.URL.Path == x.setup.HealthPath {
			return false
		}
		x.fail("the release that is live is not loaded", http.StatusServiceUnavailable, pageBusy)
		return true
	}
	if n.live == nil {
		return false
	}
	page := n.live.find(x.r)
	if page == nil {
		return false
	}
	x.release = n.live.ID
	page.serve(x)
	return true
}

// PublishStats is what the edge does with releases.
type PublishStats struct {
	Name string `json:"name"`
	// Live is the release requests are answered from, "" for none.
	Live string `json:"live"`
	// Ready is false while the release that is live could not be loaded at all.
	Ready bool `json:"ready"`
	// Loaded are the releases in memory, Warm those with compressed forms, too.
	Loaded []string `json:"loaded"`
	Warm   []string `json:"warm"`
	// Bytes are those of contents in memory, with compressed forms.
	Bytes int64 `json:"bytes"`
	// Reads counts objects read from the bucket.
	Reads uint64 `json:"reads"`
	// Error is why the edge is not where it should be.
	Error string `json:"error,omitempty"`
}

// PublishStats returns false if the edge publishes nothing.
func (e *Edge) PublishStats() (PublishStats, bool) {
	if e.published == nil {
		return PublishStats{}, false
	}
	return e.published.stats(), true
}

// ContentType is what a file of that name and content is served as.
func ContentType(name string, data []byte) string { return contentTypeOf(name, data) }

// PublishLook has the edge look at what is live now, rather than with the next
// poll. It returns when requests are answered from that, if it is in memory.
func (e *Edge) PublishLook(ctx context.Context) error {
	if e.published == nil {
		return ErrNoPublishing
	}
	return e.published.look(ctx)
}

// PublishWarm has a release be loaded, with the compressed forms of its contents,
// and returns when that is done; tell is called with how many pages are whole of
// how many. An error of loading ends it: the edge tries again by itself.
func (e *Edge) PublishWarm(ctx context.Context, id string, tell func(done, total int)) error {
	p := e.published
	if p == nil {
		return ErrNoPublishing
	}
	if err := p.look(ctx); err != nil {
		return err
	}
	p.mu.Lock()
	_, known := p.state.Find(id)
	p.asked[id] = time.Now()
	delete(p.failed, id) // now, not when it is due
	p.mu.Unlock()
	if !known {
		return fmt.Errorf("%s: %w", id, publish.ErrNotFound)
	}
	nudge(p.work)
	var failed error
	err := p.await(ctx, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		r := p.loaded[id]
		failed = p.failed[id].err
		if r != nil && tell != nil {
			tell(len(r.list)-int(r.left.Load()), len(r.list))
		}
		return failed != nil || r != nil && r.warm.Load()
	})
	return errors.Join(err, failed)
}
