package mail

import (
	"net/url"
	"strings"
)

// maxTracked is the longest link that is tracked, in bytes of path and query:
// longer ones the edge would not redirect to.
const maxTracked = 2048

// Track rewrites the links of a plain text that lead to pages of site, such as
// "https://www.example.com", so that the edge counts who follows them under a
// campaign of the manifest ([edge.click.NAME]):
//
//	https://www.example.com/updates/haml/ → https://www.example.com/daily/?/updates/haml/
//
// Links to other sites stay, as do those that are tracked already and those that
// the edge would not redirect to (with an empty or a dot segment, or encoded
// characters that end a path). Site has no path; a campaign's name is 1–63
// characters of A–Z, a–z, 0–9, _ and -. With another the text is returned as it is.
func Track(text, site, campaign string) string {
	u, err := url.Parse(site)
	if err != nil || u.Host == "" || strings.Trim(u.Path, "/") != "" || !campaignName(campaign) {
		return text
	}
	begin := u.Scheme + "://" + u.Host
	var b strings.Builder
	for {
		i := strings.Index(text, begin)
		if i < 0 {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(text[:i+len(begin)])
		text = text[i+len(begin):]
		n := linkLen(text)
		if link, _, _ := strings.Cut(text[:n], "#"); trackable(link, campaign) {
			b.WriteString("/" + campaign + "/?")
		}
		b.WriteString(text[:n])
		text = text[n:]
	}
}

// linkLen is how much of a text belongs to a link that it begins with: up to a
// blank or a bracket, without the marks that end a sentence.
func linkLen(text string) int {
	n := strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("<>\"\\^`{|}[]", r) })
	if n < 0 {
		n = len(text)
	}
	link := strings.TrimRight(text[:n], ".,;:!?'*")
	for strings.HasSuffix(link, ")") && strings.Count(link, ")") > strings.Count(link, "(") {
		link = strings.TrimRight(link[:len(link)-1], ".,;:!?'*")
	}
	return len(link)
}

// trackable reports whether the edge redirects to a link of the campaign. It is
// stricter than the edge: a path that has to be decoded to be judged stays as it is.
func trackable(link, campaign string) bool {
	if len(link) > maxTracked || !strings.HasPrefix(link, "/") {
		return false
	}
	path, query, asked := strings.Cut(link, "?")
	if asked && strings.HasPrefix(query, "/") || path == "/"+campaign || path == "/"+campaign+"/" {
		return false // tracked already, or it would lead to itself
	}
	if strings.ContainsFunc(link, func(r rune) bool { return r > '~' }) {
		return false // it is not as a mail writes a link; where it ends, readers differ
	}
	segments := strings.Split(path[1:], "/")
	for i, s := range segments {
		decoded, err := url.PathUnescape(s)
		if err != nil || decoded == "." || decoded == ".." || s == "" && i < len(segments)-1 ||
			strings.ContainsAny(decoded, "/\\%") || strings.ContainsFunc(decoded, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return false
		}
	}
	decoded, err := url.QueryUnescape(query)
	return err == nil && !strings.ContainsFunc(decoded, func(r rune) bool { return r < ' ' || r == 0x7f })
}

func campaignName(s string) bool {
	return s != "" && len(s) <= 63 && strings.Trim(s[:1], "_-") != "" && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-')
	}) < 0
}
