package memcachedcache

import (
	"bytes"
	"context"
	"strconv"

	"github.com/dayfly-dev/dayfly/cache/driver"
)

// maxStats bounds the lines of an answer to stats; memcached 1.6 has some 110.
const maxStats = 1000

// Stats returns the server's counts.
func (c *Client) Stats(ctx context.Context) (driver.Stats, error) {
	var s driver.Stats
	fields := map[string]*uint64{
		"curr_items": &s.Items, "bytes": &s.Bytes, "limit_maxbytes": &s.MaxBytes,
		"get_hits": &s.Hits, "get_misses": &s.Misses, "cmd_set": &s.Stores,
		"evictions": &s.Evictions, "cmd_flush": &s.Flushes,
	}
	err := c.do(ctx, func(cn *conn) error {
		cn.out = append(cn.out, "stats\r\n"...)
		if err := cn.send(); err != nil {
			return err
		}
		for range maxStats {
			line, err := cn.line()
			if err != nil {
				return err
			}
			if string(line) == "END" {
				return nil
			}
			rest, ok := bytes.CutPrefix(line, []byte("STAT "))
			if !ok {
				return refusal(line)
			}
			name, value, _ := bytes.Cut(rest, []byte(" "))
			if field := fields[string(name)]; field != nil {
				if *field, err = strconv.ParseUint(string(value), 10, 64); err != nil {
					return &protocolError{string(line)}
				}
			}
		}
		return &protocolError{"stats without end"}
	})
	return s, err
}
