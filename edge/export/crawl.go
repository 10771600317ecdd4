package export

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sync"

	"github.com/dayfly-dev/dayfly/edge/refs"
)

// crawl asks for the first addresses and then for all that the answers refer to.
func (s *Site) crawl(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &crawler{s: s, queue: make(chan asked), answers: make(chan asked)}
	var workers sync.WaitGroup
	for range s.opt.Concurrency {
		workers.Go(func() { c.work(ctx) })
	}
	defer workers.Wait()
	defer close(c.queue)
	for _, start := range append([]string{"/", "/robots.txt", "/sitemap.xml", "/favicon.ico"}, s.opt.Start...) {
		c.want(address(start), "", true)
	}
	if a := s.missing(); a != "" {
		c.want(a, "", true)
	}
	if err := c.run(ctx); err != nil {
		return err
	}
	for a, p := range s.pages {
		if p.status == http.StatusOK && a != s.missing() {
			return nil
		}
	}
	return fmt.Errorf("%w: %s: %s", ErrNothing, s.opt.Site, s.pages["/"].problem())
}

// missing is the address that is asked for to have the page of those that are
// not there; "": none.
func (s *Site) missing() address {
	if s.opt.NotFound == "-" {
		return ""
	}
	return address(s.opt.NotFound)
}

// crawler hands addresses to workers and takes their answers. Only its run
// touches the site.
type crawler struct {
	s       *Site
	waiting []asked
	under   int
	queue   chan asked
	answers chan asked
}

// asked is an address on its way to a worker and back.
type asked struct {
	address address
	number  int
	page    *page
}

// want has an address asked for, once.
func (c *crawler) want(a address, from address, first bool) {
	s := c.s
	p := s.pages[a]
	if p == nil {
		if s.skipped(a) {
			s.skips.add(string(a), string(from))
			return
		}
		if len(s.order) >= s.opt.MaxPages {
			s.Report.Left++
			return
		}
		p = &page{first: first}
		s.pages[a] = p
		c.waiting = append(c.waiting, asked{a, len(s.order), p})
		s.order = append(s.order, a)
	}
	p.first = p.first && from == ""
	if from != "" && len(p.from) < maxFrom && !slices.Contains(p.from, from) {
		p.from = append(p.from, from)
	}
}

func (c *crawler) run(ctx context.Context) error {
	for done := 0; len(c.waiting) > 0 || c.under > 0; {
		var queue chan asked
		var next asked
		if len(c.waiting) > 0 {
			queue, next = c.queue, c.waiting[0]
		}
		select {
		case queue <- next:
			c.waiting = c.waiting[1:]
			c.under++
		case a := <-c.answers:
			c.under--
			c.take(a)
			if done++; c.s.opt.Progress != nil {
				c.s.opt.Progress(done, len(c.s.order))
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// take has what a page refers to asked for.
func (c *crawler) take(a asked) {
	p := a.page
	base := c.s.base(a.address)
	if p.redirects() {
		if to, _, ok := c.s.resolve(base, p.to); ok {
			p.target = to
			c.want(to, a.address, false)
		}
		return
	}
	base = p.resolveBase(base)
	for _, r := range p.found {
		to, _, ok := c.s.resolve(base, r.text)
		switch {
		case !ok:
		case r.of == refs.Form:
			c.s.forms.add(string(to), string(a.address))
		case r.of == refs.Debug:
			c.want(to, "", true) // that it is not there is no fault of the site
		default:
			c.want(to, a.address, false)
		}
	}
	p.found = nil // there may be many pages
}

// resolveBase is base, or what the page's <base> says.
func (p *page) resolveBase(base *url.URL) *url.URL {
	if p.base == "" {
		return base
	}
	u, err := url.Parse(p.base)
	if err != nil {
		return base
	}
	return base.ResolveReference(u)
}

func (c *crawler) work(ctx context.Context) {
	for a := range c.queue {
		if err := c.s.fetch(ctx, a); err != nil {
			a.page.status, a.page.why = 0, err.Error()
		}
		select {
		case c.answers <- a:
		case <-ctx.Done():
			return
		}
	}
}

// fetch asks for one address. An error is of the connection or the spool.
func (s *Site) fetch(ctx context.Context, a asked) error {
	ctx, cancel := context.WithTimeout(ctx, s.opt.Timeout)
	defer cancel()
	u := s.opt.Site.Scheme + "://" + s.opt.Site.Host + string(a.address)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return err
	}
	r.Host = s.opt.Host
	r.Header.Set("User-Agent", "dayfly-export")
	res, err := s.opt.Client.Do(r)
	if err != nil {
		var of *url.Error
		if errors.As(err, &of) {
			err = of.Err // without the address, which the report has
		}
		return err
	}
	defer res.Body.Close()
	p := a.page
	p.header = http.Header{}
	for _, name := range kept {
		if v := res.Header.Get(name); v != "" {
			p.header.Set(name, v)
		}
	}
	p.to = res.Header.Get("Location")
	p.kind = kindOf(a.address, p.header.Get("Content-Type"))
	if err := s.save(a, res.Body); err != nil {
		return err
	}
	p.status = res.StatusCode
	if p.redirects() {
		p.kind = kindHTML // a copy is a page that leads on
	}
	return p.read()
}

// save keeps the body in the spool.
func (s *Site) save(a asked, body io.Reader) error {
	p := a.page
	p.file = s.spoolName(a.number)
	f, err := os.Create(p.file)
	if err != nil {
		return err
	}
	sum := sha256.New()
	p.size, err = io.Copy(io.MultiWriter(f, sum), io.LimitReader(body, s.opt.MaxSize+1))
	err = errors.Join(err, f.Close())
	if err == nil && p.size > s.opt.MaxSize {
		err = fmt.Errorf("the answer has more than %d bytes", s.opt.MaxSize)
	}
	p.sum = [sha256.Size]byte(sum.Sum(nil))
	return err
}

// maxParsed bounds what is looked through for references, in bytes: what is
// larger is copied as it is.
const maxParsed = 64 << 20

// read finds the references of a page that was saved.
func (p *page) read() error {
	if p.kind == kindOther || p.size > maxParsed || p.redirects() {
		return nil
	}
	data, err := os.ReadFile(p.file)
	if err != nil {
		return err
	}
	walk(p.kind, data, func(text string, of refs.Kind) string {
		switch {
		case of == refs.Base && p.base == "":
			p.base = text
		case of != refs.Base:
			p.found = append(p.found, reference{text, of})
		}
		return text
	})
	return nil
}

// problem says why a page is no copy; "" if it can be one.
func (p *page) problem() string {
	switch {
	case p.why != "":
		return p.why
	case p.status != http.StatusOK && !p.redirects():
		return fmt.Sprintf("%d %s", p.status, http.StatusText(p.status))
	}
	return ""
}
