package task

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/sqsqueue"
	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/open"
)

// flowProcess, in the environment, makes the test binary a worker of
// TestKilledFlows; it says where things are.
const flowProcess = "DAYFLY_FLOW_WORKER"

type flowPlaces struct{ Endpoint, Records, Diary string }

func TestMain(m *testing.M) {
	if text := os.Getenv(flowProcess); text != "" {
		var p flowPlaces
		err := json.Unmarshal([]byte(text), &p)
		if err == nil {
			err = p.work(context.Background())
		}
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func (p flowPlaces) queues() *queue.Service {
	return queue.New(sqsqueue.New(sqs.New(sqs.Options{BaseEndpoint: aws.String(p.Endpoint), Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", "")}), nil))
}

// flow is a process that makes chains and batches, and runs them.
type flow struct {
	flowPlaces
	store  *records.Store
	client *Client

	make         *Task[int]
	step         Returning[int, int]
	end          *Task[int]
	member, kill *Task[int]
	then         *Task[string]
}

const (
	flowSteps   = 4  // of a chain
	flowMembers = 10 // of a batch
)

// newFlow is the program that is killed; the test has it too, to enqueue.
func newFlow(ctx context.Context, p flowPlaces) (*flow, error) {
	store, err := open.URL(ctx, p.Records)
	if err != nil {
		return nil, err
	}
	f := &flow{flowPlaces: p, store: store, client: NewClient(p.queues().Queue("default"), nil)}
	f.make = Define("make", f.makeOne)
	f.step = DefineResult("step", func(_ context.Context, n int) (int, error) {
		time.Sleep(rand.N(10 * time.Millisecond)) // the work
		return n + 1, nil
	})
	f.end = Define("end", func(ctx context.Context, n int) error { return f.effect(ctx, fmt.Sprint(n)) })
	f.member = Define("member", func(ctx context.Context, _ int) error {
		time.Sleep(rand.N(10 * time.Millisecond))
		return f.write(ctx, "member")
	})
	f.kill = Define("kill", func(context.Context, int) error { return syscall.Kill(os.Getpid(), syscall.SIGKILL) })
	f.then = Define("then", func(ctx context.Context, _ string) error {
		failed, err := BatchFailures(ctx)
		if err != nil {
			return err
		}
		text, err := json.Marshal(failed)
		if err != nil {
			return err
		}
		return f.effect(ctx, string(text))
	})
	return f, nil
}

// makeOne enqueues a chain or a batch under an id that follows from its number,
// so that a process that is killed in the middle is followed by one that goes on.
func (f *flow) makeOne(ctx context.Context, i int) (err error) {
	if i%2 == 0 {
		_, err = f.chain().Enqueue(ctx, f.client, ID(chainID(i)))
	} else {
		_, err = f.batch().Enqueue(ctx, f.client, f.store, ID(batchID(i)))
	}
	return err
}

func chainID(i int) string { return fmt.Sprint("chain-", i) }
func batchID(i int) string { return fmt.Sprint("batch-", i) }

func (f *flow) chain() Chain {
	steps := []Step{f.step.With(0)}
	for range flowSteps - 2 {
		steps = append(steps, f.step.WithResult())
	}
	return NewChain(append(steps, f.end.WithResult())...)
}

func (f *flow) batch(more ...Step) Batch {
	return NewBatch(f.then.With("all"), append(numbered(f.member, flowMembers), more...)...)
}

// effect is brought about once however often its task runs: it inserts where
// nothing is yet. The diary says how often that was tried.
func (f *flow) effect(ctx context.Context, what string) error {
	run, _ := Info(ctx)
	if err := f.write(ctx, "effect "+what); err != nil {
		return err
	}
	_, err := f.store.Put(ctx, records.Record{Key: "effect/" + run.ID, Value: []byte(what)})
	if errors.Is(err, records.ErrConflict) {
		return nil
	}
	return err
}

// write adds a line to the diary of all processes.
func (f *flow) write(ctx context.Context, what string) error {
	run, _ := Info(ctx)
	d, err := os.OpenFile(f.Diary, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(d, "%s %s\n", run.ID, what)
	return errors.Join(err, d.Close())
}

// work runs the tasks of both queues until the process is killed.
func (p flowPlaces) work(ctx context.Context) error {
	f, err := newFlow(ctx, p)
	if err != nil {
		return err
	}
	errs := make([]error, 2)
	var working sync.WaitGroup
	for i, name := range []string{"default", "poison"} {
		w, err := NewWorker(p.queues().Queue(name), WorkerOptions{Tasks: []Definition{f.make, f.step, f.end, f.member, f.kill, f.then},
			Concurrency: 8, Records: f.store, Wait: time.Second, Backoff: Backoff{Max: time.Second}})
		if err != nil {
			return err
		}
		working.Go(func() { errs[i] = w.Run(ctx) })
	}
	working.Wait()
	return errors.Join(errs...)
}
