package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app/control"
)

func publishLive(p *place) *cobra.Command {
	var want control.GoLive
	c := &cobra.Command{
		Use:   "live [RELEASE]",
		Short: "Make a release live: by default the one staged last",
		Long: `Make a release live: by default the one staged last.

The switch is one step: a request is answered from the old release or the new one,
and whatever ends on the way leaves one of them. This machine has the release in
memory before anybody is told; the others follow within a second or so, each when
it has all of it. Of two that switch at once one is told that the other was first.

What was added, changed and removed is purged from the response cache of every
machine, and printed; --json has the whole addresses, for a CDN's purge. A release
staged with --add is refused if something else was published since.`,
		Example: `  dayfly publish live
  dayfly publish live r7
  dayfly publish live --json | jq -r '.purge[]' | xargs -r aws cloudfront create-invalidation --distribution-id ID --paths`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeRelease(p),
	}
	c.Flags().BoolVar(&want.Force, "force", false, "though it was staged onto another release than the one that is live")
	return switching(p, c, &want)
}

func publishBack(p *place) *cobra.Command {
	want := control.GoLive{Back: true}
	c := &cobra.Command{
		Use:   "back",
		Short: "Make live again what was live before",
		Long: `Make live again what was live before. Run again, it makes live what this command
took away. "dayfly publish status" says what that is; any other release is made
live by "dayfly publish live RELEASE".`,
		Args: cobra.NoArgs,
	}
	return switching(p, c, &want)
}

func publishOff(p *place) *cobra.Command {
	want := control.GoLive{None: true}
	c := &cobra.Command{
		Use:   "off",
		Short: "Have no release live: the application answers everything",
		Long:  "Have no release live: the application answers everything. Releases stay; \"dayfly publish back\" makes live again what was.",
		Args:  cobra.NoArgs,
	}
	return switching(p, c, &want)
}

// switching has a command switch.
func switching(p *place, c *cobra.Command, want *control.GoLive) *cobra.Command {
	var asJSON bool
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON: {release,before,changed,diff{added,changed,removed},purge,edges}")
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 1 {
			want.Release = args[0]
		}
		client, err := p.running()
		if err != nil {
			return err
		}
		want.By = username()
		steps := &publishSteps{out: c.ErrOrStderr()}
		done, err := client.GoLive(c.Context(), *want, steps.tell)
		steps.end()
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(c.OutOrStdout(), done)
		}
		printLive(c.OutOrStdout(), &done)
		return nil
	}
	return c
}

func printLive(out io.Writer, d *control.Live) {
	switch {
	case !d.Changed && d.Release == "":
		fmt.Fprintln(out, "no release was live")
		return
	case !d.Changed:
		fmt.Fprintf(out, "%s is live already\n", d.Release)
		return
	case d.Release == "":
		fmt.Fprintf(out, "no release is live; %s was\n", d.Before)
	case d.Before == "":
		fmt.Fprintf(out, "%s is live\n", d.Release)
	default:
		fmt.Fprintf(out, "%s is live; %s was\n", d.Release, d.Before)
	}
	printDiff(out, d.Diff.Added, d.Diff.Changed, d.Diff.Removed)
	printEdges(out, d.Edges, "answered from on", "it has yet to follow")
}
