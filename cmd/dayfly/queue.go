package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app"
	"github.com/dayfly-dev/dayfly/app/manifest"
	"github.com/dayfly-dev/dayfly/internal/vfs"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

func queueCommand(p *place) *cobra.Command {
	s := &queueStore{place: p}
	c := &cobra.Command{
		Use:   "queue",
		Short: "Pause and resume queues; verify, export and import those on disk",
		Long: `Pause and resume the queues of an application that runs; verify, export and
import those of one that does not.

The store is the folder queue/ in the data folder: every queue of the
application and every message that was acknowledged. Verify and export change
nothing, and work on a store that is damaged, too.

An export is a text file, one line of JSON a queue and one a message:
doc/formats/queue-export.md describes it. It holds the messages' bodies.`,
		Example: `  dayfly queue pause default
  dayfly queue verify
  dayfly queue export -o queues.jsonl
  dayfly queue import queues.jsonl`,
	}
	c.PersistentFlags().StringVar(&s.dir, "store", "", "the store's folder (default: queue in the data folder)")
	_ = c.MarkPersistentFlagDirname("store")
	c.AddCommand(queuePauseCommand(s), queueResumeCommand(s), queueVerifyCommand(s), queueExportCommand(s), queueImportCommand(s))
	return c
}

// queueStore is where the queues are.
type queueStore struct {
	place *place
	dir   string // --store
}

func (s *queueStore) folder() (string, error) {
	if s.dir != "" {
		return filepath.Abs(s.dir)
	}
	data, err := s.place.dataDir()
	return filepath.Join(data, app.QueueFolder), err
}

// explain adds the next step to errors of a store.
func (s *queueStore) explain(err error) error {
	next := ""
	switch {
	case errors.Is(err, context.Canceled):
		return errors.New("stopped before the end")
	case errors.Is(err, vfs.ErrLocked):
		next = "stop the application with `dayfly down`, and try again"
	case errors.Is(err, diskqueue.ErrNoStore):
		next = "give the application's folder with --dir, or the store's with --store; `dayfly up` and `dayfly queue import` make one"
	case errors.Is(err, diskqueue.ErrPresent):
		next = "nothing was imported; import into a new store (--store DIR), or add to the queues that are there with --add"
	case errors.Is(err, driver.ErrFull):
		next = "nothing was imported; make room and try again"
	case errors.Is(err, driver.ErrQueueNotFound):
		next = "the name of a FIFO queue ends in .fifo; leave --queue away for all of them"
	default:
		var damage *diskqueue.CorruptError
		if errors.As(err, &damage) {
			next = "nothing was changed; see `dayfly queue verify`, or import into a new store (--store DIR)"
		}
	}
	if next == "" {
		return err
	}
	return fmt.Errorf("%w\n%s", err, next)
}

// completeQueue completes the names that the manifest's queues have in the store.
func completeQueue(p *place) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		m, err := p.manifest("")
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for _, q := range keys(m.Queue) {
			name := m.ServiceName(q)
			names = append(names, name, manifest.Dead(name))
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// count writes a number with its noun: 1 message, 2 messages, 3 addresses.
func count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if strings.HasSuffix(noun, "s") {
		noun += "e"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
