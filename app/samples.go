package app

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/dash"
	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task"
)

const (
	sampleStep   = 5 * time.Second
	sampleKeep   = 180 // a quarter of an hour
	sampleQueues = 200 // by name, the others have no pictures
)

// samples are the last minutes of the embedded queues, for the dashboard's
// pictures. Queues of SQS are not sampled: each look is a request that costs.
type samples struct {
	app *App

	mu     sync.Mutex
	queues map[string][]dash.Sample // oldest first
}

func (a *App) startSamples(context.Context) error {
	a.samples.app = a
	if a.counted == nil {
		return nil
	}
	run, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(sampleStep)
		defer tick.Stop()
		for {
			a.samples.take(run, time.Now())
			select {
			case <-tick.C:
			case <-run.Done():
				return
			}
		}
	}()
	a.onStop("samples", func(context.Context) error { cancel(); <-ended; return nil })
	return nil
}

// take looks at every queue once, in memory. Queues that are gone are forgotten.
func (s *samples) take(ctx context.Context, now time.Time) {
	list, err := s.app.queues.ListQueues(ctx, queue.ListOptions{Max: sampleQueues})
	if err != nil {
		return // it closes, or says so wherever somebody looks
	}
	counts, outcomes := s.app.counted.all(), s.app.outcomes.byQueue()
	taken := make(map[string]dash.Sample, len(list.Names))
	for _, name := range list.Names {
		d, err := s.app.queues.Describe(ctx, name)
		if err != nil {
			continue
		}
		taken[name] = dash.Sample{Time: now, Visible: d.Visible, Delayed: d.Delayed, InFlight: d.InFlight,
			Sent: int64(counts[name].sent), Deleted: int64(counts[name].deleted), Outcomes: outcomes[name]}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string][]dash.Sample, len(taken))
	for name, x := range taken {
		before := s.queues[name]
		all[name] = append(before[max(0, len(before)-sampleKeep+1):], x)
	}
	s.queues = all
}

func (s *samples) of(name string) []dash.Sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.queues[name])
}

// byQueue sums the runs up over the tasks of each queue.
func (o *outcomes) byQueue() map[string]dash.Outcomes {
	all := map[string]dash.Outcomes{}
	for k, r := range o.all() {
		x, n := all[k.queue], int64(r.count)
		switch k.outcome {
		case task.Done:
			x.Done += n
		case task.Retried:
			x.Retried += n
		case task.Dead:
			x.Dead += n
		case task.Postponed:
			x.Postponed += n
		case task.Cancelled:
			x.Cancelled += n
		case task.Duplicate:
			x.Duplicate += n
		default:
			x.Other += n
		}
		all[k.queue] = x
	}
	return all
}
