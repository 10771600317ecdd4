// Package hold lets tasktest tell a worker how its messages wait.
package hold

import "context"

type key struct{}

// Never has the worker that runs under ctx put back what waits, instead of
// holding it: the queue's clock is not the world's.
func Never(ctx context.Context) context.Context { return context.WithValue(ctx, key{}, true) }

// Allowed reports whether messages may be held while they wait.
func Allowed(ctx context.Context) bool { return ctx.Value(key{}) == nil }
