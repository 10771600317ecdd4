//go:build !unix

package memcachedcache

import "net"

// alive cannot tell here; an operation on a connection that the server closed fails.
func alive(net.Conn) bool { return true }
