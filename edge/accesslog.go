package edge

import (
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

const (
	accessLogRoom  = 4 << 20                // bytes of lines that may wait for the writer
	accessLogBatch = 256 << 10              // bytes that are written without waiting for more
	accessLogDelay = 100 * time.Millisecond // how long a line waits for others
)

// An accessLog writes a line a request. Requests append to a bounded
// buffer and never wait; one goroutine writes. The address's query is left
// out: it may hold what is secret.
type accessLog struct {
	w       io.Writer
	line    func(b []byte, x *exchange, route string, total time.Duration) []byte // appends one
	dropped atomic.Uint64

	mu   sync.Mutex
	buf  []byte
	last []byte // the buffer written before, for use again

	some chan struct{} // holds one: there are lines
	full chan struct{} // holds one: there is a batch
	stop chan struct{}
	done chan struct{}
}

func newAccessLog(w io.Writer, format string) *accessLog {
	l := &accessLog{w: w, line: appendAccessLine, some: make(chan struct{}, 1), full: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	if format == LogCombined {
		l.line = appendCombined
	}
	go l.run()
	return l
}

// write adds the line of one exchange, or counts it as dropped.
func (l *accessLog) write(x *exchange, route string, total time.Duration) {
	var room [1024]byte
	line := l.line(room[:0], x, route, total)
	l.mu.Lock()
	if len(l.buf)+len(line) > accessLogRoom {
		l.mu.Unlock()
		l.dropped.Add(1)
		return
	}
	before := len(l.buf)
	l.buf = append(l.buf, line...)
	after := len(l.buf)
	l.mu.Unlock()
	if before == 0 {
		nudge(l.some)
	}
	if before < accessLogBatch && after >= accessLogBatch {
		nudge(l.full)
	}
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (l *accessLog) run() {
	defer close(l.done)
	for {
		select {
		case <-l.some:
		case <-l.stop:
			l.flush()
			return
		}
		timer := time.NewTimer(accessLogDelay)
		select {
		case <-timer.C:
		case <-l.full:
		case <-l.stop:
		}
		timer.Stop()
		l.flush()
	}
}

// flush writes what has gathered. Lines the writer did not take are dropped:
// trying again could write half a line twice.
func (l *accessLog) flush() {
	l.mu.Lock()
	out := l.buf
	l.buf = l.last[:0]
	l.mu.Unlock()
	n, err := l.w.Write(out)
	if err != nil {
		l.dropped.Add(uint64(strings.Count(string(out[max(0, min(n, len(out))):]), "\n")))
	}
	l.last = out
}

func (l *accessLog) close() {
	close(l.stop)
	<-l.done
}

func appendAccessLine(b []byte, x *exchange, route string, total time.Duration) []byte {
	b = append(b, `{"time":"`...)
	b = x.start.UTC().AppendFormat(b, "2006-01-02T15:04:05.000000Z07:00")
	b = append(b, `","id":"`...)
	b = append(b, x.origin.id...) // checked or made here: nothing to escape
	b = appendField(b, `","client":`, x.origin.client)
	b = appendField(b, `,"method":`, x.r.Method)
	b = appendField(b, `,"proto":`, x.origin.proto)
	b = appendField(b, `,"host":`, x.origin.host)
	b = appendField(b, `,"path":`, x.r.URL.Path)
	b = appendField(b, `,"route":`, route)
	b = strconv.AppendInt(append(b, `,"status":`...), int64(x.status), 10)
	b = strconv.AppendInt(append(b, `,"bytes":`...), x.bytes, 10)
	b = strconv.AppendFloat(append(b, `,"ms":`...), float64(total.Microseconds())/1000, 'f', 3, 64)
	b = strconv.AppendFloat(append(b, `,"first_ms":`...), float64(x.first.Microseconds())/1000, 'f', 3, 64)
	if x.encoding != "" {
		b = appendField(b, `,"encoding":`, x.encoding)
	}
	if x.target != "" {
		b = appendField(b, `,"target":`, x.target)
	}
	if x.cache != "" {
		b = appendField(b, `,"cache":`, x.cache)
	}
	if x.release != "" {
		b = append(append(b, `,"release":"`...), x.release...)
		b = append(b, '"')
	}
	if x.retries > 0 {
		b = strconv.AppendInt(append(b, `,"retries":`...), int64(x.retries), 10)
	}
	if x.failure != "" {
		b = appendField(b, `,"error":`, x.failure)
	}
	b = appendField(b, `,"agent":`, first(x.r.Header["User-Agent"]))
	referer, _, _ := strings.Cut(first(x.r.Header["Referer"]), "?")
	if referer != "" {
		b = appendField(b, `,"referer":`, referer)
	}
	return append(b, "}\n"...)
}

// maxLogField bounds one field in bytes.
const maxLogField = 2 << 10

func appendField(b []byte, name, value string) []byte {
	if len(value) > maxLogField {
		value = value[:maxLogField]
	}
	return appendJSONString(append(b, name...), value)
}

// appendJSONString appends s as a JSON string; what is not UTF-8 becomes
// U+FFFD. It does what encoding/json does without allocating.
func appendJSONString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' && c != 0x7f {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			var r rune
			r, size = utf8.DecodeRuneInString(s[i:])
			// U+2028 and U+2029 end lines for some readers.
			if (r != utf8.RuneError || size > 1) && r != '\u2028' && r != '\u2029' {
				i += size
				continue
			}
			b = append(b, s[from:i]...)
			switch r {
			case '\u2028':
				b = append(b, `\u2028`...)
			case '\u2029':
				b = append(b, `\u2029`...)
			default:
				b = append(b, `\ufffd`...)
			}
		} else {
			b = append(b, s[from:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			default:
				b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
		}
		i += size
		from = i
	}
	return append(append(b, s[from:]...), '"')
}
