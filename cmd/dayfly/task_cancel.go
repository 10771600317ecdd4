package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app/control"
)

func taskCancelCommand(p *place) *cobra.Command {
	var asJSON bool
	var reason string
	c := &cobra.Command{
		Use:   "cancel ID",
		Short: "Have a task not run, or no longer",
		Long: `Have the task of an id not run, or no longer. One that waits is removed when a
worker receives it. The context of one that runs ends within about a second; one
that then fails is not tried again. A pushed task's request is broken off, unless
it is one that is done once. Said again, the command tells what became of it.

Whether there is a task of that id is not known, unless it keeps a result: the
order holds for 14 days. It reaches workers in Go that have WorkerOptions.Records,
and those of dayfly itself, which push tasks.`,
		Example: `  dayfly task cancel 0b6e7d2c-54f0-4f8e-9c3b-7f1f6a3a2f10
  dayfly task cancel import-17 --reason "wrong file"`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := p.running()
			if err != nil {
				return err
			}
			x, err := client.Cancel(c.Context(), control.Cancel{ID: args[0], By: username(), Reason: reason})
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), x)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %s: %s\n", plainText(x.ID), x.State, x.Text)
			return err
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why, for people who wonder later")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
