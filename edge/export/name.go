package export

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"path"
	"strings"
)

// safe is a part of an address as a part of a name: unescaped, unless that
// would lead elsewhere, and cut where it is too long.
func safe(part string, layout Layout) string {
	name, err := url.PathUnescape(part)
	if err != nil || strings.ContainsAny(name, "/\\\x00") || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		name = part
	}
	if name == "." || name == ".." {
		name = strings.ReplaceAll(name, ".", "%2E")
	}
	if layout == Files && name == "" {
		name = "%00" // of two slashes in a row
	}
	if len(name) > maxName {
		sum := sha256.Sum256([]byte(name))
		ext := path.Ext(name)
		if len(ext) > 16 {
			ext = ""
		}
		name = strings.ToValidUTF8(name[:maxName-40-len(ext)], "") + "-" + hex.EncodeToString(sum[:12]) + ext
	}
	return name
}

// place gives each page its name: first those with a content, then those that
// redirect, which need none where the one they lead to has it.
func (s *Site) place() {
	folders := map[string]address{}
	for _, redirects := range []bool{false, true} {
		for _, a := range s.order {
			if p := s.pages[a]; p.problem() == "" && p.redirects() == redirects && a != s.missing() {
				s.name(a, p, folders)
			}
		}
	}
}

// name gives one page its name. Of two that would have the same the first keeps
// it; the other is not exported, unless it has the same content.
func (s *Site) name(a address, p *page, folders map[string]address) {
	name := nameOf(a, p.kind == kindHTML, s.opt.Layout)
	with, taken := s.names[name]
	switch {
	case taken && s.pages[with].sum == p.sum && !p.redirects():
		p.name = name
		return
	case taken && p.redirects():
		return
	case !taken:
		with, taken = s.inTheWay(name, folders)
	}
	if taken {
		s.Report.Conflicts = append(s.Report.Conflicts, Conflict{Name: name, Address: string(a), With: string(with)})
		return
	}
	p.name = name
	s.names[name] = a
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		folders[dir] = a
	}
}

// inTheWay is the page whose file would have to be a folder too, or whose folder
// a file, for name to be there.
func (s *Site) inTheWay(name string, folders map[string]address) (with address, ok bool) {
	if s.opt.Layout == Addresses {
		return "", false
	}
	if with, ok = folders[name]; ok {
		return with, true
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if with, ok = s.names[dir]; ok {
			return with, true
		}
	}
	return "", false
}

// link is how a file of the copy is referred to from another.
func (s *Site) link(from, to string) string {
	if s.opt.Layout == Addresses {
		return public(to)
	}
	return relative(from, to)
}

// relative is the path from one file to another, escaped.
func relative(from, to string) string {
	f, t := strings.Split(from, "/"), strings.Split(to, "/")
	n := 0
	for n < len(f)-1 && n < len(t)-1 && f[n] == t[n] {
		n++
	}
	link := strings.Repeat("../", len(f)-1-n) + escapeName(strings.Join(t[n:], "/"))
	if i := strings.IndexByte(link, ':'); i >= 0 && !strings.Contains(link[:i], "/") {
		link = "./" + link // else it would read as a scheme
	}
	return link
}

// public is the address a file of the copy has on the web, without its host:
// the folder of an index.html.
func public(name string) string {
	if dir, base := path.Split(name); base == "index.html" {
		name = dir
	}
	return "/" + escapeName(name)
}

func escapeName(name string) string { return (&url.URL{Path: "/" + name}).EscapedPath()[1:] }
