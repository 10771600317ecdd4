package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/app/manifest"
	"github.com/dayfly-dev/dayfly/app/supervise"
)

// sampleEach is the time between measurements of the processes.
const sampleEach = 2 * time.Second

// startProcesses starts every process of the manifest and waits until all of
// them run.
func (a *App) startProcesses(ctx context.Context) error {
	a.variables.set("MAIL_FROM", a.mailFrom())
	if err := a.tellPushToken(); err != nil {
		return err
	}
	a.onStop("processes", func(ctx context.Context) error { a.stopProcesses(ctx); return nil })
	for _, name := range sortedKeys(a.manifest.Process) {
		if err := a.startGroup(name, a.manifest.Process[name]); err != nil {
			return err
		}
	}
	a.startMeter()
	for _, name := range sortedKeys(a.manifest.Process) {
		g, err := a.group(name)
		if err != nil {
			return err
		}
		if err := g.Ready(ctx); err != nil {
			return err
		}
		a.progress(fmt.Sprintf("%s runs (%d)", name, len(g.Status())))
	}
	return nil
}

func (a *App) mailFrom() string {
	if v := a.environ["MAIL_FROM"]; v != "" {
		return v
	}
	return a.manifest.Mail.From
}

func (a *App) startGroup(name string, p *manifest.Process) error {
	o := supervise.Options{Output: a.logs.Add, Log: a.log, Mark: a.mark}
	if p.HTTP {
		o.Front = front{a.edge}
	}
	g, err := supervise.Start(supervise.Spec{
		Name: name, Command: p.Command, Dir: a.manifest.Dir, HTTP: p.HTTP, H2C: p.Protocol == "h2c", Health: p.Health, Instances: p.Instances.Min,
		HealthTimeout: time.Duration(p.HealthTimeout), StartTimeout: time.Duration(p.StartTimeout), StopTimeout: time.Duration(p.StopTimeout),
		RestartUnhealthy: time.Duration(p.RestartUnhealthy),
		Env:              func(instance string, port int) []string { return a.instanceEnv(p.Env, instance, port) },
	}, o)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.groups[name] = g
	return nil
}

// drainTime bounds the wait for the requests that were begun before a stop.
const drainTime = 30 * time.Second

// stopProcesses ends all. The site takes no new requests first and has its
// answers until its processes end: a request that came meanwhile would only
// wait for an instance that does not come.
func (a *App) stopProcesses(ctx context.Context) {
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		ctx, cancel := context.WithTimeout(ctx, drainTime)
		defer cancel()
		if a.drainSite != nil {
			if err := a.drainSite(ctx); err != nil {
				a.log.Warn("requests were cut off", "after", drainTime, "error", err)
			}
		}
	}()
	var wg sync.WaitGroup
	for _, g := range a.allGroups() {
		wg.Go(func() {
			if a.manifest.Process[g.Name()].HTTP {
				<-drained
			}
			g.Stop(ctx)
		})
	}
	wg.Wait()
	<-drained
}

func (a *App) allGroups() []*supervise.Group {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []*supervise.Group
	for _, name := range sortedKeys(a.groups) {
		all = append(all, a.groups[name])
	}
	return all
}

func (a *App) startMeter() {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(sampleEach)
		defer tick.Stop()
		for {
			a.meter.Sample(a.pids())
			select {
			case <-tick.C:
			case <-quit:
				return
			}
		}
	}()
	a.onStop("meter", func(context.Context) error { close(quit); <-done; return nil })
}

func (a *App) pids() []int {
	var pids []int
	for _, g := range a.allGroups() {
		for _, s := range g.Status() {
			if s.PID != 0 {
				pids = append(pids, s.PID)
			}
		}
	}
	return pids
}

// Restart replaces the instances of a process, or of all processes with "",
// without a gap; progress is told each step.
func (a *App) Restart(ctx context.Context, process string, progress func(string)) error {
	groups := a.allGroups()
	if process != "" {
		g, err := a.group(process)
		if err != nil {
			return err
		}
		groups = []*supervise.Group{g}
	}
	for _, g := range groups {
		if err := g.Restart(ctx, progress); err != nil {
			return err
		}
	}
	return nil
}

// ErrRange: a number of instances the manifest does not allow.
var ErrRange = errors.New("outside the manifest's range")

// Scale sets the number of instances of a process.
func (a *App) Scale(ctx context.Context, process string, n int) error {
	g, err := a.group(process)
	if err != nil {
		return err
	}
	in := a.manifest.Process[process].Instances
	if n < in.Min || n > in.Max {
		return fmt.Errorf("%s=%d is %w: instances = { min = %d, max = %d }", process, n, ErrRange, in.Min, in.Max)
	}
	return g.Scale(ctx, n)
}
