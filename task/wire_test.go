package task

import "testing"

// FuzzWire: an event is written as encoding/json writes it.
func FuzzWire(f *testing.F) {
	f.Add("1", "s", "t", "2026-11-21T06:30:00Z", "", "", []byte(`{"a": [1, 2 ]}`))
	f.Add("1", "", "\"\\", "", "é", "\x7f", []byte("null"))
	f.Add("<&>", "\u2028", "\xff", "", "a", "b=c", []byte("\"<\u2028\xff\""))
	f.Add("1", "s", "t", "", "", "", []byte("{"))
	f.Add("1", "s", "t", "", "", "", []byte(nil))
	f.Fuzz(func(t *testing.T, id, source, name, at, parent, state string, data []byte) {
		w := wireEvent{SpecVersion: "1.0", ID: id, Source: source, Type: name, Time: at, Traceparent: parent, Tracestate: state, Data: data}
		if data != nil {
			w.DataContentType = "application/json"
		}
		want, werr := plainJSON(&w)
		got, err := w.json()
		if got != want || (err == nil) != (werr == nil) {
			t.Errorf("%q, %v; encoding/json writes %q, %v", got, err, want, werr)
		}
	})
}
