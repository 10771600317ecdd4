package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app"
	"github.com/dayfly-dev/dayfly/queue/archive"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
)

func queueImportCommand(s *queueStore) *cobra.Command {
	x := &queueImport{store: s}
	c := &cobra.Command{
		Use:   "import [FILE]",
		Short: "Read queues and messages from an export",
		Long: `Read queues and their messages from a file that ` + "`dayfly queue export`" + ` wrote, or
from the standard input, into the store, which is made if it is missing. The
application must not run.

The import happens whole or not at all: after an error, a full disk, or a crash
in the middle the store is as it was, and the import can be run again. A file
that was cut short is refused.

Messages keep their times, receive counts, groups, order, and what is left of a
delay or of a visibility timeout. They keep their ids where they can: in a store
without messages, and in the store they are from, where those that are still
there are not imported again. Receipt handles from before are not good any more.

A queue that exists is refused: with --add its messages are added to those that
are there, and its attributes stay. Messages marked doubtful, which may have been
deleted before the store was damaged, are imported: none is lost for it, and some
may be delivered again. With --certain they are left out.`,
		Example: `  dayfly queue import queues.jsonl
  dayfly queue import --queue default-dead --add queues.jsonl
  zcat queues.jsonl.gz | dayfly queue import
  ssh old dayfly queue export -C shop | dayfly queue import -C shop`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return x.run(c, args) },
	}
	c.Flags().StringVar(&x.o.Queue, "queue", "", "this queue alone (default: all)")
	c.Flags().BoolVar(&x.o.Certain, "certain", false, "leave out messages that may have been deleted already")
	c.Flags().BoolVar(&x.o.Add, "add", false, "add to queues that exist")
	c.Flags().BoolVar(&x.json, "json", false, "print JSON: {store,queues:[{name,messages,added}],messages,doubtful,left_out,present,new_ids,lost,damaged}")
	_ = c.RegisterFlagCompletionFunc("queue", completeQueue(s.place))
	return c
}

type queueImport struct {
	store *queueStore
	json  bool
	o     diskqueue.ImportOptions
}

func (x *queueImport) run(c *cobra.Command, args []string) error {
	dir, err := x.store.folder()
	if err != nil {
		return err
	}
	in, name := c.InOrStdin(), "the standard input"
	p := newProgress(c.ErrOrStderr(), "importing")
	r := &progressReader{p: p}
	if len(args) == 1 && args[0] != "-" {
		f, err := os.Open(args[0])
		if err != nil {
			return err
		}
		defer f.Close()
		if fi, err := f.Stat(); err == nil {
			r.total = fi.Size()
		}
		r.Reader, name = f, args[0]
	} else if isKeyboard(in) {
		return usageError{errors.New("nothing to import: give a file, or pipe an export in\nsee `dayfly queue import --help`")}
	} else {
		r.Reader = interruptible(c.Context(), in)
	}
	if x.store.dir == "" {
		data, err := x.store.place.dataDir()
		if err != nil {
			return err
		}
		lock, err := app.LockData(data)
		if err != nil {
			return err
		}
		defer lock.Close()
	}
	report, err := diskqueue.Import(c.Context(), dir, archive.NewReader(r), &x.o)
	p.end()
	if err != nil {
		return x.explain(name, err)
	}
	if x.json {
		return printJSON(c.OutOrStdout(), struct {
			Store string `json:"store"`
			diskqueue.ImportReport
		}{dir, report})
	}
	return printImport(c.OutOrStdout(), dir, report)
}

func (x *queueImport) explain(name string, err error) error {
	var line *archive.Error
	switch {
	case errors.Is(err, context.Canceled):
		return errors.New("stopped; nothing was imported")
	case !errors.As(err, &line):
		return x.store.explain(err)
	}
	err = fmt.Errorf("%s: %w", name, err)
	if errors.Is(err, diskqueue.ErrPresent) {
		return x.store.explain(err)
	}
	next := "nothing was imported"
	if errors.Is(err, archive.ErrForeign) {
		next += "; give what `dayfly queue export` wrote, and pipe it in if it is compressed: `zcat FILE | dayfly queue import`"
	}
	return fmt.Errorf("%w\n%s", err, next)
}

// interruptible reads until ctx ends, also while nothing comes. The goroutine may
// then be left waiting for more; the process ends with the command.
func interruptible(ctx context.Context, in io.Reader) io.Reader {
	r, w := io.Pipe()
	context.AfterFunc(ctx, func() { w.CloseWithError(ctx.Err()) })
	go func() {
		_, err := io.Copy(w, in)
		w.CloseWithError(err)
	}()
	return r
}

func isKeyboard(in io.Reader) bool {
	f, ok := in.(*os.File)
	if !ok {
		return false
	}
	fi, err := f.Stat()
	return err == nil && fi.Mode()&os.ModeCharDevice != 0
}

func printImport(out io.Writer, dir string, r diskqueue.ImportReport) error {
	_, err := fmt.Fprintf(out, "imported %s in %s to %s\n", count(r.Messages, "message"), count(int64(len(r.Queues)), "queue"), dir)
	note := func(n int64, noun, text string) {
		if n > 0 {
			fmt.Fprintf(out, "%s %s\n", count(n, noun), text)
		}
	}
	note(r.Present, "message", "not imported: in the store already, under the same ids")
	note(r.NewIDs, "message", "with new ids: the store has messages of its own, or the export has no ids")
	note(r.Doubtful, "message", "of these may have been deleted before the store was damaged (--certain leaves them out)")
	note(r.LeftOut, "message", "left out: they may have been deleted before the store was damaged")
	note(r.Lost, "message", "had been lost when the damaged store was exported")
	return err
}
