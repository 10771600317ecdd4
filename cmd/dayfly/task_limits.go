package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app/control"
	"github.com/dayfly-dev/dayfly/dash"
)

func taskLimitsCommand(p *place) *cobra.Command {
	return listCommand(p, &cobra.Command{
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
	}, (*control.Client).Limits, printLimits, func(l dash.LimitList) (string, string, int) { return l.Next, l.Problem, l.Looked })
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
