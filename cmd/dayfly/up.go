package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/dayfly-dev/dayfly/app"
	"github.com/dayfly-dev/dayfly/app/manifest"
	"github.com/dayfly-dev/dayfly/app/supervise"
	"github.com/dayfly-dev/dayfly/task/spot"
)

func upCommand(p *place) *cobra.Command {
	var o upOptions
	c := &cobra.Command{
		Use:   "up [DIR]",
		Short: "Build, start and watch an application",
		Long: `Build the application, start every service it needs and every process of its
manifest, say where everything is, and watch until Ctrl-C.

Processes are started again when they end, with a growing pause; requests wait
while no instance is ready. The first Ctrl-C stops taking requests, lets what
was begun end, and stops; the second kills. All data is in .dayfly/ beside the
manifest; the next start finds it as it was, after a crash too.

A service named by dayfly's own environment is used instead of the embedded one:
  AWS_ENDPOINT_URL (or DAYFLY_AWS=1 for AWS itself)   SQS, SNS, S3 and SES
  CACHE_<NAME>_URL, DATABASE_URL, DATABASE_<NAME>_URL, RECORDS_URL, SMTP_URL
  PAYLOADS_URL, with AWS
PUSH_TOKEN there is the one that pushed tasks bring. DAYFLY_SPOT=1 has dayfly
watch for the end of a spot instance wherever it runs, 0 not even on EC2.`,
		Example: "  dayfly up examples/releases\n  AWS_REGION=eu-central-1 DAYFLY_AWS=1 dayfly up",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			dir := ""
			if len(args) == 1 {
				dir = args[0]
			}
			m, err := p.manifest(dir)
			if err != nil {
				return err
			}
			return up(c.Context(), c.OutOrStdout(), m, p.data, o)
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	c.Flags().BoolVarP(&o.quiet, "quiet", "q", false, "do not print the processes' logs; dayfly logs shows them")
	c.Flags().BoolVar(&o.verbose, "verbose", false, "print dayfly's own messages of level info, too")
	c.Flags().DurationVar(&o.patience, "stop-timeout", time.Minute, "how long the first Ctrl-C waits before what still runs is killed")
	return c
}

type upOptions struct {
	quiet, verbose bool
	patience       time.Duration
}

func up(ctx context.Context, out io.Writer, m *manifest.Manifest, data string, o upOptions) error {
	level := slog.LevelWarn
	if o.verbose {
		level = slog.LevelInfo
	}
	// Who reads the output may end first (a pipe, on the same Ctrl-C): the write
	// then fails, and dayfly goes on. Not ignored: processes would inherit that.
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	defer signal.Stop(broken)
	console := newConsole(out)
	defer console.close()
	log := slog.New(slog.NewTextHandler(console.writer("dayfly"), &slog.HandlerOptions{Level: level, ReplaceAttr: withoutTime}))
	watch, err := spotOptions(os.Getenv("DAYFLY_SPOT"), log)
	if err != nil {
		return err
	}
	ctx, unwatch := spot.Watch(ctx, watch)
	defer unwatch()
	began := time.Now()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	a, err := app.Start(ctx, app.Options{Manifest: m, Data: data, Environ: os.Environ(), Version: version(), Log: log,
		Guard:    []string{self, guardCommand},
		Progress: func(text string) { console.say(text) }, Logs: console.follow(o.quiet)})
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return errors.New("stopped before everything had started")
		}
		return err
	}
	console.welcome(a, time.Since(began))
	reloadOnHangup(ctx, a, console, isTerminal(out))
	if n, ok := errors.AsType[*spot.Notice](context.Cause(ctx)); ok {
		console.say(n.Error())
		if by, ok := n.DrainBy(); ok {
			o.patience = time.Until(by)
		}
	}
	return stopApp(a, console, o.patience)
}

// reloadOnHangup waits for the end, and has SIGHUP read the manifest again. On a
// terminal that is its end, and so dayfly's.
func reloadOnHangup(ctx context.Context, a *app.App, console *console, terminal bool) {
	again := make(chan os.Signal, 1)
	if !terminal {
		signal.Notify(again, syscall.SIGHUP)
		defer signal.Stop(again)
	}
	for {
		select {
		case <-again:
			done, err := a.Reload(ctx)
			if err != nil {
				console.say("the manifest was read again, and nothing changed: " + err.Error())
				continue
			}
			console.say("the manifest was read again: " + reloadedText(done))
		case <-ctx.Done():
			return
		case <-a.Down():
			return
		}
	}
}

// spotOptions are of the watch for the machine's end: on EC2, unless DAYFLY_SPOT
// is 0; with 1 wherever dayfly runs.
func spotOptions(value string, log *slog.Logger) (*spot.Options, error) {
	switch value {
	case "":
		return &spot.Options{Log: log}, nil
	case "0":
		return &spot.Options{Log: log, Never: true}, nil
	case "1":
		return &spot.Options{Log: log, Always: true}, nil
	}
	return nil, fmt.Errorf("DAYFLY_SPOT is %q: 1 watches for the end of a spot instance wherever dayfly runs, 0 nowhere; unset, it does so on EC2", value)
}

// stopApp drains; a second signal kills.
func stopApp(a *app.App, console *console, patience time.Duration) error {
	console.say("stopping: what was begun is finished first; Ctrl-C again kills")
	again := make(chan os.Signal, 1)
	signal.Notify(again, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(again)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var killed atomic.Bool
	watch := make(chan struct{})
	go func() {
		defer close(watch)
		select {
		case <-again:
			killed.Store(true)
			console.say("killing")
			cancel()
		case <-ctx.Done():
		}
	}()
	err := a.Stop(ctx)
	timedOut := errors.Is(ctx.Err(), context.DeadlineExceeded)
	cancel()
	<-watch
	switch {
	case err != nil:
		return err
	case killed.Load():
		return errors.New("killed; nothing acknowledged is lost, tasks under way run again")
	case timedOut:
		return fmt.Errorf("not everything ended within %s and was killed; nothing acknowledged is lost, tasks under way run again", patience)
	}
	console.say("stopped")
	return nil
}

// withoutTime leaves the time to the console's reader.
func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// guardCommand is the hidden command that ends what a killed dayfly leaves.
const guardCommand = "guard-processes"

func guard() *cobra.Command {
	return &cobra.Command{Use: guardCommand + " MARK", Hidden: true, Args: cobra.ExactArgs(1),
		Run: func(c *cobra.Command, args []string) { supervise.RunGuard(c.InOrStdin(), args[0]) }}
}
