package push

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/task"
)

// maxHead bounds the event's attributes in the headers of one request: servers
// take 8 KiB of headers (gunicorn, Apache) to 16 KiB (Node.js).
const maxHead = 6 << 10

// request makes the request of one run: a CloudEvent in the HTTP binding's
// binary mode, its data the body, its attributes ce- headers.
func (p *Pusher) request(e *task.Event, run task.Run) (*http.Request, error) {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, p.to.String(), bytes.NewReader(e.Data))
	if err != nil {
		return nil, err
	}
	h, size := r.Header, 0
	set := func(name, value string) {
		value = encode(value)
		h["Ce-"+strings.ToUpper(name[:1])+name[1:]] = []string{value} // as CanonicalHeaderKey has it
		size += len("ce-: \r\n") + len(name) + len(value)
	}
	set("specversion", "1.0")
	set("id", e.ID)
	set("source", e.Source)
	set("type", e.Type)
	if !e.Time.IsZero() {
		set("time", e.Time.Format(time.RFC3339Nano))
	}
	for name, value := range map[string]string{"traceparent": e.Traceparent, "tracestate": e.Tracestate} {
		if value == "" {
			continue
		}
		set(name, value)
		if plain(value) {
			h.Set(name, value) // where tracing libraries look
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Extensions)) {
		if !task.OwnExtension(name) { // what is dayfly's alone may be long
			set(name, e.Extensions[name])
		}
	}
	if size > maxHead {
		return nil, fmt.Errorf("push: the attributes of the task take %d bytes of headers, more than %d: put what is long into its data", size, maxHead)
	}
	if e.Data != nil {
		h.Set("Content-Type", "application/json")
	}
	h.Set("User-Agent", "dayfly")
	h.Set("Dayfly-Attempt", strconv.Itoa(run.Attempt))
	h.Set("Dayfly-Queue", run.Queue)
	if p.o.Token != "" {
		h.Set("Authorization", "Bearer "+p.o.Token)
	}
	return r, nil
}

// encode makes a header's value of an attribute's: what is not printable ASCII,
// and space, quote and percent, are percent-encoded as UTF-8 (CloudEvents HTTP
// binding 1.0.2, section 3.1.3.2).
func encode(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(s))
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' || c == '"' || c == '%' {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// plain reports whether a text can be a header as it is.
func plain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) && strings.TrimSpace(s) == s
}

// place is an address without what may be secret in it.
func place(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
