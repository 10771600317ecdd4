package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app/control"
)

func taskCommand(p *place) *cobra.Command {
	c := &cobra.Command{
		Use:   "task",
		Short: "Show and cancel tasks, and decide about effects nobody knows of whether they happened",
		Long: `Show what is on record of a task (dayfly task status), cancel one (dayfly task
cancel) or have it begin before its time (dayfly task now), list limits and unique
keys (dayfly task limits, keys), and decide about effects of which nobody knows
whether they happened.

A task that sends a mail through the ledger (task.Once) sends it at most once.
When its worker dies, or the mail server's answer is lost, after the sending
began and before its end was on record, the mail was sent or it was not, and no
program can tell. It is then unknown, and its task lies in the dead-letter
queue until a person has looked (in the provider's log, or by asking who should
have got it) and says:

  dayfly task sent KEY      it was sent; never send it again
  dayfly task resend KEY    it was not, or twice is better than never

Both put the task back into its queue, where it goes on with what is left.`,
		Example: `  dayfly task unknown
  dayfly task sent digest/2026-11-21/ann@example.com
  dayfly task resend digest/2026-11-21/ann@example.com`,
	}
	c.AddCommand(taskStatusCommand(p), taskCancelCommand(p), taskNowCommand(p), taskLimitsCommand(p), taskKeysCommand(p), taskReleaseCommand(p), taskUnknownCommand(p), taskSentCommand(p), taskResendCommand(p))
	return c
}

// resolve says a person's word about one key.
func resolve(c *cobra.Command, p *place, key string, sent, asJSON bool) error {
	client, err := p.running()
	if err != nil {
		return err
	}
	done, err := client.Resolve(c.Context(), control.Resolve{Key: key, Sent: sent, By: username()})
	if err != nil {
		return fmt.Errorf("%w\n`dayfly task unknown` lists what there is to decide", err)
	}
	out := c.OutOrStdout()
	if asJSON {
		return printJSON(out, done)
	}
	fmt.Fprintf(out, "%s is on record as %s\n", done.Key, done.State)
	if done.Redriven > 0 {
		fmt.Fprintf(out, "%s put back into queue %s\n", count(int64(done.Redriven), "dead letter"), done.Queue)
	}
	if done.Note != "" {
		fmt.Fprintln(out, done.Note)
	}
	return nil
}

// completeUnknown completes the keys there are to decide about.
func completeUnknown(p *place) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) (keys []string, _ cobra.ShellCompDirective) {
		client, err := p.running()
		if err != nil || len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		found, err := client.Unknown(c.Context())
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		for _, e := range found {
			keys = append(keys, e.Key)
		}
		return keys, cobra.ShellCompDirectiveNoFileComp
	}
}
