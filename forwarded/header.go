package forwarded

import (
	"net/netip"
	"slices"
	"strings"
)

// parseHops reads X-Forwarded-For. It returns the addresses at its end that
// are well-formed, at most maxHops: what stands left of a malformed element
// cannot be placed in the chain.
func parseHops(s string) []netip.Addr {
	s = tail(s)
	var hops []netip.Addr
	for len(hops) < maxHops {
		i := strings.LastIndexByte(s, ',')
		if text := strings.TrimSpace(s[i+1:]); text != "" { // an empty element of a list counts for nothing
			a, ok := parseNode(text)
			if !ok {
				break
			}
			hops = append(hops, a)
		}
		if i < 0 {
			break
		}
		s = s[:i]
	}
	slices.Reverse(hops)
	return hops
}

// tail is the end of a list, as much of it as is looked at: whole elements, and
// the nearest proxies'.
func tail(s string) string {
	if len(s) <= maxHeader {
		return s
	}
	s = s[len(s)-maxHeader:]
	return s[strings.IndexByte(s, ',')+1:]
}

// parseNode reads an address as proxies write it: 192.0.2.1, 192.0.2.1:80,
// 2001:db8::1, [2001:db8::1], [2001:db8::1]:80.
func parseNode(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil {
		if inner, ok := strings.CutPrefix(s, "["); ok && strings.HasSuffix(inner, "]") {
			a, err = netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		} else {
			var ap netip.AddrPort
			ap, err = netip.ParseAddrPort(s)
			a = ap.Addr()
		}
	}
	// A zone is of the peer's machine and may hold any character.
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, false
	}
	return a.Unmap(), true
}

// An element is one hop of a Forwarded header; what it does not say is
// empty.
type element struct{ node, host, proto string }

// hopsOf returns the addresses of the last elements that have one.
func hopsOf(elements []element) []netip.Addr {
	var hops []netip.Addr
	for i := len(elements) - 1; i >= 0; i-- {
		a, ok := parseNode(elements[i].node)
		if !ok {
			break
		}
		hops = append([]netip.Addr{a}, hops...)
	}
	return hops
}

// parseForwarded reads a Forwarded header (RFC 7239, section 4). What a client
// wrote stands left of what proxies added, and must not keep that from being
// read: of a header that is malformed, too long or of more than maxHops elements
// the elements at its end count, as of X-Forwarded-For.
func parseForwarded(s string) []element {
	if len(s) <= maxHeader {
		if elements, ok := parseElements(s); ok && len(elements) <= maxHops {
			return elements
		}
	}
	s = tail(s)
	var elements []element // nearest first
	for len(elements) < maxHops {
		i := strings.LastIndexByte(s, ',')
		one, ok := parseElements(s[i+1:])
		if !ok {
			break
		}
		elements = append(elements, one...)
		if i < 0 {
			break
		}
		s = s[:i]
	}
	slices.Reverse(elements)
	return elements
}

// parseElements reads a list of elements; empty ones count for nothing.
func parseElements(s string) (elements []element, ok bool) {
	var e element
	some := false // e has a pair
	for {
		s = strings.TrimLeft(s, " \t")
		var name, value string
		if s != "" && s[0] != ';' && s[0] != ',' {
			if name, value, s, ok = cutPair(s); !ok {
				return nil, false
			}
			some = true
			switch strings.ToLower(name) {
			case "for":
				e.node = value
			case "host":
				e.host = value
			case "proto":
				e.proto = value
			}
		}
		s = strings.TrimLeft(s, " \t")
		switch {
		case s == "" || s[0] == ',':
			if some {
				elements = append(elements, e)
			}
			if s == "" {
				return elements, true
			}
			e, some = element{}, false
		case s[0] != ';':
			return nil, false
		}
		s = s[1:]
	}
}

// cutPair cuts token "=" (token / quoted-string) off the front of s.
func cutPair(s string) (name, value, rest string, ok bool) {
	n := tokenLen(s)
	if n == 0 || n == len(s) || s[n] != '=' {
		return "", "", "", false
	}
	name, s = s[:n], s[n+1:]
	if s != "" && s[0] == '"' {
		value, rest, ok = cutQuoted(s[1:])
		return name, value, rest, ok
	}
	n = tokenLen(s)
	return name, s[:n], s[n:], n > 0
}

// cutQuoted reads a quoted-string after its opening quote.
func cutQuoted(s string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:], true
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

// tokenLen returns the length of the token (RFC 9110, section 5.6.2) s begins
// with.
func tokenLen(s string) int {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0 {
			continue
		}
		return i
	}
	return len(s)
}
