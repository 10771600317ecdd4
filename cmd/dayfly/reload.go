package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app/control"
)

func reloadCommand(p *place) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "reload",
		Short: "Read the manifest again, without failing a request",
		Long: `Have the running application read its manifest again.

What the edge does with requests changes at once: limits, redirects, hosts,
trusted networks, CORS, JSONP, clicks, pages, compression, balancing, the
bounds of the response cache, the folder of static files. Requests under way
end as they began; cached answers, counts and connections stay.

All else is named, and counts from the next start: ports, processes, queues,
schedules, stores, certificates. A manifest that is wrong changes nothing.
Without a terminal, SIGHUP to ` + "`dayfly up`" + ` does the same.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := p.running()
			if err != nil {
				return err
			}
			done, err := client.Reload(c.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), done)
			}
			return printReloaded(c.OutOrStdout(), done)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func printReloaded(out io.Writer, done control.Reloaded) error {
	_, err := fmt.Fprintln(out, reloadedText(done))
	return err
}

func reloadedText(done control.Reloaded) string {
	if len(done.Changed)+len(done.Restart) == 0 {
		return "the manifest says what it said before"
	}
	var lines []string
	if len(done.Changed) > 0 {
		lines = append(lines, "changed: "+plainText(strings.Join(done.Changed, ", ")))
	}
	if len(done.Restart) > 0 {
		lines = append(lines, "needs a restart (`dayfly down`, `dayfly up`): "+plainText(strings.Join(done.Restart, ", ")))
	}
	return strings.Join(lines, "\n")
}
