package cache_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dayfly-dev/dayfly/cache"
	"github.com/dayfly-dev/dayfly/cache/localcache"
)

func Example() {
	ctx := context.Background()
	engine, err := localcache.New(localcache.Options{MaxBytes: 16 << 20})
	if err != nil {
		panic(err)
	}
	c := cache.New(engine, &cache.Options{DefaultTTL: 24 * time.Hour})
	defer c.Close()
	if err := c.Prove(ctx); err != nil {
		panic(err)
	}
	if err := c.Set(ctx, &cache.Item{Key: "greeting", Value: []byte("hello"), TTL: time.Minute}); err != nil {
		panic(err)
	}
	it, err := c.Get(ctx, "greeting")
	fmt.Printf("%s %v\n", it.Value, err)
	_, err = c.Get(ctx, "other")
	fmt.Println(errors.Is(err, cache.ErrNotFound), err)
	// Output:
	// hello <nil>
	// true cache: get "other": not found
}
