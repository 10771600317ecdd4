package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app/control"
)

func taskNowCommand(p *place) *cobra.Command {
	var asJSON bool
	var queue string
	c := &cobra.Command{
		Use:   "now ID",
		Short: "Have a task that waits begin before its time",
		Long: `Have the task of an id begin as soon as a worker receives it, where it waits for its
delay, however long, for its next attempt, or for a limit. It is neither lost nor
doubled, whatever happens meanwhile; attempts that it used up stay so, and limits
and a pause of the queue still hold.

A task that runs, or that somebody received and did not give back, is left alone.
On a FIFO queue, where each task has its place, and on SQS, which ends no delay,
none begins before its time. What waits for its next attempt is known to dayfly from
workers in Go and from its own that push, until dayfly is restarted.`,
		Example: `  dayfly task now 0b6e7d2c-54f0-4f8e-9c3b-7f1f6a3a2f10
  dayfly task now import-17 --queue bulk`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := p.running()
			if err != nil {
				return err
			}
			b, err := client.Now(c.Context(), control.Sooner{ID: args[0], Queue: queue, By: username()})
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), b)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s in queue %s: %s\n", plainText(b.ID), plainText(b.Queue), b.Text)
			return err
		},
	}
	c.Flags().StringVar(&queue, "queue", "", "only in this queue (default: any of the manifest)")
	_ = c.RegisterFlagCompletionFunc("queue", completeManifestQueue(p))
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
