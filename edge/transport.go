package edge

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
)

// Transport sends requests of dayfly's own, not of the site's visitors, to the
// targets, balanced as any. While none is healthy a request waits as long as
// its context lasts; it does not count among those held. What certainly did not
// reach a target is sent to another; nothing is sent twice. A target that is
// drained is waited for until its answers are whole.
//
// The host and port of a request's URL are replaced by the target's. Its Host
// is Options.Host, or the target's address if there is none, as in a health
// check. Bound the time an answer may take by the context: httptrace's GotConn
// is called before the first byte is sent, and never if nothing was.
func (e *Edge) Transport() http.RoundTripper {
	t := &transport{e: e}
	t.http = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			to, ok := ctx.Value(targetKey{}).(*target)
			if !ok {
				return nil, errors.New("edge: a connection without a target")
			}
			return to.dial(ctx)
		},
		DisableCompression:     true,
		MaxIdleConnsPerHost:    e.setup().IdlePerTarget,
		IdleConnTimeout:        freshIdle,
		MaxResponseHeaderBytes: maxResponseHead,
	}
	if e.setup().Protocol == H2C {
		t.http.Protocols = new(http.Protocols)
		t.http.Protocols.SetUnencryptedHTTP2(true)
	}
	context.AfterFunc(e.ctx, t.http.CloseIdleConnections)
	return t
}

type transport struct {
	e    *Edge
	http *http.Transport
}

type targetKey struct{}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	var w want
	for {
		to, err := t.e.await(r.Context(), &w)
		if err != nil {
			closeBody(r)
			return nil, err
		}
		res, sent, err := t.try(r, to)
		if err == nil {
			res.Body = &countedBody{ReadCloser: res.Body, end: sync.OnceFunc(func() { t.e.release(to, false, answered) })}
			return res, nil
		}
		canceled := isCanceled(r.Context())
		o := clientLeft
		if !canceled {
			o = notTaken // who bounds the time of an answer decides, not the target
		}
		t.e.release(to, false, o)
		again := !sent && !canceled
		if again {
			t.e.suspect(to, err)
			r, again = rewound(r)
		} else if !canceled {
			to.checkSoon()
		}
		if !again {
			return nil, err
		}
		w.avoid = to
	}
}

// try sends the request to one target, and says whether any of it may have
// been sent.
func (t *transport) try(r *http.Request, to *target) (res *http.Response, sent bool, err error) {
	var connected atomic.Bool
	ctx := context.WithValue(r.Context(), targetKey{}, to)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	out := r.Clone(ctx)
	out.URL.Scheme, out.URL.Host = "http", to.addr
	out.Host = t.e.setup().Host
	res, err = t.http.RoundTrip(out)
	return res, connected.Load(), err
}

// rewound is the request with its body from the start, if that can be had.
func rewound(r *http.Request) (*http.Request, bool) {
	if r.Body == nil || r.Body == http.NoBody {
		return r, true
	}
	if r.GetBody == nil {
		return r, false
	}
	body, err := r.GetBody()
	if err != nil {
		return r, false
	}
	again := r.WithContext(r.Context())
	again.Body = body
	return again, true
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		r.Body.Close()
	}
}

// await is acquire for as long as ctx lasts. Where every target has as many
// requests as it may, the site's visitors go first.
func (e *Edge) await(ctx context.Context, w *want) (*target, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		if e.closed {
			return nil, ErrClosed
		}
		t, err := e.pick(w), error(nil)
		switch {
		case t != nil:
		case e.setup().Balance.PerTarget > 0 && e.anyAvailable():
			t, err = e.waitInLine(ctx, w, true)
		default:
			ready := e.ready
			e.mu.Unlock()
			select {
			case <-ready:
			case <-ctx.Done():
				err = ctx.Err()
			}
			e.mu.Lock()
		}
		if t != nil || err != nil {
			return t, err
		}
	}
}

// countedBody tells when an answer was read or is not wanted any more.
type countedBody struct {
	io.ReadCloser
	end func()
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.end()
	}
	return n, err
}

func (b *countedBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}
