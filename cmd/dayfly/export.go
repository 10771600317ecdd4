package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/blob"
	"github.com/dayfly-dev/dayfly/blob/upload"
	"github.com/dayfly-dev/dayfly/edge/export"
)

func exportCommand(p *place) *cobra.Command {
	x := &siteExport{place: p}
	c := &cobra.Command{
		Use:   "export DIR | s3://BUCKET[/PREFIX]",
		Short: "Copy the running site into static files",
		Long: `Copy the running site into static files, in a folder or in a bucket that a CDN
serves.

Pages are found from /, robots.txt, the sitemaps, and the links of what was
found; files of [static] are all copied. In a folder /about becomes about/index.html and links are
relative: the copy can be read without a server. In a bucket /about becomes the
object "about" with the type and the Cache-Control the site answers, and links stay
as they are. A page with a query gets a name of its own, and the links to it
lead there. A page that redirects becomes a page that leads on.

Only what changed is written, files before the pages that refer to them; it can
be interrupted and made again. What an earlier export wrote and this one did not is
named, and removed with --prune.

What is linked and not there is listed with the pages that link to it; so are forms,
which need the application: --app has them sent there. With --strict what
is broken makes the exit code 1. doc/export.md has more.

The bucket is reached as the AWS tools do, by environment, files or role; that of
the application at hand after ` + "`eval \"$(dayfly env)\"`.",
		Example: `  dayfly export out
  dayfly export s3://www.example.com --base https://www.example.com --app https://app.example.com
  dayfly export out --skip '/admin' --skip '/search*' --strict`,
		Args: cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(c *cobra.Command, args []string) error { return x.run(c, args[0]) },
	}
	f := c.Flags()
	f.StringVar(&x.site, "site", "", "the site's address (default: that of the running application)")
	f.StringVar(&x.base, "base", "", "the copy's public address, for canonical links, sitemaps and feeds (default: they stay)")
	f.StringVar(&x.app, "app", "", "the application's public address, for forms and for what is not copied (default: they stay)")
	f.StringArrayVar(&x.o.Start, "start", nil, "a path to begin with, beside those that are linked; may be repeated")
	f.StringArrayVar(&x.o.Skip, "skip", nil, "paths not to ask for: /admin and all below, or with * for anything; may be repeated")
	f.StringVar(&x.o.NotFound, "not-found", "/404.html", "a path the site does not have, whose answer becomes 404.html; - for none")
	f.IntVar(&x.o.MaxPages, "max-pages", 100_000, "how many addresses are asked for at most")
	f.IntVar(&x.o.Concurrency, "concurrency", 8, "how many are asked for at once")
	f.BoolVar(&x.prune, "prune", false, "remove what an earlier export wrote and this one did not")
	f.BoolVar(&x.force, "force", false, "write into a folder that holds other things, over what has the same names")
	f.BoolVar(&x.dry, "dry-run", false, "change nothing, and tell what would be written (buckets)")
	f.BoolVar(&x.strict, "strict", false, "fail if a link is broken or two pages have one name")
	f.BoolVar(&x.json, "json", false, "print the report as JSON")
	return c
}

type siteExport struct {
	place                     *place
	site, base, app           string
	prune, force, dry, strict bool
	json                      bool
	o                         export.Options
}

// exportTo is a destination, and what is to be called in the end.
type exportTo struct {
	export.Destination
	close func() error
}

func (x *siteExport) run(c *cobra.Command, to string) error {
	ctx := c.Context()
	inBucket := strings.HasPrefix(to, "s3://")
	if x.dry && !inBucket {
		return usageError{errors.New("--dry-run is for buckets: a folder can be looked at, and is made again as quickly")}
	}
	if err := x.addresses(ctx); err != nil {
		return err
	}
	if inBucket {
		x.o.Layout = export.Addresses
	}
	writing := newProgress(c.ErrOrStderr(), "writing")
	dest, err := x.open(ctx, to, writing) // first: what cannot be written need not be read
	if err != nil {
		return err
	}
	defer dest.close() //nolint:errcheck // a folder's handle
	p := newProgress(c.ErrOrStderr(), "reading")
	p.text = func(n int64) string { return count(n, "address") }
	x.o.Progress = func(done, known int) { p.at(int64(done), int64(known)) }
	site, err := export.Read(ctx, x.o)
	p.end()
	if err != nil {
		return err
	}
	defer site.Close() //nolint:errcheck // it is in the system's temporary folder
	err = site.Write(ctx, dest)
	writing.end()
	if err != nil {
		return fmt.Errorf("%w\nrun it again to go on", err)
	}
	return x.conclude(c.OutOrStdout(), &site.Report, to)
}

func (x *siteExport) open(ctx context.Context, to string, p *progress) (exportTo, error) {
	if !strings.HasPrefix(to, "s3://") {
		d, err := export.OpenFolder(to, x.prune, x.force)
		if errors.Is(err, export.ErrNotEmpty) {
			err = fmt.Errorf("%w\ngive another folder, or overwrite what has the same names with --force", err)
		}
		if err != nil {
			return exportTo{}, err
		}
		return exportTo{d, d.Close}, nil
	}
	bucket, prefix, err := upload.ParseTarget(to)
	if err != nil {
		return exportTo{}, usageError{err}
	}
	client, err := blob.Client(ctx)
	if err != nil {
		return exportTo{}, err
	}
	b, err := export.OpenBucket(ctx, client, export.BucketOptions{Name: bucket, Prefix: prefix, Prune: x.prune, Dry: x.dry, Progress: p.at})
	return exportTo{b, func() error { return nil }}, err
}

// addresses fills in where the site is and what else is its own.
func (x *siteExport) addresses(ctx context.Context) (err error) {
	if x.o.Base, err = webAddress("--base", x.base); err != nil {
		return err
	}
	if x.o.App, err = webAddress("--app", x.app); err != nil {
		return err
	}
	if x.o.Base != nil {
		x.o.Names = append(x.o.Names, x.o.Base.Host)
	}
	if x.site != "" {
		x.o.Site, err = webAddress("--site", x.site)
		return err
	}
	client, err := x.place.running()
	if err != nil {
		return err
	}
	status, err := client.Status(ctx)
	if err != nil {
		return err
	}
	for _, a := range status.Addresses {
		if a.Name == "Site" {
			x.o.Site, err = url.Parse(a.URL)
		}
	}
	if err != nil || x.o.Site == nil {
		return fmt.Errorf("%s has no site: no process of its manifest has http = true, and there is no [static]", status.Name)
	}
	return x.ofApplication(status.Dir)
}

// ofApplication adds what the manifest and the data folder say.
func (x *siteExport) ofApplication(dir string) error {
	m, err := x.place.manifest(dir)
	if err != nil {
		return err
	}
	if m.Edge.Host != "" {
		x.o.Names = append(x.o.Names, m.Edge.Host)
		x.o.Host = m.Edge.Host
	}
	if port := x.o.Site.Port(); port != "" { // as links of pages made for a visitor have it
		x.o.Names = append(x.o.Names, net.JoinHostPort("localhost", port))
	}
	data, err := x.place.dataDir()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(data, "static.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var files map[string]string
	if err == nil {
		err = json.Unmarshal(text, &files)
	}
	for _, address := range files {
		x.o.Start = append(x.o.Start, address)
	}
	return err
}

func webAddress(flag, text string) (*url.URL, error) {
	if text == "" {
		return nil, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
		return nil, usageError{fmt.Errorf("%s %q is no address of a site; write it as https://www.example.com", flag, text)}
	}
	return u, nil
}

func (x *siteExport) conclude(out io.Writer, r *export.Report, to string) error {
	if x.json {
		if err := printJSON(out, r); err != nil {
			return err
		}
	} else {
		printExport(out, r, to, x.dry)
	}
	if bad := len(r.Broken) + len(r.Conflicts); x.strict && bad > 0 {
		return fmt.Errorf("%s; the copy was written", count(int64(bad), "problem"))
	}
	return nil
}

// shownProblems is how many of each kind are listed; --json has all.
const shownProblems = 50

func printExport(out io.Writer, r *export.Report, to string, dry bool) {
	written := "written"
	if dry {
		written = "to be written"
	}
	fmt.Fprintf(out, "%s read, %s: %s to %s, %d %s\n", count(int64(r.Pages), "answer"), memory(r.Bytes), count(int64(r.Files), "file"), to, r.Written, written)
	list := func(title string, n int, line func(i int) string) {
		if n == 0 {
			return
		}
		fmt.Fprintf(out, "\n%s\n", title)
		for i := range min(n, shownProblems) {
			fmt.Fprintln(out, "  "+line(i))
		}
		if n > shownProblems {
			fmt.Fprintf(out, "  and %d more; --json has all\n", n-shownProblems)
		}
	}
	from := func(pages []string) string {
		if len(pages) == 0 {
			return ""
		}
		return "  (from " + strings.Join(pages, ", ") + ")"
	}
	list("Broken links:", len(r.Broken), func(i int) string { b := r.Broken[i]; return b.Address + "  " + b.Why + from(b.From) })
	list("Not copied, as another page has the name:", len(r.Conflicts), func(i int) string {
		c := r.Conflicts[i]
		return c.Address + "  " + c.Name + " is " + c.With
	})
	list("Forms, which need the application (--app):", len(r.Forms), func(i int) string { return r.Forms[i].Action + from(r.Forms[i].From) })
	list("Linked, and left out by --skip:", len(r.Skipped), func(i int) string { return r.Skipped[i].Address + from(r.Skipped[i].From) })
	stale := "Of an earlier export, and not of this one (--prune removes them):"
	if r.Pruned {
		stale = "Removed:"
	}
	list(stale, len(r.Stale), func(i int) string { return r.Stale[i] })
	if r.Left > 0 {
		fmt.Fprintf(out, "\n%s to more addresses than --max-pages were not followed\n", count(int64(r.Left), "link"))
	}
}
