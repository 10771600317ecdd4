package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app/control"
	"github.com/dayfly-dev/dayfly/task"
)

func taskStatusCommand(p *place) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "status ID",
		Short: "Show what is on record of a task or a batch",
		Long: `Show the state, progress and result of a task, by its id, or how far a batch is.
Only tasks defined with task.Keep or task.DefineResult have them on record, and a
task that waits for its first run has nothing there yet.`,
		Example: `  dayfly task status import-17
  dayfly task status import-17 --json | jq .task.result`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := p.running()
			if err != nil {
				return err
			}
			st, err := client.TaskStatus(c.Context(), args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), st)
			}
			return printTaskStatus(c.OutOrStdout(), st)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func printTaskStatus(out io.Writer, st control.TaskStatus) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if st.Batch != nil {
		var b task.BatchStatus
		if err := json.Unmarshal(st.Batch, &b); err != nil {
			return err
		}
		printBatch(w, b)
		return w.Flush()
	}
	var t task.Status
	if err := json.Unmarshal(st.Task, &t); err != nil {
		return err
	}
	if t.State == task.Unseen {
		_, err := fmt.Fprintln(out, "nothing is on record: it waits for its first run, keeps no state, or there is no such task")
		return err
	}
	line(w, "state", string(t.State))
	line(w, "task", t.Task+" in queue "+t.Queue)
	if t.Attempt > 0 {
		line(w, "attempt", fmt.Sprintf("%d, begun %s", t.Attempt, t.Started.Local().Format(time.DateTime)))
	}
	line(w, "at", t.At.Local().Format(time.DateTime))
	if t.Done != 0 || t.Text != "" {
		line(w, "progress", fmt.Sprint(t.Done, "  ", t.Text))
	}
	if t.Error != "" {
		line(w, "error", t.Error)
	}
	if t.Result != nil {
		line(w, "result", string(t.Result))
	}
	return w.Flush()
}

func printBatch(w io.Writer, b task.BatchStatus) {
	state := "open"
	if !b.Complete.IsZero() {
		state = "complete since " + b.Complete.Local().Format(time.DateTime)
	}
	line(w, "batch", state)
	line(w, "members", fmt.Sprintf("%d, %d settled, %d failed", b.Members, b.Settled, len(b.Failed)))
	for i, f := range b.Failed {
		if i == 20 {
			line(w, "", fmt.Sprintf("and %d more: see --json", len(b.Failed)-i))
			break
		}
		line(w, "failed", f.ID+": "+f.Error)
	}
}

func line(w io.Writer, name, text string) { fmt.Fprintf(w, "%s\t%s\n", name, plainText(text)) }
