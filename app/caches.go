package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/dayfly-dev/dayfly/app/manifest"
	"github.com/dayfly-dev/dayfly/cache/localcache"
	"github.com/dayfly-dev/dayfly/cache/memcachedcache"
	"github.com/dayfly-dev/dayfly/cache/memcachedserver"
)

// startCaches starts each cache on a port of its own, so that flushing one
// leaves the others, and proves each by writing and reading back.
func (a *App) startCaches(ctx context.Context) error {
	caches := a.manifest.Cache
	order := slices.SortedFunc(maps.Keys(caches), func(x, y string) int {
		switch { // default has the well-known port
		case x == "default":
			return -1
		case y == "default":
			return 1
		case x < y:
			return -1
		}
		return 1
	})
	for i, name := range order {
		url, note := a.external.cache(name), "from the environment"
		if url == "" {
			var err error
			if url, note, err = a.startCache(name, caches[name], offset(a.manifest.Listen.Cache, i)); err != nil {
				return fmt.Errorf("cache %s: %w", name, err)
			}
		}
		if err := proveCache(ctx, url); err != nil {
			return fmt.Errorf("cache %s at %s does not work: %w", name, url, err)
		}
		a.variables.set("CACHE_"+envName(name)+"_URL", url)
		a.address("Cache "+name, url, note)
	}
	return nil
}

func (a *App) startCache(name string, c *manifest.Cache, address string) (url, note string, err error) {
	engine, err := localcache.New(localcache.Options{MaxBytes: max(int64(c.Size), 2<<20), DefaultTTL: time.Duration(c.TTL), Log: a.log})
	if err != nil {
		return "", "", err
	}
	a.onStop("cache "+name, func(context.Context) error { return engine.Close() })
	server, err := memcachedserver.New(memcachedserver.Options{Cache: engine, Log: a.log})
	if err != nil {
		return "", "", err
	}
	l, note, err := listen(address)
	if err != nil {
		return "", "", err
	}
	a.serve("cache "+name, l, server)
	return "memcached://" + l.Addr().String(), note, nil
}

func proveCache(ctx context.Context, url string) error {
	c, err := memcachedcache.Open(url)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return c.Prove(ctx)
}
