package localcache

import (
	"bytes"
	"context"
	"strconv"

	"github.com/dayfly-dev/dayfly/cache/driver"
)

// Increment adds to a value that is a number; the sum wraps around.
func (e *Engine) Increment(_ context.Context, key string, delta uint64) (uint64, error) {
	return e.number(key, func(n uint64) uint64 { return n + delta })
}

// Decrement subtracts from a value that is a number, down to 0.
func (e *Engine) Decrement(_ context.Context, key string, delta uint64) (uint64, error) {
	return e.number(key, func(n uint64) uint64 { return n - min(n, delta) })
}

func (e *Engine) number(key string, f func(uint64) uint64) (uint64, error) {
	if e.closed.Load() {
		return 0, driver.ErrClosed
	}
	var n uint64
	err := e.change(key, func(old *item) (*item, error) {
		if old == nil {
			return nil, driver.ErrNotFound
		}
		was, ok := parseNumber(old.value)
		if !ok {
			return nil, driver.ErrNotNumber
		}
		n = f(was)
		return &item{value: strconv.AppendUint(nil, n, 10), flags: old.flags, ttl: keep, token: e.tokens.Add(1)}, nil
	})
	return n, err
}

// parseNumber reads a decimal number. Spaces after it are allowed: memcached
// itself leaves them when a number loses a digit, and clients copy values.
func parseNumber(v []byte) (uint64, bool) {
	v = bytes.TrimRight(v, " ")
	if len(v) == 0 || len(v) > 20 || v[0] == '+' { // ParseUint refuses signs; be plain about it
		return 0, false
	}
	n, err := strconv.ParseUint(string(v), 10, 64)
	return n, err == nil
}
