package main

import "github.com/spf13/cobra"

func taskResendCommand(p *place) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "resend KEY",
		Short: "Have an effect of which nobody knows happen, perhaps for the second time",
		Long: `Say that an effect which is unknown did not happen, or may happen twice. The
dead letters whose runs met it go back to their queue, and the next run of such a
task brings it about. Only what ` + "`dayfly task unknown`" + ` lists can be decided. A
worker that was stopped all the time and knows better still says so: if it did
send, and is back before the next run begins, nothing is sent again.`,
		Example:           `  dayfly task resend digest/2026-11-21/ann@example.com`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeUnknown(p),
		RunE: func(c *cobra.Command, args []string) error {
			return resolve(c, p, args[0], false, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
