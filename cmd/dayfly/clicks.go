package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/dash"
)

func clicksCommand(p *place) *cobra.Command {
	x := &clicksAsked{place: p}
	c := &cobra.Command{
		Use:   "clicks [CAMPAIGN]",
		Short: "Show how often the links of mails were followed",
		Long: `Show how often the links that [edge.click.NAME] counts were followed: clicks of
people, how many different people those were each day at least, and clicks of
crawlers and mail scanners.

The links with the most clicks are shown, added up over the days. --csv and --json
have each day of each link.`,
		Example: `  dayfly clicks
  dayfly clicks daily --days 7
  dayfly clicks --days 400 --csv > clicks.csv`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			m, err := p.manifest("")
			if err != nil || len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return keys(m.Edge.Click), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error { return x.run(c, args) },
	}
	c.Flags().IntVar(&x.days, "days", 30, "how many days, 1 to 400, today (UTC) included")
	c.Flags().BoolVar(&x.csv, "csv", false, "print CSV, a line for each day of each link")
	c.Flags().BoolVar(&x.json, "json", false, "print JSON, one for each day of each link")
	c.MarkFlagsMutuallyExclusive("csv", "json")
	return c
}

type clicksAsked struct {
	place     *place
	days      int
	csv, json bool
}

func (x *clicksAsked) run(c *cobra.Command, args []string) error {
	if x.days < 1 || x.days > 400 {
		return usageError{fmt.Errorf("--days is %d; it must be 1 to 400", x.days)}
	}
	client, err := x.place.running()
	if err != nil {
		return err
	}
	campaign := ""
	if len(args) > 0 {
		campaign = args[0]
	}
	rows, err := client.Clicks(c.Context(), campaign, time.Now().UTC().AddDate(0, 0, 1-x.days))
	switch {
	case err != nil:
		return err
	case x.json:
		return printJSON(c.OutOrStdout(), rows)
	case x.csv:
		return dash.WriteClicks(c.OutOrStdout(), rows)
	}
	return printClicks(c.OutOrStdout(), rows, x.days)
}

// shownLinks is how many are shown of those that were followed.
const shownLinks = 50

func printClicks(out io.Writer, rows []dash.ClickCount, days int) error {
	if len(rows) == 0 {
		fmt.Fprintf(out, "No clicks in %s.\n", count(int64(days), "day"))
		return nil
	}
	type link struct{ campaign, path string }
	sums := map[link]*dash.ClickCount{}
	var all []*dash.ClickCount
	for _, r := range rows {
		k := link{r.Campaign, r.Link}
		sum := sums[k]
		if sum == nil {
			sum = &dash.ClickCount{Campaign: r.Campaign, Link: r.Link}
			sums[k], all = sum, append(all, sum)
		}
		sum.Count += r.Count
		sum.Visitors += r.Visitors
		sum.Programs += r.Programs
		sum.Day = max(sum.Day, r.Day)
	}
	slices.SortStableFunc(all, func(a, b *dash.ClickCount) int { return int(b.Count - a.Count) })
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CLICKS\tVISITORS\tPROGRAMS\tLATEST\tCAMPAIGN\tLINK")
	for _, r := range all[:min(len(all), shownLinks)] {
		fmt.Fprintf(w, "%d\t%d\t%d\t%s\t%s\t%s\n", r.Count, r.Visitors, r.Programs, r.Day, r.Campaign, r.Link)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if more := len(all) - shownLinks; more > 0 {
		fmt.Fprintf(out, "and %s with fewer clicks; --csv has all\n", count(int64(more), "link"))
	}
	return nil
}
