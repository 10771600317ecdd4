package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app/control"
)

func publishStage(p *place) *cobra.Command {
	x := &staging{place: p}
	c := &cobra.Command{
		Use:   "stage DIR | FILE | -",
		Short: "Make a release that only you see, and print its address",
		Long: `Make a release of a folder, or of what the application answers to a list of
addresses, and print an address under which only who opens it sees the site with
this release. Nothing changes for anybody else.

DIR is published as a static site is: about/index.html is at /about/, and /about
leads there. Names that begin with a dot are left out, but for .well-known; what
is no plain file is refused.

FILE, or - for the standard input, has an address or a path of this site a line, or
is a sitemap, as in "dayfly edge warm"; so has an address "https://…/sitemap.xml".
The application is asked for each, with the header "Dayfly-Preview: stage", by which
it can answer what is not public yet; no client can send that. Answers are kept byte
for byte. Only status 200 is taken, with --redirects redirects as well, and no
answer that sets a cookie.

A release is whole: pages it does not have are the application's. With --add it
begins with the pages that are live, and --remove leaves some of them out.

Only contents that are not in the bucket are written. Old releases go: [publish]
keep says how many stay.`,
		Example: `  dayfly publish stage public/
  dayfly publish stage public/ --cache-control '/assets/: public, max-age=31536000, immutable'
  printf '/\n/prices/\n' | dayfly publish stage - --add --note "new prices"
  dayfly publish stage https://www.example.com/sitemap.xml`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return x.run(c, args[0]) },
	}
	f := c.Flags()
	f.StringVar(&x.want.Note, "note", "", "what to call it in lists")
	f.BoolVar(&x.want.Add, "add", false, "begin with the pages that are live, and replace or add")
	f.StringArrayVar(&x.want.Remove, "remove", nil, "with --add: a path to leave out, or with / at its end all below; may be repeated")
	f.BoolVar(&x.want.Redirects, "redirects", false, "of addresses: keep redirects, too")
	f.StringArrayVar(&x.cache, "cache-control", nil, "of files: \"PREFIX: VALUE\" for paths that begin with PREFIX; may be repeated, the first that fits counts (default: browsers ask anew each time)")
	f.DurationVar(&x.want.Valid, "valid", 72*time.Hour, "how long the preview's address is good, 1m to 2160h")
	f.BoolVar(&x.json, "json", false, "print JSON: {id,preview{url,until},diff{added,changed,removed},pages,uploaded,edges,…}")
	return c
}

type staging struct {
	place *place
	want  control.Stage
	cache []string
	json  bool
}

func (x *staging) run(c *cobra.Command, from string) error {
	if len(x.want.Remove) > 0 && !x.want.Add {
		return usageError{errors.New("--remove is for --add: without it a release begins empty")}
	}
	if x.want.Valid < time.Minute {
		return usageError{errors.New("--valid is at least 1m")}
	}
	for _, rule := range x.cache {
		prefix, value, ok := strings.Cut(rule, ":")
		if !ok || !strings.HasPrefix(prefix, "/") || strings.TrimSpace(value) == "" {
			return usageError{fmt.Errorf("--cache-control %q: write it as '/assets/: public, max-age=3600'", rule)}
		}
		x.want.Cache = append(x.want.Cache, control.CacheRule{Prefix: prefix, Value: strings.TrimSpace(value)})
	}
	client, err := x.place.running()
	if err != nil {
		return err
	}
	if err := x.from(c, from); err != nil {
		return err
	}
	x.want.By = username()
	steps := &publishSteps{out: c.ErrOrStderr()}
	done, err := client.Stage(c.Context(), x.want, steps.tell)
	steps.end()
	if err != nil {
		return err
	}
	if x.json {
		return printJSON(c.OutOrStdout(), done)
	}
	printStaged(c.OutOrStdout(), c.ErrOrStderr(), &done)
	return nil
}

// from finds out whether it is a folder or a list, and reads a list.
func (x *staging) from(c *cobra.Command, from string) error {
	info, err := os.Stat(from)
	if err == nil && info.IsDir() {
		if x.want.Redirects {
			return usageError{errors.New("--redirects is for lists of addresses; a folder has none")}
		}
		x.want.From = from
		x.want.Dir, err = filepath.Abs(from)
		return err
	}
	if len(x.want.Cache) > 0 {
		return usageError{errors.New("--cache-control is for folders; of addresses the application says it")}
	}
	if x.want.Addresses, err = (&warming{place: x.place}).addresses(c.Context(), c.InOrStdin(), from); err != nil {
		return err
	}
	if len(x.want.Addresses) == 0 && !x.want.Add {
		return fmt.Errorf("%s has no addresses", from)
	}
	if x.want.From = from; from == "-" {
		x.want.From = "a list"
	}
	return nil
}

// mostPrinted is how many of a kind are listed; --json has all.
const mostPrinted = 20

func printStaged(out, warn io.Writer, d *control.Staged) {
	fmt.Fprintf(out, "%s: %s, %s; %s uploaded (%s)\n", d.ID, count(int64(d.Pages), "page"), size(d.Bytes), count(int64(d.Uploaded), "content"), size(d.UploadedBytes))
	printDiff(out, d.Diff.Added, d.Diff.Changed, d.Diff.Removed)
	if d.Diff.Same() {
		fmt.Fprintln(out, "nothing differs from what is live")
	}
	for _, l := range []struct {
		text string
		list []string
	}{{"left out, as names that begin with a dot are", d.Left}, {"not to be seen, as [static] answers there", d.Hidden}} {
		if n := len(l.list); n > 0 {
			fmt.Fprintf(warn, "%s: %s\n", l.text, plainText(few(l.list)))
		}
	}
	printEdges(out, d.Edges, "loaded on", "it is still loading, or has no memory for it ([publish] memory)")
	fmt.Fprintf(out, "look at it until %s:\n  %s\nthen: dayfly publish live %s\n", d.Preview.Until.Local().Format(time.DateTime), d.Preview.URL, d.ID)
}

func few(list []string) string {
	if len(list) <= mostPrinted {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:mostPrinted], ", "), len(list)-mostPrinted)
}

func printDiff(out io.Writer, added, changed, removed []string) {
	for _, l := range []struct {
		mark string
		list []string
	}{{"+", added}, {"~", changed}, {"-", removed}} {
		for i, path := range l.list {
			if i == mostPrinted {
				fmt.Fprintf(out, "  %s and %d more; --json has all\n", l.mark, len(l.list)-i)
				break
			}
			fmt.Fprintf(out, "  %s %s\n", l.mark, plainText(path))
		}
	}
}
