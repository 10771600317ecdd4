package respcache

import (
	"context"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/dayfly-dev/dayfly/edge/accept"
)

const (
	// codeWithin is how long an answer waits for the coded form of its body that is
	// being made; one that takes longer is ready for later answers.
	codeWithin = 20 * time.Millisecond
	// codeWaiting bounds the bodies that wait to be coded.
	codeWaiting = 256
)

// coded are the coded forms of a body, made when they are first asked for and
// kept with it.
type coded struct {
	forms  [accept.Encodings]atomic.Pointer[form]
	making [accept.Encodings]atomic.Pointer[chan struct{}] // closed when it is made
}

// A form is a coded body; nil if it is not smaller than the body.
type form struct{ body []byte }

// bytes is what the forms take in memory.
func (x *coded) bytes() (n int64) {
	for e := range x.forms {
		if f := x.forms[e].Load(); f != nil {
			n += int64(cap(f.body)) + 64
		}
	}
	return n
}

// holds reports whether these bytes are one of the forms.
func (x *coded) holds(b []byte) bool {
	for e := range x.forms {
		if f := x.forms[e].Load(); f != nil && same(f.body, b) {
			return true
		}
	}
	return false
}

// drop forgets the forms.
func (x *coded) drop() {
	for e := range x.forms {
		x.forms[e].Store(nil)
	}
}

// coders bounds how many bodies are coded at once, and how many wait for that.
type coders struct {
	waiting atomic.Int64
	at      chan struct{}
}

func newCoders() coders {
	return coders{at: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))}
}

// write writes an answer with the status and the body, in a coded form of it if
// the writer has one for the client. Requests for one that is being made wait a
// little for it, and it is made once.
func (c *Cache) write(w http.ResponseWriter, r *http.Request, o *object, status int, body []byte) {
	if coder, ok := w.(accept.Coder); ok && len(body) > 0 {
		if e := coder.Coding(status); e != accept.Identity {
			if f := c.form(r.Context(), o, e, coder.Encode, body); f != nil && f.body != nil {
				coder.WriteCoded(status, e, f.body)
				return
			} else if f != nil {
				coder.WriteCoded(status, accept.Identity, body)
				return
			}
		}
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead && len(body) > 0 {
		w.Write(body) //nolint:errcheck // the client is gone
	}
}

// form returns a coded form; nil if it cannot be had soon.
func (c *Cache) form(ctx context.Context, o *object, e accept.Encoding, encode func(accept.Encoding, []byte) []byte, body []byte) *form {
	if f := o.coded.forms[e].Load(); f != nil {
		return f
	}
	done := c.code(o, e, encode, body)
	if done == nil {
		return nil
	}
	timer := time.NewTimer(codeWithin)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	case <-ctx.Done():
	}
	return o.coded.forms[e].Load()
}

// code has a form made, unless it is being made, and returns what is closed when
// it is there; nil if too many wait.
func (c *Cache) code(o *object, e accept.Encoding, encode func(accept.Encoding, []byte) []byte, body []byte) <-chan struct{} {
	done := make(chan struct{})
	if !o.coded.making[e].CompareAndSwap(nil, &done) {
		if other := o.coded.making[e].Load(); other != nil {
			return *other
		}
		return nil
	}
	end := func() {
		o.coded.making[e].Store(nil)
		close(done)
	}
	if c.coders.waiting.Add(1) > codeWaiting || o.gone.Load() {
		c.coders.waiting.Add(-1)
		end()
		return nil
	}
	started := c.own(func() {
		defer end()
		defer c.coders.waiting.Add(-1)
		select {
		case c.coders.at <- struct{}{}:
		case <-c.ctx.Done():
			return
		}
		defer func() { <-c.coders.at }()
		if o.coded.forms[e].Load() != nil || o.gone.Load() {
			return // made between
		}
		c.keepForm(o, e, &form{encode(e, body)}, body)
	})
	if !started {
		c.coders.waiting.Add(-1)
		end()
		return nil
	}
	return done
}

// keepForm keeps a form of a body that is still kept.
func (c *Cache) keepForm(o *object, e accept.Encoding, f *form, body []byte) {
	c.mu.Lock()
	now := o.body.Load()
	if o.queue != nil && now != nil && same(*now, body) {
		o.coded.forms[e].Store(f)
		c.recount(o)
		c.meter.coded.Add(1)
	}
	c.mu.Unlock()
	c.fit()
}
