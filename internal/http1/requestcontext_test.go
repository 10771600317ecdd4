package http1

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

type valueKey struct{}

// A request's context is as those of package context are, also for those made of
// it.
func TestRequestContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &requestContext{Context: context.WithValue(t.Context(), valueKey{}, 7)}
		if c.Err() != nil || c.Value(valueKey{}) != 7 {
			t.Errorf("before the end: %v, %v", c.Err(), c.Value(valueKey{}))
		}
		child, cancel := context.WithCancel(c)
		defer cancel()
		other, cancelOther := context.WithCancelCause(c)
		cancelOther(nil)
		var called atomic.Int32
		first, second, third := context.AfterFunc(c, func() { called.Add(1) }), c.AfterFunc(func() { called.Add(10) }), c.AfterFunc(func() { called.Add(100) })
		if !second() || second() {
			t.Error("what was not called is stopped once")
		}
		c.cancel()
		c.cancel()
		synctest.Wait()
		if n := called.Swap(0); n != 101 {
			t.Errorf("called: %d, want the first and the third once", n)
		}
		if first() || third() {
			t.Error("what was called is stopped")
		}
		<-c.Done()
		<-child.Done()
		if c.Err() != context.Canceled || child.Err() != context.Canceled || context.Cause(child) != context.Canceled || other.Err() != context.Canceled {
			t.Errorf("after the end: %v, %v because of %v, %v", c.Err(), child.Err(), context.Cause(child), other.Err())
		}
		c.AfterFunc(func() { called.Add(1) })
		synctest.Wait()
		late := &requestContext{Context: t.Context()}
		late.cancel()
		<-late.Done()
		if called.Load() != 1 {
			t.Error("what comes after the end is not called")
		}
	})
}
