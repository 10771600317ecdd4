package export

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/dayfly-dev/dayfly/edge/refs"
)

// File is one of the copy.
type File struct {
	Name   string      // with slashes, without one at its front
	Header http.Header // Content-Type, Cache-Control, Content-Language, Content-Disposition; as far as the site has them
	Size   int64
	Sum    [sha256.Size]byte
	// Redirect is where the address leads, for destinations that can answer so;
	// the body is a page that leads there too. "": it does not.
	Redirect string

	open func() (io.ReadSeekCloser, error)
}

// Open returns the file's content.
func (f *File) Open() (io.ReadSeekCloser, error) { return f.open() }

// Write puts the copy into a destination: first what pages refer to, then the
// pages, last those that lead to all others. It may be called again, for another destination.
func (s *Site) Write(ctx context.Context, to Destination) error {
	r := &s.Report
	r.Files, r.Written, r.Stale, r.Pruned = 0, 0, nil, false
	var first, pages, last []*File
	for _, a := range s.order {
		p := s.pages[a]
		if a != s.missing() && (p.name == "" || s.names[p.name] != a) { // or another has that name and content
			continue
		}
		f, err := s.file(a, p)
		if err != nil {
			return err
		}
		switch {
		case f == nil:
			continue
		case p.kind == kindOther || p.kind == kindCSS || p.kind == kindJS || p.kind == kindMap:
			first = append(first, f)
		case f.Name == "index.html" || p.kind == kindXML || p.kind == kindText:
			last = append(last, f)
		default:
			pages = append(pages, f)
		}
		r.Files++
	}
	var err error
	if r.Written, err = to.Put(ctx, [][]*File{first, pages, last}); err != nil {
		return err
	}
	r.Stale, r.Pruned, err = to.End(ctx)
	slices.Sort(r.Stale)
	return err
}

// file is the copy of a page; nil if there is none.
func (s *Site) file(a address, p *page) (*File, error) {
	f := &File{Name: p.name, Header: p.header, Size: p.size, Sum: p.sum, open: func() (io.ReadSeekCloser, error) { return os.Open(p.file) }}
	switch {
	case a == s.missing():
		if p.kind != kindHTML || p.status != http.StatusNotFound && p.status != http.StatusOK {
			return nil, nil
		}
		f.Name = "404.html"
	case p.redirects():
		f.Redirect = s.leadsTo(a)
		f.Header = http.Header{"Content-Type": {"text/html; charset=utf-8"}}
		return f, f.contain(func() ([]byte, error) { return []byte(leadingOn(f.Redirect)), nil })
	}
	if p.kind == kindOther || p.size > maxParsed {
		return f, nil
	}
	return f, f.contain(func() ([]byte, error) {
		data, err := os.ReadFile(p.file)
		if err != nil {
			return nil, err
		}
		return s.rewrite(a, p, f.Name, data), nil
	})
}

// contain gives a file a content that is made each time it is asked for: all
// pages together may be larger than memory.
func (f *File) contain(content func() ([]byte, error)) error {
	data, err := content()
	if err != nil {
		return err
	}
	f.Size, f.Sum = int64(len(data)), sha256.Sum256(data)
	f.open = func() (io.ReadSeekCloser, error) {
		data, err := content()
		if err != nil {
			return nil, err
		}
		return inMemory{bytes.NewReader(data)}, nil
	}
	return nil
}

type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }

// leadingOn is a page that leads to another address.
func leadingOn(to string) string {
	to = refs.Escape(to)
	return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>` + to + `</title>
<link rel="canonical" href="` + to + `"><meta http-equiv="refresh" content="0; url=` + to + `">
<p><a href="` + to + `">` + to + `</a></p>
</html>
`
}

// leadsTo is where the copy of a redirect leads.
func (s *Site) leadsTo(a address) string {
	p := s.pages[a]
	return s.refer(p.name, s.base(a), p.to, refs.Link)
}

// rewrite has the references of a page lead to the copies.
func (s *Site) rewrite(a address, p *page, name string, data []byte) []byte {
	base := p.resolveBase(s.base(a))
	if p.kind == kindHTML {
		data = refs.Integrities(data, refs.HTML(data), func(written, of string) string { return s.integrity(base, written, of) })
	}
	return walk(p.kind, data, func(text string, of refs.Kind) string {
		if of == refs.Base {
			if s.opt.Layout == Files {
				return "./" // what follows is relative to the copy
			}
			return text
		}
		return s.refer(name, base, text, of)
	})
}

// integrity is that of the copy of what a page refers to.
func (s *Site) integrity(base *url.URL, written, of string) string {
	to, _, ok := s.resolve(base, of)
	if !ok {
		return written
	}
	last, _ := s.final(to)
	p := s.pages[last]
	if p == nil || p.name == "" || p.kind != kindCSS && p.kind != kindJS || p.size > maxParsed { // no other is rewritten
		return written
	}
	was, err := os.ReadFile(p.file)
	if err != nil {
		return written // which is told when the file itself is written
	}
	return refs.RenewIntegrity(written, was, s.rewrite(last, p, p.name, was))
}

// refer is what stands in the copy for a reference of the file of that name.
func (s *Site) refer(name string, base *url.URL, text string, of refs.Kind) string {
	to, fragment, ok := s.resolve(base, text)
	if !ok {
		return text
	}
	if of == refs.Form {
		return s.atApp(to, text)
	}
	last, outside := s.final(to)
	if outside != "" {
		return outside
	}
	p := s.pages[last]
	switch {
	case p == nil: // it was not to be asked for
		return s.atApp(to, text)
	case p.name == "" || p.problem() != "":
		return text
	case of == refs.Absolute && s.opt.Base != nil:
		return strings.TrimSuffix(s.opt.Base.String(), "/") + public(p.name) + fragment
	case of == refs.Absolute:
		return text
	case s.opt.Layout == Addresses && s.link(name, p.name) == string(last) && last == to:
		return s.hostless(text, to, fragment)
	}
	link := s.link(name, p.name)
	if of == refs.Module && !isAddress(link) {
		link = "./" + link // else it would read as a name
	}
	return link + fragment
}

// atApp is a reference to the application that stays one.
func (s *Site) atApp(to address, text string) string {
	if s.opt.App == nil {
		return text
	}
	return strings.TrimSuffix(s.opt.App.String(), "/") + string(to)
}

// hostless is a reference that stays as it is, but without this site's host:
// the copy has another.
func (s *Site) hostless(text string, to address, fragment string) string {
	if strings.Contains(text, "//") {
		return string(to) + fragment
	}
	return text
}
