package memcachedserver

import (
	"errors"
	"time"

	"github.com/dayfly-dev/dayfly/cache/driver"
)

// storeLine is "<key> <flags> <exptime> <bytes> [<token>] [noreply]", taken apart.
type storeLine struct {
	key   []byte
	flags uint32
	ttl   time.Duration
	size  int64 // of the data that follows, without its "\r\n"; -1 if it cannot be read
	token uint64
	quiet bool
	bad   string // the reply to a line that is wrong, else ""
}

// maxAnnounced bounds the data that is skipped for a line that is refused; a
// line that announces more is taken for one without data.
const maxAnnounced = 1<<31 - 3

func parseStore(op driver.Op, args []byte, fields *[maxFields][]byte) (l storeLine) {
	l.size = -1
	f, ok := split(args, fields)
	words := 4
	if op == driver.OpCompareAndSwap {
		words = 5
	}
	if !ok || len(f) < words || len(f) > words+1 {
		l.bad = replyError
		return l
	}
	// Any other word in the place of noreply is passed over, as memcached does.
	l.quiet = len(f) == words+1 && string(f[words]) == noreplyArgument
	l.key = f[0]
	flags, flagsOK := number(f[1], 1<<32-1)
	ttl, ttlOK := expiry(f[2])
	size, sizeOK := number(f[3], maxAnnounced)
	tokenOK := true
	if op == driver.OpCompareAndSwap {
		l.token, tokenOK = number(f[4], 1<<64-1)
	}
	if sizeOK {
		l.size = int64(size)
	}
	if len(l.key) > maxKey || !flagsOK || !ttlOK || !sizeOK || !tokenOK {
		l.bad = replyFormat
	}
	l.flags, l.ttl = uint32(flags), ttl
	return l
}

// store answers set, add, replace, append, prepend and cas. Whatever it
// answers, the data is read or skipped whole first.
func (c *conn) store(op driver.Op, args []byte) error {
	l := parseStore(op, args, &c.fields)
	if l.bad != "" {
		if l.size >= 0 {
			if err := c.skip(l.size + 2); err != nil {
				return err
			}
		}
		c.answer(l.quiet, l.bad)
		return nil
	}
	// Reading data moves the buffer that the line lies in.
	l.key = append(c.key[:0], l.key...)
	if l.size > int64(c.s.o.MaxValue) {
		return c.tooLarge(op, l)
	}
	n := int(l.size)
	if err := c.need(n + 2); err != nil {
		if errors.Is(err, errNoMemory) {
			return c.noMemory(l)
		}
		return err
	}
	data := c.in[c.r : c.r+n : c.r+n]
	end := c.in[c.r+n : c.r+n+2]
	c.r += n + 2
	if end[0] != '\r' || end[1] != '\n' {
		c.answer(l.quiet, replyChunk)
		return nil
	}
	err := c.engine.Store(c.s.ctx, op, borrow(l.key), driver.Item{Value: data, Flags: l.flags, CAS: l.token}, l.ttl)
	if err != nil {
		c.fail(l.quiet, err)
		return nil
	}
	c.answer(l.quiet, replyStored)
	return nil
}

// tooLarge skips the data. A set that failed must not leave the former value
// to be read as if it were the new one; memcached removes it as well.
func (c *conn) tooLarge(op driver.Op, l storeLine) error {
	if err := c.skip(l.size + 2); err != nil {
		return err
	}
	if op == driver.OpSet {
		if err := c.engine.Delete(c.s.ctx, borrow(l.key)); err != nil && !errors.Is(err, driver.ErrNotFound) {
			c.fail(l.quiet, err)
			return nil
		}
	}
	c.answer(l.quiet, replyTooLarge)
	return nil
}

// noMemory skips data that the connections together have no room for.
func (c *conn) noMemory(l storeLine) error {
	if err := c.skip(l.size + 2); err != nil {
		return err
	}
	c.answer(l.quiet, "SERVER_ERROR out of memory storing object\r\n")
	return nil
}
