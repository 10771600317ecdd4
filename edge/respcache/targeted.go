package respcache

import "strings"

// parseTargeted reads a targeted field (RFC 9213): a dictionary of structured
// fields (RFC 8941, section 3.2) whose members are cache directives. It
// reports false if the field is malformed or empty, and is then to be ignored. A
// member whose value is of another type than its directive takes is ignored.
func parseTargeted(values []string) (directives, bool) {
	d := parseDirectives(nil)
	s := strings.Trim(strings.Join(values, ","), " ")
	if s == "" {
		return d, false
	}
	members := map[string]string{} // "" is true; the last of a key counts
	for {
		key, value, rest, ok := cutMember(s)
		if !ok || len(members) > maxDirectives {
			return d, false
		}
		members[key] = value
		rest = strings.TrimLeft(rest, " \t")
		if rest == "" {
			break
		}
		if rest[0] != ',' {
			return d, false
		}
		if s = strings.TrimLeft(rest[1:], " \t"); s == "" {
			return d, false // a comma at the end
		}
	}
	for key, value := range members {
		switch key {
		case "max-age", "s-maxage", "stale-while-revalidate", "stale-if-error":
			if parseDelta(value) != unset {
				d.set(key, value, true)
			}
		default:
			if value == "" {
				d.set(key, "", false)
			} else if value[0] == '"' && (key == "no-cache" || key == "private") {
				d.set(key, strings.Trim(value, `"`), true)
			}
		}
	}
	return d, true
}

// cutMember cuts key [ "=" item ] with its parameters, which are dropped. The
// value is "" for true, "?0" for false, digits for an integer; other items are
// what they are written as.
func cutMember(s string) (key, value, rest string, ok bool) {
	n := 0
	for n < len(s) && (s[n] >= 'a' && s[n] <= 'z' || s[n] == '*' || n > 0 && (s[n] >= '0' && s[n] <= '9' || strings.IndexByte("_-.", s[n]) >= 0)) {
		n++
	}
	if key, s = s[:n], s[n:]; n == 0 {
		return "", "", "", false
	}
	if strings.HasPrefix(s, "=") {
		if value, s, ok = cutItem(s[1:]); !ok {
			return "", "", "", false
		}
	}
	for strings.HasPrefix(s, ";") {
		s = strings.TrimLeft(s[1:], " ")
		n := 0
		for n < len(s) && (s[n] >= 'a' && s[n] <= 'z' || s[n] >= '0' && s[n] <= '9' || strings.IndexByte("*_-.", s[n]) >= 0) {
			n++
		}
		if s = s[n:]; n == 0 {
			return "", "", "", false
		}
		if strings.HasPrefix(s, "=") {
			if _, s, ok = cutItem(s[1:]); !ok {
				return "", "", "", false
			}
		}
	}
	return key, value, s, true
}

// cutItem cuts a bare item: a number, a boolean, a string or a token.
func cutItem(s string) (value, rest string, ok bool) {
	switch {
	case strings.HasPrefix(s, "?1"):
		return "", s[2:], true
	case strings.HasPrefix(s, "?0"):
		return s[:2], s[2:], true
	case strings.HasPrefix(s, `"`):
		_, rest, ok = cutQuoted(s[1:])
		return s[:len(s)-len(rest)], rest, ok
	}
	n := 0
	for n < len(s) && (tokenLen(s[n:n+1]) == 1 || s[n] == ':' || s[n] == '/') {
		n++
	}
	return s[:n], s[n:], n > 0
}
