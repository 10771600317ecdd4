package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app/control"
	"github.com/dayfly-dev/dayfly/edge/respcache"
)

func edgePurgeCommand(p *place) *cobra.Command {
	var purge respcache.Purge
	var wait time.Duration
	var asJSON bool
	c := &cobra.Command{
		Use:   "purge",
		Short: "Remove answers from the response cache",
		Long: `Remove answers from the response cache: those with one of the surrogate keys, at
one of the paths, below one of the prefixes, or all. When the command ends no
request is answered with them any more, nor with what was being fetched; where
the application runs on several machines it waits for the others, and says which
have not carried it out yet.

A path without a query is the path with any query. A path or prefix may be an
address, "https://www.example.com/a", and is then of that host only. With --soft
answers become stale instead: what the application lets be served stale while it
is renewed still is.`,
		Example: `  dayfly edge purge --key product-17 --key front-page
  dayfly edge purge --path /about --prefix /blog/
  dayfly edge purge --all --soft`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := purge.Check(); err != nil {
				return usageError{fmt.Errorf("%w\nsee `%s --help`", err, c.CommandPath())}
			}
			client, err := p.running()
			if err != nil {
				return err
			}
			purged, err := client.Purge(c.Context(), purge, wait)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), purged)
			}
			what := "removed"
			if purge.Soft {
				what = "made stale"
			}
			return printPurged(c.OutOrStdout(), purged, what)
		},
	}
	f := c.Flags()
	f.StringArrayVar(&purge.Keys, "key", nil, "a surrogate key; may be repeated")
	f.StringArrayVar(&purge.Paths, "path", nil, "a path or an address; may be repeated")
	f.StringArrayVar(&purge.Prefixes, "prefix", nil, "what paths begin with; may be repeated")
	f.StringVar(&purge.Host, "host", "", "of this host only")
	f.BoolVar(&purge.All, "all", false, "everything, or everything of --host")
	f.BoolVar(&purge.Soft, "soft", false, "make stale instead of removing")
	f.DurationVar(&wait, "wait", 5*time.Second, "how long to wait for the other machines, 0s to 30s")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// printPurged says what was purged, and how far that has reached.
func printPurged(w io.Writer, p control.Purged, what string) error {
	text := fmt.Sprintf("%d answers %s", p.Purged, what)
	if all := len(p.Reached) + len(p.Missing); all > 1 {
		text += fmt.Sprintf(" here; %d of %d machines have carried it out", len(p.Reached), all)
	}
	if len(p.Missing) > 0 {
		text += ", not yet: " + strings.Join(p.Missing, ", ") + " (what does not run any more is forgotten after three minutes)"
	}
	_, err := fmt.Fprintln(w, text)
	return err
}
