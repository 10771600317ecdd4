package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app/control"
	"github.com/dayfly-dev/dayfly/task/payload"
)

// maxArguments is the most a task's arguments may hold, in bytes.
const maxArguments = payload.DefaultMaxSize

func runCommand(p *place) *cobra.Command {
	var (
		run    control.Run
		asJSON bool
	)
	c := &cobra.Command{
		Use:   "run TASK [JSON | FILE]",
		Short: "Put a task into a queue by hand",
		Long: `Put a task into a queue of the running application, by the name its code
defines, with arguments given as JSON. Where the word is not JSON but names a
file, the arguments are {"name": its base name, "content": its text}; with @
before the name, the file's text is the arguments themselves.

The task runs in a worker; its output is in ` + "`dayfly logs`" + `. A name no worker
knows ends in the dead-letter queue, which the dashboard shows.`,
		Example: `  dayfly run daily_digest
  dayfly run daily_digest '{"day": "2026-11-20"}'
  dayfly run daily_digest @arguments.json
  dayfly run import go.mod`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			run.Task = args[0]
			if len(args) == 2 {
				var err error
				if run.Args, err = arguments(args[1]); err != nil {
					return err
				}
			}
			client, err := p.running()
			if err != nil {
				return err
			}
			ran, err := client.Run(c.Context(), run)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), ran)
			}
			fmt.Fprintf(c.OutOrStdout(), "%s is in queue %s as %s\n", ran.Task, ran.Queue, ran.ID)
			return nil
		},
	}
	c.Flags().StringVar(&run.Queue, "queue", "default", "the manifest's queue")
	c.Flags().DurationVar(&run.Delay, "delay", 0, "how long to wait before it may run, such as 90s")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// arguments are what the second word of `run` stands for.
func arguments(word string) (json.RawMessage, error) {
	if json.Valid([]byte(word)) {
		return json.RawMessage(word), nil
	}
	name, whole := strings.CutPrefix(word, "@")
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, usageError{fmt.Errorf("%q is neither JSON nor a file; quote JSON for the shell, as in '{\"day\": \"2026-11-20\"}'", word)}
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxArguments+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxArguments {
		return nil, usageError{fmt.Errorf("%s is larger than a task's arguments may be, %d bytes: put it into a bucket and give the task its key", word, maxArguments)}
	}
	if whole {
		if !json.Valid(text) {
			return nil, usageError{fmt.Errorf("%s does not hold JSON", name)}
		}
		return text, nil
	}
	if !utf8.Valid(text) {
		return nil, usageError{fmt.Errorf("%s is not text in UTF-8", word)}
	}
	args, err := json.Marshal(map[string]string{"name": filepath.Base(word), "content": string(text)})
	if err == nil && len(args) > maxArguments {
		err = usageError{fmt.Errorf("%s is larger than a task's arguments may be once it is written as JSON, %d bytes", word, maxArguments)}
	}
	return args, err
}
