package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// Answer is what the application answered.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// CaptureOptions say how addresses become pages.
type CaptureOptions struct {
	// Site is the site's public address, without a path. Required.
	Site *url.URL
	// Names are other hosts, with their ports, that addresses may have.
	Names []string
	// Ask has the application answer GET of a path with its query; a body of more
	// than MaxFile is an error. Required.
	Ask func(ctx context.Context, target string) (*Answer, error)
	// Redirects has redirects be kept, too.
	Redirects bool
	// Concurrency is how many are asked for at once, 1–1000. Default 8.
	Concurrency int
}

// maxFailures is how many addresses an error lists.
const maxFailures = 20

// CaptureError lists the addresses that could not be captured.
type CaptureError struct {
	Failed []string // "ADDRESS: why", at most 20
	More   int
}

// Error has a line for each.
func (e *CaptureError) Error() string {
	text := fmt.Sprintf("%d of the addresses cannot be published, and nothing was staged:\n  %s", len(e.Failed)+e.More, strings.Join(e.Failed, "\n  "))
	if e.More > 0 {
		text += fmt.Sprintf("\n  and %d more", e.More)
	}
	return text
}

// Captured is what the application answers to addresses: paths, or addresses of
// the site. Each is a page with exactly that query. Whatever is wrong with them is
// told together.
func Captured(addresses []string, o CaptureOptions) Source {
	return func(ctx context.Context, add func(Page, []byte) error) error {
		if len(addresses) > MaxPages {
			return fmt.Errorf("the list has %d addresses; a release has at most %d pages", len(addresses), MaxPages)
		}
		failed := make([]error, len(addresses))
		var g errgroup.Group
		g.SetLimit(cmp.Or(o.Concurrency, 8))
		seen := map[string]bool{}
		for i, address := range addresses {
			p, target, err := o.page(address)
			if err != nil {
				failed[i] = err
				continue
			}
			if seen[p.Key()] {
				continue
			}
			seen[p.Key()] = true
			g.Go(func() error {
				if ctx.Err() != nil {
					return nil
				}
				a, err := o.Ask(ctx, target)
				if err == nil {
					err = o.take(&p, a)
				}
				if err == nil {
					return add(p, a.Body)
				}
				failed[i] = err
				return nil
			})
		}
		if err := cmp.Or(g.Wait(), ctx.Err()); err != nil {
			return err
		}
		return gather(addresses, failed)
	}
}

func gather(addresses []string, failed []error) error {
	e := &CaptureError{}
	for i, err := range failed {
		switch {
		case err == nil:
		case len(e.Failed) == maxFailures:
			e.More++
		default:
			e.Failed = append(e.Failed, addresses[i]+": "+err.Error())
		}
	}
	if len(e.Failed) == 0 {
		return nil
	}
	return e
}

// page reads an address of the list.
func (o *CaptureOptions) page(address string) (p Page, target string, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return p, "", errors.New("it is no address")
	}
	if u.Host != "" && !strings.EqualFold(u.Host, o.Site.Host) && !slices.ContainsFunc(o.Names, func(n string) bool { return strings.EqualFold(n, u.Host) }) {
		return p, "", fmt.Errorf("it is not of this site, which is %s", o.Site)
	}
	if u.Host == "" && !strings.HasPrefix(address, "/") || u.Opaque != "" {
		return p, "", errors.New("write a path that begins with /, or an address of the site")
	}
	u.Path = cmp.Or(u.Path, "/")
	if strings.Contains(strings.ToLower(u.EscapedPath()), "%2f") {
		return p, "", errors.New("a slash that is encoded as %2F cannot be told from one that is not")
	}
	if err := CheckPath(u.Path); err != nil {
		return p, "", err
	}
	return Page{Path: u.Path, Query: u.RawQuery}, (&url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}).RequestURI(), nil
}

// take puts an answer into its page, or says why it cannot be published.
func (o *CaptureOptions) take(p *Page, a *Answer) error {
	h := a.Header
	switch {
	case IsRedirect(a.Status) && !o.Redirects:
		return fmt.Errorf("it redirects to %s (status %d): list that address, or keep redirects with --redirects", h.Get("Location"), a.Status)
	case a.Status != http.StatusOK && !IsRedirect(a.Status):
		return fmt.Errorf("the application answers %d %s; only 200 is published", a.Status, http.StatusText(a.Status))
	case len(h["Set-Cookie"]) > 0:
		return errors.New("the answer sets a cookie, which every visitor would get: have the application set none where it finds Dayfly-Preview: stage")
	case h.Get("Content-Encoding") != "" && h.Get("Content-Encoding") != "identity":
		return fmt.Errorf("the answer is encoded (%s) though none was asked for: have the application heed Accept-Encoding", h.Get("Content-Encoding"))
	}
	if p.Status = a.Status; IsRedirect(a.Status) && h.Get("Location") == "" {
		return fmt.Errorf("a redirect (status %d) without Location", a.Status)
	}
	if p.Type = h.Get("Content-Type"); p.Type == "" && len(a.Body) > 0 {
		p.Type = http.DetectContentType(a.Body)
	}
	if t, _, err := mime.ParseMediaType(p.Type); p.Type != "" && err != nil && t == "" {
		return fmt.Errorf("its Content-Type %q is none", p.Type)
	}
	p.Header = map[string]string{}
	connection := strings.Join(h["Connection"], ",")
	for name, values := range h {
		if !kept(name) || len(values) == 0 || listed(connection, name) {
			continue
		}
		p.Header[name] = strings.Join(values, ", ")
	}
	if !shareable(p.Header["Cache-Control"]) {
		// The application may say so of every page it makes; what is published is for
		// everybody, and is asked for anew each time.
		delete(p.Header, "Cache-Control")
	}
	if len(p.Header) == 0 {
		p.Header = nil
	}
	return nil
}

// kept reports whether a field of an answer belongs to the page, and not to the
// connection, to that one answer, or to what the edge says itself.
func kept(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
		"Content-Length", "Content-Type", "Content-Encoding", "Accept-Ranges", "Etag", "Last-Modified", "Vary", "Age", "Date", "Expires", "Pragma",
		"Server", "Server-Timing", "X-Request-Id", "X-Runtime", "Cache-Status", "Dayfly-Preview", "Dayfly-Cache-Control",
		"Strict-Transport-Security", "X-Content-Type-Options", "Www-Authenticate", "Retry-After":
		return false
	}
	return true
}

func listed(list, name string) bool {
	for part := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.TrimSpace(part), name) {
			return true
		}
	}
	return false
}

func shareable(cacheControl string) bool {
	for part := range strings.SplitSeq(cacheControl, ",") {
		name, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(part)), "=")
		if name == "private" || name == "no-store" {
			return false
		}
	}
	return true
}
