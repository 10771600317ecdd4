package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dayfly-dev/dayfly/forwarded"
)

// H2C is the Options.Protocol of targets that speak HTTP/2 with prior knowledge
// and no TLS, as servers of gRPC do.
const H2C = "h2c"

// newH2C returns what speaks HTTP/2 with a target. Its connections carry many
// requests at once, so they are looked after by goroutines of net/http's.
func (t *target) newH2C() *http.Transport {
	tr := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return t.dial(ctx) },
		Protocols:   new(http.Protocols),
		// A target that hangs is noticed by pings: streams may be silent for long.
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second},
		DisableCompression:     true,
		IdleConnTimeout:        t.opt.Load().IdleTimeout,
		MaxResponseHeaderBytes: maxResponseHead,
	}
	tr.Protocols.SetUnencryptedHTTP2(true)
	return tr
}

// proxyH2C delivers the request to a target that speaks HTTP/2. Bodies stream in
// both directions at once. It is sent again only if nothing of it was sent.
func (e *Edge) proxyH2C(x *exchange) {
	_ = http.NewResponseController(x.w).EnableFullDuplex()
	x.want = want{ticket: x.ticket()}
	deadline := time.Now().Add(x.setup.HoldTimeout)
	for {
		t, err := e.acquire(x.r.Context(), &x.want, deadline)
		if err != nil {
			x.refuse(err)
			return
		}
		x.target = t.name
		f := e.deliverH2C(x, t)
		if f == nil {
			return
		}
		if f.kind != notSent || x.retries+1 >= maxTries {
			x.explain(f)
			return
		}
		x.retries++
		x.want.avoid = t
	}
}

// deliverH2C is deliver for HTTP/2.
func (e *Edge) deliverH2C(x *exchange, t *target) (f *failure) {
	d := delivery{e: e, x: x, t: t}
	defer func() { e.release(t, d.stream, d.outcome(f)) }()
	ctx, cancel := context.WithCancel(x.r.Context())
	defer cancel()
	var sent atomic.Bool
	r := x.requestH2C(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }}), t)
	late := time.NewTimer(time.Hour)
	if late.Stop(); !isGRPC(r.Header) { // a call may be silent for as long as its client bears it
		late = time.AfterFunc(t.opt.Load().ResponseTimeout, cancel)
	}
	res, err := t.h2c.RoundTrip(r)
	late.Stop()
	switch {
	case err == nil:
	case isCanceled(x.r.Context()):
		return &failure{kind: clientGone, err: x.r.Context().Err()}
	case !sent.Load():
		e.suspect(t, err)
		return &failure{kind: notSent, err: err}
	case isTooLarge(err):
		return &failure{kind: tooLarge, err: err}
	case ctx.Err() != nil:
		return &failure{kind: tooLate, err: err}
	default:
		return &failure{kind: noAnswer, err: err}
	}
	defer res.Body.Close()
	d.status = res.StatusCode
	if x.setup.Balance.Sticky != "" {
		x.stick(t, &x.want, res.Header)
	}
	return d.forwardH2C(res)
}

// requestH2C is the request as the target gets it.
func (x *exchange) requestH2C(ctx context.Context, t *target) *http.Request {
	r := x.r
	out := (&http.Request{
		Method: r.Method, Host: r.Host, Body: io.NopCloser(r.Body), ContentLength: r.ContentLength, Header: make(http.Header, len(r.Header)+8),
		URL:     &url.URL{Scheme: "http", Host: t.addr, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery, ForceQuery: r.URL.ForceQuery},
		Trailer: r.Trailer, // filled in at the end of the body
	}).WithContext(ctx)
	if r.ContentLength == 0 {
		out.Body = http.NoBody
	} else if !isGRPC(r.Header) {
		out.Body = io.NopCloser(http.MaxBytesReader(x.w, r.Body, x.setup.MaxBody)) // closed, it could not go to another
	}
	named := r.Header["Connection"]
	for name, values := range r.Header {
		if hopHeader(name) || name == "Content-Length" || name == "Expect" || forwarded.IsHeader(name) || len(named) > 0 && lists(named, name) {
			continue
		}
		out.Header[name] = values
	}
	for line := range strings.Lines(string(x.origin.appendHeaders(nil))) {
		name, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ": ")
		out.Header[http.CanonicalHeaderKey(name)] = []string{value}
	}
	if lists(r.Header["Te"], "trailers") {
		out.Header["Te"] = []string{"trailers"}
	}
	if out.Header["User-Agent"] == nil {
		out.Header["User-Agent"] = []string{""} // or net/http names itself
	}
	return out
}

func isGRPC(h http.Header) bool { return strings.HasPrefix(h.Get("Content-Type"), "application/grpc") }

// forwardH2C passes an answer on, each piece at once, and its trailer.
func (d *delivery) forwardH2C(res *http.Response) *failure {
	x := d.x
	stripHop(res.Header)
	announced := d.head(res)
	if announced > 0 && x.r.ProtoMajor == 1 {
		x.out.Header().Del("Content-Length") // HTTP/1.1 has trailers behind chunks only
	}
	x.out.WriteHeader(res.StatusCode)
	if res.ContentLength != 0 {
		http.NewResponseController(x.out).Flush()
	}
	if d.endBody(d.copyH2C(res.Body)) {
		d.copyTrailer(res, announced)
	}
	return nil
}

// copyH2C passes a body on until reading it ends, or the client is gone.
func (d *delivery) copyH2C(body io.Reader) (err error, gone bool) {
	buf := copyBuffers.Get().(*[32 << 10]byte)
	defer copyBuffers.Put(buf)
	for {
		n, err := body.Read(buf[:])
		if n > 0 {
			_, werr := d.x.out.Write(buf[:n])
			if werr == nil && err == nil {
				werr = http.NewResponseController(d.x.out).Flush()
			}
			if werr != nil && !errors.Is(werr, http.ErrBodyNotAllowed) {
				return nil, true
			}
		}
		if err != nil {
			return err, false
		}
	}
}

// checkH2C asks for the health path in HTTP/2.
func (t *target) checkH2C(ctx context.Context, host string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.addr+t.opt.Load().HealthPath, nil)
	if err != nil {
		return err
	}
	r.Host = host
	r.Header.Set("User-Agent", "dayfly-edge")
	res, err := t.h2c.RoundTrip(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode < 200 || res.StatusCode > 399 {
		return fmt.Errorf("GET %s answered %d", t.opt.Load().HealthPath, res.StatusCode)
	}
	io.CopyN(io.Discard, res.Body, 64<<10) //nolint:errcheck // the status has told
	return nil
}
