package edge

import (
	"errors"
	"net"
	"net/http"
	"os"
	"time"
)

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
		d.x.unread = d.up != nil && !d.up.finished() && (d.up.clientErr() == nil || isTooLarge(d.up.clientErr())) && d.x.r.ProtoMajor == 1
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

// ask sends the request, and waits for the answer to begin. Kept connections
// that turn out not to be usable are no failures: it takes the next.
func (d *delivery) ask(fresh bool) *failure {
	for {
		if f := d.connect(fresh); f != nil {
			return f
		}
		c := d.c
		d.stop = afterFunc(d.x.r.Context(), c.abort)
		c.head = d.x.appendHead(c.head[:0], d.body, d.upgrade)
		headLen := len(c.head)
		if d.body.stream == nil && len(d.body.data) <= copiedBody {
			c.head = append(c.head, d.body.data...)
			c.answerWithin(d.t.opt.Load().ResponseTimeout)
			sent, err := c.ask(d.recallable())
			if errors.Is(err, errStale) && !isCanceled(d.x.r.Context()) {
				d.stop()
				c.Close()
				continue
			}
			if err != nil && !c.turn.sent && sent >= headLen {
				c.w, err = c.Conn.Read(c.in[:]) // as send does
			}
			return d.asked(sent, headLen, err)
		}
		if c.reused && !c.usable() {
			d.stop()
			c.Close()
			continue
		}
		return d.send(headLen)
	}
}

// copiedBody is how large a body may be that is sent in one piece with the
// request's head, bytes.
const copiedBody = 4 << 10

// asked says what became of a request that was sent whole, but for an error.
func (d *delivery) asked(sent, headLen int, err error) *failure {
	c := d.c
	if err != nil && sent < headLen {
		if isCanceled(d.x.r.Context()) {
			return &failure{kind: clientGone, err: err}
		}
		return &failure{kind: notSent, reused: c.reused, err: err}
	}
	if c.turn.wait && c.turn.sent && !c.state.CompareAndSwap(waiting, notWaiting) && !isCanceled(d.x.r.Context()) {
		return &failure{kind: noAnswer, err: errRecalled}
	}
	if err != nil {
		return d.diagnose(err, noAnswer)
	}
	return nil
}

// send writes the request of which c.head is the head: all of it, or the head
// while an upload follows. Then it waits for the answer to begin.
func (d *delivery) send(headLen int) *failure {
	c := d.c
	c.r, c.w, c.readBy = 0, 0, time.Time{}
	c.turn = turn{step: c.turn.step}
	c.SetDeadline(time.Now().Add(d.t.opt.Load().ResponseTimeout))
	n, err := (&net.Buffers{c.head, d.body.data}).WriteTo(c.Conn)
	if err != nil && n < int64(headLen) {
		return d.asked(int(n), headLen, err)
	}
	// A later error of writing is left to reading: the target may have answered
	// and closed without taking the rest.
	if d.body.stream != nil {
		c.SetReadDeadline(time.Time{}) // set again when all is sent
		d.up = d.x.startUpload(c, d.body)
	}
	c.turn.wait = d.recallable()
	c.whole()
	c.w, err = c.Conn.Read(c.in[:])
	return d.asked(headLen, headLen, err)
}

// receive reads the head of the answer, and passes interim answers on.
func (d *delivery) receive() (*http.Response, *failure) {
	c := d.c
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
