// Command dayfly runs a web application on machines that may vanish at any
// moment. `dayfly --help` lists what it can do.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app"
	"github.com/dayfly-dev/dayfly/app/control"
	"github.com/dayfly-dev/dayfly/app/manifest"
	"github.com/dayfly-dev/dayfly/app/supervise"
	"github.com/dayfly-dev/dayfly/internal/vfs"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
)

// Exit codes, the same for every command.
const (
	exitOK         = 0
	exitFailed     = 1 // anything not named below; a store is damaged
	exitUsage      = 2 // wrong arguments or flags
	exitManifest   = 3 // the manifest is missing or wrong
	exitBuild      = 4 // the build failed
	exitStart      = 5 // a process does not start
	exitNotRunning = 6 // the application is not running
	exitInUse      = 7 // the data folder is in use, or of a newer dayfly
)

const exitHelp = `Exit codes:
  0  done
  1  it failed, or found damage; the message says why
  2  wrong arguments
  3  the manifest is missing or wrong
  4  the build failed
  5  a process does not start
  6  the application is not running
  7  the data folder is in use by another dayfly, or of a newer version`

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := root().ExecuteContext(ctx)
	cancel()
	if err != nil && !errors.Is(err, errSaid) {
		fmt.Fprintln(os.Stderr, "dayfly: "+err.Error())
	}
	os.Exit(exitCode(err))
}

// errSaid is returned where the message has been written already.
var errSaid = errors.New("")

// usageError marks wrong arguments.
type usageError struct{ error }

func exitCode(err error) int {
	var (
		usage   usageError
		wrong   manifest.Errors
		one     *manifest.Error
		build   *app.BuildError
		start   *supervise.StartError
		inUse   *app.InUseError
		version *app.VersionError
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &wrong), errors.As(err, &one), errors.Is(err, manifest.ErrNotFound):
		return exitManifest
	case errors.As(err, &build):
		return exitBuild
	case errors.As(err, &start):
		return exitStart
	case errors.Is(err, control.ErrNotRunning):
		return exitNotRunning
	case errors.As(err, &inUse), errors.As(err, &version), errors.Is(err, vfs.ErrLocked), errors.Is(err, diskqueue.ErrNewer):
		return exitInUse
	}
	return exitFailed
}

// place is where the application is; every command that needs one has it.
type place struct {
	dir  string // --dir
	data string // --data
}

func root() *cobra.Command {
	p := &place{}
	c := &cobra.Command{
		Use:   "dayfly",
		Short: "Run a web application on machines that may vanish at any moment",
		Long: `dayfly runs a web application on machines that may vanish at any moment.

On one machine ` + "`dayfly up`" + ` gives an application, in any language, what a deployment
on AWS gives it: balanced web processes, a durable SQS-compatible queue and
workers, a schedule, a memcached-compatible cache, S3-compatible objects, mail
and a dashboard. What the application is made of stands in its dayfly.toml.

Begin with:
  dayfly up DIR          build, start and watch the application in DIR
  dayfly ps              what runs, in another terminal
  dayfly env             the services as environment variables, for a shell`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	c.SetVersionTemplate("dayfly {{.Version}}\n")
	c.SetUsageTemplate(c.UsageTemplate() + "\n" + exitHelp + "\n")
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w\nsee `%s --help`", err, c.CommandPath())}
	})
	c.PersistentFlags().StringVarP(&p.dir, "dir", "C", "", "the application's folder (default: here, or the nearest folder above with a dayfly.toml)")
	c.PersistentFlags().StringVar(&p.data, "data", "", "the data folder (default: .dayfly beside the manifest)")
	_ = c.MarkPersistentFlagDirname("dir")
	_ = c.MarkPersistentFlagDirname("data")
	c.AddGroup(&cobra.Group{ID: "run", Title: "Run an application:"}, &cobra.Group{ID: "look", Title: "Look at it:"},
		&cobra.Group{ID: "site", Title: "Its site:"}, &cobra.Group{ID: "data", Title: "Look after its data:"})
	for _, sub := range []*cobra.Command{upCommand(p), checkCommand(p), restartCommand(p), reloadCommand(p), scaleCommand(p), runCommand(p), maintenanceCommand(p), downCommand(p)} {
		sub.GroupID = "run"
		c.AddCommand(sub)
	}
	for _, sub := range []*cobra.Command{psCommand(p), logsCommand(p), envCommand(p)} {
		sub.GroupID = "look"
		c.AddCommand(sub)
	}
	for _, sub := range []*cobra.Command{edgeCommand(p), tlsCommand(), publishCommand(p), exportCommand(p), staticCommand(p), clicksCommand(p)} {
		sub.GroupID = "site"
		c.AddCommand(sub)
	}
	for _, sub := range []*cobra.Command{queueCommand(p), taskCommand(p)} {
		sub.GroupID = "data"
		c.AddCommand(sub)
	}
	c.AddCommand(versionCommand(), guard())
	checkArguments(c)
	return c
}

// checkArguments makes every complaint about arguments a usageError with the
// next step.
func checkArguments(c *cobra.Command) {
	for _, sub := range c.Commands() {
		if sub.HasSubCommands() {
			checkArguments(sub)
			continue
		}
		if check := sub.Args; check != nil {
			sub.Args = func(c *cobra.Command, args []string) error {
				if err := check(c, args); err != nil {
					switch {
					case check(c, nil) == nil && check(c, []string{""}) != nil: // it takes none
						err = fmt.Errorf("`%s` takes no argument, and %q is one; the application's folder is given with -C DIR", c.CommandPath(), args[0])
					case len(args) == 0:
						err = fmt.Errorf("`%s` lacks its argument", c.CommandPath())
					default:
						err = fmt.Errorf("`%s` has %d arguments, %q the last: quote one that has spaces", c.CommandPath(), len(args), args[len(args)-1])
					}
					return usageError{fmt.Errorf("%w\nusage: %s\nsee `%s --help`", err, c.UseLine(), c.CommandPath())}
				}
				return nil
			}
		}
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usageError{fmt.Errorf("there is no command %q%s\nsee `%s --help`", args[0], didYouMean(c, args[0]), c.CommandPath())}
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
}

func didYouMean(c *cobra.Command, name string) string {
	c.SuggestionsMinimumDistance = 2
	if s := c.SuggestionsFor(name); len(s) > 0 {
		return fmt.Sprintf("; did you mean %q?", s[0])
	}
	return ""
}
