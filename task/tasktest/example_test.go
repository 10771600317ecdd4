package tasktest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/tasktest"
)

type MailArgs struct{ To, Subject string }

// SendMail is a task of the program under test; its mail server is down at first.
var SendMail = task.Define("send_mail", func(ctx context.Context, a MailArgs) error {
	if run, _ := task.Info(ctx); run.Attempt < 3 {
		return errors.New("the mail server is down")
	}
	return nil
})

// signUp is a function of the program under test.
func signUp(ctx context.Context, c *task.Client, address string) error {
	_, err := SendMail.Enqueue(ctx, c, MailArgs{address, "Welcome"}, task.Delay(time.Hour), task.Group(address))
	return err
}

// t stands for a test's own *testing.T.
var t testing.TB = example{}

type example struct{ testing.TB }

func (example) Helper()                           {}
func (example) Context() context.Context          { return context.Background() }
func (example) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// What a function enqueues, without running it.
func Example_enqueued() {
	q := tasktest.New(t, SendMail)
	if err := signUp(t.Context(), q.Client(), "ann@example.com"); err != nil {
		t.Fatalf("%v", err)
	}

	call := tasktest.One(q, SendMail)
	fmt.Println(call.Task, call.Args.To, "in", call.Delay, "as one of", call.Group)
	// Output: send_mail ann@example.com in 1h0m0s as one of ann@example.com
}

// Delays and retries pass at once; each run is seen.
func ExampleQueue_Drain() {
	q := tasktest.New(t, SendMail)
	if err := signUp(t.Context(), q.Client(), "ann@example.com"); err != nil {
		t.Fatalf("%v", err)
	}

	for _, r := range q.Drain() {
		fmt.Println(r.Run.Attempt, r.Outcome, r.Err)
	}
	// Output:
	// 1 retried the mail server is down
	// 2 retried the mail server is down
	// 3 done <nil>
}

// The clock in the hand of the test.
func ExampleQueue_Advance() {
	q := tasktest.New(t, SendMail)
	if err := signUp(t.Context(), q.Client(), "ann@example.com"); err != nil {
		t.Fatalf("%v", err)
	}

	q.Advance(59 * time.Minute)
	fmt.Println(len(q.Run()), "runs after 59 minutes")
	q.Advance(2 * time.Minute)
	fmt.Println(len(q.Run()), "after 61")
	// Output:
	// 0 runs after 59 minutes
	// 1 after 61
}

// What fails for good is a dead letter.
func ExampleQueue_Dead() {
	q := tasktest.Options{Tasks: []task.Definition{SendMail}, Attempts: 2}.New(t)
	if err := signUp(t.Context(), q.Client(), "ann@example.com"); err != nil {
		t.Fatalf("%v", err)
	}

	q.Drain()
	for _, l := range q.Dead() {
		fmt.Println(l.Task, string(l.Args), "after", l.Attempts, "attempts:", l.Error)
	}
	// Output: send_mail {"To":"ann@example.com","Subject":"Welcome"} after 2 attempts: the mail server is down
}
