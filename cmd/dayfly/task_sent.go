package main

import "github.com/spf13/cobra"

func taskSentCommand(p *place) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "sent KEY",
		Short: "Say that an effect happened",
		Long: `Say that an effect which is unknown happened: it is never begun again. The
dead letters whose runs met it go back to their queue, so that their tasks do
what else they have to do. Only what ` + "`dayfly task unknown`" + ` lists can be decided;
saying it twice does no harm, and looks for dead letters once more.`,
		Example:           `  dayfly task sent digest/2026-11-21/ann@example.com`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeUnknown(p),
		RunE: func(c *cobra.Command, args []string) error {
			return resolve(c, p, args[0], true, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
