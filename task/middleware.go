package task

import (
	"context"
	"slices"
)

// Handler runs one task. Info(ctx) tells which run it is. Its error decides
// what becomes of the message, as that of a function given to Define.
type Handler func(ctx context.Context, e *Event) error

// Enqueuing is what one call of Enqueue, EnqueueNamed or EnqueueMany stores.
type Enqueuing struct {
	Queue string // its name
	// Events to be stored, complete but for what is decided by their size. All
	// fields but ID and Type may be changed.
	Events []*Event
}

// Enqueuer stores calls of tasks. After an error it is not known which of them
// are stored.
type Enqueuer func(ctx context.Context, e *Enqueuing) error

// wrapped returns f inside of the middleware, the first outermost.
func wrapped[F any](f F, middleware []func(F) F) F {
	for _, m := range slices.Backward(middleware) {
		f = m(f)
	}
	return f
}

// handler of a task: its function, inside of the worker's middleware. The
// middleware sees a panic of the function as the *PanicError it becomes.
func (t definition) handler(middleware []func(Handler) Handler) Handler {
	if len(middleware) == 0 {
		return t.run
	}
	return wrapped(Handler(func(ctx context.Context, e *Event) error { return protect(ctx, t.run, e) }), middleware)
}

// enqueue stores events by way of the client's middleware.
func (c *Client) enqueue(ctx context.Context, events []*Event, store func(context.Context) error) error {
	if len(c.o.Middleware) == 0 {
		return store(ctx)
	}
	last := func(ctx context.Context, _ *Enqueuing) error { return store(ctx) }
	return wrapped(Enqueuer(last), c.o.Middleware)(ctx, &Enqueuing{Queue: c.q.Name(), Events: events})
}
