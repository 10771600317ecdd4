// Command releases watches the packages that projects require: it asks their
// registries for new versions, compares the archives, and tells what to look
// at before updating, on a web site, in a feed and in a daily mail.
//
// It is an application like any other on Dayfly: it uses the public packages
// and knows its surroundings only from environment variables.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

const usage = `The release watcher.

Usage:

  releases web           serve the site on 127.0.0.1:$PORT
  releases worker        run background tasks
  releases import FILE   have a worker read a go.mod, package.json,
                         package-lock.json or requirements.txt
  releases help

Under ` + "`dayfly up`" + ` web and worker are started with the environment they need.
In a shell, ` + "`eval \"$(dayfly env)\"`" + ` gives the same; README.md names the variables.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	var bad *usageError
	switch {
	case errors.As(err, &bad):
		fmt.Fprintf(os.Stderr, "releases: %v\n\n%s", err, usage)
		os.Exit(2)
	case err != nil:
		fmt.Fprintf(os.Stderr, "releases: %v\n", err)
		os.Exit(1)
	}
}

// usageError is a command line that is not understood.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return &usageError{"a command is missing"}
	}
	command, rest := args[0], args[1:]
	want := 0
	if command == "import" {
		want = 1
	}
	switch command {
	case "help", "-h", "--help", "-help":
		_, err := io.WriteString(out, usage)
		return err
	case "web", "worker", "import":
		if len(rest) != want {
			return &usageError{fmt.Sprintf("%s takes %d arguments, not %d", command, want, len(rest))}
		}
	default:
		return &usageError{fmt.Sprintf("%q is no command", command)}
	}
	s, err := readSettings(os.Environ())
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	switch command {
	case "web":
		return web(ctx, s, log)
	case "worker":
		return worker(ctx, s, log)
	}
	return importFile(ctx, s, rest[0], out)
}
