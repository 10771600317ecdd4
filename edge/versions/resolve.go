package versions

import (
	"net/url"
	"path"
	"strings"
)

// A resolver says which file of the folder a reference means.
type resolver struct {
	dir    string // path of the document's folder, with slashes around it
	prefix string // of the folder's address; "" where nothing can be in the folder
}

// within reports the name below the folder that a reference's text means, and
// where in the text the name's last part is. The text may have white space
// around it.
func (r resolver) within(text string) (name string, start, end int, ok bool) {
	trimmed := strings.TrimLeft(text, "\t\n\f\r ")
	start = len(text) - len(trimmed)
	trimmed = strings.TrimRight(trimmed, "\t\n\f\r ")
	if i := strings.IndexAny(trimmed, "?#"); i >= 0 {
		trimmed = trimmed[:i]
	}
	if r.prefix == "" || trimmed == "" || len(trimmed) > 4096 || strings.HasPrefix(trimmed, "//") || strings.ContainsAny(trimmed, "\\\t\r\n") || hasScheme(trimmed) {
		return "", 0, 0, false
	}
	full := trimmed
	if full[0] != '/' {
		full = r.dir + full
	}
	if full, ok = cleaned(full); !ok {
		return "", 0, 0, false
	}
	name, ok = strings.CutPrefix(full, r.prefix)
	if !ok || name == "" {
		return "", 0, 0, false
	}
	end = start + len(trimmed)
	return name, start + strings.LastIndexByte(trimmed, '/') + 1, end, true
}

// cleaned takes dot segments and percent encoding out of a path that is to name
// a file, as a browser and the server would together.
func cleaned(p string) (string, bool) {
	var out []string
	parts := strings.Split(p[1:], "/")
	for i, part := range parts {
		plain, err := url.PathUnescape(part)
		if err != nil || strings.ContainsAny(plain, "/\\\x00") {
			return "", false
		}
		switch plain {
		case "..":
			if len(out) > 0 {
				out = out[:len(out)-1]
			}
		case ".":
		case "":
			return "", false // "a//b", or a folder
		default:
			out = append(out, plain)
			continue
		}
		if i == len(parts)-1 {
			return "", false // a folder
		}
	}
	return "/" + strings.Join(out, "/"), len(out) > 0
}

// hasScheme reports whether a reference begins like https: or data:.
func hasScheme(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case c == ':':
			return i > 0
		case 'a' <= c|0x20 && c|0x20 <= 'z', i > 0 && ('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return false
}

// moved is a resolver for a document whose base is another address.
func (r resolver) moved(base string) resolver {
	base = strings.Trim(base, "\t\n\f\r ")
	if i := strings.IndexAny(base, "?#"); i >= 0 {
		base = base[:i]
	}
	if base == "" {
		return r
	}
	if strings.HasPrefix(base, "//") || strings.ContainsAny(base, "\\") || hasScheme(base) {
		return resolver{} // another site, or this one under a name we do not know
	}
	if base[0] != '/' {
		base = r.dir + base
	}
	base = base[:strings.LastIndexByte(base, '/')+1]
	dir := path.Clean(base)
	if dir != "/" {
		dir += "/"
	}
	return resolver{dir: dir, prefix: r.prefix}
}

// encoded writes a name or a piece of an address so that it means the same
// inside quotes of any of the languages, in an attribute and in url().
func encoded(s, keep string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' || strings.IndexByte("._~-", c) >= 0 || strings.IndexByte(keep, c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteString(string([]byte{'%', hexDigits[c>>4], hexDigits[c&15]}))
		}
	}
	return b.String()
}
