package memcachedserver

import (
	"context"
	"errors"
	"strconv"

	"github.com/dayfly-dev/dayfly/cache/driver"
)

type numberFunc = func(ctx context.Context, key string, delta uint64) (uint64, error)

// get answers get and gets: the values that are there, then END.
func (c *conn) get(args []byte, token bool) error {
	if !c.keysFit(args) {
		return nil
	}
	key, args := next(args)
	for len(key) > 0 {
		it, err := c.engine.Get(c.s.ctx, borrow(key))
		if err != nil && !errors.Is(err, driver.ErrNotFound) {
			c.fail(false, err)
			return nil
		}
		if err == nil {
			if err := c.value(key, it, token); err != nil {
				return err
			}
		}
		key, args = next(args)
	}
	c.say(replyEnd)
	return nil
}

// gat answers gat and gats: get that sets the ttl of what it finds.
func (c *conn) gat(args []byte, token bool) error {
	word, args := next(args)
	if !c.keysFit(args) {
		return nil
	}
	ttl, ok := expiry(word)
	if !ok {
		c.say(replyExptime)
		return nil
	}
	key, args := next(args)
	for len(key) > 0 {
		it, err := c.engine.GetAndTouch(c.s.ctx, borrow(key), ttl)
		if err != nil && !errors.Is(err, driver.ErrNotFound) {
			c.fail(false, err)
			return nil
		}
		if err == nil {
			if err := c.value(key, it, token); err != nil {
				return err
			}
		}
		key, args = next(args)
	}
	c.say(replyEnd)
	return nil
}

// keysFit says, and answers, whether there are keys and each is short enough,
// before any of them is answered.
func (c *conn) keysFit(args []byte) bool {
	key, rest := next(args)
	if len(key) == 0 {
		c.say(replyError)
		return false
	}
	if len(args) <= maxKey { // then none can be longer
		return true
	}
	for len(key) > 0 {
		if len(key) > maxKey {
			c.say(replyFormat)
			return false
		}
		key, rest = next(rest)
	}
	return true
}

// value answers one value: "VALUE <key> <flags> <bytes> [<token>]", its data.
func (c *conn) value(key []byte, it driver.Item, token bool) error {
	b := append(c.out, "VALUE "...)
	b = append(b, key...)
	b = append(b, ' ')
	b = strconv.AppendUint(b, uint64(it.Flags), 10)
	b = append(b, ' ')
	b = strconv.AppendUint(b, uint64(len(it.Value)), 10)
	if token {
		b = append(b, ' ')
		b = strconv.AppendUint(b, it.CAS, 10)
	}
	b = append(b, "\r\n"...)
	if len(it.Value) < directValue {
		c.out = append(append(b, it.Value...), "\r\n"...)
		if len(c.out) < flushAt {
			return nil
		}
		return c.flush()
	}
	c.out = b
	if err := c.flushWith(it.Value); err != nil {
		return err
	}
	c.say("\r\n")
	return nil
}
