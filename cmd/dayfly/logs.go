package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app/control"
	"github.com/dayfly-dev/dayfly/app/logs"
)

func logsCommand(p *place) *cobra.Command {
	var (
		follow, asJSON bool
		n              int
	)
	c := &cobra.Command{
		Use:     "logs [PROCESS]",
		Short:   "Print what the processes wrote",
		Long:    "Print the newest lines the processes wrote, of all or of one (web, or web.1).\nWhen the application does not run, the lines come from the files in .dayfly/logs.",
		Example: "  dayfly logs -f worker\n  dayfly logs -n 1000 web.1 --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			process := ""
			if len(args) == 1 {
				process = args[0]
			}
			if n < 0 || n > 100_000 {
				return usageError{errors.New("-n must be 0 to 100000")}
			}
			out := c.OutOrStdout()
			colour := isTerminal(out)
			show := func(l logs.Line) error {
				if asJSON {
					return json.NewEncoder(out).Encode(l)
				}
				printLine(out, l, colour)
				return nil
			}
			client, err := p.running()
			if err == nil {
				err = client.Logs(c.Context(), process, n, follow, show)
			}
			if !errors.Is(err, control.ErrNotRunning) || follow {
				return err
			}
			return p.printLogFiles(process, n, show)
		},
		ValidArgsFunction: completeProcess(p),
	}
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on with each line as it comes")
	c.Flags().IntVarP(&n, "lines", "n", 100, "how many lines from before")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line: time, process, stream, text")
	return c
}

func (p *place) printLogFiles(process string, n int, show func(logs.Line) error) error {
	dir, err := p.dataDir()
	if err != nil {
		return err
	}
	lines, err := logs.ReadFiles(filepath.Join(dir, "logs"), process, n)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there are no logs in %s", dir)
	}
	if err != nil {
		return err
	}
	for _, l := range lines {
		if err := show(l); err != nil {
			return err
		}
	}
	return nil
}

// completeProcess completes the names of processes from the manifest.
func completeProcess(p *place) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		m, err := p.manifest("")
		if err != nil || len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return keys(m.Process), cobra.ShellCompDirectiveNoFileComp
	}
}
