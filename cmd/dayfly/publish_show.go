package main

import (
	"fmt"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app/control"
	"github.com/dayfly-dev/dayfly/edge/publish"
)

func publishShow(p *place) *cobra.Command {
	var (
		against       string
		pages, asJSON bool
	)
	c := &cobra.Command{
		Use:   "show [RELEASE]",
		Short: "Show what a release adds, changes and removes, or all its pages",
		Long: `Show what a release adds (+), changes (~) and removes (-), compared with what is
live or with another release. By default it is the release staged last.`,
		Example: `  dayfly publish show
  dayfly publish show r7 --against r5
  dayfly publish show r7 --pages`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeRelease(p),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := p.running()
			if err != nil {
				return err
			}
			s, err := client.Show(c.Context(), append(args, "")[0], against)
			if err != nil {
				return err
			}
			out := c.OutOrStdout()
			if asJSON {
				return printJSON(out, s)
			}
			live := ""
			if s.Live {
				live = s.ID
			}
			fmt.Fprintf(out, "%s: %s\n", s.ID, plainText(about(s.Entry, live)))
			if pages {
				t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(t, "PATH\tSIZE\tTYPE\tSHA-256")
				for i := range s.List {
					fmt.Fprintln(t, pageRow(&s.List[i]))
				}
				return t.Flush()
			}
			if s.Diff.Same() {
				fmt.Fprintf(out, "nothing differs from %s\n", orNone(s.Against))
				return nil
			}
			fmt.Fprintf(out, "compared with %s: %d added, %d changed, %d removed\n", orNone(s.Against), len(s.Diff.Added), len(s.Diff.Changed), len(s.Diff.Removed))
			printDiff(out, s.Diff.Added, s.Diff.Changed, s.Diff.Removed)
			return nil
		},
	}
	c.Flags().StringVar(&against, "against", "", "the release to compare with (default: the one that is live)")
	c.Flags().BoolVar(&pages, "pages", false, "list all its pages")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON: {id,…,diff{added,changed,removed},list[{path,query,status,hash,size,type,header}]}")
	_ = c.RegisterFlagCompletionFunc("against", completeRelease(p))
	return c
}

func pageRow(p *publish.Page) string {
	if p.Status != http.StatusOK {
		return fmt.Sprintf("%s\t-\t%d to %s\t", plainText(p.Key()), p.Status, plainText(p.Header["Location"]))
	}
	return fmt.Sprintf("%s\t%s\t%s\t%s", plainText(p.Key()), size(p.Size), plainText(p.Type), p.Hash[:16])
}

func publishPreview(p *place) *cobra.Command {
	var (
		ask    control.AskPreview
		asJSON bool
	)
	c := &cobra.Command{
		Use:   "preview [RELEASE]",
		Short: "Print an address under which a release is seen before it is live",
		Long: `Print an address under which a release is seen before it is live: by default the
one staged last. Whoever opens it has a cookie until it ends, and sees the whole
site with the release at its real addresses. ` + "`/_dayfly/preview/`" + ` says what that is,
and leads out.

Addresses cannot be taken back one by one. With --rotate all that were given out
end, and so do the previews of those who opened them.`,
		Example: `  dayfly publish preview --valid 2h
  dayfly publish preview r7 --rotate`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeRelease(p),
		RunE: func(c *cobra.Command, args []string) error {
			if ask.Valid < time.Minute {
				return usageError{fmt.Errorf("--valid is at least 1m")}
			}
			client, err := p.running()
			if err != nil {
				return err
			}
			ask.Release = append(args, "")[0]
			is, err := client.Preview(c.Context(), ask)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), is)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s\n", is.URL)
			fmt.Fprintf(c.ErrOrStderr(), "shows %s until %s\n", is.Release, is.Until.Local().Format(time.DateTime))
			return err
		},
	}
	c.Flags().DurationVar(&ask.Valid, "valid", 72*time.Hour, "how long it is good, 1m to 2160h")
	c.Flags().BoolVar(&ask.Rotate, "rotate", false, "end all previews that were given out before")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON: {release,url,until}")
	return c
}

func publishDrop(p *place) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:               "drop RELEASE",
		Short:             "Remove a release that is not live",
		Long:              "Remove a release that is not live, and what of its contents no other has. Previews of it end.",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeRelease(p),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := p.running()
			if err != nil {
				return err
			}
			swept, err := client.Drop(c.Context(), args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), struct {
					Release string `json:"release"`
					Deleted int    `json:"deleted"`
				}{args[0], swept})
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s is dropped; %s deleted\n", plainText(args[0]), count(int64(swept), "object"))
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON: {release,deleted}, of which deleted counts objects")
	return c
}
