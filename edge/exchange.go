package edge

import (
	"net/http"
	"sync"
	"time"
)

// An exchange is one request and its answer on their way through. It is the
// http.ResponseWriter of all that answers here, and counts what goes to the
// client.
type exchange struct {
	e          *Edge
	setup      *setup // that it began with
	w          http.ResponseWriter
	out        http.ResponseWriter // what answers write to: the exchange, or a layer between it and the application
	r          *http.Request
	start      time.Time
	origin     origin
	status     int           // 0 until the answer's headers were written
	bytes      int64         // of the answer's body
	first      time.Duration // from start to the answer's headers
	target     string        // the last one tried
	want       want
	permit     *permit // of its limits; nil: none
	retries    int
	cache      string // what the response cache did
	release    string // published pages it was answered from
	preview    bool   // of somebody who looks at a release that is not public
	cookie     *http.Cookie
	own        bool   // of a layer: no client's
	unread     bool   // the client still sends a body that nobody takes
	retryAfter int64  // seconds, for a page; 0: as usual
	failure    string // why the answer is not whole, or is an error page
	measured
	lane uint32 // its shard of counters, which it keeps
}

var exchanges = sync.Pool{New: func() any { return &exchange{lane: lanes.Add(1)} }}

func newExchange(e *Edge, w http.ResponseWriter, r *http.Request) *exchange {
	x := exchanges.Get().(*exchange)
	*x = exchange{lane: x.lane, e: e, setup: e.setup(), w: w, r: r, start: time.Now()}
	x.out = x
	x.origin.learn(r, e.trusted.Load())
	return x
}

// finish counts and logs the exchange. It also runs when the answer is aborted
// by a panic with http.ErrAbortHandler.
func (x *exchange) finish() {
	now := time.Now()
	total := now.Sub(x.start)
	if x.status == 0 {
		x.first = total
	}
	if !x.own {
		x.e.meter.record(now, x.status, x.first, x.retries)
		route := x.count(total)
		if x.e.access != nil {
			x.e.access.write(x, route, total)
		}
	}
	x.permit.end()
	*x = exchange{lane: x.lane}
	exchanges.Put(x)
}

// Header implements http.ResponseWriter.
func (x *exchange) Header() http.Header { return x.w.Header() }

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(status int) {
	if status >= 200 && (x.r.TransferEncoding != nil || x.r.Header["Upgrade"] != nil && x.r.ProtoMajor == 1) {
		// It may have had a length, too, by which who stands before us reads it
		// (RFC 9112, section 6.3), or have gone on in another protocol at once: what
		// follows must not be taken for a request.
		x.w.Header().Set("Connection", "close")
	}
	x.headed(status, x.w.Header())
	if x.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		x.begin(status)
		x.permit.tell(x.w.Header())
		if x.preview {
			x.private()
		}
	}
	x.w.WriteHeader(status)
}

// begin notes that the answer begins.
func (x *exchange) begin(status int) {
	x.status = status
	x.first = time.Since(x.start)
}

// Write implements http.ResponseWriter.
func (x *exchange) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	n, err := x.w.Write(p)
	x.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.w }
