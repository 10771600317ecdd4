package proxyproto

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"
)

// Of version 2 (section 2.2).
const (
	fixedLen   = 16 // signature, version and command, family and protocol, length
	version    = 0x2
	cmdLocal   = 0x0
	cmdProxy   = 0x1
	unspec     = 0x00
	tcp4       = 0x11
	tcp6       = 0x21
	typeCRC32C = 0x03
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func parseBinary(b []byte) (h Header, n int, err error) {
	if len(b) < fixedLen {
		return h, 0, ErrMore
	}
	command, family := b[12], b[13]
	n = fixedLen + int(binary.BigEndian.Uint16(b[14:]))
	switch {
	case command>>4 != version || command&0xf > cmdProxy:
		return h, 0, fmt.Errorf("a PROXY header of version %d, command %d; known are version 2, LOCAL and PROXY", command>>4, command&0xf)
	case n > MaxLen:
		return h, 0, fmt.Errorf("a PROXY header of %d bytes; at most %d are taken", n, MaxLen)
	case len(b) < n:
		return h, 0, ErrMore
	}
	b = b[:n]
	rest := b[fixedLen:]
	switch {
	case command&0xf == cmdLocal || family == unspec: // its addresses mean nothing
		return Header{Own: true}, n, nil
	case family == tcp4 && len(rest) >= 12:
		h.Source, h.Destination = addresses(rest[:12])
		rest = rest[12:]
	case family == tcp6 && len(rest) >= 36:
		h.Source, h.Destination = addresses(rest[:36])
		rest = rest[36:]
	case family == tcp4 || family == tcp6:
		return h, 0, errors.New("a PROXY header of version 2 that is too short for its addresses")
	default:
		return h, 0, fmt.Errorf("a PROXY header of version 2 with family and protocol 0x%02x, which is not TCP over IPv4 or IPv6", family)
	}
	if err := checkExtensions(b, rest); err != nil {
		return Header{}, 0, err
	}
	return h, n, nil
}

// addresses reads two addresses and two ports.
func addresses(b []byte) (source, destination netip.AddrPort) {
	size := len(b)/2 - 2
	from, _ := netip.AddrFromSlice(b[:size]) // of 4 or 16 bytes
	to, _ := netip.AddrFromSlice(b[size : 2*size])
	ports := b[2*size:]
	return netip.AddrPortFrom(from.Unmap(), binary.BigEndian.Uint16(ports)), netip.AddrPortFrom(to.Unmap(), binary.BigEndian.Uint16(ports[2:]))
}

// checkExtensions goes through the extensions (type, length, value) at the end
// of header: all have to fit, and a checksum (section 2.2.3) has to be right.
func checkExtensions(header, rest []byte) error {
	summed := false
	for len(rest) > 0 {
		if len(rest) < 3 {
			return errors.New("a PROXY header of version 2 that ends within an extension")
		}
		size := int(binary.BigEndian.Uint16(rest[1:]))
		if len(rest) < 3+size {
			return errors.New("a PROXY header of version 2 with an extension longer than the header")
		}
		if rest[0] == typeCRC32C {
			if summed || size != 4 {
				return errors.New("a PROXY header of version 2 with a checksum that is not one of 4 bytes")
			}
			summed = true
			at := len(header) - len(rest) + 3
			sum := crc32.Update(0, castagnoli, header[:at])
			sum = crc32.Update(sum, castagnoli, make([]byte, 4)) // is zero in what is summed
			sum = crc32.Update(sum, castagnoli, header[at+4:])
			if sum != binary.BigEndian.Uint32(header[at:]) {
				return errors.New("a PROXY header of version 2 whose checksum is wrong")
			}
		}
		rest = rest[3+size:]
	}
	return nil
}
