package respcache

import (
	"context"
	"hash/maphash"
	"net/http"
	"sync"
	"sync/atomic"
)

// A Cache keeps answers. All methods may be called at once.
type Cache struct {
	opt    atomic.Pointer[Options]
	seed   maphash.Seed
	shards [64]shard
	passes passes
	// encodings are forms of Accept-Encoding.
	encodings encodings
	coders    coders
	meter     meter
	disk      *disk // nil: none

	// filling is the bytes of bodies that are being received.
	filling atomic.Int64

	ctx  context.Context // of the cache's own requests; ends with Close
	stop context.CancelFunc
	wg   sync.WaitGroup // of them

	mu     sync.Mutex // guards what follows; taken after a shard's
	closed bool
	evict  eviction
	tags   map[string]map[*object]struct{}
}

// A shard holds the objects of some keys, and what is being fetched of them.
type shard struct {
	mu      sync.RWMutex
	objects map[string][]*object // by key; the newest first
	flights map[string]*flight   // that can be joined
	live    map[*flight]struct{} // all
}

// New makes a Cache. With Options.Dir it takes in what an earlier one left there.
func New(o Options) (*Cache, error) {
	o, err := o.normalize()
	if err != nil {
		return nil, err
	}
	if o.Site == nil {
		o.Site = siteOf
	}
	c := &Cache{seed: maphash.MakeSeed(), coders: newCoders(), tags: map[string]map[*object]struct{}{}}
	c.opt.Store(&o)
	c.ctx, c.stop = context.WithCancel(context.Background())
	for i := range c.shards {
		s := &c.shards[i]
		s.objects, s.flights, s.live = map[string][]*object{}, map[string]*flight{}, map[*flight]struct{}{}
	}
	if o.Dir != "" {
		if c.disk, err = openDisk(c); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Close ends the cache's own requests and finishes writing to disk.
func (c *Cache) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	c.mu.Unlock()
	c.stop()
	c.wg.Wait()
	if c.disk != nil {
		c.disk.close()
	}
	return nil
}

// own runs one of the cache's own requests, unless it is closed.
func (c *Cache) own(do func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.wg.Go(do)
	return true
}

// Handler puts the cache around an application.
func (c *Cache) Handler(application http.Handler) http.Handler {
	return &handler{c, application}
}

func (c *Cache) hash(key []byte) uint64 { return maphash.Bytes(c.seed, key) }

func (c *Cache) shardOf(hash uint64) *shard { return &c.shards[hash%uint64(len(c.shards))] }

func (c *Cache) shardAt(key string) *shard { return c.shardOf(maphash.String(c.seed, key)) }
