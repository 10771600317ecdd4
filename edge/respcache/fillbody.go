package respcache

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Write implements http.ResponseWriter.
func (x *fill) Write(p []byte) (int, error) {
	if x.mode == undecided {
		x.WriteHeader(http.StatusOK)
	}
	switch x.mode {
	case through:
		if x.client == nil {
			return 0, http.ErrAbortHandler
		}
		return x.client.Write(p)
	case keeping:
		return x.add(p)
	}
	return len(p), nil
}

// add adds to the body. Beyond MaxBody it is no longer stored: then nothing is
// taken in before all clients have what was.
func (x *fill) add(p []byte) (int, error) {
	f := x.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.wide && (int64(len(f.buf)+len(p)) > x.h.options().MaxBody || x.length < 0 && !x.room(int64(len(p)))) {
		f.wide = true
		f.mu.Unlock()
		f.end()
		x.h.passes.add(f.hash, time.Now())
		f.mu.Lock()
	}
	if !f.wide {
		f.buf = append(f.buf, p...)
		f.count(int64(cap(f.buf)))
		f.changed.Broadcast()
		return len(p), nil
	}
	for len(f.buf) > 0 && slices.ContainsFunc(f.readers, func(rd *reader) bool { return rd.at < f.base+int64(len(f.buf)) }) {
		f.changed.Wait()
	}
	if len(f.readers) == 0 {
		f.err = errBroken
		return 0, http.ErrAbortHandler
	}
	if f.base == 0 && len(f.buf) > 0 { // the large buffer is not needed any more
		f.base, f.buf = int64(len(f.buf)), nil
		f.count(0)
	} else {
		f.base += int64(len(f.buf))
	}
	f.buf = append(f.buf[:0], p...)
	f.changed.Broadcast()
	return len(p), nil
}

// FlushError is for http.ResponseController. What is stored reaches clients as
// it comes.
func (x *fill) FlushError() error {
	if x.mode == undecided {
		x.WriteHeader(http.StatusOK)
	}
	if x.mode == through && x.client != nil {
		return http.NewResponseController(x.client).Flush()
	}
	return nil
}

// finish is called when the application has answered.
func (x *fill) finish() {
	if x.mode == undecided {
		if x.r.Context().Err() != nil { // it was given up
			x.abort(nil)
			return
		}
		x.WriteHeader(http.StatusOK)
	}
	if x.mode == keeping {
		x.complete()
	}
}

// complete ends storing.
func (x *fill) complete() {
	f := x.f
	f.mu.Lock()
	if x.length >= 0 && f.base+int64(len(f.buf)) != x.length && bodyAllowed(f.m.status) {
		f.mu.Unlock()
		x.abort(http.ErrAbortHandler)
		return
	}
	if f.wide {
		f.done = true
		f.count(0)
		f.changed.Broadcast()
		f.mu.Unlock()
		return
	}
	body := f.buf
	if cap(body) > len(body)+len(body)/4+512 {
		body = slices.Clone(body)
	}
	f.mu.Unlock()
	o := f.o
	o.length, o.size, o.sum = int64(len(body)), []string{strconv.Itoa(len(body))}, sum(body)
	o.body.Store(&body)
	if x.h.insert(o, x.r, f) && x.h.disk != nil {
		x.h.disk.write(o)
	}
	f.mu.Lock()
	f.count(0)
	f.done = true
	f.changed.Broadcast()
	f.mu.Unlock()
}

// abort ends what the application did not finish.
func (x *fill) abort(p any) {
	x.panicked = p
	f := x.f
	f.end()
	f.mu.Lock()
	f.count(0)
	f.err = errBroken
	if f.state == asking {
		f.state = apart
		if f.old != nil && x.client == nil {
			f.state = failing
		}
	}
	f.changed.Broadcast()
	f.mu.Unlock()
}

// answer finishes the client's answer: it waits until the client has what is
// stored, or serves what a 304 confirmed.
func (x *fill) answer() {
	if x.streamed != nil {
		<-x.streamed
	}
	if x.stopped != nil {
		x.stopped()
	}
	if x.client == nil {
		return
	}
	switch {
	case x.panicked != nil:
		panic(x.panicked)
	case x.streamOK != nil:
		panic(http.ErrAbortHandler)
	case x.mode == dropping:
		x.answerConfirmed()
	}
}
