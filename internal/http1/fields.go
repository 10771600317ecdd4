package http1

import (
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"
)

func appendStatus(b []byte, status int) []byte {
	if status == http.StatusOK {
		return append(b, "HTTP/1.1 200 OK\r\n"...)
	}
	b = strconv.AppendInt(append(b, "HTTP/1.1 "...), int64(status), 10)
	b = append(b, ' ')
	if text := http.StatusText(status); text != "" {
		b = append(b, text...)
	} else {
		b = strconv.AppendInt(append(b, "status code "...), int64(status), 10)
	}
	return append(b, "\r\n"...)
}

// appendFields appends the handler's headers, but for those that say how the
// message is read.
func (w *response) appendFields(b []byte, status int) []byte {
	for name, values := range w.header {
		switch name {
		case "Content-Length":
			if n, err := strconv.ParseInt(w.header.Get(name), 10, 64); err == nil && n >= 0 && bodyAllowed(status) {
				w.length = n
			}
			continue
		case "Connection":
			w.last = w.last || slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, "close") })
			continue
		case "Transfer-Encoding":
			continue
		case "Trailer":
			w.announce(values)
		case "Date":
			w.dated = true
		case "Content-Type":
			w.sniff = false
			if status == http.StatusNotModified {
				continue
			}
		case "Content-Encoding":
			w.sniff = w.sniff && w.header.Get(name) == ""
		}
		if !isToken(name) {
			w.trailing = w.trailing || strings.HasPrefix(name, http.TrailerPrefix)
			continue
		}
		b = appendField(b, name, values)
	}
	return b
}

func appendField(b []byte, name string, values []string) []byte {
	for _, v := range values {
		b = append(append(b, name...), ": "...)
		b = append(append(b, oneLine(v)...), "\r\n"...)
	}
	return b
}

// oneLine keeps a value from becoming more than one.
func oneLine(v string) string {
	if strings.ContainsAny(v, "\r\n") {
		v = strings.NewReplacer("\r", " ", "\n", " ").Replace(v)
	}
	return trim(v)
}

// announce notes which trailers the handler will set.
func (w *response) announce(values []string) {
	w.trailing = true
	for _, v := range values {
		for name := range strings.SplitSeq(v, ",") {
			name = http.CanonicalHeaderKey(textproto.TrimString(name))
			if httpguts.ValidTrailerHeader(name) && name != "" {
				w.trailers = append(w.trailers, name)
			}
		}
	}
}

// appendTrailers appends the announced trailers and those of net/http's prefix.
func (w *response) appendTrailers(b []byte) []byte {
	for _, name := range w.trailers {
		b = appendField(b, name, w.header[name])
	}
	for name, values := range w.header {
		if name, ok := strings.CutPrefix(name, http.TrailerPrefix); ok && isToken(name) && httpguts.ValidTrailerHeader(name) {
			b = appendField(b, name, values)
		}
	}
	return b
}

// endHead appends what was left open of the head.
func (w *response) endHead(now time.Time) {
	b := w.out
	if w.sniff && len(w.body) > 0 {
		b = append(append(append(b, "Content-Type: "...), http.DetectContentType(w.body[:min(len(w.body), sniffed)])...), "\r\n"...)
	}
	if !w.dated {
		b = append(append(append(b, "Date: "...), date(now)...), "\r\n"...)
	}
	switch {
	case w.chunks:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	case w.length >= 0:
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), w.length, 10), "\r\n"...)
	}
	if w.last {
		b = append(b, "Connection: close\r\n"...)
	}
	w.out, w.sent = append(b, "\r\n"...), true
}

// stamp is the Date of a second.
type stamp struct {
	second int64
	text   string
}

var lastStamp atomic.Pointer[stamp]

// date returns now as HTTP says it, which changes once a second.
func date(now time.Time) string {
	s := lastStamp.Load()
	if s == nil || s.second != now.Unix() {
		s = &stamp{now.Unix(), now.UTC().Format(http.TimeFormat)}
		lastStamp.Store(s)
	}
	return s.text
}
