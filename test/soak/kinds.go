package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/dayfly-dev/dayfly/mail"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/notice"
)

// args of a task of any kind.
type args struct {
	Key   string `json:"key"`   // who gets the mail
	Due   int64  `json:"due"`   // not before; Unix, in milliseconds
	Fails int    `json:"fails"` // attempts that are to fail
	Size  int    `json:"size"`  // of Text, to be checked
	Text  string `json:"text"`
}

// kinds are the handlers: what comes before the "-" of a type's name.
type kinds struct {
	record *os.File
	sender mail.Sender
}

func (k *kinds) tasks(types []string) []task.Definition {
	var all []task.Definition
	for _, name := range types {
		kind, _, _ := strings.Cut(name, "-")
		run := k.plain
		options := []task.Option{task.Timeout(time.Minute)}
		switch kind {
		case "flaky":
			run = k.flaky
		case "bad":
			run = func(context.Context, args) error { return task.Permanent(errors.New("bad on purpose")) }
		case "panic":
			run = func(context.Context, args) error { panic("on purpose") }
			options = append(options, task.Attempts(3))
		case "slow":
			run = k.slow
		case "hog":
			run = k.hog
		case "once":
			run = k.mail()
		case "atleast":
			run = k.mail(task.AtLeastOnce())
		}
		all = append(all, task.Define(name, run, options...))
	}
	return all
}

// plain is done when its arguments are those that were given, and its time has come.
func (k *kinds) plain(_ context.Context, a args) error {
	if len(a.Text) != a.Size {
		return task.Permanent(fmt.Errorf("altered arguments: %d bytes, not %d", len(a.Text), a.Size))
	}
	// The queue counts in whole seconds.
	if early := a.Due - time.Now().UnixMilli(); early > 600 {
		return task.Permanent(fmt.Errorf("%d ms early", early))
	}
	return nil
}

func (k *kinds) flaky(ctx context.Context, a args) error {
	if run, _ := task.Info(ctx); run.Attempt <= a.Fails {
		return fmt.Errorf("attempt %d fails on purpose", run.Attempt)
	}
	return nil
}

// slow takes longer than the visibility timeout.
func (k *kinds) slow(ctx context.Context, _ args) error {
	select {
	case <-time.After(4 * time.Second):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// hog ends as a worker does whose memory is used up: the kernel kills it.
func (k *kinds) hog(context.Context, args) error { return syscall.Kill(os.Getpid(), syscall.SIGKILL) }

// mail sends one by the ledger. Without it (SOAK_UNGUARDED) the soak has to find
// mails that were sent twice.
func (k *kinds) mail(options ...task.OnceOption) func(context.Context, args) error {
	return func(ctx context.Context, a args) error {
		m := &mail.Message{From: "soak@example.com", To: []string{a.Key + "@example.com"}, Subject: "Soak", Text: "Text.\n"}
		if os.Getenv("SOAK_UNGUARDED") != "" {
			return k.sender.Send(ctx, m)
		}
		_, err := notice.Mail(ctx, k.sender, "soak", m, options...)
		return err
	}
}
