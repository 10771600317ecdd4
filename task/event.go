package task

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dayfly-dev/dayfly/task/payload"
)

// Limits of a message. Its page is doc/formats/task-message.md.
const (
	// MaxMessage is the largest message in bytes, that of SQS.
	MaxMessage = 1 << 20
	// MaxID is the longest id of a task in bytes.
	MaxID = 256

	maxSource    = 1024
	maxMembers   = 64 // attributes and extensions of one event
	maxExtension = 64 // bytes in the name of one
)

// Event is a task's message: a CloudEvents 1.0 event in the JSON format.
type Event struct {
	ID     string    // identifies the task, also in its duplicates
	Source string    // who enqueued it, a URI reference
	Type   string    // name of the task
	Time   time.Time // when it was enqueued; zero if not said
	// NotBefore is when the task may run at the earliest, for delays longer
	// than the queue's 15 minutes; zero: at once.
	NotBefore   time.Time
	Traceparent string          // W3C trace context, or ""; not checked to be one
	Tracestate  string          // what goes with it, at most 512 bytes, or ""
	Data        json.RawMessage // arguments; nil if there are none, or Ref says where
	// Ref is where the arguments are stored instead; nil: nowhere else.
	Ref *payload.Ref
	// Extensions are the event's other attributes, subject and dataschema among
	// them, by name ([a-z0-9], 1–64): texts, and whole numbers and booleans as
	// they are written. Others are ignored. nil if there are none.
	Extensions map[string]string
}

// FormatError is a message that is not a task's; the worker dead-letters it
// at once, as it will never become one.
type FormatError struct{ Reason string }

func (e *FormatError) Error() string { return "task: not a task message: " + e.Reason }

// Encode writes the event as the body of a message, after checking it as
// Decode would.
func (e *Event) Encode() (string, error) {
	body, err := e.encode()
	if err == nil && len(body) > MaxMessage {
		return "", fmt.Errorf("task %s: the message has %d bytes, more than %d; arguments of this size need ClientOptions.Payloads", e.Type, len(body), MaxMessage)
	}
	return body, err
}

// encode is Encode for a body of any size.
func (e *Event) encode() (string, error) {
	if err := e.check(); err != nil {
		return "", err
	}
	w := wireEvent{
		SpecVersion: "1.0", ID: e.ID, Source: e.Source, Type: e.Type,
		Time: stamp(e.Time), NotBefore: stamp(e.NotBefore), Traceparent: e.Traceparent, Tracestate: e.Tracestate,
		Data: e.Data,
	}
	if e.Ref != nil {
		w.DataRef, w.DataSHA256, w.DataSize = e.Ref.URL, e.Ref.SHA256, &e.Ref.Size
	}
	if e.Data != nil || e.Ref != nil {
		w.DataContentType = "application/json"
	}
	body, err := w.json()
	if err != nil {
		return "", fmt.Errorf("task %s: data: %w", e.Type, err)
	}
	if body, err = e.withExtensions(body); err != nil {
		return "", err
	}
	if !utf8.ValidString(body) {
		return "", fmt.Errorf("task %s: data is not UTF-8", e.Type)
	}
	// SQS takes the characters of XML 1.0, JSON two more.
	body = strings.ReplaceAll(body, "\ufffe", `\ufffe`)
	return strings.ReplaceAll(body, "\uffff", `\uffff`), nil
}

// plainJSON writes < > & as they are.
func plainJSON(v any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func (e *Event) check() error {
	for _, f := range [...]struct {
		name, value string
		max         int
		optional    bool
	}{
		{"id", e.ID, MaxID, false},
		{"source", e.Source, maxSource, false},
		{"type", e.Type, MaxName, false},
		{"traceparent", e.Traceparent, maxTraceparent, true},
		{"tracestate", e.Tracestate, maxTracestate, true},
	} {
		if f.value == "" && !f.optional {
			return &FormatError{f.name + " is missing or empty"}
		}
		if len(f.value) > f.max {
			return &FormatError{fmt.Sprintf("%s has %d bytes, more than %d", f.name, len(f.value), f.max)}
		}
		if hasControl(f.value) {
			return &FormatError{f.name + " has a control character"}
		}
	}
	return e.checkRef()
}

// Decode reads the body of a message. It is strict: names of attributes are
// matched exactly, none may come twice, and what it does not support is an
// error (a *FormatError). Extensions it does not know are ignored, as
// CloudEvents asks.
func Decode(body string) (*Event, error) {
	if len(body) > MaxMessage {
		return nil, &FormatError{fmt.Sprintf("it has %d bytes, more than %d", len(body), MaxMessage)}
	}
	members, err := readMembers(body)
	if err != nil {
		return nil, err
	}
	if v, err := members.text("specversion"); err != nil {
		return nil, err
	} else if v != "1.0" {
		return nil, &FormatError{fmt.Sprintf("specversion is %.20q, not 1.0", v)}
	}
	if members.find("data_base64") >= 0 {
		return nil, &FormatError{"data_base64 is not supported, a task's data is JSON"}
	}
	e := &Event{Data: members.get("data")}
	for _, a := range [...]struct {
		name string
		into *string
	}{{"id", &e.ID}, {"source", &e.Source}, {"type", &e.Type}} {
		if *a.into, err = members.text(a.name); err != nil {
			return nil, err
		}
	}
	e.Traceparent, e.Tracestate = members.trace()
	for _, a := range [...]struct {
		name string
		into *time.Time
	}{{"time", &e.Time}, {"notbefore", &e.NotBefore}} {
		if *a.into, err = members.instant(a.name); err != nil {
			return nil, err
		}
	}
	if err := members.contentType(); err != nil {
		return nil, err
	}
	if err := members.reference(e); err != nil {
		return nil, err
	}
	e.Extensions = members.extensions()
	if err := e.check(); err != nil {
		return nil, err
	}
	return e, nil
}
