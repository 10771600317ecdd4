package edge

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
)

var copyBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// forward passes a final answer on.
func (d *delivery) forward(res *http.Response) *failure {
	x := d.x
	h := x.out.Header()
	if res.Header["Connection"] != nil || res.Header["Keep-Alive"] != nil || res.Header["Upgrade"] != nil || res.Header["Proxy-Authenticate"] != nil {
		stripHop(res.Header)
	}
	announced := d.head(res)
	d.up.answered()
	if d.up != nil && !d.up.finished() && x.r.ProtoMajor == 1 {
		h.Set("Connection", "close") // the rest of the request may stay unread
	}
	if n := res.ContentLength; n < 0 || n > int64(d.c.buffered()) {
		if d.up.finished() {
			d.c.unbound() // a body takes as long as it takes
		} else {
			d.c.unboundRead()
		}
	}
	x.out.WriteHeader(res.StatusCode)
	if !d.copyBody(res) {
		return nil
	}
	d.copyTrailer(res, announced)
	if !d.ended {
		d.keep = !res.Close && d.c.buffered() == 0
	}
	return nil
}

// copyBody passes the answer's body on, each piece at once if its length is
// not known. It reports whether it came to its end.
func (d *delivery) copyBody(res *http.Response) bool {
	if res.Body == http.NoBody {
		return true
	}
	x := d.x
	streaming := res.ContentLength < 0 || d.stream
	if streaming && d.c.buffered() == 0 {
		http.NewResponseController(x.out).Flush() // the first piece may be long in coming
	}
	r := relay{d: d, res: res, flush: streaming}
	err, gone := r.pieces()
	return d.endBody(err, gone != nil)
}

// head passes the fields of an answer on, and says of how many trailers it told.
func (d *delivery) head(res *http.Response) (announced int) {
	h := d.x.out.Header()
	for k, v := range res.Header {
		h[k] = v
	}
	if _, ok := h["Content-Type"]; !ok {
		h["Content-Type"] = nil // or net/http guesses one
	}
	d.x.origin.tell(h)
	for k := range res.Trailer {
		h.Add("Trailer", k)
	}
	if isEventStream(res.Header["Content-Type"]) {
		d.stream = true
		d.e.streaming(d.t)
	}
	return len(res.Trailer)
}

// endBody says what became of an answer whose body was passed on: err is what
// reading it ended with, gone that the client takes no more. It reports whether
// the body came to its end. What breaks off breaks off for the client, too.
func (d *delivery) endBody(err error, gone bool) bool {
	x := d.x
	switch {
	case gone:
		x.failure = "client went away"
		return false
	case errors.Is(err, io.EOF):
		return true
	case isCanceled(x.r.Context()):
		x.failure = "client went away"
	default:
		d.broken = true
		x.failure = "answer broke off: " + err.Error()
		d.t.checkSoon()
	}
	panic(http.ErrAbortHandler)
}

// copyTrailer passes the trailer on; fields that were not announced carry
// net/http's prefix for such.
func (d *delivery) copyTrailer(res *http.Response, announced int) {
	if len(res.Trailer) == 0 {
		return
	}
	h := d.x.out.Header()
	prefix := ""
	if len(res.Trailer) != announced {
		prefix = http.TrailerPrefix
	}
	for k, v := range res.Trailer {
		h[prefix+k] = v
	}
}

func isEventStream(contentType []string) bool {
	return len(contentType) > 0 && strings.HasPrefix(contentType[0], "text/event-stream")
}
