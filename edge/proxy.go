package edge

import (
	"context"
	"net/http"
	"time"
)

// A failure says why a delivery gave no answer, and so what may follow.
type failure struct {
	kind   failureKind
	reused bool // on a connection that had served before
	passed bool // interim answers went to the client
	err    error
}

type failureKind int

const (
	notSent    failureKind = iota // the target cannot have the request
	noAnswer                      // sent; the connection ended before any byte of an answer
	tooLate                       // sent; no answer in time
	garbled                       // an answer began and was not HTTP
	clientGone                    // the client went away
	tooLarge                      // the body is larger than allowed
	incomplete                    // the client did not send the whole body
)

// maxTries bounds the deliveries of one request. Each failed one takes a target
// out or opens a new connection, so more are not to be expected.
const maxTries = 8

// proxy delivers the request to a target, and to others as long as that is
// safe, and passes the answer on.
func (e *Edge) proxy(x *exchange) {
	if x.setup.FilesOnly {
		x.fail("no application", http.StatusNotFound, pageMissing)
		return
	}
	if e.lineFull() {
		x.refuse(errLineFull)
		return
	}
	body, ok := x.readBody()
	if !ok {
		return
	}
	defer body.close()
	x.want = want{ticket: x.ticket()}
	var deadline time.Time
	fresh, unanswered := false, 0
	for {
		if deadline.IsZero() {
			deadline = time.Now().Add(x.setup.HoldTimeout)
		}
		t, err := e.acquire(x.r.Context(), &x.want, deadline)
		if err != nil {
			x.refuse(err)
			return
		}
		x.target = t.name
		f := e.deliver(x, t, body, fresh)
		if f == nil {
			return
		}
		switch {
		case f.kind == notSent && body.again():
		case f.kind == noAnswer && repeatable(x.r) && body.again() && (f.reused || unanswered == 0):
			// A new connection that breaks may mean that this very request kills
			// its instance: it is given to one more, not to all.
			if !f.reused {
				unanswered++
			}
		case f.kind == garbled && !f.passed && repeatable(x.r) && body.again() && unanswered == 0 && e.others(t):
			unanswered++ // nothing of it went to the client
		default:
			x.explain(f)
			return
		}
		if x.retries+1 >= maxTries {
			x.explain(f)
			return
		}
		x.retries++
		x.want.avoid, fresh = t, fresh || f.reused
	}
}

// repeatable reports whether a request may be processed twice.
func repeatable(r *http.Request) bool {
	switch r.Method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return r.Header["Idempotency-Key"] != nil || r.Header["X-Idempotency-Key"] != nil
}

// deliver sends the request to t and passes its answer on. It returns nil when
// an answer was begun, whatever became of it. It panics with
// http.ErrAbortHandler if the target broke off its answer.
func (e *Edge) deliver(x *exchange, t *target, body *requestBody, fresh bool) (f *failure) {
	d := delivery{e: e, x: x, t: t, body: body, upgrade: upgradeOf(x.r)}
	defer func() {
		d.end(f)
	}()
	if f := d.ask(fresh); f != nil {
		return f
	}
	if d.forwardPlain() {
		return nil
	}
	res, f := d.receive()
	if f != nil {
		return f
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		return d.switchProtocols(res)
	}
	d.status = res.StatusCode
	if x.setup.Balance.Sticky != "" {
		x.stick(t, &x.want, res.Header)
	}
	return d.forward(res)
}

// afterFunc is context.AfterFunc, which a context can do with less.
func afterFunc(ctx context.Context, f func()) (stop func() bool) {
	if own, ok := ctx.(interface{ AfterFunc(f func()) func() bool }); ok {
		return own.AfterFunc(f)
	}
	return context.AfterFunc(ctx, f)
}
