package compress

import (
	"bytes"
	"net/http"
	"strconv"

	"github.com/klauspost/compress/zstd"

	"github.com/dayfly-dev/dayfly/edge/accept"
)

// Levels for what is compressed once and sent often, by BenchmarkLevels: a tenth
// smaller for twice the time at most.
const (
	keptGzipLevel     = 7
	keptBrotliQuality = 5
	keptZstdLevel     = zstd.SpeedBetterCompression
)

// Coding implements accept.Coder.
func (c *writer) Coding(status int) accept.Encoding {
	if c.state != undecided || !bodyAllowed(status) || c.coding == accept.Identity {
		return accept.Identity
	}
	was := c.status
	c.status = status
	if h := c.Header(); !c.shrinks(h) || c.length < 0 || h["Trailer"] != nil {
		c.status, c.length = was, -1
		return accept.Identity
	}
	return c.coding
}

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// Encode implements accept.Coder.
func (*writer) Encode(e accept.Encoding, body []byte) []byte {
	var out bytes.Buffer
	var z coder
	switch e {
	case accept.Gzip:
		z = newGzip(keptGzipLevel)
	case accept.Brotli:
		z = newBrotli(keptBrotliQuality, brotliWindow)
	case accept.Zstd:
		z = newZstd(keptZstdLevel, zstdWindow)
	default:
		return nil
	}
	z.Reset(&out)
	if _, err := z.Write(body); err != nil {
		return nil
	}
	if err := z.Close(); err != nil || out.Len() >= len(body) {
		return nil
	}
	return bytes.Clone(out.Bytes())
}

// WriteCoded implements accept.Coder. Strong tags have an end of their own: these
// are other bytes than those of an answer that is compressed as it goes by.
func (c *writer) WriteCoded(status int, e accept.Encoding, body []byte) {
	c.status, c.state = status, passing
	h := c.Header()
	vary(h)
	if e == accept.Identity {
		markAsItIs(h)
	} else {
		tag := h["Etag"]
		c.encoded(h)
		if len(tag) == 1 {
			h["Etag"] = []string{outsideKept(tag[0], e)}
		}
	}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	c.w.WriteHeader(status)
	if c.r.Method != http.MethodHead {
		_, c.err = c.w.Write(body)
	}
}
