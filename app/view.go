package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dayfly-dev/dayfly/app/logs"
	"github.com/dayfly-dev/dayfly/app/supervise"
	"github.com/dayfly-dev/dayfly/dash"
	"github.com/dayfly-dev/dayfly/edge"
)

// view is the application as the dashboard and the control socket show it.
type view struct{ app *App }

// Info is what does not change while the application runs.
func (v view) Info() dash.Info {
	a := v.app
	info := dash.Info{Name: a.manifest.Name, Version: a.version, Started: a.started, Dir: a.manifest.Dir, ManifestRead: a.manifestRead()}
	for _, x := range a.addresses {
		info.Addresses = append(info.Addresses, dash.Address(x))
	}
	return info
}

// Groups are the processes with their instances.
func (v view) Groups() []dash.Group {
	a := v.app
	targets := map[string]edge.TargetStats{}
	if a.edge != nil {
		for _, t := range a.edge.Stats().Targets {
			targets[t.Name] = t
		}
	}
	var all []dash.Group
	for _, name := range sortedKeys(a.manifest.Process) {
		p := a.manifest.Process[name]
		g := dash.Group{Name: name, Command: p.Command, HTTP: p.HTTP, Want: p.Instances.Min, Min: p.Instances.Min, Max: p.Instances.Max}
		if running, err := a.group(name); err == nil {
			status := running.Status()
			g.Want = len(status)
			for _, s := range status {
				g.Processes = append(g.Processes, a.process(s, p.HTTP, targets[s.Target]))
			}
		}
		all = append(all, g)
	}
	return all
}

func (a *App) process(s supervise.Status, http bool, t edge.TargetStats) dash.Process {
	use := a.meter.Usage(s.PID)
	return dash.Process{Name: s.Name, Group: s.Group, State: dash.State(s.State), PID: s.PID, Port: s.Port, Started: s.Started,
		Restarts: s.Restarts, CPU: use.CPU, Memory: use.Memory, LastExit: s.LastExit,
		Healthy: s.State == supervise.Running && (!http || t.Healthy), Outstanding: t.Outstanding,
		Requests: int64(t.Served), Errors: int64(t.Failed)}
}

// Edge is what the edge measured.
func (v view) Edge() dash.EdgeStats {
	if v.app.history == nil {
		return dash.EdgeStats{}
	}
	return v.app.history.stats()
}

// Restart begins a rolling restart; its steps are in the logs.
func (v view) Restart(_ context.Context, group string) error {
	if _, err := v.app.group(group); err != nil {
		return notFound(err)
	}
	go func() {
		// It ends by itself: every step is bounded by the process's timeouts, and
		// Stop ends the instances it waits for.
		if err := v.app.Restart(context.Background(), group, nil); err != nil {
			v.app.logs.Add(group, "dayfly", "restart stopped: "+err.Error())
		}
	}()
	return nil
}

// Scale sets the wanted number of instances.
func (v view) Scale(_ context.Context, group string, n int) error {
	if _, err := v.app.group(group); err != nil {
		return notFound(err)
	}
	in := v.app.manifest.Process[group].Instances
	if n < in.Min || n > in.Max {
		return v.app.Scale(context.Background(), group, n) // says why not
	}
	go func() {
		if err := v.app.Scale(context.Background(), group, n); err != nil {
			v.app.logs.Add(group, "dayfly", fmt.Sprintf("scaling to %d: %v", n, err))
		}
	}()
	return nil
}

// Logs are the newest lines.
func (v view) Logs(process string, n int) []dash.LogLine {
	lines := v.app.logs.Last(process, n)
	out := make([]dash.LogLine, len(lines))
	for i, l := range lines {
		out[i] = dash.LogLine(l)
	}
	return out
}

// FollowLogs returns lines as they come.
func (v view) FollowLogs(ctx context.Context) <-chan dash.LogLine {
	in, out := v.app.logs.Follow(ctx, "", 0), make(chan dash.LogLine)
	go func() {
		defer close(out)
		for l := range in {
			select {
			case out <- dash.LogLine(l):
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// Clicks since a day.
func (v view) Clicks(_ context.Context, since time.Time) ([]dash.ClickCount, error) {
	if v.app.edge == nil {
		return nil, nil
	}
	first := since.UTC().Format(time.DateOnly)
	var all []dash.ClickCount
	for _, c := range v.app.edge.Clicks() {
		if c.Day < first || len(all) == 10_000 {
			break // the latest day comes first
		}
		all = append(all, clickRow(c))
	}
	return all, nil
}

func clickRow(c edge.ClickCount) dash.ClickCount {
	return dash.ClickCount{Campaign: c.Campaign, Link: c.Path, Day: c.Day, Count: c.People, Visitors: c.Visitors, Programs: c.Bots}
}

func notFound(err error) error {
	var unknown *UnknownError
	if errors.As(err, &unknown) {
		return fmt.Errorf("%w: %w", dash.ErrNotFound, err)
	}
	return err
}

var _ = logs.Line(dash.LogLine{}) // the two must stay alike
