// Package proxyproto reads the header with which a proxy that passes bytes on
// tells who its client is: PROXY protocol, versions 1 and 2 (haproxy.org,
// proxy-protocol.txt). Anybody can write one; whom to believe is the caller's.
package proxyproto

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// MaxLen is the longest header that is taken, bytes. Version 2 could say 64 KiB;
// what proxies send, certificates' names included, is below 1 KiB.
const MaxLen = 4 << 10

// maxLine is the longest of version 1, its end included (section 2.1).
const maxLine = 107

// ErrMore says that what was given is the beginning of a header.
var ErrMore = errors.New("a PROXY header that is not whole yet")

// A Header says between whom a connection is.
type Header struct {
	// Own is that the connection is the proxy's own, as for a health check (LOCAL),
	// or that it does not say whose it is (UNKNOWN, UNSPEC). There are no addresses.
	Own bool
	// Source is the client, Destination where it connected to. Both are of one
	// family, IPv4 addresses never in the form of IPv6.
	Source, Destination netip.AddrPort
}

var signature = []byte("\r\n\r\n\x00\r\nQUIT\n")

// Parse reads the header that b begins with, and returns how long it is, at most
// MaxLen. While b may become one the error is ErrMore; any other is for good.
func Parse(b []byte) (h Header, n int, err error) {
	const line = "PROXY "
	switch {
	case bytes.HasPrefix(b, signature):
		return parseBinary(b)
	case len(b) >= len(line) && string(b[:len(line)]) == line:
		return parseLine(b)
	case bytes.HasPrefix(signature, b), strings.HasPrefix(line, string(b[:min(len(b), len(line))])):
		return h, 0, ErrMore
	}
	return h, 0, errors.New("no PROXY header")
}

func parseLine(b []byte) (h Header, n int, err error) {
	b = b[:min(len(b), maxLine)]
	n = bytes.Index(b, []byte("\r\n"))
	if n < 0 {
		if len(b) == maxLine {
			return h, 0, fmt.Errorf("a PROXY header of version 1 that does not end within %d bytes", maxLine)
		}
		return h, 0, ErrMore
	}
	fields := strings.Split(string(b[:n]), " ")
	n += len("\r\n")
	if fields[1] == "UNKNOWN" { // and whatever follows
		return Header{Own: true}, n, nil
	}
	if len(fields) != 6 || fields[1] != "TCP4" && fields[1] != "TCP6" {
		return h, 0, errors.New("a PROXY header of version 1 that is not of TCP over IPv4 or IPv6")
	}
	six := fields[1] == "TCP6"
	if h.Source, err = address(fields[2], fields[4], six); err == nil {
		h.Destination, err = address(fields[3], fields[5], six)
	}
	if err != nil {
		return Header{}, 0, fmt.Errorf("a PROXY header of version 1: %w", err)
	}
	return h, n, nil
}

// address reads an address and a port as version 1 writes them.
func address(host, port string, six bool) (netip.AddrPort, error) {
	a, err := netip.ParseAddr(host)
	if err != nil || a.Is6() != six || a.Zone() != "" {
		return netip.AddrPort{}, fmt.Errorf("%.40q is no address of its family", host)
	}
	p, err := strconv.ParseUint(port, 10, 16)
	if err != nil || strconv.FormatUint(p, 10) != port {
		return netip.AddrPort{}, fmt.Errorf("%.10q is no port", port)
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(p)), nil
}
