package forwarded

import (
	"strconv"
	"strings"
)

// SplitHost splits a Host header into name and port; either may be empty.
func SplitHost(host string) (name, port string) {
	i := strings.LastIndexByte(host, ':')
	if i < 0 || strings.HasSuffix(host, "]") {
		return host, ""
	}
	return host[:i], host[i+1:]
}

// ValidHost reports whether a Host header may be passed on and repeated:
// a name, an IPv4 address or an IPv6 address in brackets, and a port.
func ValidHost(host string) bool {
	if len(host) > 255 {
		return false
	}
	name, port := SplitHost(host)
	if port != "" && !validPort(port) {
		return false
	}
	if inner, ok := strings.CutPrefix(name, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		return ok && inner != "" && strings.Trim(inner, "0123456789abcdefABCDEF:.") == ""
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' {
			continue
		}
		return false
	}
	return name != ""
}

func portOf(host, proto string) string {
	if _, port := SplitHost(host); port != "" {
		return port
	}
	if proto == "https" {
		return "443"
	}
	return "80"
}

func validPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16) // which takes no sign
	return err == nil && n > 0 && len(s) <= 5
}
