package respcache

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"
)

// A flight is one request to the application whose answer others may wait for.
type flight struct {
	c       *Cache
	s       *shard
	key     string // of the objects
	name    string // among the flights: the key, and the variant if it is known
	hash    uint64
	old     *object // that is stale, if any
	started time.Time

	// Under the shard's lock.
	purges []Purge // since it began
	spoilt bool    // its answer is not stored

	mu      sync.Mutex
	changed sync.Cond
	state   flightState
	refs    int    // clients that want it
	cancel  func() // ends the request to the application
	o       *object
	m       *meta
	buf     []byte // of the body, from base on; what is in it does not change
	base    int64
	wide    bool  // the body is not stored after all: it passes through buf
	counted int64 // of Cache.filling
	done    bool
	err     error
	readers []*reader
}

type flightState int

const (
	asking  flightState = iota // no answer yet
	storing                    // o is being filled
	ready                      // o is what there was, confirmed
	failing                    // an error, in whose place what is stale may be served
	apart                      // the answer is for its own request only
)

// A reader is a client that gets the body as it comes.
type reader struct{ at int64 }

var errBroken = errors.New("respcache: the answer broke off")

// waitFor bounds how long a request waits for the head of an answer to another
// before it asks by itself; and how long an application may leave a renewal
// without an answer until what is stale is served as after an error.
const (
	waitFor  = 10 * time.Second
	patience = 3 * time.Second
)

// board returns the flight that is under way for the request, or a new one,
// which the caller then has to fly. alone asks for one that nobody joins.
func (c *Cache) board(s *shard, key string, hash uint64, r *http.Request, old *object, alone bool) (f *flight, joined bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := key
	if list := s.objects[key]; len(list) > 0 && len(list[0].vary) > 0 {
		b, ok := c.selecting([]byte(key+"\n"), r, list[0].vary)
		name, alone = string(b), alone || !ok
	}
	if f := s.flights[name]; f != nil && !alone {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.refs > 0 || f.state != asking {
			f.refs++
			return f, true
		}
	}
	f = &flight{c: c, s: s, key: key, name: name, hash: hash, old: old, started: time.Now(), refs: 1}
	f.changed.L = &f.mu
	s.live[f] = struct{}{}
	if !alone {
		s.flights[name] = f
	}
	return f, false
}

// detach has no later request join f. The shard's lock is held.
func (s *shard) detach(f *flight) {
	if s.flights[f.name] == f {
		delete(s.flights, f.name)
	}
}

// end takes f out. The shard's lock is held.
func (s *shard) end(f *flight) {
	s.detach(f)
	delete(s.live, f)
}

func (f *flight) end() {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	f.s.end(f)
}

// become publishes what came of the request.
func (f *flight) become(state flightState) {
	f.mu.Lock()
	f.state = state
	f.changed.Broadcast()
	f.mu.Unlock()
}

// leave is called when a client does not want the answer any more. Without any
// the request is given up, unless its answer is being stored.
func (f *flight) leave() {
	f.mu.Lock()
	f.refs--
	if f.refs == 0 && (f.state == asking || f.wide) {
		f.cancel()
	}
	f.changed.Broadcast()
	f.mu.Unlock()
}

// wait waits until there is the head of an answer, the client leaves or the
// time is over; the state is then still asking.
func (f *flight) wait(ctx context.Context, bound time.Duration) flightState {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		f.mu.Lock()
		f.changed.Broadcast()
		f.mu.Unlock()
	})
	defer stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.state == asking && ctx.Err() == nil {
		f.changed.Wait()
	}
	return f.state
}

// attach begins to read the body; nil if its beginning is gone.
func (f *flight) attach() *reader {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.base > 0 {
		return nil
	}
	rd := &reader{}
	f.readers = append(f.readers, rd)
	return rd
}

func (f *flight) detachReader(rd *reader) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readers = slices.DeleteFunc(f.readers, func(x *reader) bool { return x == rd })
	f.changed.Broadcast()
}

// next waits for bytes after the reader's; done says that there are no more.
func (f *flight) next(ctx context.Context, rd *reader) (p []byte, done bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for rd.at == f.base+int64(len(f.buf)) && !f.done && f.err == nil && ctx.Err() == nil {
		f.changed.Wait()
	}
	p = f.buf[rd.at-f.base:]
	if len(p) == 0 && f.err != nil {
		return nil, false, f.err
	}
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	return p, f.done && len(p) == len(f.buf)-int(rd.at-f.base), nil
}

func (f *flight) advance(rd *reader, n int) {
	f.mu.Lock()
	rd.at += int64(n)
	if f.wide {
		f.changed.Broadcast()
	}
	f.mu.Unlock()
}

// stream answers with what is being stored, as it comes.
func (f *flight) stream(w http.ResponseWriter, r *http.Request, rd *reader, how string) error {
	defer f.detachReader(rd)
	stop := context.AfterFunc(r.Context(), func() {
		f.mu.Lock()
		f.changed.Broadcast()
		f.mu.Unlock()
	})
	defer stop()
	h := w.Header()
	f.c.head(h, f.m, f.key, how, time.Now())
	if f.m.status == http.StatusOK && notModified(r, f.m) {
		writeNotModified(w)
		return nil
	}
	known := h["Content-Length"] != nil
	w.WriteHeader(f.m.status)
	flush := http.NewResponseController(w)
	flushed := false
	for {
		if !flushed && !known && f.dry(rd) {
			flush.Flush()
			flushed = true
		}
		p, done, err := f.next(r.Context(), rd)
		if err != nil {
			return err
		}
		if len(p) > 0 {
			if _, err := w.Write(p); err != nil {
				return nil // the client is gone
			}
			f.advance(rd, len(p))
			flushed = false
		}
		if done {
			return nil
		}
		if !known {
			flush.Flush()
			flushed = true
		}
	}
}

// count sets what the flight has of Cache.filling. f.mu is held.
func (f *flight) count(n int64) {
	f.c.filling.Add(n - f.counted)
	f.counted = n
}

// dry reports whether the reader has all there is, and more is to come.
func (f *flight) dry(rd *reader) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return rd.at == f.base+int64(len(f.buf)) && !f.done && f.err == nil
}
