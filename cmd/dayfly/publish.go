package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app/control"
)

func publishCommand(p *place) *cobra.Command {
	c := &cobra.Command{
		Use:   "publish",
		Short: "Stage pages, look at them privately, make them live in one step",
		Long: `Stage pages, look at them privately, and make them live in one step.

  dayfly publish stage public/     a release of what is in a folder, and an address
                                   under which only you see the site with it
  dayfly publish live              everybody sees it, all of it at one moment
  dayfly publish back              what was live before is live again

A release is a set of pages that never changes. What it has is answered from
memory, before the application is asked; what it does not have goes to the
application as ever. Staging also loads it on every machine, so that nobody waits
after the switch. The manifest has the table [publish]; it may be empty.
doc/publish.md tells more.`,
		Example: `  dayfly publish stage public/ --note "spring catalogue"
  dayfly publish show
  dayfly publish live --json | jq -r '.purge[]'      # for a CDN`,
	}
	c.AddCommand(publishStage(p), publishLive(p), publishBack(p), publishOff(p), publishStatus(p), publishList(p), publishShow(p), publishPreview(p), publishDrop(p))
	return c
}

// completeRelease completes the names of releases, with what they are.
func completeRelease(p *place) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		client, err := p.running()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		is, err := client.Publishing(c.Context())
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for _, e := range slices.Backward(is.Releases) {
			names = append(names, e.ID+"\t"+plainText(about(e, is.Live)))
		}
		return names, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

// publishSteps shows what is done on a terminal.
type publishSteps struct {
	out io.Writer
	p   *progress
}

func (s *publishSteps) tell(x control.PublishStep) {
	if s.p == nil || s.p.verb != x.Text {
		s.end()
		s.p = newProgress(s.out, x.Text)
	}
	if x.Total > 0 {
		s.p.count(x.Done, x.Total)
		return
	}
	s.p.text = func(n int64) string { return count(n, "page") }
	s.p.at(int64(x.Done), 0)
}

func (s *publishSteps) end() {
	if s.p != nil {
		s.p.end()
	}
}

// printEdges says which machines are not where they should be, and why.
func printEdges(out io.Writer, edges []control.Edge, done, other string) {
	ready := 0
	for _, e := range edges {
		if e.Ready {
			ready++
		}
	}
	if ready == len(edges) {
		fmt.Fprintf(out, "%s %s\n", done, machines(ready))
		return
	}
	fmt.Fprintf(out, "%s %d of %s\n", done, ready, machines(len(edges)))
	for _, e := range edges {
		if !e.Ready {
			why := e.Error
			if why == "" {
				why = other
			}
			fmt.Fprintf(out, "  not on %s: %s\n", plainText(e.Edge), plainText(why))
		}
	}
}

func machines(n int) string { return count(int64(n), "machine") }
