package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app/control"
	"github.com/dayfly-dev/dayfly/dash"
)

// listCommand completes a command that asks the running application for a part
// of a list that may be long, and shows it. rest says what is to be told behind
// it: where the next part begins, what could not be read, how many were looked
// through.
func listCommand[L any](p *place, c *cobra.Command, get func(*control.Client, context.Context, dash.Ask) (L, error),
	show func(io.Writer, L) error, rest func(L) (next, problem string, looked int)) *cobra.Command {
	var ask dash.Ask
	var asJSON bool
	c.Flags().IntVarP(&ask.Max, "lines", "n", 100, "about how many to list, 1–1000")
	c.Flags().StringVar(&ask.From, "from", "", "go on where a list before ended, with what it said")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON; next is for --from, and empty at the end")
	c.Args = cobra.MaximumNArgs(1)
	c.RunE = func(c *cobra.Command, args []string) error {
		client, err := p.running()
		if err != nil {
			return err
		}
		if len(args) > 0 {
			ask.Text = args[0]
		}
		found, err := get(client, c.Context(), ask)
		if err != nil {
			return err
		}
		out := c.OutOrStdout()
		if asJSON {
			return printJSON(out, found)
		}
		if err := show(out, found); err != nil {
			return err
		}
		next, problem, looked := rest(found)
		if problem != "" {
			fmt.Fprintf(out, "not all could be read: %s\n", plainText(problem))
		}
		if next != "" {
			fmt.Fprintf(out, "%d looked through, and there are more: --from %s\n", looked, next)
		}
		return nil
	}
	return c
}
