package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/dayfly-dev/dayfly/app/manifest"
	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
	"github.com/dayfly-dev/dayfly/queue/sqsqueue"
)

// names maps a manifest's queue to its name in the service.
type names map[string]string

// startQueues opens the embedded engine, or SQS where the environment says so,
// and makes the manifest's queues, each with its dead-letter queue.
func (a *App) startQueues(ctx context.Context) error {
	a.names = names{}
	if a.external.AWS {
		cfg, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return fmt.Errorf("AWS configuration: %w", err)
		}
		a.sqs = sqs.NewFromConfig(cfg)
		a.queues = queue.New(sqsqueue.New(a.sqs, nil))
		for name := range a.manifest.Queue {
			a.names[name] = a.external.queue(a.manifest, name)
		}
	} else {
		dir := a.data.path(QueueFolder)
		engine, err := diskqueue.Open(dir, &diskqueue.Options{Log: a.log})
		if err != nil {
			return queueStoreError(dir, err)
		}
		a.counted = &counted{Engine: engine}
		a.queues = queue.New(a.counted)
		for name := range a.manifest.Queue {
			a.names[name] = a.manifest.ServiceName(name)
		}
	}
	a.onStop("queues", func(context.Context) error { return a.queues.Close() })
	for _, name := range sortedKeys(a.manifest.Queue) {
		if err := a.makeQueue(ctx, a.names[name], a.manifest.Queue[name]); err != nil {
			return err
		}
		if !a.external.AWS {
			a.tellLeft(ctx, name)
		}
	}
	return nil
}

// tellLeft warns of messages in the queue that a queue of the manifest was before
// its fifo was changed: that is another queue, which nothing receives from.
func (a *App) tellLeft(ctx context.Context, name string) {
	before, is := name, "a FIFO queue now"
	if !a.manifest.Queue[name].FIFO {
		before, is = name+".fifo", "no FIFO queue any more"
	}
	d, err := a.queues.Describe(ctx, before)
	if n := d.Visible + d.Delayed + d.InFlight; err == nil && n > 0 {
		a.log.Warn(fmt.Sprintf("%s is %s; messages sent before are left in queue %s: change fifo back, or receive and send them again", name, is, before), "messages", n)
	}
}

// QueueFolder is the name of the queue store's folder in the data folder.
const QueueFolder = "queue"

// queueStoreError adds to the error of a damaged store how to go on.
func queueStoreError(dir string, err error) error {
	var damage *diskqueue.CorruptError
	if !errors.As(err, &damage) {
		return err
	}
	return fmt.Errorf("%w\nNothing was changed. What is damaged, and what that costs:\n  dayfly queue verify --store %s\n%s", err, shellWord(dir), Salvage(dir))
}

// Salvage tells how to go on with a damaged queue store.
func Salvage(dir string) string {
	return fmt.Sprintf(`To go on with all that can be read, in a new store, the damaged one kept:
  dayfly queue export --store %[1]s -o queues.jsonl
  mv %[1]s %[1]s.damaged
  dayfly queue import --store %[1]s queues.jsonl`, shellWord(dir))
}

// makeQueue makes a queue and its dead-letter queue be as the manifest says,
// with the messages they hold.
func (a *App) makeQueue(ctx context.Context, name string, q *manifest.Queue) error {
	dead, fifo := manifest.Dead(name), strings.HasSuffix(name, ".fifo")
	if err := a.settleQueue(ctx, dead, queue.Attributes{Visibility: 30 * time.Second, Retention: 14 * 24 * time.Hour, FIFO: fifo}); err != nil {
		return err
	}
	visibility := time.Duration(q.Visibility)
	if visibility == 0 {
		visibility = -1 // package queue takes 0 for its default
	}
	return a.settleQueue(ctx, name, queue.Attributes{
		FIFO: fifo, Visibility: visibility, Delay: time.Duration(q.Delay), Retention: time.Duration(q.Retention),
		// A worker sets a task that failed this often aside, with its error; the
		// queue itself steps in for tasks that take their worker with them.
		DeadLetter: &queue.DeadLetter{Queue: dead, MaxReceives: q.Attempts},
	})
}

// settleQueue makes a queue, or gives it the attributes wanted and leaves alone
// what the manifest says nothing of, such as permissions and deduplication.
func (a *App) settleQueue(ctx context.Context, name string, want queue.Attributes) error {
	err := a.queues.CreateQueue(ctx, name, want, nil)
	if !errors.Is(err, queue.ErrQueueExists) {
		return err
	}
	d, err := a.queues.Describe(ctx, name)
	if err != nil {
		return err
	}
	now := d.Attributes
	now.Visibility, now.Delay, now.DeadLetter = max(want.Visibility, 0), want.Delay, want.DeadLetter
	if want.Retention != 0 {
		now.Retention = want.Retention
	}
	return a.queues.SetAttributes(ctx, name, now)
}

// queueURL asks the service for the address of a manifest's queue.
func (a *App) queueURL(ctx context.Context, name string) (string, error) {
	answer, err := a.sqs.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String(a.names[name])})
	if err != nil {
		return "", fmt.Errorf("address of queue %s: %w", a.names[name], err)
	}
	return *answer.QueueUrl, nil
}
