package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

func restartCommand(p *place) *cobra.Command {
	return &cobra.Command{
		Use:   "restart [PROCESS]",
		Short: "Replace the processes one by one without failing a request",
		Long: `Replace the instances of a process, or of all processes, one after the other.

A web instance is replaced by one that is already healthy: the new one is
started, checked, given requests; then the old one gets no new ones, ends what
it has begun, and is told to stop. Other processes are told to stop, end what
they have begun, and are started again. Where a new instance does not become
healthy the old one stays, and the restart stops there.

The application is not built again: run its build first if it changed.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			process := ""
			if len(args) == 1 {
				process = args[0]
			}
			client, err := p.running()
			if err != nil {
				return err
			}
			return client.Restart(c.Context(), process, func(text string) { fmt.Fprintln(c.OutOrStdout(), text) })
		},
		ValidArgsFunction: completeProcess(p),
	}
}

func scaleCommand(p *place) *cobra.Command {
	return &cobra.Command{
		Use:     "scale PROCESS=N",
		Short:   "Set how many instances of a process run",
		Long:    "Set how many instances of a process run, within the manifest's instances = { min, max },\nuntil the application is stopped. New ones are waited for until healthy; surplus ones drain.",
		Example: "  dayfly scale web=4",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			process, number, ok := strings.Cut(args[0], "=")
			n, err := strconv.Atoi(number)
			if !ok || err != nil || n < 0 {
				return usageError{fmt.Errorf("%q is not PROCESS=N, such as web=4", args[0])}
			}
			client, err := p.running()
			if err != nil {
				return err
			}
			if err := client.Scale(c.Context(), process, n, nil); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "%s runs %d\n", process, n)
			return nil
		},
		ValidArgsFunction: completeProcess(p),
	}
}

func downCommand(p *place) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Drain and stop the running application",
		Long:  "Stop the running application as the first Ctrl-C does, and wait until it is gone.",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := p.running()
			if err != nil {
				return err
			}
			if err := client.Down(c.Context()); err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), "stopped")
			return nil
		},
	}
}
