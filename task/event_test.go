package task

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/task/payload"
)

var example = Event{
	ID: "3f2a", Source: "dayfly", Type: "daily_digest",
	Time:        time.Date(2026, 11, 21, 4, 30, 0, 123456789, time.UTC),
	NotBefore:   time.Date(2026, 11, 22, 4, 30, 0, 0, time.UTC),
	Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	Data:        json.RawMessage(`{"to":"<a@b.example>","n":1}`),
	Extensions:  map[string]string{"oncekey": "a&b", "subject": "é"},
}

const exampleBody = `{"specversion":"1.0","id":"3f2a","source":"dayfly","type":"daily_digest",` +
	`"time":"2026-11-21T04:30:00.123456789Z","notbefore":"2026-11-22T04:30:00Z",` +
	`"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",` +
	`"datacontenttype":"application/json","data":{"to":"<a@b.example>","n":1},` +
	`"oncekey":"a&b","subject":"é"}`

func TestEvent(t *testing.T) {
	body, err := example.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(exampleBody, body); d != "" {
		t.Error(d)
	}
	back, err := Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(&example, back); d != "" {
		t.Error(d)
	}
}

// TestEventRef: arguments that are stored apart.
func TestEventRef(t *testing.T) {
	sum := strings.Repeat("0f", 32)
	e := Event{ID: "1", Source: "s", Type: "t", Ref: &payload.Ref{URL: "s3://b/tasks/2026-11-21/x", SHA256: sum, Size: 10485760}}
	body, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	const before = `{"specversion":"1.0","id":"1","source":"s","type":"t",`
	ref := `"dataref":"s3://b/tasks/2026-11-21/x","datasha256":"` + sum + `","datasize":`
	if d := cmp.Diff(before+`"datacontenttype":"application/json",`+ref+`10485760}`, body); d != "" {
		t.Error(d)
	}
	for _, body := range []string{body, before + ref + `10485760,"data":null}`, before + ref + `"10485760"}`} {
		back, err := Decode(body)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(&e, back); d != "" {
			t.Errorf("%s: %s", body, d)
		}
	}
	// Data that is there counts, whatever else is said of it.
	for _, body := range []string{before + ref + `10485760,"data":{}}`, before + `"dataref":"http://elsewhere/","data":{}}`} {
		back, err := Decode(body)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(&Event{ID: "1", Source: "s", Type: "t", Data: json.RawMessage(`{}`)}, back); d != "" {
			t.Errorf("%s: %s", body, d)
		}
	}
	e.Data = json.RawMessage(`{}`)
	if _, err := e.Encode(); err == nil {
		t.Error("an event with its data in two places is written")
	}
}

// TestDecodeOthers: what other programs may send.
func TestDecodeOthers(t *testing.T) {
	for _, c := range []struct {
		body string
		want Event
	}{
		{`{"specversion":"1.0","id":"1","source":"s","type":"t"}`, Event{ID: "1", Source: "s", Type: "t"}},
		{` {"type":"t","data":[1,{"data":2}],"source":"s","id":"1","specversion":"1.0","subject":"x","partitionkey":7,"time":null}` + "\n",
			Event{ID: "1", Source: "s", Type: "t", Data: json.RawMessage(`[1,{"data":2}]`), Extensions: map[string]string{"subject": "x", "partitionkey": "7"}}},
		{`{"specversion":"1.0","id":"1","source":"s","type":"t","Type":"u","under_score":"x","float":1.5,"nothing":null,"list":[],"yes":true,"no":false,"minus":-3,"empty":"","text":"é\"\n"}`,
			Event{ID: "1", Source: "s", Type: "t", Extensions: map[string]string{"yes": "true", "no": "false", "minus": "-3", "empty": "", "text": "é\"\n"}}},
		{`{"specversion":"1.0","id":"1","source":"s","type":"t","datacontenttype":"Application/Vnd.x+JSON; charset=utf-8","data":null}`,
			Event{ID: "1", Source: "s", Type: "t", Data: json.RawMessage(`null`)}},
		{`{"specversion":"1.0","id":"1","source":"s","type":"t","time":"2026-11-21T06:30:00+02:00"}`,
			Event{ID: "1", Source: "s", Type: "t", Time: time.Date(2026, 11, 21, 4, 30, 0, 0, time.UTC)}},
	} {
		got, err := Decode(c.body)
		if err != nil {
			t.Errorf("%s: %v", c.body, err)
			continue
		}
		if d := cmp.Diff(&c.want, got); d != "" {
			t.Errorf("%s: %s", c.body, d)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	with := func(members string) string {
		return `{"specversion":"1.0","id":"1","source":"s","type":"t",` + members + `}`
	}
	for _, c := range []struct{ body, want string }{
		{``, "JSON"},
		{"  ", "JSON"},
		{`7`, "not a JSON object"},
		{`[]`, "not a JSON object"},
		{`"x"`, "not a JSON object"},
		{`{`, "JSON"},
		{`{"a":`, "JSON"},
		{`{"a" 1}`, "JSON"},
		{`{}`, "specversion"},
		{`{"specversion":"0.3","id":"1","source":"s","type":"t"}`, "specversion"},
		{`{"specversion":1.0,"id":"1","source":"s","type":"t"}`, "specversion is not a string"},
		{`{"specversion":"1.0","source":"s","type":"t"}`, "id is missing"},
		{`{"specversion":"1.0","id":"","source":"s","type":"t"}`, "id is missing"},
		{`{"specversion":"1.0","id":null,"source":"s","type":"t"}`, "id is missing"},
		{`{"specversion":"1.0","id":7,"source":"s","type":"t"}`, "id is not a string"},
		{`{"specversion":"1.0","id":"1","type":"t"}`, "source is missing"},
		{`{"specversion":"1.0","id":"1","source":"s"}`, "type is missing"},
		{`{"specversion":"1.0","id":"1","source":"s","TYPE":"t"}`, "type is missing"},
		{with(`"type":"u"`), `"type" comes twice`},
		{with(`"data":1,"data":2`), `"data" comes twice`},
		{with(`"data_base64":"AA=="`), "data_base64"},
		{with(`"datacontenttype":"text/plain"`), "not JSON"},
		{with(`"time":"yesterday"`), "RFC 3339"},
		{with(`"notbefore":5`), "notbefore is not a string"},
		{with(`"data":1`) + `{}`, "after top-level"},
		{with(`"id2":"` + "\x00" + `"`), "JSON"},
		{`{"specversion":"1.0","id":"a\nb","source":"s","type":"t"}`, "control"},
		{`{"specversion":"1.0","id":"` + strings.Repeat("x", 257) + `","source":"s","type":"t"}`, "257 bytes"},
		{with(`"` + strings.Repeat("x", 65) + `":1`), "longer"},
		{with(manyMembers(64)), "more"},
		{with(`"data":"` + strings.Repeat("x", MaxMessage) + `"`), "bytes"},
		{with(`"data":` + strings.Repeat("[", 20_000)), "JSON"},
	} {
		_, err := Decode(c.body)
		var f *FormatError
		if !errors.As(err, &f) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.100s: %v, want …%s…", c.body, err, c.want)
		}
		if err != nil && len(err.Error()) > 300 {
			t.Errorf("%.100s: an error of %d bytes", c.body, len(err.Error()))
		}
	}
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"x` + strings.Repeat("y", i%50) + string(rune('a'+i/50)) + `":1`)
	}
	return b.String()
}

func TestEncodeRefuses(t *testing.T) {
	for what, change := range map[string]func(*Event){
		"id is missing": func(e *Event) { e.ID = "" },
		"257 bytes":     func(e *Event) { e.ID = strings.Repeat("x", 257) },
		"control":       func(e *Event) { e.Source = "a\x01" },
		"more than":     func(e *Event) { e.Data = json.RawMessage(`"` + strings.Repeat("x", MaxMessage) + `"`) },
		"data":          func(e *Event) { e.Data = json.RawMessage(`{`) },
		"UTF-8":         func(e *Event) { e.Data = json.RawMessage("\"\xff\"") },
		"extension":     func(e *Event) { e.Extensions = map[string]string{"type": "another"} },
		"Once":          func(e *Event) { e.Extensions = map[string]string{"Once": "x"} },
	} {
		e := example
		change(&e)
		if _, err := e.Encode(); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// FuzzDecode: what is taken can be written and read again, the same.
func FuzzDecode(f *testing.F) {
	f.Add(exampleBody)
	f.Add(`{"specversion":"1.0","id":"1","source":"s","type":"t","data":"\ud800￾"}`)
	f.Add(`{"specversion":"1.0","id":"1","source":"s","type":"t","x":{"a":[1,2,{}]},"time":"2026-11-21T06:30:00+02:00"}`)
	f.Add(`{"specversion":"1.0","specversion":"1.0"}`)
	ref := `{"specversion":"1.0","id":"1","source":"s","type":"t","dataref":"s3://b/tasks/2026-11-21/x","datasha256":"` + strings.Repeat("0f", 32) + `","datasize":`
	f.Add(ref + `7}`)
	f.Add(ref + `"7","data":null}`)
	f.Add(ref + `7,"data":{}}`)
	f.Add(ref + `-7.5e3}`)
	f.Add(`{"specversion":"1.0","id":"0","source":"0","type":"0","0":"` + "\xa9" + `"}`)
	f.Fuzz(func(t *testing.T, body string) {
		if m, err := readMembers(body); err == nil {
			got := map[string]json.RawMessage{}
			for i := range m {
				got[m[i].name] = m[i].raw
			}
			var want map[string]json.RawMessage // the same by the long way
			if err := json.Unmarshal([]byte(body), &want); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" && utf8.ValidString(body) {
				t.Fatal(d)
			}
		}
		e, err := Decode(body)
		if err != nil {
			if e != nil {
				t.Fatal("an event and an error")
			}
			return
		}
		again, err := e.Encode()
		if err != nil {
			// Data may be what Go reads and we do not send: not UTF-8, or
			// larger once it is written with its escapes.
			return
		}
		back, err := Decode(again)
		if err != nil {
			t.Fatalf("%s\n%s\n%v", body, again, err)
		}
		e.Data, back.Data = compact(t, e.Data), compact(t, back.Data)
		if d := cmp.Diff(e, back); d != "" {
			t.Fatal(d)
		}
	})
}

func compact(t *testing.T, raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return nil
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
