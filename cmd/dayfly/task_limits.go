package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/dash"
)

// listed are the flags of a command that lists a part of what may be many.
type listed struct {
	ask    dash.Ask
	asJSON bool
}

func (l *listed) flags(c *cobra.Command) {
	c.Flags().IntVarP(&l.ask.Max, "lines", "n", 100, "about how many to list, 1–1000")
	c.Flags().StringVar(&l.ask.From, "from", "", "go on where a list before ended, with what it said")
	c.Flags().BoolVar(&l.asJSON, "json", false, "print JSON; next is for --from, and empty at the end")
}

// more says what comes after a list.
func (l *listed) more(out io.Writer, next, problem string, looked int) error {
	if problem != "" {
		fmt.Fprintf(out, "not all could be read: %s\n", plainText(problem))
	}
	if next == "" {
		return nil
	}
	_, err := fmt.Fprintf(out, "%d looked through, and there are more: --from %s\n", looked, next)
	return err
}

func taskLimitsCommand(p *place) *cobra.Command {
	var l listed
	c := &cobra.Command{
		Use:   "limits [TEXT]",
		Short: "List limits of rate and concurrency, and how much of them is used",
		Long: `List limits of rate and concurrency, how much of each is used now, and what waits
for it: those of the manifest ([queue.NAME.limit]), and those that workers used
within the last hour (WorkerOptions.Limits with Records), over all machines. TEXT
picks those with that text in their name, whatever the case.

Tasks wait in their worker for two seconds at most. Then they are sent away, and
come again one after the other: BACK says when the last of them does. Their
messages are delayed ones of the queue, and name the limit.`,
		Example: `  dayfly task limits
  dayfly task limits tenant=ann
  dayfly task limits --json | jq '.limits[] | select(.waiting > 0)'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := p.running()
			if err != nil {
				return err
			}
			if len(args) > 0 {
				l.ask.Text = args[0]
			}
			found, err := client.Limits(c.Context(), l.ask)
			if err != nil {
				return err
			}
			if l.asJSON {
				return printJSON(c.OutOrStdout(), found)
			}
			if err := printLimits(c.OutOrStdout(), found); err != nil {
				return err
			}
			return l.more(c.OutOrStdout(), found.Next, found.Problem, found.Looked)
		},
	}
	l.flags(c)
	return c
}

func printLimits(out io.Writer, found dash.LimitList) error {
	if len(found.Limits) == 0 {
		_, err := fmt.Fprintln(out, "no limit was used within the last hour")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "LIMIT\tALLOWS\tUSED\tWAITING\tBACK")
	for _, l := range found.Limits {
		name, used, back := l.Name, usedOf(l), "-"
		if l.Each {
			name, used = name+" (each)", "-"
		}
		if !l.Back.IsZero() {
			back = l.Back.Local().Format(time.DateTime)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", plainText(name), l.Terms(), used, l.Waiting, back)
	}
	return w.Flush()
}

// usedOf is how much of a limit is used.
func usedOf(l dash.Limit) string {
	text := ""
	if l.Concurrency > 0 || l.Used > 0 {
		text = fmt.Sprintf("%d running", l.Used)
	}
	if l.Rate > 0 {
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf("%d of %d may begin", l.Free, l.Burst)
	}
	if text == "" {
		return "-"
	}
	return text
}
