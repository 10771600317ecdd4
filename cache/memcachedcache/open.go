// Package memcachedcache is the cache driver that talks to a memcached server
// over its text protocol: Dayfly's embedded one, memcached itself, or
// ElastiCache.
//
// It is a client of its own because github.com/bradfitz/gomemcache, the usual
// one, takes no context (an operation cannot be cancelled nor given the
// caller's deadline), has no bound on connections, and hands a connection that
// the server closed while idle to the next operation, which then fails.
package memcachedcache

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/dayfly-dev/dayfly/cache"
)

// DefaultPort is memcached's.
const DefaultPort = "11211"

// Options of a Client; nil is the defaults.
type Options struct {
	// Timeout bounds an operation, connecting included, beside the context's
	// deadline. Default 3 s.
	Timeout time.Duration
	// MaxConns is the most connections at once; operations beyond it wait.
	// 1–65536, default 64.
	MaxConns int
	// MaxIdle is the most connections kept open for later. 0–MaxConns, default
	// 16; negative keeps none.
	MaxIdle int
	// MaxValue is the largest value in bytes that is read or written, 1–1 GiB.
	// Default 1 MiB.
	MaxValue int
	// Dial connects; nil is TCP to the address.
	Dial func(ctx context.Context, address string) (net.Conn, error)
}

// Open returns a cache on the server of an address such as
// "memcached://127.0.0.1:11211". It does not connect yet: call Prove on the
// cache to know that it works. Parameters of the URL, all optional, as in
// "memcached://cache:11211?timeout=500ms&conns=32&ttl=24h":
//
//	timeout  bound of an operation (Options.Timeout)
//	conns    most connections at once (Options.MaxConns)
//	ttl      time to live of items written with none (cache.Options.DefaultTTL)
func Open(rawURL string) (*cache.Cache, error) {
	address, o, co, err := parse(rawURL)
	if err != nil {
		return nil, err
	}
	c, err := New(address, &o)
	if err != nil {
		return nil, err
	}
	return cache.New(c, &co), nil
}

func parse(rawURL string) (address string, o Options, co cache.Options, err error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		// url's own error repeats the address, which may hold a password.
		return "", o, co, fmt.Errorf("cache address is no URL: want memcached://host:port")
	}
	fail := func(reason string) (string, Options, cache.Options, error) {
		return "", o, co, fmt.Errorf("cache address %q %s: want memcached://host:port", u.Redacted(), reason)
	}
	switch {
	case u.Scheme != "memcached":
		return fail("does not begin with memcached://")
	case u.User != nil:
		return fail("has a user, and the text protocol has no authentication")
	case u.Hostname() == "":
		return fail("names no host")
	case u.Path != "" && u.Path != "/":
		return fail("has a path")
	}
	for name, values := range u.Query() {
		v := values[len(values)-1]
		var err error
		switch name {
		case "timeout":
			o.Timeout, err = positive(v)
		case "ttl":
			co.DefaultTTL, err = positive(v)
		case "conns":
			o.MaxConns, err = strconv.Atoi(v)
			if err == nil && o.MaxConns < 1 {
				err = fmt.Errorf("%d is below 1", o.MaxConns)
			}
		default:
			return fail("has the unknown parameter " + strconv.Quote(name))
		}
		if err != nil {
			return fail("has a wrong " + name + " (" + err.Error() + ")")
		}
	}
	port := u.Port()
	if port == "" {
		port = DefaultPort
	}
	return net.JoinHostPort(u.Hostname(), port), o, co, nil
}

func positive(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err == nil && d <= 0 {
		err = fmt.Errorf("%v is not above 0", d)
	}
	return d, err
}
