package app

import (
	"context"
	"fmt"
	"time"

	"github.com/dayfly-dev/dayfly/app/manifest"
	"github.com/dayfly-dev/dayfly/dash"
	"github.com/dayfly-dev/dayfly/task/schedule"
)

// startSchedule fires the manifest's schedules from now on.
func (a *App) startSchedule(ctx context.Context) error {
	if len(a.manifest.Schedule) == 0 {
		return nil
	}
	ticks, err := a.ticks(ctx)
	if err != nil {
		return err
	}
	enqueuing := a.enqueuing()
	enqueuing.Records = a.records // by which overlapping ticks are known
	o := schedule.Options{Ticks: ticks, Log: a.log, Enqueue: schedule.Into(a.queues, enqueuing)}
	for _, name := range sortedKeys(a.manifest.Schedule) {
		s, err := a.manifest.Times(name)
		if err != nil {
			return err
		}
		s.Queue = a.names[s.Queue]
		o.Schedules = append(o.Schedules, s)
	}
	runner, err := schedule.New(o)
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.schedule = runner
	a.mu.Unlock()
	run, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := runner.Run(run); err != nil {
			a.log.Error("the schedule ended", "error", err)
		}
	}()
	a.onStop("schedule", func(context.Context) error { cancel(); <-ended; return nil })
	return nil
}

// ticks is where all dayfly processes of this application agree who fires: the
// data folder for one alone, a bucket of its own where the stores are shared.
func (a *App) ticks(ctx context.Context) (schedule.Ticks, error) {
	if !a.external.AWS {
		return schedule.FolderTicks(a.data.path("schedule"))
	}
	bucket, err := a.buckets.system(ctx)
	if err != nil {
		return nil, err
	}
	return schedule.BucketTicks(bucket), nil
}

// Schedules of the manifest with their last and next ticks.
func (v view) Schedules() []dash.Schedule {
	runner := v.app.runner()
	if runner == nil {
		return nil
	}
	var all []dash.Schedule
	for _, s := range runner.Status() {
		spec := s.Cron
		if spec == "" {
			spec = "every " + manifest.Duration(s.Every).String()
		}
		d := dash.Schedule{Name: s.Name, Spec: spec, Timezone: s.Timezone, Task: s.Task, Queue: s.Queue, Next: s.Next, Last: s.Last}
		if s.LastID != "" {
			d.LastResult = "enqueued as " + s.LastID
		}
		if s.Err != nil {
			d.LastResult, d.LastFailed = s.Err.Error(), true
		}
		all = append(all, d)
	}
	return all
}

// RunSchedule enqueues a schedule's task now.
func (v view) RunSchedule(ctx context.Context, name string) (string, error) {
	runner := v.app.runner()
	if runner == nil || v.app.manifest.Schedule[name] == nil {
		return "", fmt.Errorf("%w: there is no schedule %q", dash.ErrNotFound, name)
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	return runner.RunNow(ctx, name)
}

func (a *App) runner() *schedule.Scheduler {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.schedule
}
