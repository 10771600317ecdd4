package memcachedcache

import (
	"bytes"
	"context"
	"math"
	"strconv"
	"time"

	"github.com/dayfly-dev/dayfly/cache/driver"
)

// keysPerLine bounds the keys of one get: with keys of the longest kind the
// line stays below the socket buffers of both sides, so that it can be written
// whole before the answer is read.
const keysPerLine = 100

// Get returns the value of a key.
func (c *Client) Get(ctx context.Context, key string) (driver.Item, error) {
	return c.one(ctx, key, func(b []byte) []byte {
		return append(append(b, "gets "...), key...)
	})
}

// GetAndTouch returns the value of a key and sets its ttl.
func (c *Client) GetAndTouch(ctx context.Context, key string, ttl time.Duration) (driver.Item, error) {
	return c.one(ctx, key, func(b []byte) []byte {
		b = appendExpiry(append(b, "gats "...), ttl)
		return append(append(b, ' '), key...)
	})
}

func (c *Client) one(ctx context.Context, key string, command func([]byte) []byte) (got driver.Item, err error) {
	err = c.do(ctx, func(cn *conn) error {
		cn.out = append(command(cn.out), "\r\n"...)
		if err := cn.send(); err != nil {
			return err
		}
		found := false
		err := cn.values(c.maxValue, func(k []byte, it driver.Item) error {
			if found || string(k) != key {
				return &protocolError{"VALUE of another key: " + string(k)}
			}
			found, got = true, it
			return nil
		})
		if err == nil && !found {
			return driver.ErrNotFound
		}
		return err
	})
	if err != nil {
		return driver.Item{}, err
	}
	return got, nil
}

// GetMulti returns the values that are there.
func (c *Client) GetMulti(ctx context.Context, keys []string) (map[string]driver.Item, error) {
	got := make(map[string]driver.Item, len(keys))
	err := c.do(ctx, func(cn *conn) error {
		for len(keys) > 0 {
			batch := keys[:min(len(keys), keysPerLine)]
			keys = keys[len(batch):]
			cn.out = append(cn.out[:0], "gets"...)
			asked := make(map[string]bool, len(batch))
			for _, key := range batch {
				if !asked[key] {
					asked[key] = true
					cn.out = append(append(cn.out, ' '), key...)
				}
			}
			cn.out = append(cn.out, "\r\n"...)
			if err := cn.send(); err != nil {
				return err
			}
			err := cn.values(c.maxValue, func(k []byte, it driver.Item) error {
				if !asked[string(k)] {
					return &protocolError{"VALUE of a key not asked for: " + string(k)}
				}
				got[string(k)] = it
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return got, nil
}

var storeNames = [...]string{
	driver.OpSet: "set ", driver.OpAdd: "add ", driver.OpReplace: "replace ",
	driver.OpAppend: "append ", driver.OpPrepend: "prepend ", driver.OpCompareAndSwap: "cas ",
}

// Store writes as op says.
func (c *Client) Store(ctx context.Context, op driver.Op, key string, it driver.Item, ttl time.Duration) error {
	if len(it.Value) > c.maxValue {
		return driver.ErrTooLarge
	}
	return c.do(ctx, func(cn *conn) error {
		b := append(append(cn.out, storeNames[op]...), key...)
		b = strconv.AppendUint(append(b, ' '), uint64(it.Flags), 10)
		b = appendExpiry(append(b, ' '), ttl)
		b = strconv.AppendInt(append(b, ' '), int64(len(it.Value)), 10)
		if op == driver.OpCompareAndSwap {
			b = strconv.AppendUint(append(b, ' '), it.CAS, 10)
		}
		b = append(append(b, "\r\n"...), it.Value...)
		cn.out = append(b, "\r\n"...)
		if err := cn.send(); err != nil {
			return err
		}
		return cn.status("STORED")
	})
}

// Increment adds to a number.
func (c *Client) Increment(ctx context.Context, key string, delta uint64) (uint64, error) {
	return c.number(ctx, "incr ", key, delta)
}

// Decrement subtracts from a number, down to 0.
func (c *Client) Decrement(ctx context.Context, key string, delta uint64) (uint64, error) {
	return c.number(ctx, "decr ", key, delta)
}

func (c *Client) number(ctx context.Context, command, key string, delta uint64) (n uint64, err error) {
	err = c.do(ctx, func(cn *conn) error {
		b := append(append(cn.out, command...), key...)
		cn.out = append(strconv.AppendUint(append(b, ' '), delta, 10), "\r\n"...)
		if err := cn.send(); err != nil {
			return err
		}
		line, err := cn.line()
		if err != nil {
			return err
		}
		if string(line) == "NOT_FOUND" {
			return driver.ErrNotFound
		}
		// Some servers pad a number that lost a digit.
		if n, err = strconv.ParseUint(string(bytes.TrimRight(line, " ")), 10, 64); err != nil {
			return refusal(line)
		}
		return nil
	})
	return n, err
}

// Touch sets the ttl of a value.
func (c *Client) Touch(ctx context.Context, key string, ttl time.Duration) error {
	return c.do(ctx, func(cn *conn) error {
		b := append(append(cn.out, "touch "...), key...)
		cn.out = append(appendExpiry(append(b, ' '), ttl), "\r\n"...)
		if err := cn.send(); err != nil {
			return err
		}
		return cn.status("TOUCHED")
	})
}

// Delete removes a value.
func (c *Client) Delete(ctx context.Context, key string) error {
	return c.do(ctx, func(cn *conn) error {
		cn.out = append(append(append(cn.out, "delete "...), key...), "\r\n"...)
		if err := cn.send(); err != nil {
			return err
		}
		return cn.status("DELETED")
	})
}

// Flush empties the server, now or after delay, in whole seconds rounded up.
func (c *Client) Flush(ctx context.Context, delay time.Duration) error {
	return c.do(ctx, func(cn *conn) error {
		cn.out = append(cn.out, "flush_all"...)
		if delay > 0 {
			cn.out = appendExpiry(append(cn.out, ' '), delay)
		}
		cn.out = append(cn.out, "\r\n"...)
		if err := cn.send(); err != nil {
			return err
		}
		return cn.status("OK")
	})
}

// appendExpiry writes a ttl as the protocol has it: seconds, rounded up, or
// above 30 days the Unix time of the end. That field has 31 bits in memcached,
// so a ttl beyond 2038-01-19 ends there.
func appendExpiry(b []byte, ttl time.Duration) []byte {
	const month = 30 * 24 * time.Hour
	switch {
	case ttl < 0:
		return append(b, "-1"...)
	case ttl <= month:
		return strconv.AppendInt(b, int64((ttl+time.Second-1)/time.Second), 10)
	}
	end := time.Now().Add(ttl)
	unix := end.Unix()
	if end.Nanosecond() > 0 {
		unix++
	}
	return strconv.AppendInt(b, min(unix, math.MaxInt32), 10)
}
