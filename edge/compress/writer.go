package compress

import (
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/dayfly-dev/dayfly/edge/accept"
)

// A writer is the http.ResponseWriter that next writes to. An answer that is to
// be compressed goes through these states:
//
//	gathering   its first bytes, to see whether it is large enough
//	compressing into room, to learn the compressed length
//	streaming   the header is out; what is compressed follows
//
// Until the header is out it is next's, to change: later changes of the header
// map, which http.Server would ignore, can still have effect.
type writer struct {
	w      http.ResponseWriter
	h      *handler
	r      *http.Request
	coding accept.Encoding // that the client prefers

	state  state
	status int
	length int64 // that next declared; -1: none
	count  int64 // of bytes that next wrote
	room   *room
	coder  coder
	err    error // of writing to the client
}

type state int

const (
	undecided state = iota
	passing         // next's answer as it is
	gathering
	compressing
	streaming
)

// A room holds what an answer begins with; first before, then after compression.
type room struct {
	plain []byte
	out   []byte
}

const roomSize = 32 << 10

var rooms = sync.Pool{New: func() any { return &room{out: make([]byte, 0, roomSize)} }}

// Header implements http.ResponseWriter.
func (c *writer) Header() http.Header { return c.w.Header() }

// Unwrap is for http.ResponseController.
func (c *writer) Unwrap() http.ResponseWriter { return c.w }

// WriteHeader implements http.ResponseWriter.
func (c *writer) WriteHeader(status int) {
	if c.state != undecided || status < 200 {
		c.w.WriteHeader(status)
		return
	}
	c.status = status
	h := c.Header()
	switch {
	case status == http.StatusNotModified:
		c.notModified(h)
	case !c.shrinks(h):
		markAsItIs(h)
	default:
		vary(h)
		if c.coding == accept.Identity {
			markAsItIs(h)
			break
		}
		if c.r.Method == http.MethodHead {
			c.encoded(h)
			break
		}
		c.state = gathering
		if c.length >= 0 {
			c.begin()
		}
		if h["Trailer"] != nil {
			c.send() // a trailer needs a header that went out before
		}
		return
	}
	c.state = passing
	c.w.WriteHeader(status)
}

// shrinks reports whether the answer is one that is compressed for who wants
// it. It also learns the declared length.
func (c *writer) shrinks(h http.Header) bool {
	switch c.status {
	case http.StatusNoContent, http.StatusResetContent, http.StatusPartialContent:
		return false
	}
	if v := h["Content-Length"]; len(v) == 1 {
		n, err := strconv.ParseInt(v[0], 10, 64)
		if err != nil || n < int64(c.h.opt.MinSize) {
			return false
		}
		c.length = n
	}
	if v := h["Content-Encoding"]; len(v) > 0 && (len(v) > 1 || !strings.EqualFold(v[0], "identity")) {
		return false
	}
	if h["Content-Range"] != nil {
		return false
	}
	for _, v := range h["Cache-Control"] {
		if lists(v, "no-transform") {
			return false
		}
	}
	v := h["Content-Type"]
	return len(v) == 1 && c.h.types.has(v[0])
}

// notModified says in a 304 of which of the client's representations it is.
func (c *writer) notModified(h http.Header) {
	if v := h["Content-Type"]; len(v) == 1 && !c.h.types.has(v[0]) {
		markAsItIs(h)
		return
	}
	vary(h) // as the 200 would have
	if v := h["Etag"]; len(v) == 1 {
		h["Etag"] = []string{confirmed(c.r.Header["If-None-Match"], v[0], c.coding)}
	}
}

// markAsItIs keeps a tag that looks like one of ours from being taken for it.
func markAsItIs(h http.Header) {
	if v := h["Etag"]; len(v) == 1 {
		if tag := outside(v[0], accept.Identity); tag != v[0] {
			h["Etag"] = []string{tag}
		}
	}
}

// ofTheWhole are fields about bytes that are not the ones sent.
var ofTheWhole = [...]string{"Content-Length", "Accept-Ranges", "Content-Md5", "Digest", "Content-Digest", "Repr-Digest"}

// encoded makes the header that of a compressed answer.
func (c *writer) encoded(h http.Header) {
	for _, name := range ofTheWhole {
		delete(h, name)
	}
	h["Content-Encoding"] = []string{c.coding.String()}
	if v := h["Etag"]; len(v) == 1 {
		tag := v[0]
		if c.length >= 0 {
			tag = outside(tag, c.coding)
		} else if strong(tag) {
			tag = "W/" + tag
		}
		h["Etag"] = []string{tag}
	}
}

// begin starts to compress, with what was gathered.
func (c *writer) begin() {
	c.state = compressing
	c.coder = coders[c.coding].Get().(coder)
	c.coder.Reset(sink{c})
	if c.room == nil {
		c.room = rooms.Get().(*room)
	}
	if len(c.room.plain) > 0 {
		_, c.err = c.coder.Write(c.room.plain)
	}
}

// send lets the header out, and what is compressed.
func (c *writer) send() {
	if c.state == gathering {
		c.begin()
	}
	c.state = streaming
	c.encoded(c.Header())
	c.w.WriteHeader(c.status)
	if len(c.room.out) > 0 && c.err == nil {
		_, c.err = c.w.Write(c.room.out)
	}
	c.room.out = c.room.out[:0]
}

// A sink is where a coder writes.
type sink struct{ c *writer }

func (s sink) Write(p []byte) (int, error) {
	c := s.c
	if c.state == compressing && len(c.room.out)+len(p) > roomSize {
		c.send()
	}
	if c.state == compressing {
		c.room.out = append(c.room.out, p...)
		return len(p), nil
	}
	if c.err == nil {
		_, c.err = c.w.Write(p)
	}
	return len(p), c.err
}

// Write implements http.ResponseWriter.
func (c *writer) Write(p []byte) (int, error) {
	if c.state == undecided {
		c.WriteHeader(http.StatusOK)
	}
	if c.state == passing {
		return c.w.Write(p)
	}
	if c.err != nil {
		return 0, c.err
	}
	c.count += int64(len(p))
	if c.length >= 0 && c.count > c.length {
		c.count -= int64(len(p))
		return 0, http.ErrContentLength
	}
	if c.state == gathering {
		if c.room == nil {
			c.room = rooms.Get().(*room)
		}
		if len(c.room.plain)+len(p) < c.h.opt.MinSize {
			c.room.plain = append(c.room.plain, p...)
			return len(p), nil
		}
		c.begin()
	}
	if c.err == nil {
		_, c.err = c.coder.Write(p)
	}
	if c.err != nil {
		return 0, c.err
	}
	return len(p), nil
}

// FlushError is for http.ResponseController. What has a length goes on without
// a mark of the flush in it, so that it is the same bytes each time.
func (c *writer) FlushError() error {
	if c.state == undecided {
		c.WriteHeader(http.StatusOK)
	}
	if c.state == gathering || c.state == compressing {
		c.send()
	}
	if c.state == streaming && c.length < 0 && c.err == nil && c.count > 0 {
		c.err = c.coder.Flush()
	}
	if c.err != nil {
		return c.err
	}
	return http.NewResponseController(c.w).Flush()
}

// Flush implements http.Flusher.
func (c *writer) Flush() { _ = c.FlushError() }

// finish ends an answer that next has written whole.
func (c *writer) finish() {
	if c.state < gathering || c.err != nil {
		return
	}
	if c.length >= 0 && c.count != c.length {
		panic(http.ErrAbortHandler) // what is missing must not be taken for the end
	}
	h := c.Header()
	if c.state == gathering { // small
		markAsItIs(h)
		h["Content-Length"] = []string{strconv.FormatInt(c.count, 10)}
		c.w.WriteHeader(c.status)
		if c.room != nil {
			c.w.Write(c.room.plain)
		}
		return
	}
	c.err = c.coder.Close()
	if c.state == compressing && c.err == nil {
		c.encoded(h)
		if !hasTrailer(h) {
			h["Content-Length"] = []string{strconv.Itoa(len(c.room.out))}
		}
		c.w.WriteHeader(c.status)
		c.w.Write(c.room.out)
	}
	for _, name := range ofTheWhole {
		if c.state == streaming {
			delete(h, name) // they may have come as a trailer
			delete(h, http.TrailerPrefix+name)
		}
	}
}

// release gives back what the answer held.
func (c *writer) release() {
	if c.coder != nil {
		c.coder.Reset(nil)
		coders[c.coding].Put(c.coder)
		c.coder = nil
	}
	if c.room != nil {
		c.room.plain, c.room.out = c.room.plain[:0], c.room.out[:0]
		rooms.Put(c.room)
		c.room = nil
	}
}

func hasTrailer(h http.Header) bool {
	for name := range h {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			return true
		}
	}
	return false
}

// vary adds Accept-Encoding to what the answer depends on, once.
func vary(h http.Header) {
	values := h["Vary"]
	for _, v := range values {
		if lists(v, "accept-encoding") || lists(v, "*") {
			return
		}
	}
	if len(values) == 0 {
		h["Vary"] = []string{"Accept-Encoding"}
		return
	}
	h["Vary"] = []string{strings.Join(values, ", ") + ", Accept-Encoding"}
}

// lists reports whether a list of tokens has this one.
func lists(list, token string) bool {
	for part := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.TrimSpace(part), token) {
			return true
		}
	}
	return false
}
