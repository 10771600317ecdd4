package http1

import (
	"context"
	"sync"
)

// A requestContext is the context of one request: it has the values of the
// connection's, and ends with the request or when the client leaves. What only
// few handlers ask for is made when it is asked for.
type requestContext struct {
	context.Context // the connection's

	mu    sync.Mutex
	err   error
	done  chan struct{} // nil: nobody asked
	after []*afterFunc
}

// An afterFunc is what is to be called at the end.
type afterFunc struct {
	c *requestContext
	f func() // nil: called, or not any more
}

// Done implements context.Context.
func (c *requestContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err != nil {
			close(c.done)
		}
	}
	return c.done
}

// Err implements context.Context.
func (c *requestContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// AfterFunc is how package context, too, learns of the end.
func (c *requestContext) AfterFunc(f func()) (stop func() bool) {
	a := &afterFunc{c, f}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		a.f = nil
		go f()
	} else {
		c.after = append(c.after, a)
	}
	return a.stop
}

// stop reports whether it kept the function from being called.
func (a *afterFunc) stop() bool {
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	stopped := a.f != nil
	a.f = nil
	if last := len(a.c.after) - 1; last >= 0 && a.c.after[last] == a {
		a.c.after = a.c.after[:last]
	}
	return stopped
}

// cancel ends the context. It may be called more than once.
func (c *requestContext) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = context.Canceled
	if c.done != nil {
		close(c.done)
	}
	for _, a := range c.after {
		if a.f != nil {
			go a.f()
			a.f = nil
		}
	}
	c.after = nil
}
