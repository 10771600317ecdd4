package respcache

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// A Purge names what is to be purged: what has one of the Keys, one of the
// Paths or one of the Prefixes, or everything with All; with Host only of what
// is of that host.
type Purge struct {
	// Keys are surrogate keys, as answers name them in Surrogate-Key or Cache-Tag.
	Keys []string `json:"keys,omitempty"`
	// Paths are paths as requests have them, "/a%20b": with a query that address
	// alone, without one the path with any query. With a host,
	// "https://www.example.com/a", of that host only, whatever the scheme.
	Paths []string `json:"paths,omitempty"`
	// Prefixes are what a path begins with: "/blog/". They may have a host too.
	Prefixes []string `json:"prefixes,omitempty"`
	// Host is a name without port.
	Host string `json:"host,omitempty"`
	// All is everything, or everything of Host.
	All bool `json:"all,omitempty"`
	// Soft makes stale instead of removing: what may be served stale still is, and
	// what has a validator is confirmed by it.
	Soft bool `json:"soft,omitempty"`
}

const (
	maxSelectors = 1000 // of one purge
	// maxSpoilt bounds the purges kept with a fetch; one with more is not stored.
	maxSpoilt = 100
)

// Check says what is wrong with a purge.
func (p *Purge) Check() error {
	n := len(p.Keys) + len(p.Paths) + len(p.Prefixes)
	if p.All && n > 0 {
		return errors.New("all together with keys, paths or prefixes: name one or the other")
	}
	if n == 0 && !p.All {
		return errors.New("nothing is named: give keys, paths or prefixes, or all")
	}
	if n > maxSelectors {
		return fmt.Errorf("%d keys, paths and prefixes: at most %d at once", n, maxSelectors)
	}
	for _, key := range p.Keys {
		if key == "" {
			return errors.New("an empty key")
		}
	}
	for _, list := range [][]string{p.Paths, p.Prefixes} {
		for _, path := range list {
			if _, target := hostAndTarget(path); !strings.HasPrefix(target, "/") {
				return fmt.Errorf("%q is neither a path that begins with / nor an address", path)
			}
		}
	}
	return nil
}

func hostAndTarget(s string) (host, target string) {
	if strings.HasPrefix(s, "/") {
		return "", s
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", ""
	}
	return strings.ToLower(u.Hostname()), u.RequestURI()
}

// matches reports whether the purge is for what has this key and these tags.
func (p *Purge) matches(key string, tags []string) bool {
	host, target := splitKey(key)
	if p.Host != "" && !strings.EqualFold(p.Host, strings.Trim(host, "[]")) {
		return false
	}
	if p.All {
		return true
	}
	for _, k := range p.Keys {
		for _, tag := range tags {
			if k == tag {
				return true
			}
		}
	}
	of := func(h string) bool { return h == "" || h == strings.Trim(host, "[]") }
	path, _, _ := strings.Cut(target, "?")
	for _, s := range p.Paths {
		if h, t := hostAndTarget(s); of(h) && (t == target || t == path) {
			return true
		}
	}
	for _, s := range p.Prefixes {
		if h, t := hostAndTarget(s); of(h) && strings.HasPrefix(target, t) {
			return true
		}
	}
	return false
}

// Purge purges, and returns how many answers it was for. When it returns, no
// later request is answered with any of them.
func (c *Cache) Purge(p Purge) (int, error) {
	if err := p.Check(); err != nil {
		return 0, err
	}
	var found []*object
	indexed := len(p.Keys) > 0 && len(p.Paths)+len(p.Prefixes) == 0
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.spoil(p)
		if !indexed {
			for key, list := range s.objects {
				for _, o := range list {
					if p.matches(key, o.meta.Load().tags) {
						found = append(found, o)
					}
				}
			}
		}
		s.mu.Unlock()
	}
	// After the shards: what was stored before they were spoilt is indexed by now.
	if indexed {
		c.mu.Lock()
		for _, key := range p.Keys {
			for o := range c.tags[key] {
				if p.matches(o.key, o.meta.Load().tags) {
					found = append(found, o)
				}
			}
		}
		c.mu.Unlock()
	}
	found = unique(found)
	if p.Soft {
		now := time.Now()
		for _, o := range found {
			c.soften(o, now)
		}
	} else {
		c.remove(found...)
	}
	c.meter.purged.Add(uint64(len(found)))
	return len(found), nil
}

// unique drops what is named twice: an object may have several of the keys.
func unique(list []*object) []*object {
	seen := make(map[*object]bool, len(list))
	out := list[:0]
	for _, o := range list {
		if !seen[o] {
			seen[o] = true
			out = append(out, o)
		}
	}
	return out
}

// soften makes an object stale from now on.
func (c *Cache) soften(o *object, now time.Time) {
	old := o.meta.Load()
	if !old.fresh(now) {
		return
	}
	m := old.copy()
	m.staleAt = now
	c.replace(o, m, nil)
}

func (m *meta) copy() *meta {
	return &meta{status: m.status, fields: m.fields, header: m.header, etag: m.etag, modified: m.modified, policy: m.policy,
		tags: m.tags, got: m.got, age: m.age, staleAt: m.staleAt, size: m.size}
}

// invalidate removes what is at a key (RFC 9111, section 4.4).
func (c *Cache) invalidate(key string) {
	s := c.shardAt(key)
	s.mu.Lock()
	for f := range s.live {
		if f.key == key {
			s.detach(f)
			f.spoilt = true
		}
	}
	list := s.objects[key]
	s.mu.Unlock()
	c.remove(list...)
}

// spoil has what is being fetched now, and is purged, neither joined by later
// requests nor stored. By which keys it is purged shows with its answer.
func (s *shard) spoil(p Purge) {
	for f := range s.live {
		if len(p.Keys) == 0 && !p.matches(f.key, nil) {
			continue
		}
		s.detach(f)
		if f.purges = append(f.purges, p); len(f.purges) > maxSpoilt {
			f.spoilt, f.purges = true, nil
		}
	}
}

// purged reports whether a purge since the fetch began was for its answer.
// The shard's lock is held.
func (f *flight) purged(tags []string) bool {
	if f.spoilt {
		return true
	}
	for i := range f.purges {
		if f.purges[i].matches(f.key, tags) {
			return true
		}
	}
	return false
}
