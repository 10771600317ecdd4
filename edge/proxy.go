package edge

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
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
	if f := d.connect(fresh); f != nil {
		return f
	}
	d.stop = context.AfterFunc(x.r.Context(), d.c.abort)
	if f := d.send(); f != nil {
		return f
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

// A delivery is one try to have a request answered by one target.
type delivery struct {
	e       *Edge
	x       *exchange
	t       *target
	body    *requestBody
	upgrade string
	c       *conn
	stop    func() bool // ends the watch for the client going away
	up      *upload
	keep    bool // the connection can serve another request
	stream  bool // counted as a stream
	broken  bool // the answer broke off
	passed  bool // interim answers went to the client
	ended   bool // the target has done its part
	status  int  // of the answer
}

// end puts the connection away and counts the delivery.
func (d *delivery) end(f *failure) {
	if d.ended {
		return
	}
	d.ended = true
	if d.c != nil {
		d.up.finish()
		watched := d.stop == nil || d.stop()
		if d.keep && watched && d.up.finished() {
			d.t.putIdle(d.c)
		} else {
			d.c.Close()
		}
	}
	d.e.release(d.t, d.stream, d.outcome(f))
}

// outcome is what the delivery says about its target. That a client sends too
// much or not all is none of the target's fault, nor is it that a connection
// had been closed before it was used again.
func (d *delivery) outcome(f *failure) outcome {
	switch {
	case f == nil && d.broken:
		return faulty
	case f == nil && d.status >= 500:
		return answeredError
	case f == nil:
		return answered
	case f.kind == clientGone:
		return clientLeft
	case f.kind == tooLarge || f.kind == incomplete || f.reused && f.kind != tooLate && f.kind != garbled:
		return notTaken
	}
	return faulty
}

// connect takes an unused connection or makes one.
func (d *delivery) connect(fresh bool) *failure {
	if !fresh && d.upgrade == "" {
		maxIdle := d.t.opt.Load().IdleTimeout
		if !repeatable(d.x.r) {
			maxIdle = min(maxIdle, freshIdle)
		}
		if c := d.t.takeIdle(maxIdle); c != nil {
			c.reused = true
			d.c = c
			return nil
		}
	}
	ctx := d.x.r.Context()
	c, err := d.t.dial(ctx)
	if err == nil {
		d.c = c
		return nil
	}
	if isCanceled(ctx) {
		return &failure{kind: clientGone, err: ctx.Err()}
	}
	d.e.suspect(d.t, err)
	return &failure{kind: notSent, err: err}
}

// send writes the request: all of it, or its head while an upload follows.
func (d *delivery) send() *failure {
	c := d.c
	c.head = d.x.appendHead(c.head[:0], d.body, d.upgrade)
	headLen := len(c.head)
	c.SetDeadline(time.Now().Add(d.t.opt.Load().ResponseTimeout))
	n, err := 0, error(nil)
	switch data := d.body.data; {
	case len(data) > 4<<10:
		var n64 int64
		n64, err = (&net.Buffers{c.head, data}).WriteTo(c.Conn)
		n = int(n64)
	default:
		c.head = append(c.head, data...)
		n, err = c.Write(c.head)
	}
	if err != nil && n < headLen {
		if isCanceled(d.x.r.Context()) {
			return &failure{kind: clientGone, err: err}
		}
		return &failure{kind: notSent, reused: c.reused, err: err}
	}
	// A later error of writing is left to receive: the target may have answered
	// and closed without reading the rest.
	if d.body.stream != nil {
		c.SetReadDeadline(time.Time{}) // set again when all is sent
		d.up = d.x.startUpload(c, d.body)
	}
	return nil
}

// receive reads the head of the answer, and passes interim answers on.
func (d *delivery) receive() (*http.Response, *failure) {
	c := d.c
	if f := d.firstByte(); f != nil {
		return nil, f
	}
	for range 16 {
		res, err := c.readResponse(d.x.r)
		if err != nil {
			return nil, d.diagnose(err, garbled)
		}
		switch s := res.StatusCode; {
		case s == http.StatusSwitchingProtocols || s >= 200:
			return res, nil
		case s < 100:
			return nil, d.diagnose(errors.New("status below 100"), garbled)
		case s == http.StatusContinue:
			// The client's was answered by its server when the body was read.
		default:
			h := d.x.out.Header()
			stripHop(res.Header)
			for k, v := range res.Header {
				h[k] = v
			}
			d.x.out.WriteHeader(s)
			clear(h)
			d.passed = true
		}
	}
	return nil, d.diagnose(errors.New("too many interim answers"), garbled)
}

// firstByte waits for the answer to begin.
func (d *delivery) firstByte() *failure {
	c, recallable := d.c, d.recallable()
	if recallable {
		c.state.Store(waiting)
	}
	_, err := c.br.Peek(1)
	if recallable && !c.state.CompareAndSwap(waiting, notWaiting) && !isCanceled(d.x.r.Context()) {
		return &failure{kind: noAnswer, err: errRecalled}
	}
	if err != nil {
		return d.diagnose(err, noAnswer)
	}
	return nil
}

// diagnose finds out why there is no answer.
func (d *delivery) diagnose(err error, otherwise failureKind) *failure {
	f := &failure{kind: otherwise, reused: d.c.reused, passed: d.passed, err: err}
	if isCanceled(d.x.r.Context()) {
		d.up.finish() // its error tells whether the client left or was too slow
	}
	cerr := d.up.clientErr()
	switch {
	case isTooLarge(cerr):
		f.kind, f.err = tooLarge, cerr
	case isTooSlow(cerr): // also where net/http takes such a client for gone
		f.kind, f.err = incomplete, cerr
	case isCanceled(d.x.r.Context()):
		f.kind, f.err = clientGone, d.x.r.Context().Err()
	case cerr != nil:
		f.kind, f.err = incomplete, cerr
	case errors.Is(err, os.ErrDeadlineExceeded):
		f.kind = tooLate
	case otherwise == noAnswer && !d.c.reused:
		// A new connection that ends without an answer: the instance is dying. One
		// that was unused may just have been closed for that.
		d.e.suspect(d.t, err)
	}
	return f
}
