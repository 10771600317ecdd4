package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/edge/warm"
)

func edgeWarmCommand(p *place) *cobra.Command {
	x := &warming{place: p}
	c := &cobra.Command{
		Use:   "warm FILE",
		Short: "Ask the site for a list of addresses, so that they are cached",
		Long: `Ask the site for a list of addresses, so that they are cached. FILE has an address
or a path a line, or is a sitemap, or "-" for standard input; an address
"https://…/sitemap.xml" is fetched, with the sitemaps it names.

All requests go to the site that runs, or to --site; the host an address has is
the one they name. Where answers vary by Accept-Encoding, give --encoding for
each of its values. Exit code 1 if an address could not be had.`,
		Example: `  dayfly edge warm addresses.txt
  dayfly edge warm https://www.example.com/sitemap.xml --concurrency 20
  grep -v admin paths.txt | dayfly edge warm - --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return x.run(c, args[0]) },
	}
	f := c.Flags()
	f.StringVar(&x.o.Site, "site", "", "the site's address (default: that of the running application)")
	f.StringVar(&x.o.Host, "host", "", "the host requests name (default: that of each address)")
	f.StringArrayVar(&x.o.Encodings, "encoding", nil, "a value of Accept-Encoding; may be repeated (default \"gzip, br, zstd\")")
	f.IntVar(&x.o.Concurrency, "concurrency", 8, "requests at once, 1 to 1000")
	f.DurationVar(&x.o.Timeout, "timeout", time.Minute, "for one address")
	f.BoolVar(&x.json, "json", false, "print a line of JSON for each address")
	return c
}

type warming struct {
	place *place
	o     warm.Options
	json  bool
}

func (x *warming) run(c *cobra.Command, list string) error {
	if x.o.Concurrency < 1 || x.o.Concurrency > 1000 {
		return usageError{errors.New("--concurrency is between 1 and 1000")}
	}
	if x.o.Site == "" {
		site, err := x.site(c.Context())
		if err != nil {
			return err
		}
		x.o.Site = site
	}
	addresses, err := x.addresses(c.Context(), c.InOrStdin(), list)
	if err != nil {
		return err
	}
	out, show := c.OutOrStdout(), newProgress(c.ErrOrStderr(), "warmed")
	var asked, kept, bad int
	lines := json.NewEncoder(out)
	x.o.Done = func(a warm.Answer) {
		asked++
		if a.Kept {
			kept++
		}
		if !a.Good() {
			bad++
		}
		switch {
		case x.json:
			lines.Encode(a) //nolint:errcheck // the next one tells
		case !a.Good():
			show.end()
			why := a.Error
			if why == "" {
				why = fmt.Sprintf("%d %s", a.Status, http.StatusText(a.Status))
			}
			fmt.Fprintf(c.ErrOrStderr(), "%s: %s\n", plainText(a.URL), plainText(why))
		default:
			show.count(asked, len(addresses)*max(1, len(x.o.Encodings)))
		}
	}
	err = warm.Run(c.Context(), x.o, addresses)
	show.end()
	if err != nil {
		return err
	}
	if !x.json {
		fmt.Fprintf(out, "%d answers, %d of them cached, %d failed\n", asked, kept, bad)
	}
	if bad > 0 {
		return errSaid
	}
	return nil
}

// site is the address of the running application's site.
func (x *warming) site(ctx context.Context) (string, error) {
	client, err := x.place.running()
	if err != nil {
		return "", err
	}
	status, err := client.Status(ctx)
	if err != nil {
		return "", err
	}
	for _, a := range status.Addresses {
		if a.Name == "Site" {
			return a.URL, nil
		}
	}
	return "", errors.New("the application has no site: no process of it has http = true")
}

const maxSitemaps = 1000

// addresses reads the list, and where it is an index the sitemaps it names.
func (x *warming) addresses(ctx context.Context, in io.Reader, list string) ([]string, error) {
	read := func(name string) ([]string, bool, error) {
		r := in
		switch {
		case strings.HasPrefix(name, "http://"), strings.HasPrefix(name, "https://"):
			body, err := openList(ctx, name)
			if err != nil {
				return nil, false, err
			}
			defer body.Close()
			r = body
		case name != "-":
			f, err := os.Open(name)
			if err != nil {
				return nil, false, err
			}
			defer f.Close()
			r = f
		}
		return warm.Read(r)
	}
	addresses, index, err := read(list)
	if err != nil || !index {
		return addresses, err
	}
	if len(addresses) > maxSitemaps {
		return nil, fmt.Errorf("%s names %d sitemaps; at most %d", list, len(addresses), maxSitemaps)
	}
	var all []string
	for _, m := range addresses {
		if !strings.HasPrefix(m, "http://") && !strings.HasPrefix(m, "https://") {
			return nil, fmt.Errorf("%s names %q, which is no address", list, m)
		}
		part, nested, err := read(m)
		if err != nil {
			return nil, err
		}
		if nested {
			return nil, fmt.Errorf("%s is an index named by an index", m)
		}
		all = append(all, part...)
	}
	return all, nil
}

// openList fetches a list.
func openList(ctx context.Context, address string) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	res, err := (&http.Client{Timeout: time.Minute}).Do(r)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		res.Body.Close()
		return nil, fmt.Errorf("%s: %s", address, res.Status)
	}
	return res.Body, nil
}
