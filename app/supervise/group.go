package supervise

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Group is the instances of one Spec. Its methods may be called from any
// number of goroutines; restarts and scalings of one group happen one at a time.
type Group struct {
	spec Spec
	o    Options

	turn  sync.Mutex // held through a restart or scaling
	mu    sync.Mutex
	slots []*slot // instance n+1 at n
	heal  chan struct{}
	over  bool
}

// ErrStopped: the group has been stopped.
var ErrStopped = errors.New("the processes are being stopped")

// Start starts the instances and returns at once; see Ready.
func Start(spec Spec, o Options) (*Group, error) {
	if o.Output == nil || o.Mark == "" || spec.Command == "" || spec.Env == nil || (spec.HTTP && o.Front == nil) {
		return nil, fmt.Errorf("supervise %s: Output, Mark, Command, Env and, with HTTP, Front are required", spec.Name)
	}
	g := &Group{spec: spec, o: o.withDefaults(), heal: make(chan struct{}, 1)}
	for range spec.Instances {
		g.grow()
	}
	return g, nil
}

func (g *Group) grow() {
	s := newSlot(&g.spec, &g.o, len(g.slots)+1, g.heal)
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	g.slots = append(g.slots, s)
	go s.run(ctx)
}

// Name of the group.
func (g *Group) Name() string { return g.spec.Name }

// Ready waits until every instance has run once. It fails with a *StartError
// as soon as one of them is clear not to start; that one goes on being tried
// until Stop.
func (g *Group) Ready(ctx context.Context) error {
	for _, s := range g.list() {
		select {
		case <-s.ready:
		case <-s.failed:
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.failure
		case <-s.done:
			return ErrStopped
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Status of every instance, in order.
func (g *Group) Status() []Status {
	slots := g.list()
	all := make([]Status, len(slots))
	for i, s := range slots {
		s.mu.Lock()
		all[i] = s.status
		s.mu.Unlock()
	}
	return all
}

// Restart replaces the instances one after the other; progress, if not nil, is
// told each step. It stops at the first instance whose replacement does not
// start: that instance keeps running as it was (with HTTP), and the error says why.
func (g *Group) Restart(ctx context.Context, progress func(string)) error {
	g.turn.Lock()
	defer g.turn.Unlock()
	if progress == nil {
		progress = func(string) {}
	}
	for _, s := range g.list() {
		progress("restarting " + s.name)
		answer := make(chan error, 1)
		select {
		case s.replace <- answer:
		case <-s.done:
			return ErrStopped
		case <-ctx.Done():
			return ctx.Err()
		}
		// Once begun, a replacement is seen to its end.
		if err := <-answer; err != nil {
			return err
		}
		progress("restarted " + s.name)
	}
	return nil
}

// Scale sets the number of instances: new ones are waited for until healthy,
// surplus ones are drained, highest number first.
func (g *Group) Scale(ctx context.Context, n int) error {
	g.turn.Lock()
	defer g.turn.Unlock()
	g.mu.Lock()
	if g.over {
		g.mu.Unlock()
		return ErrStopped
	}
	for len(g.slots) < n {
		g.grow()
	}
	surplus := append([]*slot(nil), g.slots[n:]...)
	g.slots = g.slots[:n]
	g.mu.Unlock()
	for _, s := range surplus {
		s.stop()
	}
	for _, s := range surplus {
		<-s.done
	}
	return g.Ready(ctx)
}

// Stop drains and ends every instance. When ctx ends, they are killed.
func (g *Group) Stop(ctx context.Context) {
	g.mu.Lock()
	first := !g.over
	g.over = true
	slots := g.slots
	g.mu.Unlock()
	for _, s := range slots {
		s.stop()
	}
	kill := context.AfterFunc(ctx, func() {
		if first {
			for _, s := range slots {
				close(s.hurry)
			}
		}
	})
	for _, s := range slots {
		<-s.done
	}
	kill()
}

func (g *Group) list() []*slot {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]*slot(nil), g.slots...)
}
