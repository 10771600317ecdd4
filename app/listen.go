package app

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// listen opens a TCP listener. Where the port is taken a free one is used
// instead, and note says so.
func listen(address string) (l net.Listener, note string, err error) {
	l, err = net.Listen("tcp", address)
	if err == nil || !errors.Is(err, syscall.EADDRINUSE) {
		return l, "", explainListen(address, err)
	}
	host, port, _ := net.SplitHostPort(address)
	l, err = net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, "", explainListen(address, err)
	}
	return l, "port " + port + " was taken", nil
}

func explainListen(address string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("listen on %s: %w; ports below 1024 need a right: choose another in [listen], or allow it with `sudo setcap cap_net_bind_service=+ep` on the dayfly binary, or AmbientCapabilities=CAP_NET_BIND_SERVICE in its systemd unit", address, err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("listen on %s: %w; this machine has no such address: change [listen]", address, err)
	}
	return fmt.Errorf("listen on %s: %w", address, err)
}

// offset returns the address n ports further; 0 stays 0.
func offset(address string, n int) string {
	host, port, err := net.SplitHostPort(address)
	p, errPort := strconv.Atoi(port)
	if err != nil || errPort != nil || p == 0 || p+n > 65535 {
		return net.JoinHostPort(host, "0")
	}
	return net.JoinHostPort(host, strconv.Itoa(p+n))
}
