package main

import "github.com/spf13/cobra"

func edgeCommand(p *place) *cobra.Command {
	c := &cobra.Command{
		Use:   "edge",
		Short: "Purge and warm the response cache in front of the application",
		Long: `Purge and warm the response cache in front of the application that runs. It is
there if the manifest has [edge.cache]; doc/edge-cache.md says what is cached.`,
		Example: `  dayfly edge purge --key product-17
  dayfly edge warm addresses.txt`,
	}
	c.AddCommand(edgePurgeCommand(p), edgeWarmCommand(p))
	return c
}
