// Package warm asks a site for addresses beforehand, so that its caches have the
// answers when people come.
package warm

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// Options of Run.
type Options struct {
	// Site is the address requests go to, "http://127.0.0.1:8080". Required.
	Site string
	// Host is what requests name as their Host. Default: each address's own, or
	// the site's for paths.
	Host string
	// Encodings are the values of Accept-Encoding each address is asked with, for
	// answers that vary by it. Default "gzip, br, zstd" alone.
	Encodings []string
	// Concurrency is how many requests are under way at once, 1–1000. Default 8.
	Concurrency int
	// Timeout bounds one request with its answer. Default 1 min.
	Timeout time.Duration
	// Done is told each answer, one at a time. Default: nothing.
	Done func(Answer)
}

// An Answer is what became of one address.
type Answer struct {
	URL      string        `json:"url"`
	Encoding string        `json:"encoding"`
	Status   int           `json:"status,omitempty"` // 0: there was none
	Bytes    int64         `json:"bytes"`
	Took     time.Duration `json:"took_ns"`
	// Cache says what the caches on the way did, as Cache-Status (RFC 9211).
	Cache string `json:"cache,omitempty"`
	// Kept reports whether the nearest cache has it now.
	Kept  bool   `json:"kept"`
	Error string `json:"error,omitempty"`
}

// Good reports whether the site answered with a status below 400.
func (a *Answer) Good() bool { return a.Error == "" && a.Status < 400 }

// Run asks for each address, which is a path or an absolute one, and returns
// when all have been answered or ctx ends. Redirects are not followed: they are
// answers too. An error of one address is its Answer's.
func Run(ctx context.Context, o Options, addresses []string) error {
	site, err := url.Parse(o.Site)
	if err != nil || site.Host == "" || site.Scheme != "http" && site.Scheme != "https" {
		return fmt.Errorf("warm: %q is not a site's address; write it like http://127.0.0.1:8080", o.Site)
	}
	if o.Encodings == nil {
		o.Encodings = []string{"gzip, br, zstd"}
	}
	if o.Concurrency == 0 {
		o.Concurrency = 8
	}
	if o.Concurrency < 1 || o.Concurrency > 1000 {
		return fmt.Errorf("warm: Concurrency is %d; it must be between 1 and 1000", o.Concurrency)
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	client := &http.Client{Timeout: o.Timeout,
		Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: o.Concurrency},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	answers := make(chan Answer)
	told := make(chan struct{})
	go func() {
		defer close(told)
		for a := range answers {
			if o.Done != nil {
				o.Done(a)
			}
		}
	}()
	var g errgroup.Group
	g.SetLimit(o.Concurrency)
	for _, address := range addresses {
		for _, encoding := range o.Encodings {
			if ctx.Err() != nil {
				break
			}
			g.Go(func() error {
				answers <- o.ask(ctx, client, site, address, encoding)
				return nil
			})
		}
	}
	g.Wait() //nolint:errcheck // each error is its answer's
	close(answers)
	<-told
	return ctx.Err()
}

func (o *Options) ask(ctx context.Context, client *http.Client, site *url.URL, address, encoding string) Answer {
	a := Answer{URL: address, Encoding: encoding}
	began := time.Now()
	err := o.fetch(ctx, client, site, &a)
	if err != nil {
		a.Error = err.Error()
	}
	a.Took = time.Since(began)
	return a
}

func (o *Options) fetch(ctx context.Context, client *http.Client, site *url.URL, a *Answer) error {
	u, err := url.Parse(a.URL)
	if err != nil {
		return err
	}
	host := o.Host
	if u.Host != "" && host == "" {
		host = u.Host
	}
	u.Scheme, u.Host, u.User, u.Fragment = site.Scheme, site.Host, nil, ""
	if !strings.HasPrefix(u.Path, "/") {
		u.Path = "/" + u.Path
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	r.Host = host
	r.Header.Set("User-Agent", "dayfly-warm")
	if a.Encoding != "" {
		r.Header.Set("Accept-Encoding", a.Encoding)
	}
	res, err := client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	a.Status, a.Cache = res.StatusCode, strings.Join(res.Header.Values("Cache-Status"), ", ")
	last := a.Cache[strings.LastIndexByte(a.Cache, ',')+1:]
	a.Kept = hasParam(last, "hit") || hasParam(last, "stored")
	a.Bytes, err = io.Copy(io.Discard, res.Body)
	return err
}

func hasParam(s, name string) bool {
	for part := range strings.SplitSeq(s, ";") {
		if strings.TrimSpace(part) == name {
			return true
		}
	}
	return false
}
