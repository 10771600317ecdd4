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
	"sync"

	"golang.org/x/sync/errgroup"
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

	open func() (io.ReadCloser, error)
}

// Open returns the file's content.
func (f *File) Open() (io.ReadCloser, error) { return f.open() }

// writers is how many files are put at once.
const writers = 8

// Write puts the copy into a destination: first what pages refer to, then the
// pages, last those that lead to all others. It may be called again, for another destination.
func (s *Site) Write(ctx context.Context, to Destination) error {
	r := &s.Report
	r.Files, r.Written, r.Stale, r.Pruned = 0, 0, nil, false
	var first, pages, last []*File
	for _, a := range s.order {
		p := s.pages[a]
		if p.name == "" && a != s.missing() {
			continue
		}
		f, err := s.file(a, p)
		if err != nil {
			return err
		}
		switch {
		case f == nil:
		case p.kind == kindOther || p.kind == kindCSS:
			first = append(first, f)
		case f.Name == "index.html" || p.kind == kindXML || p.kind == kindText:
			last = append(last, f)
		default:
			pages = append(pages, f)
		}
	}
	for _, files := range [][]*File{first, pages, last} {
		if err := s.putAll(ctx, to, files); err != nil {
			return err
		}
	}
	var err error
	r.Stale, r.Pruned, err = to.End(ctx)
	slices.Sort(r.Stale)
	return err
}

func (s *Site) putAll(ctx context.Context, to Destination, files []*File) error {
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(writers)
	for _, f := range files {
		g.Go(func() error {
			written, err := to.Put(ctx, f)
			mu.Lock()
			defer mu.Unlock()
			s.Report.Files++
			if written {
				s.Report.Written++
			}
			return err
		})
	}
	return g.Wait()
}

// file is the copy of a page; nil if there is none.
func (s *Site) file(a address, p *page) (*File, error) {
	f := &File{Name: p.name, Header: p.header, Size: p.size, Sum: p.sum, open: func() (io.ReadCloser, error) { return os.Open(p.file) }}
	switch {
	case a == s.missing():
		if p.kind != kindHTML || p.status != http.StatusNotFound && p.status != http.StatusOK {
			return nil, nil
		}
		f.Name = "404.html"
	case p.redirects():
		f.Redirect = s.leadsTo(a)
		f.Header = http.Header{"Content-Type": {"text/html; charset=utf-8"}}
		f.contain([]byte(leadingOn(f.Redirect)))
		return f, nil
	}
	if p.kind == kindOther || p.size > maxParsed {
		return f, nil
	}
	data, err := os.ReadFile(p.file)
	if err != nil {
		return nil, err
	}
	if out := s.rewrite(a, p, f.Name, data); !bytes.Equal(out, data) {
		f.contain(out)
	}
	return f, nil
}

// contain gives a file another content.
func (f *File) contain(data []byte) {
	f.Size, f.Sum = int64(len(data)), sha256.Sum256(data)
	f.open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
}

// leadingOn is a page that leads to another address.
func leadingOn(to string) string {
	to = escape(to)
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
	return s.refer(p.name, s.base(a), p.to, useLink)
}

// rewrite has the references of a page lead to the copies.
func (s *Site) rewrite(a address, p *page, name string, data []byte) []byte {
	base := p.resolveBase(s.base(a))
	return walk(p.kind, data, func(text string, u use) string {
		if u == useBase {
			if s.opt.Layout == Files {
				return "./" // what follows is relative to the copy
			}
			return text
		}
		return s.refer(name, base, text, u)
	})
}

// refer is what stands in the copy for a reference of the file of that name.
func (s *Site) refer(name string, base *url.URL, text string, u use) string {
	to, fragment, ok := s.resolve(base, text)
	if !ok {
		return text
	}
	if u == useForm {
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
	case u == useAbsolute && s.opt.Base != nil:
		return strings.TrimSuffix(s.opt.Base.String(), "/") + public(p.name) + fragment
	case u == useAbsolute:
		return text
	case s.opt.Layout == Addresses && s.link(name, p.name) == string(last) && last == to:
		return s.hostless(text, to, fragment)
	}
	return s.link(name, p.name) + fragment
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
