package manifest

import (
	"regexp"
	"time"
)

// EdgeCache keeps answers that the application marks cacheable; an empty table
// is enough.
type EdgeCache struct {
	Size    Size `toml:"size"`     // of memory, 1MiB–1TiB, default 64MiB
	MaxBody Size `toml:"max_body"` // larger answers are not kept, 1KiB–half of size, default 8MiB or an eighth of size
	Disk    Size `toml:"disk"`     // of files in the data folder that outlast restarts, 1MiB–16TiB, default none

	StaleWhileRevalidate Duration `toml:"stale_while_revalidate"` // for answers that do not say, 0s–30d, default 0s
	StaleIfError         Duration `toml:"stale_if_error"`         // the same

	Obey      bool     `toml:"obey"`       // heed a request's Cache-Control, default false
	Targets   []string `toml:"targets"`    // fields in place of Cache-Control, default ["Dayfly-Cache-Control"]
	KeepKeys  bool     `toml:"keep_keys"`  // leave Surrogate-Key and Cache-Tag in answers, default false
	StatusKey bool     `toml:"status_key"` // add the key to Cache-Status, default false
}

var targetForm = regexp.MustCompile(`^[A-Za-z0-9-]{1,50}-Cache-Control$`)

func (e *EdgeCache) setDefaults(has func(string) bool) {
	if e == nil {
		return
	}
	if !has("edge.cache.size") {
		e.Size = 64 << 20
	}
	if !has("edge.cache.max_body") {
		e.MaxBody = min(8<<20, e.Size/8)
	}
}

func (c *checker) edgeCache() {
	e := c.m.Edge.Cache
	if e == nil {
		return
	}
	c.size("edge.cache.size", e.Size, 1<<20, 1<<40)
	if e.Size >= 1<<20 {
		c.size("edge.cache.max_body", e.MaxBody, 1<<10, e.Size/2)
	}
	if c.m.has("edge.cache.disk") {
		c.size("edge.cache.disk", e.Disk, 1<<20, 16<<40)
	}
	c.duration("edge.cache.stale_while_revalidate", e.StaleWhileRevalidate, 0, 30*24*time.Hour)
	c.duration("edge.cache.stale_if_error", e.StaleIfError, 0, 30*24*time.Hour)
	for _, name := range e.Targets {
		if !targetForm.MatchString(name) {
			c.fail("edge.cache.targets", "%q is not a field such as \"CDN-Cache-Control\"", name)
		}
	}
}

func (c *checker) size(key string, z, low, high Size) {
	if z < low || z > high {
		c.fail(key, "%s is %s; it must be between %s and %s", key, z, low, high)
	}
}
