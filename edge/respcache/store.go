package respcache

import (
	"hash/maphash"
	"net/http"
	"slices"
)

const (
	maxVariants = 64  // of one key; the oldest make room
	overhead    = 700 // bytes of an object beside its parts, about
)

// find returns the object at the key that answers r, the newest if there are
// several.
func (c *Cache) find(s *shard, key []byte, r *http.Request) *object {
	return c.findFor(s, key, func(name string) []string { return c.field(r, name) })
}

// findFor is find for a request with these fields.
func (c *Cache) findFor(s *shard, key []byte, field func(string) []string) *object {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, o := range s.objects[string(key)] {
		if c.matchesFields(o, field) {
			return o
		}
	}
	return nil
}

// matches reports whether the request has in the fields the object varies by
// what the one had that it was the answer to.
func (c *Cache) matches(o *object, r *http.Request) bool {
	return c.matchesFields(o, func(name string) []string { return c.field(r, name) })
}

func (c *Cache) matchesFields(o *object, field func(string) []string) bool {
	if len(o.vary) == 0 {
		return true
	}
	var room [256]byte
	b, ok := c.selectingOf(room[:0], field, o.vary)
	return ok && string(b) == o.variant
}

// insert puts an object in, in the place of those that would answer the same
// request, unless a purge since f began was for it. f, if any, ends with it.
func (c *Cache) insert(o *object, r *http.Request, f *flight) bool {
	s := c.shardAt(o.key)
	s.mu.Lock()
	ok := true
	if f != nil {
		ok = !f.purged(o.meta.Load().tags)
		s.end(f)
	}
	var out []*object
	kept := s.objects[o.key]
	c.mu.Lock()
	ok = ok && !c.closed
	if ok {
		kept = slices.DeleteFunc(slices.Clone(kept), func(old *object) bool {
			same := r != nil && c.matches(old, r) || slices.Equal(old.vary, o.vary) && old.variant == o.variant
			if same {
				out = append(out, old)
			}
			return same
		})
		kept = slices.Insert(kept, 0, o)
		if len(kept) > maxVariants {
			out = append(out, kept[maxVariants:]...)
			kept = slices.Clip(kept[:maxVariants])
		}
		s.objects[o.key] = kept
		c.tag(o)
		o.cost = o.memory()
		c.evict.add(o, c.id(o))
	}
	c.mu.Unlock()
	for _, old := range out {
		old.gone.Store(true)
	}
	s.mu.Unlock()
	c.forget(out)
	c.fit()
	return ok
}

// id names an object among the ghosts of the eviction.
func (c *Cache) id(o *object) uint64 {
	return maphash.String(c.seed, o.key) ^ maphash.String(c.seed, o.variant+"\x00")
}

// memory is what the object costs now.
func (o *object) memory() int64 {
	m := o.meta.Load()
	n := int64(overhead+len(o.key)+len(o.variant)) + 2*m.size
	for _, tag := range m.tags {
		n += int64(len(tag)) + 100
	}
	if b := o.body.Load(); b != nil {
		n += int64(cap(*b))
	}
	if list := m.lessons.Load(); list != nil {
		for i := range *list {
			n += int64(len((*list)[i].head)) + 100
		}
	}
	return n + o.coded.bytes()
}

// holds reports whether these bytes are the object's body, or a coded form of
// it, in memory.
func (o *object) holds(b []byte) bool {
	body := o.body.Load()
	return body != nil && (same(*body, b) || o.coded.holds(b))
}

// same reports whether two slices are the same bytes at the same place.
func same(a, b []byte) bool {
	return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0]
}

// recount notes what the object costs now. c.mu is held.
func (c *Cache) recount(o *object) {
	if q := o.queue; q != nil {
		cost := o.memory()
		q.bytes += cost - o.cost
		o.cost = cost
	}
}

// tag notes the object's keys. c.mu is held.
func (c *Cache) tag(o *object) {
	for _, tag := range o.meta.Load().tags {
		if c.tags[tag] == nil {
			c.tags[tag] = map[*object]struct{}{}
		}
		c.tags[tag][o] = struct{}{}
	}
}

// untag is its opposite.
func (c *Cache) untag(o *object, tags []string) {
	for _, tag := range tags {
		delete(c.tags[tag], o)
		if len(c.tags[tag]) == 0 {
			delete(c.tags, tag)
		}
	}
}

// remove takes objects out.
func (c *Cache) remove(objects ...*object) {
	for _, o := range objects {
		s := c.shardAt(o.key)
		s.mu.Lock()
		o.gone.Store(true)
		s.drop(o)
		s.mu.Unlock()
	}
	c.forget(objects)
}

func (s *shard) drop(o *object) {
	list := s.objects[o.key]
	i := slices.Index(list, o)
	switch {
	case i < 0:
	case len(list) == 1:
		delete(s.objects, o.key)
	default: // readers may hold the old list
		s.objects[o.key] = slices.Delete(slices.Clone(list), i, i+1)
	}
}

// forget ends the accounts of objects that are out.
func (c *Cache) forget(objects []*object) {
	if len(objects) == 0 {
		return
	}
	c.mu.Lock()
	for _, o := range objects {
		if o.queue != nil {
			o.queue.remove(o)
		}
		c.untag(o, o.meta.Load().tags)
	}
	c.mu.Unlock()
	if c.disk != nil {
		for _, o := range objects {
			c.disk.remove(o)
		}
	}
}

// fit has objects leave until memory is within its bound. Those that are on
// disk leave their bodies only.
func (c *Cache) fit() {
	var out []*object
	c.mu.Lock()
	for c.evict.bytes() > c.options().Size {
		o := c.evict.victim(c.options().Size, c.id)
		if o == nil {
			break
		}
		c.meter.evicted.Add(1)
		if o.body.Load() != nil && c.disk != nil && o.onDisk.written.Load() && !o.gone.Load() {
			o.body.Store(nil)
			o.coded.drop()
			o.forgetLessons()
			o.cost = o.memory()
			c.evict.shell.push(o)
			continue
		}
		out = append(out, o)
	}
	c.mu.Unlock()
	c.remove(out...)
}

// replace gives an object a new meta, unless it is gone, or a purge since f
// began was for it.
func (c *Cache) replace(o *object, m *meta, f *flight) bool {
	s := c.shardAt(o.key)
	s.mu.Lock()
	if o.gone.Load() || f != nil && f.purged(m.tags) {
		s.mu.Unlock()
		return false
	}
	c.mu.Lock()
	old := o.meta.Swap(m)
	c.untag(o, old.tags)
	c.tag(o)
	c.recount(o)
	c.mu.Unlock()
	s.mu.Unlock()
	if c.disk != nil {
		c.disk.update(o)
	}
	return true
}

// content returns the body of an object, from disk if it is only there; nil and
// false if it cannot be had any more.
func (c *Cache) content(o *object) ([]byte, bool) {
	if b := o.body.Load(); b != nil {
		return *b, true
	}
	if c.disk == nil {
		return nil, false
	}
	o.loading.Lock()
	defer o.loading.Unlock()
	if b := o.body.Load(); b != nil {
		return *b, true
	}
	b, ok := c.disk.load(o)
	if !ok {
		c.remove(o)
		return nil, false
	}
	c.meter.diskHits.Add(1)
	c.mu.Lock()
	if q := o.queue; q != nil {
		q.remove(o)
		o.body.Store(&b)
		o.cost = o.memory()
		c.evict.add(o, c.id(o))
	}
	c.mu.Unlock()
	c.fit()
	return b, true
}
