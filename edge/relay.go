package edge

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	// slowAfter is how long a client may take for a piece of an answer before
	// the rest is taken from the instance ahead of it.
	slowAfter = 100 * time.Millisecond
	// sendStall is how long a client may take nothing, where the server does not
	// bound that itself. The kernel says that there is room again when a third of
	// its buffer is free, which for a slow client is minutes.
	sendStall = 5 * time.Minute
	// spoolStep is by how much room is reserved.
	spoolStep = 1 << 20
)

// A relay passes an answer's body from a target to the client, piece by piece
// on one goroutine, as long as the client takes the pieces. While one waits for
// the client for longer than slowAfter, a second goroutine takes the rest from
// the target into a spool, and the first goes on from there: the target is done
// when all is taken, not when the client has it.
type relay struct {
	d     *delivery
	res   *http.Response
	flush bool        // each piece at once
	timer *time.Timer // made with the first piece that has others after it
	bound bool        // the client's connection has a deadline

	mu      sync.Mutex
	change  sync.Cond
	waiting bool // for the client to take a piece
	ahead   bool // the second goroutine reads the body
	spool   *spool
	sent    int64  // of spool, to the client
	rest    []byte // read and not written to spool: it failed
	err     error  // of reading the body; io.EOF at its end
}

// pieces passes on all of the body. It returns the error of reading, io.EOF at
// the end, or that of writing.
func (r *relay) pieces() (read, write error) {
	r.change.L = &r.mu
	buf := copyBuffers.Get().(*[32 << 10]byte)
	defer copyBuffers.Put(buf)
	defer r.close()
	for {
		n, err := r.next(buf[:])
		if n > 0 {
			if err := r.write(buf[:n], err != nil); err != nil {
				return nil, err
			}
		}
		if err != nil {
			return err, nil
		}
	}
}

// next reads from the spool what is there, else from the target.
func (r *relay) next(buf []byte) (int, error) {
	r.mu.Lock()
	for r.spool != nil {
		switch {
		case r.sent < r.spool.size:
			n := int(min(int64(len(buf)), r.spool.size-r.sent))
			r.mu.Unlock()
			n, err := r.spool.f.ReadAt(buf[:n], r.sent)
			r.mu.Lock()
			r.sent += int64(n)
			last := r.err != nil && r.sent == r.spool.size && len(r.rest) == 0
			failed := r.err
			r.mu.Unlock()
			if n == 0 && err != nil {
				return 0, err
			}
			if last {
				return n, failed
			}
			return n, nil
		case len(r.rest) > 0:
			n := copy(buf, r.rest)
			r.rest = r.rest[n:]
			r.mu.Unlock()
			return n, nil
		case r.err != nil:
			r.mu.Unlock()
			return 0, r.err
		case r.ahead:
			r.change.Wait()
		default: // it was full; all of it is with the client now
			r.spool.size, r.sent = 0, 0
			r.mu.Unlock()
			return r.read(buf)
		}
	}
	r.mu.Unlock()
	return r.read(buf)
}

// read reads from the target. At the end the target is done.
func (r *relay) read(buf []byte) (int, error) {
	n, err := r.res.Body.Read(buf)
	if err == io.EOF {
		r.d.taken(r.res)
	}
	return n, err
}

// write passes a piece on; last says that none follows.
func (r *relay) write(p []byte, last bool) error {
	x := r.d.x
	if !last || r.bound {
		r.bindClient()
	}
	if !last {
		r.watch()
		defer r.unwatch()
	}
	_, err := x.out.Write(p)
	if err == nil && r.flush && !last {
		err = http.NewResponseController(x.out).Flush()
	}
	if errors.Is(err, http.ErrBodyNotAllowed) {
		return nil
	}
	return err
}

// watch has the rest taken ahead if the piece that follows takes long.
func (r *relay) watch() {
	if !r.d.mayTakeAhead(r.res) {
		return
	}
	r.mu.Lock()
	r.waiting = true
	r.mu.Unlock()
	if r.timer == nil {
		r.timer = time.AfterFunc(slowAfter, r.take)
	} else {
		r.timer.Reset(slowAfter)
	}
}

func (r *relay) unwatch() {
	if r.timer == nil {
		return
	}
	r.timer.Stop()
	r.mu.Lock()
	r.waiting = false
	r.mu.Unlock()
}

// take takes the rest of the body into the spool until it ends or the spool is
// full. It is the second goroutine.
func (r *relay) take() {
	r.mu.Lock()
	if !r.waiting || r.ahead || r.err != nil || r.spool != nil && r.spool.size > 0 {
		r.mu.Unlock()
		return
	}
	if r.spool == nil {
		s, err := r.d.e.spools.open(spoolStep)
		if err != nil {
			r.mu.Unlock()
			r.d.e.spoolFailed(err)
			return
		}
		r.spool = s
	}
	r.ahead = true
	r.mu.Unlock()

	buf := copyBuffers.Get().(*[32 << 10]byte)
	defer copyBuffers.Put(buf)
	for more := true; more; {
		n, err := r.res.Body.Read(buf[:])
		r.mu.Lock()
		more = r.add(buf[:n]) && err == nil
		if err != nil {
			r.err = err
		}
		if err == io.EOF {
			r.d.taken(r.res)
		}
		if !more {
			r.ahead = false
		}
		r.change.Broadcast()
		r.mu.Unlock()
	}
}

// add writes a piece to the spool, and reports whether there is room for
// another. It is called with mu held.
func (r *relay) add(p []byte) bool {
	s := r.spool
	if _, err := s.Write(p); err != nil {
		r.d.e.spoolFailed(err)
		r.rest = append([]byte(nil), p...)
		return false
	}
	next := s.size + int64(len(copyBuffer{}))
	if next > r.d.x.setup.Bodies.Answer {
		return false
	}
	return next <= s.reserved || s.reserve(s.reserved+spoolStep)
}

type copyBuffer = [32 << 10]byte

// close ends the second goroutine, and waits for it.
func (r *relay) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ahead {
		r.d.c.Close() // what it reads from; the client is gone
	}
	for r.ahead {
		r.change.Wait()
	}
	r.spool.close()
	if r.bound {
		_ = http.NewResponseController(r.d.x.w).SetWriteDeadline(time.Time{}) // or it held for the next answer too
	}
}

// bindClient bounds how long a write may wait. The loop that reads plain
// requests does so itself; net/http's writers are known by what they can.
func (r *relay) bindClient() {
	if !r.bound {
		_, http1 := r.d.x.w.(http.Hijacker)
		_, http2 := r.d.x.w.(http.Pusher)
		if !http1 && !http2 {
			return
		}
	}
	r.bound = true
	_ = http.NewResponseController(r.d.x.w).SetWriteDeadline(time.Now().Add(sendStall))
}

// mayTakeAhead reports whether an answer is one that is taken ahead of a slow
// client: not one without an end, and not one whose application says that it is
// not to be held, in the words that nginx has for it.
func (d *delivery) mayTakeAhead(res *http.Response) bool {
	return d.x.setup.Bodies.Answer > 0 && !d.stream && d.up.finished() && res.Header.Get("X-Accel-Buffering") != "no"
}

// taken ends the target's part in the delivery: its answer was read whole.
func (d *delivery) taken(res *http.Response) {
	if !d.up.finished() {
		return // it is ended with the rest of the request
	}
	d.keep = !res.Close && d.c.buffered() == 0
	d.end(nil)
}
