package dash

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	// writeTimeout is how long a reader may take to make room for one event
	// before its stream is ended; the browser then comes back by itself.
	writeTimeout = 10 * time.Second
	heartbeat    = 15 * time.Second // a comment sent on a quiet stream, to notice who has gone
	batchWait    = 200 * time.Millisecond
	batchLines   = 200
	slowdown     = 15 // pages of services that are not embedded refresh this many times less often
)

// events follows one page: GET /events?page=/queues/default%3Fafter%3Dx. It
// sends "fragment" events that replace the content of an element, "append"
// events that add to one, and "problem" events, each with JSON {id, html} or
// {text}.
func (d *Dash) events(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet { // HEAD would wait for ever
		http.Error(w, "Events are followed by GET.", http.StatusMethodNotAllowed)
		return
	}
	p, pr, err := d.followed(r)
	if err != nil {
		d.fail(w, r, err)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	leave, ok := d.streams.enter(cancel)
	if !ok {
		w.Header().Set("Retry-After", "10")
		http.Error(w, "Too many pages are followed at once.", http.StatusServiceUnavailable)
		return
	}
	defer leave()

	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	// The write deadline of this stream must not reach a next request.
	h.Set("Connection", "close")
	s := &stream{w: w, rc: http.NewResponseController(w), ctx: ctx, sent: map[string]uint64{}}
	defer context.AfterFunc(ctx, s.interrupt)()
	pr = pr.WithContext(ctx)
	if p.follow {
		err = d.followLogs(s, p, pr)
	} else {
		err = d.followPage(s, p, pr)
	}
	if err != nil && ctx.Err() == nil {
		d.Log.Debug("event stream ended", "page", pr.URL.Path, "error", err)
	}
}

// followed finds the page an event stream is for, and the request it would be
// asked by.
func (d *Dash) followed(r *http.Request) (*page, *http.Request, error) {
	u, err := url.ParseRequestURI(r.URL.Query().Get("page"))
	if err != nil || u.IsAbs() || u.Host != "" {
		return nil, nil, invalid("page must be a path of the dashboard")
	}
	pr := &http.Request{Method: http.MethodGet, URL: u, Host: r.Host, Header: http.Header{}}
	h, pattern := d.mux.Handler(pr)
	p, ok := h.(*page)
	if !ok || len(p.live) == 0 && !p.follow {
		return nil, nil, ErrNotFound
	}
	// ServeMux fills in path values only when it serves; patterns here have
	// whole segments as wildcards.
	_, pattern, _ = strings.Cut(pattern, " ")
	segments := strings.Split(u.EscapedPath(), "/")
	for i, s := range strings.Split(pattern, "/") {
		if name, found := strings.CutPrefix(s, "{"); found && name != "$}" && i < len(segments) {
			value, err := url.PathUnescape(segments[i])
			if err != nil {
				return nil, nil, invalid("page: %v", err)
			}
			pr.SetPathValue(strings.TrimSuffix(name, "}"), value)
		}
	}
	return p, pr, nil
}

// followPage renders the page's live parts again and again and sends those
// that changed: at once, soon, and then as often as looking may cost.
func (d *Dash) followPage(s *stream, p *page, pr *http.Request) error {
	every, soon := d.Refresh, d.Refresh
	if p.external {
		every, soon = slowdown*every, 2*every // what workers were asked at the first look is there
	}
	tick := time.NewTimer(soon)
	defer tick.Stop()
	for ; ; tick.Reset(every) {
		if err := s.refresh(p, pr); err != nil {
			return err
		}
		select {
		case <-s.ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// refresh sends what changed. A source that fails is told to the reader, who
// keeps what was shown last.
func (s *stream) refresh(p *page, pr *http.Request) error {
	m, err := p.get(pr)
	if err != nil {
		if s.ctx.Err() != nil {
			return nil
		}
		return s.changed("", "problem", map[string]string{"text": err.Error()})
	}
	if _, troubled := s.sent[""]; troubled {
		delete(s.sent, "")
		if err := s.send("problem", map[string]string{"text": ""}); err != nil {
			return err
		}
	}
	for _, name := range p.live {
		var b bytes.Buffer
		if err := p.tmpl.ExecuteTemplate(&b, name, m); err != nil {
			return err
		}
		if err := s.changed(name, "fragment", map[string]string{"id": name, "html": b.String()}); err != nil {
			return err
		}
	}
	if time.Since(s.last) > heartbeat {
		return s.beat()
	}
	return nil
}

// stream is one reader of events.
type stream struct {
	w    http.ResponseWriter
	rc   *http.ResponseController
	ctx  context.Context // of this stream; ends when the reader leaves or the dashboard closes
	sent map[string]uint64
	last time.Time

	mu sync.Mutex // orders the deadline of a write and the interruption of it
}

var seed = maphash.MakeSeed()

// changed sends an event unless the last one under its key was the same.
func (s *stream) changed(key, event string, data map[string]string) error {
	sum := maphash.String(seed, event+"\x00"+data["html"]+"\x00"+data["text"])
	if old, ok := s.sent[key]; ok && old == sum {
		return nil
	}
	s.sent[key] = sum
	return s.send(event, data)
}

func (s *stream) send(event string, data any) error {
	b, err := json.Marshal(data)
	if err != nil {
		return err
	}
	return s.write(fmt.Sprintf("event: %s\ndata: %s\n\n", event, b))
}

func (s *stream) beat() error { return s.write(": still here\n\n") }

func (s *stream) write(text string) error {
	if err := s.extend(); err != nil {
		return err
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	s.last = time.Now()
	return s.rc.Flush()
}

// extend gives the next write its time, unless the stream has ended.
func (s *stream) extend() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ctx.Err(); err != nil {
		return err
	}
	return s.rc.SetWriteDeadline(time.Now().Add(writeTimeout))
}

// interrupt ends a write that waits for a slow reader.
func (s *stream) interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rc.SetWriteDeadline(time.Now())
}

// streams counts those who follow, and ends them.
type streams struct {
	mu     sync.Mutex
	max    int
	closed bool
	next   int
	cancel map[int]context.CancelFunc
	wg     sync.WaitGroup
}

func (s *streams) init(max int) {
	s.max, s.cancel = max, make(map[int]context.CancelFunc)
}

func (s *streams) enter(cancel context.CancelFunc) (leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.cancel) >= s.max {
		return nil, false
	}
	key := s.next
	s.next++
	s.cancel[key] = cancel
	s.wg.Add(1)
	return func() {
		s.mu.Lock()
		delete(s.cancel, key)
		s.mu.Unlock()
		s.wg.Done()
	}, true
}

func (s *streams) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

func (s *streams) close() {
	s.mu.Lock()
	s.closed = true
	for _, cancel := range s.cancel {
		cancel()
	}
	s.mu.Unlock()
	s.wg.Wait()
}
