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

func taskKeysCommand(p *place) *cobra.Command {
	return listCommand(p, &cobra.Command{
		Use:   "keys [TEXT]",
		Short: "List the unique keys that are held",
		Long: `List the keys of unique tasks (task.Unique, uniqueby) that are held: by which task,
since when, and until when at most. TEXT picks those with that text in the task's
name, the key, the id or the queue, whatever the case.

A key is the name of the task and the key that was given, or # and a sum where it is
made of the arguments. One that is "pending" is about to be enqueued; of one that is
"abandoned" nobody knows whether it was, and the next enqueue takes it over.`,
		Example: `  dayfly task keys
  dayfly task keys shop-17
  dayfly task keys --json | jq -r '.keys[].key'`,
	}, (*control.Client).Keys, printKeys, func(l dash.KeyList) (string, string, int) { return l.Next, l.Problem, l.Looked })
}

func printKeys(out io.Writer, found dash.KeyList) error {
	if len(found.Keys) == 0 {
		_, err := fmt.Fprintln(out, "no key is held")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tHELD BY\tQUEUE\tSTATE\tSINCE\tUNTIL")
	for _, k := range found.Keys {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", plainText(k.Key), plainText(k.ID), plainText(k.Queue), k.State,
			k.Since.Local().Format(time.DateTime), k.Until.Local().Format(time.DateTime))
	}
	return w.Flush()
}
