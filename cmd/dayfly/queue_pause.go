package main

import (
	"fmt"
	"io"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app/control"
)

func queuePauseCommand(s *queueStore) *cobra.Command {
	var asJSON bool
	var reason string
	c := &cobra.Command{
		Use:   "pause NAME",
		Short: "Have no task of a queue begun, until it is resumed",
		Long: `Have no task of a queue begun, by any worker on any machine that has the same
records, until it is resumed. Workers see it within about a second. What runs
finishes; what was received and not begun goes back, without an attempt used up.
Tasks can be enqueued all the time, and wait; they expire as ever. The pause
outlasts restarts.

Workers in Go see it if they have WorkerOptions.Records; those of dayfly itself,
which push tasks, always do. The application must run; dayfly ps shows what is paused.`,
		Example: `  dayfly queue pause default
  dayfly queue pause mails --reason "the provider is down"`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeManifestQueue(s.place),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := s.place.running()
			if err != nil {
				return err
			}
			p, err := client.Pause(c.Context(), control.Pause{Queue: args[0], By: username(), Reason: reason})
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), p)
			}
			return printPaused(c.OutOrStdout(), p)
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why, for people who wonder later")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func printPaused(out io.Writer, p control.Paused) error {
	was := "is paused: what runs finishes, nothing is begun"
	if !p.Changed {
		was = "was paused already"
	}
	_, err := fmt.Fprintf(out, "queue %s %s (%s)\n`dayfly queue resume %s` ends it\n", p.Queue, was, paused(p), p.Queue)
	return err
}

// paused says since when, by whom and why.
func paused(p control.Paused) string {
	text := "since " + p.At.Local().Format(time.DateTime)
	if p.By != "" {
		text += " by " + plainText(p.By)
	}
	if p.Reason != "" {
		text += ": " + plainText(p.Reason)
	}
	return text
}

// username is who runs the command.
func username() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "somebody"
}

// completeManifestQueue completes the manifest's own names of queues.
func completeManifestQueue(p *place) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		m, err := p.manifest("")
		if err != nil || len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return keys(m.Queue), cobra.ShellCompDirectiveNoFileComp
	}
}
