package memcachedserver

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/dayfly-dev/dayfly/cache/driver"
)

// Replies as memcached 1.6 words them.
const (
	replyError      = "ERROR\r\n"
	replyFormat     = "CLIENT_ERROR bad command line format\r\n"
	replyChunk      = "CLIENT_ERROR bad data chunk\r\n"
	replyExptime    = "CLIENT_ERROR invalid exptime argument\r\n"
	replyDelta      = "CLIENT_ERROR invalid numeric delta argument\r\n"
	replyNotNumber  = "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
	replyDelete     = "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n"
	replyTooLarge   = "SERVER_ERROR object too large for cache\r\n"
	replyStored     = "STORED\r\n"
	replyNotStored  = "NOT_STORED\r\n"
	replyExists     = "EXISTS\r\n"
	replyNotFound   = "NOT_FOUND\r\n"
	replyDeleted    = "DELETED\r\n"
	replyTouched    = "TOUCHED\r\n"
	replyOK         = "OK\r\n"
	replyReset      = "RESET\r\n"
	replyEnd        = "END\r\n"
	version         = "1.6.18-dayfly" // of the protocol; clients read the number before the dash
	noreplyArgument = "noreply"
)

// command answers one command. An error ends the connection.
func (c *conn) command(line []byte) error {
	name, args := next(line)
	switch string(name) {
	case "get":
		return c.get(args, false)
	case "gets":
		return c.get(args, true)
	case "gat":
		return c.gat(args, false)
	case "gats":
		return c.gat(args, true)
	case "set":
		return c.store(driver.OpSet, args)
	case "add":
		return c.store(driver.OpAdd, args)
	case "replace":
		return c.store(driver.OpReplace, args)
	case "append":
		return c.store(driver.OpAppend, args)
	case "prepend":
		return c.store(driver.OpPrepend, args)
	case "cas":
		return c.store(driver.OpCompareAndSwap, args)
	case "quit":
		return io.EOF
	}
	c.small(string(name), args)
	return nil
}

// small answers the commands of few words and one line.
func (c *conn) small(name string, args []byte) {
	f, ok := split(args, &c.fields)
	if !ok {
		c.say(replyError)
		return
	}
	switch name {
	case "incr":
		c.arithmetic(f, c.engine.Increment)
	case "decr":
		c.arithmetic(f, c.engine.Decrement)
	case "delete":
		c.delete(f)
	case "touch":
		c.touch(f)
	case "flush_all":
		c.flushAll(f)
	case "stats":
		c.stats(f)
	case "verbosity":
		c.verbosity(f)
	case "version":
		c.say("VERSION " + version + "\r\n")
	default:
		c.say(replyError)
	}
}

func (c *conn) say(reply string) { c.out = append(c.out, reply...) }

// answer says a reply unless the client wants none.
func (c *conn) answer(quiet bool, reply string) {
	if !quiet {
		c.say(reply)
	}
}

// fail answers what an engine's error is in the protocol.
func (c *conn) fail(quiet bool, err error) {
	switch {
	case errors.Is(err, driver.ErrNotFound):
		c.answer(quiet, replyNotFound)
	case errors.Is(err, driver.ErrNotStored):
		c.answer(quiet, replyNotStored)
	case errors.Is(err, driver.ErrConflict):
		c.answer(quiet, replyExists)
	case errors.Is(err, driver.ErrNotNumber):
		c.answer(quiet, replyNotNumber)
	case errors.Is(err, driver.ErrTooLarge):
		c.answer(quiet, replyTooLarge)
	default:
		c.s.log.Error("cache engine failed", "error", err)
		reason := strings.Map(func(r rune) rune {
			if r < ' ' {
				return ' ' // an error of several lines would be several replies
			}
			return r
		}, err.Error())
		c.answer(quiet, "SERVER_ERROR "+reason+"\r\n")
	}
}

// borrow is b as a string without a copy. Engines keep nothing of their
// arguments (driver.Cache), so the string is not seen after the call.
func borrow(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// cutQuiet takes a last word "noreply" off the fields.
func cutQuiet(f [][]byte) (rest [][]byte, quiet bool) {
	if n := len(f); n > 0 && string(f[n-1]) == noreplyArgument {
		return f[:n-1], true
	}
	return f, false
}

func (c *conn) arithmetic(f [][]byte, do numberFunc) {
	if len(f) < 2 || len(f) > 3 {
		c.say(replyError)
		return
	}
	quiet := len(f) == 3 && string(f[2]) == noreplyArgument
	if len(f[0]) > maxKey {
		c.answer(quiet, replyFormat)
		return
	}
	delta, ok := number(f[1], 1<<64-1)
	if !ok {
		c.answer(quiet, replyDelta)
		return
	}
	n, err := do(c.s.ctx, borrow(f[0]), delta)
	if err != nil {
		c.fail(quiet, err)
	} else if !quiet {
		c.out = append(strconv.AppendUint(c.out, n, 10), "\r\n"...)
	}
}

func (c *conn) delete(f [][]byte) {
	f, quiet := cutQuiet(f)
	switch {
	case len(f) == 0 || len(f) > 2:
		c.say(replyError)
		return
	case len(f) == 2 && string(f[1]) != "0": // a delay was allowed once; 0 still is
		c.answer(quiet, replyDelete)
		return
	case len(f[0]) > maxKey:
		c.answer(quiet, replyFormat)
		return
	}
	if err := c.engine.Delete(c.s.ctx, borrow(f[0])); err != nil {
		c.fail(quiet, err)
		return
	}
	c.answer(quiet, replyDeleted)
}

func (c *conn) touch(f [][]byte) {
	if len(f) < 2 || len(f) > 3 {
		c.say(replyError)
		return
	}
	quiet := len(f) == 3 && string(f[2]) == noreplyArgument
	ttl, ok := expiry(f[1])
	switch {
	case len(f[0]) > maxKey:
		c.answer(quiet, replyFormat)
		return
	case !ok:
		c.answer(quiet, replyExptime)
		return
	}
	if err := c.engine.Touch(c.s.ctx, borrow(f[0]), ttl); err != nil {
		c.fail(quiet, err)
		return
	}
	c.answer(quiet, replyTouched)
}

func (c *conn) flushAll(f [][]byte) {
	f, quiet := cutQuiet(f)
	if len(f) > 1 {
		c.say(replyError)
		return
	}
	var delay time.Duration
	if len(f) == 1 {
		var ok bool
		if delay, ok = expiry(f[0]); !ok {
			c.answer(quiet, replyExptime)
			return
		}
	}
	if err := c.engine.Flush(c.s.ctx, delay); err != nil {
		c.fail(quiet, err)
		return
	}
	c.answer(quiet, replyOK)
}

// verbosity takes a level and does nothing with it: what is logged is the
// owner's to say, not a client's.
func (c *conn) verbosity(f [][]byte) {
	f, quiet := cutQuiet(f)
	if len(f) != 1 {
		c.answer(quiet, replyError) // memcached is silent on "verbosity noreply"
		return
	}
	if _, ok := number(f[0], 1<<32-1); !ok {
		c.answer(quiet, replyFormat)
		return
	}
	c.answer(quiet, replyOK)
}
