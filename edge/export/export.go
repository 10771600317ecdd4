// Package export copies a running site into files: it asks for every page that
// the sitemap and the links lead to, has links refer to the copies, and puts
// what changed into a folder or a bucket.
//
// Nothing is made public half: files are written after the whole site was
// read, what pages refer to before the pages.
package export

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// ErrNothing: the site answered none of the addresses that it was asked first.
var ErrNothing = errors.New("export: there is nothing to export")

// Options say what is exported, and how.
type Options struct {
	// Site is where the site answers: scheme and host, such as
	// http://127.0.0.1:8080. Required.
	Site *url.URL
	// Host is the name the site is asked by. Default: that of Site.
	Host string
	// Names are further hosts whose links lead to this site, such as
	// www.example.com.
	Names []string

	// Start are paths to begin with, beside /, /robots.txt, /favicon.ico and the
	// sitemaps.
	Start []string
	// Skip are paths that are not asked for: "/admin" and all below, or with a
	// "*" for any characters, as in "/search*".
	Skip []string
	// NotFound is a path that the site does not have, whose answer becomes
	// 404.html. Default "/404.html"; "-": none.
	NotFound string

	// Layout is how addresses become names. Default Files.
	Layout Layout
	// Base is the public address of the copy, for links that have to be absolute
	// (canonical, sitemaps, feeds). Default: they stay as they are.
	Base *url.URL
	// App is the public address of the application, which forms and links to what
	// is not exported then lead to. Default: they stay as they are.
	App *url.URL

	// MaxPages bounds how many addresses are asked for, 1–10,000,000; default
	// 100,000. MaxSize bounds the body of one, in bytes; default 1 GiB.
	MaxPages int
	MaxSize  int64
	// Concurrency is how many are asked for at once, 1–256; default 8.
	Concurrency int
	// Timeout bounds one answer. Default 1 min.
	Timeout time.Duration
	// Spool is a folder for what was read. Default: the system's.
	Spool string

	// Client asks. Default: one that follows no redirect and keeps no cookie.
	Client *http.Client
	// Progress, if set, is told now and then how many addresses were asked for,
	// of those known. One call at a time.
	Progress func(done, known int)
}

// Layout is how addresses become names of files.
type Layout int

const (
	// Files has a name for each page that a folder can have, and relative links:
	// /about becomes about/index.html. It can be read without a server.
	Files Layout = iota
	// Addresses has the addresses themselves as names, for a bucket behind a CDN:
	// /about becomes the object "about", and /news/, as / itself, news/index.html. Links
	// stay as they are but for those with a query, which no object can have.
	Addresses
)

func (o *Options) normalize() error {
	if o.Site == nil || o.Site.Host == "" || o.Site.Scheme != "http" && o.Site.Scheme != "https" {
		return errors.New("export: the site's address must be http://HOST or https://HOST")
	}
	if o.Host == "" {
		o.Host = o.Site.Host
	}
	if o.NotFound == "" {
		o.NotFound = "/404.html"
	}
	for _, n := range []struct {
		name          string
		v             *int
		def, min, max int
	}{{"MaxPages", &o.MaxPages, 100_000, 1, 10_000_000}, {"Concurrency", &o.Concurrency, 8, 1, 256}} {
		if *n.v == 0 {
			*n.v = n.def
		}
		if *n.v < n.min || *n.v > n.max {
			return fmt.Errorf("export: %s is %d; it must be %d to %d", n.name, *n.v, n.min, n.max)
		}
	}
	if o.MaxSize == 0 {
		o.MaxSize = 1 << 30
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	if o.MaxSize < 0 || o.Timeout < 0 {
		return errors.New("export: MaxSize and Timeout must be positive")
	}
	for _, p := range slices.Concat(o.Start, o.Skip) {
		if !strings.HasPrefix(p, "/") {
			return fmt.Errorf("export: %q is not a path of the site: it must begin with /", p)
		}
	}
	if o.Client == nil {
		o.Client = &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: o.Concurrency, DisableCompression: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return nil
}

// A Destination takes the files.
type Destination interface {
	// Put stores those files that are not there already as they are, and reports how
	// many. Nothing of a group is stored before all of those before it are. It is
	// called once.
	Put(ctx context.Context, groups [][]*File) (written int, err error)
	// End is called after all files were put, if all were. It returns the names
	// of what an earlier export put and this one did not, and whether it removed
	// them.
	End(ctx context.Context) (stale []string, pruned bool, err error)
}

// Site is what was read of a site.
type Site struct {
	opt   Options
	own   map[string]bool // hosts, lower case
	pages map[address]*page
	order []address // as they were found
	dir   string    // of what was read
	names map[string]address
	forms listing // by action
	skips listing // by address

	Report Report
}

// Read asks for all of a site. Close must be called on it. A page that cannot be
// had is not an error, but in the report.
func Read(ctx context.Context, o Options) (*Site, error) {
	if err := o.normalize(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(o.Spool, "dayfly-export-")
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	s := &Site{opt: o, dir: dir, pages: map[address]*page{}, own: map[string]bool{}, names: map[string]address{}, forms: listing{}, skips: listing{}}
	for _, host := range append(o.Names, o.Site.Host, o.Host) {
		s.own[strings.ToLower(host)] = true
	}
	if err := s.crawl(ctx); err != nil {
		s.Close()
		return nil, err
	}
	s.place()
	s.look()
	return s, nil
}

// Close removes what was read.
func (s *Site) Close() error { return os.RemoveAll(s.dir) }
