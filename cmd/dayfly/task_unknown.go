package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app/control"
)

func taskUnknownCommand(p *place) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "unknown",
		Short: "List the effects of which nobody knows whether they happened",
		Long: `List the effects of which nobody knows whether they happened, and what is known
of each: since when, which task and worker it was, and what went wrong. Those
that are "sending" belong to a worker that has said nothing for so long that it
counts as dead. Those that are "sent" or "not-sent" are known by now, as such a
worker came back, and only their dead letters wait: the same word sends them back.`,
		Example: `  dayfly task unknown
  dayfly task unknown --json | jq -r '.[].key'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := p.running()
			if err != nil {
				return err
			}
			found, err := client.Unknown(c.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), found)
			}
			return printUnknown(c.OutOrStdout(), found)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func printUnknown(out io.Writer, found []control.Effect) error {
	if len(found) == 0 {
		_, err := fmt.Fprintln(out, "nothing is unknown")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tSINCE\tSTATE\tTASK\tWORKER\tWHY")
	for _, e := range found {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", plainText(e.Key), e.At.Local().Format(time.DateTime), e.State, plainText(e.Task), plainText(e.Worker), plainText(e.Error))
	}
	fmt.Fprintf(w, "\nFind out, then say `dayfly task sent KEY` or `dayfly task resend KEY`.\n")
	return w.Flush()
}
