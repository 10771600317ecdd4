package edge

import (
	"errors"
	"net"
	"time"

	proxyproto "github.com/pires/go-proxyproto"
)

// proxyHeaderTimeout bounds the time until a PROXY header has come. A proxy
// writes it at once.
const proxyHeaderTimeout = 5 * time.Second

// ProxyProtocol returns l with connections that begin with a PROXY header,
// version 1 or 2 (haproxy.org, proxy-protocol.txt), as balancers send it that pass
// bytes on. From a peer that is trusted the header is required: a connection
// without one is closed, and one with it has the client's address. From all others
// it is no header but the beginning of a request, which is malformed then. Wrap a
// listener in it before TLS, for the header comes first.
func (e *Edge) ProxyProtocol(l net.Listener) net.Listener {
	return &proxyproto.Listener{
		Listener:          l,
		ReadHeaderTimeout: proxyHeaderTimeout,
		ConnPolicy: func(o proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
			if tcp, ok := o.Upstream.(*net.TCPAddr); ok && e.trusted.Load().Contains(tcp.AddrPort().Addr()) {
				return proxyproto.REQUIRE, nil
			}
			return proxyproto.SKIP, nil
		},
		ValidateHeader: func(h *proxyproto.Header) error {
			// LOCAL is a balancer's own health check: the connection is what it is.
			if h.Command.IsLocal() || h.TransportProtocol == proxyproto.UNSPEC || h.TransportProtocol == proxyproto.TCPv4 || h.TransportProtocol == proxyproto.TCPv6 {
				return nil
			}
			return errors.New("edge: a PROXY header that is not of TCP")
		},
	}
}
