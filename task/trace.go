package task

import (
	"strings"
	"unicode/utf8"
)

const (
	maxTraceparent = 256
	maxTracestate  = 512 // what W3C Trace Context asks to be passed on at least
)

// trace returns the trace context of a message. One that cannot be right is
// dropped, as W3C Trace Context asks: what a task does is not worth less for
// somebody's broken tracing.
func (m members) trace() (parent, state string) {
	parent, perr := m.text("traceparent")
	state, serr := m.text("tracestate")
	if serr != nil {
		state = ""
	}
	if perr != nil {
		parent = ""
	}
	return plainTrace(parent, state)
}

// plainTrace drops what is too long or has other characters than text has.
func plainTrace(parent, state string) (string, string) {
	if len(parent) > maxTraceparent || hasControl(parent) {
		parent = ""
	}
	if parent == "" || len(state) > maxTracestate || hasControl(state) {
		state = "" // which says nothing by itself
	}
	return parent, state
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f || r == utf8.RuneError })
}

// traceID is the 32 digits of the trace in a W3C traceparent; "" if it is none.
func traceID(parent string) string {
	const length = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	switch {
	case len(parent) < length || parent[2] != '-' || parent[35] != '-' || parent[52] != '-':
		return ""
	case len(parent) > length && (parent[:2] == "00" || parent[length] != '-'):
		return ""
	case parent[:2] == "ff" || !lowerHex(parent[:2]) || !lowerHex(parent[36:52]) || !lowerHex(parent[53:55]):
		return ""
	}
	id := parent[3:35]
	if !lowerHex(id) || strings.Trim(id, "0") == "" || strings.Trim(parent[36:52], "0") == "" {
		return ""
	}
	return id
}

func lowerHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }
