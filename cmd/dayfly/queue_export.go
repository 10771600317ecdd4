package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/queue/archive"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
)

func queueExportCommand(s *queueStore) *cobra.Command {
	x := &queueExport{store: s}
	c := &cobra.Command{
		Use:   "export [-o FILE]",
		Short: "Write the queues and all their messages to a file",
		Long: `Write the queues and all their messages as lines of JSON, to a file or to the
standard output. The store is not changed, and verified on the way.

Of a damaged store, also one that ` + "`dayfly up`" + ` refuses, everything is written
that can still be read. What may have been deleted already, which damage can
leave open, is marked "doubtful":true, or left out with --certain. The exit
code then is 1, with the file whole.

The file is there under its name when it is whole and on the disk, readable by
you alone. One that exists is not replaced without --force.`,
		Example: `  dayfly queue export -o queues.jsonl
  dayfly queue export --queue default-dead | jq 'select(.type == "message").body'
  dayfly queue export | gzip > queues.jsonl.gz`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(c *cobra.Command, _ []string) error { return x.run(c) },
	}
	c.Flags().StringVarP(&x.file, "output", "o", "", "the file to write (default: the standard output)")
	c.Flags().BoolVar(&x.force, "force", false, "replace the file if it exists")
	c.Flags().StringVar(&x.o.Queue, "queue", "", "this queue alone (default: all)")
	c.Flags().BoolVar(&x.o.Certain, "certain", false, "leave out messages that may have been deleted already")
	c.Flags().BoolVar(&x.json, "json", false, "print JSON about the export; needs -o: {store,file,queues,messages,lost,damaged}")
	_ = c.RegisterFlagCompletionFunc("queue", completeQueue(s.place))
	return c
}

type queueExport struct {
	store       *queueStore
	file        string
	force, json bool
	o           diskqueue.ExportOptions
	damages     int64
}

func (x *queueExport) run(c *cobra.Command) error {
	if x.json && x.file == "" {
		return usageError{errors.New("--json needs -o FILE: without, the export itself is the output")}
	}
	dir, err := x.store.folder()
	if err != nil {
		return err
	}
	p := newProgress(c.ErrOrStderr(), "exporting")
	x.o.Progress = p.at
	x.o.Damage = func(diskqueue.Damage) error { x.damages++; return nil }
	var end archive.End
	write := func(w io.Writer) (err error) {
		end, err = diskqueue.Export(c.Context(), dir, archive.NewWriter(w), &x.o)
		return err
	}
	said := c.OutOrStdout()
	if x.file == "" {
		said = c.ErrOrStderr()
		err = write(c.OutOrStdout())
	} else {
		err = writeWhole(c.Context(), x.file, x.force, write)
	}
	p.end()
	if err != nil {
		return x.store.explain(err)
	}
	return x.conclude(said, dir, end)
}

func (x *queueExport) conclude(out io.Writer, dir string, end archive.End) error {
	if x.json {
		err := printJSON(out, struct {
			Store    string `json:"store"`
			File     string `json:"file"`
			Queues   int    `json:"queues"`
			Messages int64  `json:"messages"`
			Lost     int64  `json:"lost"`
			Damaged  bool   `json:"damaged"`
		}{dir, x.file, end.Queues, end.Messages, end.Lost, end.Damaged})
		if err == nil && end.Damaged {
			err = said{errors.New("damaged")}
		}
		return err
	}
	fmt.Fprintf(out, "exported %s in %s\n", count(end.Messages, "message"), count(int64(end.Queues), "queue"))
	if !end.Damaged {
		return nil
	}
	text := count(x.damages, "damage") + " in " + dir
	if end.Lost > 0 {
		text += ", " + count(end.Lost, "message") + " lost"
	}
	return fmt.Errorf("%s; all that can be read was exported\nsee `dayfly queue verify` for what is damaged", text)
}

// writeWhole writes a file that has its name once it is whole and on the disk.
func writeWhole(ctx context.Context, name string, replace bool, write func(io.Writer) error) error {
	if _, err := os.Lstat(name); err == nil && !replace {
		return fmt.Errorf("%s exists: give another name, or replace it with --force", name)
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*") // readable by its owner alone
	if err != nil {
		var path *fs.PathError // names the temporary file
		if errors.As(err, &path) {
			err = path.Err
		}
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it has its name by then
	if err = write(f); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil && replace {
		err = os.Rename(f.Name(), name)
	} else if err == nil {
		err = os.Link(f.Name(), name) // fails if somebody made one meanwhile
	}
	if err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	err = dir.Sync()
	return errors.Join(err, dir.Close())
}
