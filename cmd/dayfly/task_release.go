package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app/control"
)

func taskReleaseCommand(p *place) *cobra.Command {
	var asJSON bool
	var id string
	c := &cobra.Command{
		Use:   "release KEY",
		Short: "Free a unique key before its time",
		Long: `Free a unique key, as dayfly task keys lists it: from then on a task of this key
is enqueued again. Nothing is done to the task that holds it. If that still waits or
runs it goes on, and the next one comes beside it: so first make sure that it is
gone, or cancel it (dayfly task cancel), unless two do no harm. A task with uniqueby
that is tried again takes its key again, if that is free then.

A key of a task that a program is about to enqueue is not freed: that is decided
within 30 seconds.`,
		Example: `  dayfly task release 'reindex shop-17'
  dayfly task release 'reindex shop-17' --id 0b6e7d2c-54f0-4f8e-9c3b-7f1f6a3a2f10`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := p.running()
			if err != nil {
				return err
			}
			k, err := client.Release(c.Context(), control.Release{Key: args[0], ID: id, By: username()})
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), k)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s is free; the task %s that held it is left alone\n", plainText(k.Key), plainText(k.ID))
			return err
		},
	}
	c.Flags().StringVar(&id, "id", "", "only if the task of this id holds it")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON: who held it")
	return c
}
