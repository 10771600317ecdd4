package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app/control"
	"github.com/dayfly-dev/dayfly/edge/publish"
)

func publishStatus(p *place) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Say what is live, since when, and on which machines",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := p.running()
			if err != nil {
				return err
			}
			is, err := client.Publishing(c.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), is)
			}
			printPublishing(c.OutOrStdout(), &is)
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON: {live,before,releases,history,edges}")
	return c
}

const shownSwitches = 5

func printPublishing(out io.Writer, is *control.Publishing) {
	i := slices.IndexFunc(is.Releases, func(e publish.Entry) bool { return e.ID == is.Live })
	if i < 0 {
		fmt.Fprintln(out, "no release is live: the application answers everything")
	} else {
		fmt.Fprintf(out, "%s is live: %s\n", is.Live, plainText(about(is.Releases[i], "")))
	}
	if n := len(is.Releases); n > 0 && n-1 != i {
		e := is.Releases[n-1]
		fmt.Fprintf(out, "%s was staged last: %s\n", e.ID, plainText(about(e, "")))
	}
	if is.Before != nil {
		fmt.Fprintf(out, "`dayfly publish back` leads to %s\n", orNone(*is.Before))
	}
	if len(is.History) > 0 {
		fmt.Fprintln(out, "\nSwitches:")
		for _, w := range slices.Backward(is.History[max(0, len(is.History)-shownSwitches):]) {
			fmt.Fprintf(out, "  %s  %s to %s%s\n", w.At.Local().Format(time.DateTime), orNone(w.From), orNone(w.To), by(w.By))
		}
	}
	fmt.Fprintln(out, "\nMachines:")
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  NAME\tANSWERS FROM\tIN MEMORY\tSEEN")
	for _, e := range is.Edges {
		loaded := make([]string, 0, len(e.Loaded))
		for _, id := range e.Loaded {
			if !slices.Contains(e.Warm, id) {
				id += " (compressing)"
			}
			loaded = append(loaded, id)
		}
		note := ""
		if e.Error != "" {
			note = "\t" + plainText(e.Error)
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s%s\n", plainText(e.Edge), orNone(e.Live), strings.Join(loaded, ", "), e.At.Local().Format(time.TimeOnly), note)
	}
	t.Flush()
}

func orNone(id string) string {
	if id == "" {
		return "none"
	}
	return id
}

func by(who string) string {
	if who == "" {
		return ""
	}
	return " by " + plainText(who)
}

// about is a release in a few words.
func about(e publish.Entry, live string) string {
	text := fmt.Sprintf("%s from %s, staged %s%s", count(int64(e.Pages), "page"), e.From, e.At.Local().Format(time.DateTime), by(e.By))
	if e.Base != "" {
		text += ", added to " + e.Base
	}
	if e.Note != "" {
		text += ": " + e.Note
	}
	if live == e.ID {
		text = "live; " + text
	}
	return text
}

func publishList(p *place) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List the releases that are kept, the latest first",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := p.running()
			if err != nil {
				return err
			}
			is, err := client.Publishing(c.Context())
			if err != nil {
				return err
			}
			slices.Reverse(is.Releases)
			if asJSON {
				return printJSON(c.OutOrStdout(), is.Releases)
			}
			t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "RELEASE\tSTAGED\tBY\tPAGES\tSIZE\tFROM\tNOTE")
			for _, e := range is.Releases {
				id := e.ID
				if id == is.Live {
					id += " live"
				}
				fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", id, e.At.Local().Format(time.DateTime), plainText(e.By), e.Pages, size(e.Bytes), plainText(e.From), plainText(e.Note))
			}
			return t.Flush()
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON: [{id,at,by,from,note,pages,bytes,list,base}]")
	return c
}
