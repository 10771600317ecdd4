package export

import (
	"net/url"
	"path"
	"strings"
)

// An address is a path of the site as it stands in a request: escaped, with its
// query, without a fragment.
type address string

// maxAddress bounds an address, in bytes.
const maxAddress = 8 << 10

// addressOf is the address of a URL of this site.
func addressOf(u *url.URL) address {
	p := u.EscapedPath()
	if p == "" {
		p = "/"
	}
	if u.RawQuery != "" {
		p += "?" + u.RawQuery
	}
	return address(p)
}

// path is the address without its query.
func (a address) path() string {
	p, _, _ := strings.Cut(string(a), "?")
	return p
}

// url is the address as one reads it; nil if it is none.
func (a address) url() *url.URL {
	u, err := url.ParseRequestURI(string(a))
	if err != nil {
		return nil
	}
	return u
}

// resolve returns where a reference of a page leads: an address of this site, or
// ok false where it leads elsewhere, nowhere, or to a part of the page itself.
// fragment has its "#".
func (s *Site) resolve(base *url.URL, reference string) (a address, fragment string, ok bool) {
	reference = strings.TrimSpace(reference)
	if reference == "" || reference[0] == '#' || len(reference) > maxAddress {
		return "", "", false
	}
	ref, err := url.Parse(reference)
	if err != nil {
		return "", "", false
	}
	u := base.ResolveReference(ref)
	if u.Scheme != "http" && u.Scheme != "https" || !s.own[strings.ToLower(u.Host)] || u.User != nil {
		return "", "", false
	}
	if u.Fragment != "" {
		fragment = "#" + u.EscapedFragment()
	}
	a = addressOf(u)
	return a, fragment, a.url() != nil
}

// base is what references of a page are relative to.
func (s *Site) base(a address) *url.URL {
	u := *a.url()
	u.Scheme, u.Host = s.opt.Site.Scheme, s.opt.Site.Host
	return &u
}

// skipped reports whether an address is not to be asked for.
func (s *Site) skipped(a address) bool {
	p := a.path()
	for _, pattern := range s.opt.Skip {
		if matches(pattern, p) || matches(pattern, string(a)) {
			return true
		}
	}
	return false
}

// matches reports whether p is pattern, or below it; with a "*", whether it has
// the parts between in their order.
func matches(pattern, p string) bool {
	if !strings.Contains(pattern, "*") {
		return p == pattern || strings.HasPrefix(p, strings.TrimSuffix(pattern, "/")+"/")
	}
	parts := strings.Split(pattern, "*")
	last := len(parts) - 1
	rest, ok := strings.CutPrefix(p, parts[0])
	for _, part := range parts[1:last] {
		if ok {
			_, rest, ok = strings.Cut(rest, part)
		}
	}
	return ok && strings.HasSuffix(rest, parts[last])
}

// maxName bounds a part of a name, in bytes: file systems have 255.
const maxName = 200

// nameOf is the name a page gets, without a leading slash.
func nameOf(a address, html bool, layout Layout) string {
	u := a.url()
	p := strings.TrimPrefix(u.EscapedPath(), "/")
	dir, base := path.Split(p)
	ext := path.Ext(base)
	if u.RawQuery != "" {
		base = strings.TrimSuffix(base, ext) + "@" + strings.ReplaceAll(u.RawQuery, "/", "%2F") + ext
	}
	switch {
	case base == "":
		base = "index.html"
	case layout == Addresses:
	case html && ext != ".html" && ext != ".htm":
		dir, base = dir+base+"/", "index.html"
	}
	parts := strings.Split(dir+base, "/")
	for i, part := range parts {
		parts[i] = safe(part, layout)
	}
	return strings.Join(parts, "/")
}
