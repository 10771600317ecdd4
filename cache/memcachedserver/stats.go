package memcachedserver

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"time"
)

// Stats is what a server counts beside its engine.
type Stats struct {
	Conns         int    // open now
	TotalConns    uint64 // accepted since the start
	RejectedConns uint64 // turned away at MaxConns
	BytesRead     uint64
	BytesWritten  uint64
}

// Stats returns the counts now.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Stats{Conns: len(s.conns), TotalConns: s.total.Load(), RejectedConns: s.rejected.Load(),
		BytesRead: s.closedRead.Load(), BytesWritten: s.closedWritten.Load()}
	for c := range s.conns {
		st.BytesRead += c.read.Load()
		st.BytesWritten += c.written.Load()
	}
	return st
}

// stats answers stats [items|settings|reset].
func (c *conn) stats(f [][]byte) {
	switch {
	case len(f) == 0:
		c.general()
	case len(f) > 1:
		c.say(replyError)
	case string(f[0]) == "items":
		c.itemStats()
	case string(f[0]) == "settings":
		c.settings()
	case string(f[0]) == "reset":
		if r, ok := c.engine.(interface{ ResetStats() }); ok {
			r.ResetStats()
		}
		c.say(replyReset)
	default:
		c.say(replyError)
	}
}

func (c *conn) stat(name string, value any) {
	c.out = fmt.Appendf(c.out, "STAT %s %v\r\n", name, value)
}

// general uses memcached's names, which clients and collectors look for.
func (c *conn) general() {
	e, err := c.engine.Stats(c.s.ctx)
	if err != nil {
		c.fail(false, err)
		return
	}
	st := c.s.Stats()
	now := time.Now()
	c.stat("pid", os.Getpid())
	c.stat("uptime", int64(now.Sub(c.s.started)/time.Second))
	c.stat("time", now.Unix())
	c.stat("version", version)
	c.stat("pointer_size", strconv.IntSize)
	c.stat("max_connections", c.s.o.MaxConns)
	c.stat("curr_connections", st.Conns)
	c.stat("total_connections", st.TotalConns)
	c.stat("rejected_connections", st.RejectedConns)
	c.stat("cmd_get", e.Hits+e.Misses)
	c.stat("cmd_set", e.Stores)
	c.stat("cmd_flush", e.Flushes)
	c.stat("get_hits", e.Hits)
	c.stat("get_misses", e.Misses)
	c.stat("bytes_read", st.BytesRead)
	c.stat("bytes_written", st.BytesWritten)
	c.stat("bytes", e.Bytes)
	c.stat("curr_items", e.Items)
	c.stat("limit_maxbytes", e.MaxBytes)
	c.stat("evictions", e.Evictions)
	c.stat("threads", runtime.GOMAXPROCS(0))
	c.say(replyEnd)
}

// itemStats shows all items as one slab class, which is what the engine is.
func (c *conn) itemStats() {
	e, err := c.engine.Stats(c.s.ctx)
	if err != nil {
		c.fail(false, err)
		return
	}
	if e.Items > 0 {
		c.stat("items:1:number", e.Items)
		c.stat("items:1:mem_requested", e.Bytes)
		c.stat("items:1:evicted", e.Evictions)
	}
	c.say(replyEnd)
}

func (c *conn) settings() {
	e, err := c.engine.Stats(c.s.ctx)
	if err != nil {
		c.fail(false, err)
		return
	}
	host, port := "", "0"
	if h, p, err := net.SplitHostPort(c.nc.LocalAddr().String()); err == nil {
		host, port = h, p
	}
	c.stat("maxbytes", e.MaxBytes)
	c.stat("maxconns", c.s.o.MaxConns)
	c.stat("tcpport", port)
	c.stat("udpport", 0)
	c.stat("inter", host)
	c.stat("verbosity", 0)
	c.stat("evictions", "on")
	c.stat("cas_enabled", "yes")
	c.stat("auth_enabled_sasl", "no")
	c.stat("flush_enabled", "yes")
	c.stat("item_size_max", c.s.o.MaxValue)
	c.stat("binding_protocol", "ascii")
	c.say(replyEnd)
}
