package respcache

import (
	"errors"
	"reflect"
)

// ErrDir: a cache keeps its folder, or is without one, for as long as it lives.
var ErrDir = errors.New("respcache: the folder of a cache cannot be changed while it is used")

// options are those that hold now.
func (c *Cache) options() *Options { return c.opt.Load() }

// Set has the cache go on with other options, except for another Dir: that is
// ErrDir. On an error nothing is changed. What is kept stays, unless it was
// judged or written by options that are others now: then everything is purged.
func (c *Cache) Set(o Options) error {
	o, err := o.normalize()
	if err != nil {
		return err
	}
	if o.Site == nil {
		o.Site = siteOf
	}
	was := c.options()
	if o.Dir != was.Dir {
		return ErrDir
	}
	c.opt.Store(&o)
	if !sameRules(was, &o) {
		if _, err := c.Purge(Purge{All: true}); err != nil {
			return err
		}
	}
	c.fit()
	if c.disk != nil {
		c.disk.fit()
	}
	return nil
}

// sameRules reports whether answers are judged and written alike.
func sameRules(a, b *Options) bool {
	return a.StaleWhileRevalidate == b.StaleWhileRevalidate && a.StaleIfError == b.StaleIfError && a.KeepKeys == b.KeepKeys &&
		a.Name == b.Name && a.StatusKey == b.StatusKey && reflect.DeepEqual(a.Targets, b.Targets) && reflect.DeepEqual(a.Drop, b.Drop)
}
