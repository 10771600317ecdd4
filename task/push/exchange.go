package push

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/task"
)

// bodyTimeout bounds the reading of an answer's body, of which only the start
// is wanted.
const bodyTimeout = 5 * time.Second

// newTransport connects to endpoints that are not the application's own.
func newTransport() http.RoundTripper {
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout:    5 * time.Second,
		MaxIdleConnsPerHost:    maxConcurrency,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
		// A request that may not be repeated is not sent on a connection that
		// the server may be closing: servers in use do after 2 s and more.
		IdleConnTimeout: time.Second,
	}
}

// errNotReached is why a task on the ledger waits outside of it.
var errNotReached = errors.New("nothing there took the connection")

// unsentError: the endpoint was not reached, so nothing was sent.
type unsentError struct{ err error }

func (e *unsentError) Error() string { return "push: not sent: " + e.err.Error() }
func (e *unsentError) Unwrap() error { return e.err }

func unsent(err error) bool {
	_, ok := errors.AsType[*unsentError](err)
	return ok
}

// try is one exchange with the endpoint. The zero try is none.
type try struct {
	answer
	err error // there was no answer
}

// exchange sends the request and reads the answer. As long as nothing was sent
// it gives up at Run's end and when the queue is paused, and after patience
// unless that is 0; once something was, after Timeout.
func (p *Pusher) exchange(ctx context.Context, r *http.Request, patience time.Duration) try {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	a := attempt{cancel: cancel, timeout: p.o.Timeout}
	defer a.end()
	over := make(chan struct{})
	defer close(over)
	go func() { // ends with the exchange
		var late <-chan time.Time
		if patience > 0 {
			late = time.After(patience)
		}
		select {
		case <-p.stopping:
			a.giveUp(errStopping)
		case <-task.Pausing(ctx):
			a.giveUp(errPaused)
		case <-late:
			a.giveUp(errNotReached)
		case <-over:
		}
	}()
	r = r.Clone(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { a.connected() }}))
	if r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			return try{err: err}
		}
		r.Body = body
	}
	res, err := p.o.Transport.RoundTrip(r)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		if !a.sent() {
			return try{err: &unsentError{err}}
		}
		if errors.Is(err, task.ErrTimeout) {
			err = fmt.Errorf("%w: no answer within %v", err, p.o.Timeout)
		}
		return try{err: fmt.Errorf("push: the connection ended without an answer, so the task may have run: %w", err)}
	}
	a.hurry()
	return try{answer: p.read(res)}
}

// attempt is how far one exchange came.
type attempt struct {
	cancel  context.CancelCauseFunc
	timeout time.Duration

	mu    sync.Mutex
	begun bool // a byte may have been sent
	timer *time.Timer
}

// connected is called before the first byte is sent.
func (a *attempt) connected() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.begun {
		a.begun = true
		a.timer = time.AfterFunc(a.timeout, func() { a.cancel(task.ErrTimeout) })
	}
}

// hurry bounds what is left of an answer whose head is there.
func (a *attempt) hurry() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.timer != nil {
		a.timer.Reset(bodyTimeout)
	}
}

// giveUp ends the exchange if nothing was sent.
func (a *attempt) giveUp(why error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.begun {
		a.cancel(why)
	}
}

func (a *attempt) sent() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.begun
}

// end is called when the exchange is over.
func (a *attempt) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.timer != nil {
		a.timer.Stop()
	}
}
