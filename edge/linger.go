package edge

import (
	"io"
	"net/http"
	"time"
)

// Bounds of linger: how long a client may send nothing, and how long it is
// listened to.
const (
	lingerSilence = 2 * time.Second
	lingerTime    = 10 * time.Second
)

// linger takes what a client still sends of a body that nobody wants: its answer
// is on the way, and closing on a client that sends would take it away (RFC 9112,
// section 9.6). net/http does so for 256 KiB, and not after an error; the loop
// that reads plain requests does so itself.
func linger(w http.ResponseWriter, body io.Reader) {
	rc := http.NewResponseController(w)
	if _, ok := w.(http.Hijacker); !ok || rc.Flush() != nil {
		return
	}
	buf := copyBuffers.Get().(*[32 << 10]byte)
	defer copyBuffers.Put(buf)
	for end := time.Now().Add(lingerTime); ; {
		now := time.Now()
		by := now.Add(lingerSilence)
		if by.After(end) {
			by = end
		}
		if !now.Before(end) || rc.SetReadDeadline(by) != nil {
			return
		}
		if _, err := body.Read(buf[:]); err != nil {
			return
		}
	}
}
