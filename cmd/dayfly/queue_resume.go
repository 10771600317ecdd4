package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app/control"
)

func queueResumeCommand(s *queueStore) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "resume NAME",
		Short: "Have the tasks of a paused queue run again",
		Long: `End the pause of a queue: its workers go on within about a second. A queue that
is not paused is left as it is.`,
		Example:           `  dayfly queue resume default`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeManifestQueue(s.place),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := s.place.running()
			if err != nil {
				return err
			}
			p, err := client.Resume(c.Context(), control.Pause{Queue: args[0], By: username()})
			if err != nil {
				return err
			}
			out := c.OutOrStdout()
			switch {
			case asJSON:
				return printJSON(out, p)
			case !p.Changed:
				_, err = fmt.Fprintf(out, "queue %s was not paused\n", p.Queue)
			default:
				_, err = fmt.Fprintf(out, "queue %s goes on\n", p.Queue)
			}
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
