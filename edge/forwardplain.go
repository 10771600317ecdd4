package edge

import (
	"io"
	"net/http"
)

// A plainWriter takes the head of an answer as it is on the wire, which saves
// making headers of it and writing them again. The fields have names in the
// canonical form, none twice that the writer's Header has, and are none of
// those that say how the message is read; dated says that Date is among them.
type plainWriter interface {
	WritePlainHead(status int, length int64, dated bool, fields []byte)
}

// forwardPlain passes a plain answer on, if nothing between the target and the
// client wants to see its headers. It reports whether it did; if not nothing is
// changed.
func (d *delivery) forwardPlain() bool {
	x, c, h := d.x, d.c, &d.c.plain
	w, ok := x.w.(plainWriter)
	if !ok || x.out != x || d.up != nil || d.upgrade != "" || x.permit != nil || x.preview || x.setup.Balance.Sticky != "" ||
		x.r.Method == http.MethodHead {
		return false
	}
	n := h.parse(c.in[c.r:c.w])
	if n == 0 {
		return false
	}
	c.r += n
	d.status = h.status
	c.learnKeep(h.keep)
	x.begin(h.status)
	x.encoding = h.coding
	if h.route != "" {
		x.routed(h.route)
	}
	h.fields = x.origin.appendID(h.fields)
	w.WritePlainHead(h.status, h.length, h.dated, h.fields)
	switch {
	case h.length <= int64(c.w-c.r):
		body := c.in[c.r : c.r+int(h.length)]
		c.r += len(body)
		if _, err := x.Write(body); err != nil {
			x.failure = "client went away"
		}
		d.keep = !h.close && c.buffered() == 0
		d.end(nil) // before the client has it
	default:
		c.unbound() // a body takes as long as it takes
		res := &http.Response{Header: http.Header{}, ContentLength: h.length, Close: h.close, Body: &plainBody{c, h.length}}
		d.copyBody(res)
	}
	return true
}

// plainBody is a body of a known length.
type plainBody struct {
	c    *conn
	left int64
}

func (b *plainBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.c.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	switch {
	case b.left == 0:
		return n, io.EOF
	case err == io.EOF: //nolint:errorlint // as readers say it
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

// Close leaves what was not read: the connection is not used again then.
func (b *plainBody) Close() error { return nil }
