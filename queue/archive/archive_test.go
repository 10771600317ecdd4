package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

var (
	standard = driver.Attributes{Visibility: 90 * time.Second, Retention: time.Hour, MaxMessageSize: 1 << 20}
	someTime = time.Date(2026, 11, 3, 4, 5, 6, 789e6, time.UTC)
)

// sample has every field with a value somewhere, and the odd ones.
func sample() []Item {
	full := standard
	full.Delay, full.ReceiveWait = 10*time.Second, 1500*time.Millisecond
	full.DeadLetter = &driver.DeadLetter{Queue: "dead", MaxReceives: 5}
	full.Extra = map[string]string{"Policy": `{"a":"<b>"}`}
	fifo := standard
	fifo.FIFO, fifo.ContentDedup, fifo.GroupDedup = true, true, true
	message := func(queue string, change func(*Message)) Item {
		m := &Message{Queue: queue, Browsed: driver.Browsed{State: driver.StateVisible, Message: driver.Message{ID: "id", Body: "body", Sent: someTime}}}
		change(m)
		return Item{Message: m}
	}
	return []Item{
		{Queue: &Queue{Name: "mail", Attributes: full, Tags: map[string]string{"team": "ä"}, Created: someTime, Modified: someTime.Add(time.Hour)}},
		message("mail", func(m *Message) {
			m.State, m.VisibleAt = driver.StateInFlight, someTime.Add(time.Minute)
			m.Receives, m.ReceivesBefore, m.FirstReceived, m.Source = 7, 3, someTime, "other"
			m.Doubtful = true
			m.Attributes = map[string]driver.Attribute{
				"text":   {DataType: "String.x", String: "line\nbreak"},
				"number": {DataType: "Number", String: "1e3"},
				"bytes":  {DataType: "Binary", Binary: []byte{0, 255, 128}},
			}
			m.System = map[string]driver.Attribute{"AWSTraceHeader": {DataType: "String", String: "Root=1"}}
		}),
		message("mail", func(m *Message) { m.State, m.VisibleAt = driver.StateDelayed, someTime }),
		message("mail", func(m *Message) { m.Body = "<&>\u2028 \U0001F600 \"\\\t\r\n" }),
		message("mail", func(m *Message) { m.Body = strings.Repeat("ü", 1<<19) }),
		{Queue: &Queue{Name: "orders.fifo", Attributes: fifo}},
		message("orders.fifo", func(m *Message) { m.GroupID, m.DedupID, m.Sequence = "g", "d", "10000000000000000001" }),
	}
}

func write(t testing.TB, items []Item) []byte {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b)
	err := w.Begin()
	for _, x := range items {
		switch {
		case err != nil:
		case x.Queue != nil:
			err = w.Queue(*x.Queue)
		case x.Message != nil:
			err = w.Message(*x.Message)
		}
	}
	if err == nil {
		_, err = w.End(3, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(b []byte) (items []Item, err error) {
	r := NewReader(bytes.NewReader(b))
	for {
		x, err := r.Next()
		if errors.Is(err, io.EOF) {
			return items, nil
		}
		if err != nil {
			return items, err
		}
		items = append(items, x)
	}
}

var withoutLines = cmpopts.IgnoreFields(Item{}, "Line")

func TestRoundTrip(t *testing.T) {
	want := sample()
	got, err := read(write(t, want))
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, Item{End: &End{Queues: 2, Messages: 5, Lost: 3, Damaged: true}})
	if diff := cmp.Diff(want, got, withoutLines); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
	for i, x := range got {
		if x.Line != i+2 {
			t.Errorf("item %d is on line %d", i, x.Line)
		}
	}
}

// TestNotUTF8: bytes that JSON has no form for come back too. Package queue takes
// no such body, so the reader refuses it, but with its bytes.
func TestNotUTF8(t *testing.T) {
	b := write(t, []Item{{Queue: &Queue{Name: "q", Attributes: standard}}, {Message: &Message{Queue: "q",
		Browsed: driver.Browsed{State: driver.StateVisible, Message: driver.Message{Body: "a\xff", Attributes: map[string]driver.Attribute{"s": {DataType: "String", String: "\xfe"}}}}}}})
	for _, part := range []string{`"body_base64":"Yf8="`, `"string_base64":"/g=="`} {
		if !strings.Contains(string(b), part) {
			t.Errorf("no %s in\n%s", part, b)
		}
	}
	if _, err := read(b); err == nil || !strings.Contains(err.Error(), "line 3: ") {
		t.Errorf("error is %v", err)
	}
}

// TestCut cuts a file at every byte: it is never taken for whole.
func TestCut(t *testing.T) {
	whole := write(t, append(sample()[:4:4], sample()[5:]...))
	for n := range len(whole) {
		if _, err := read(whole[:n]); err == nil {
			t.Fatalf("cut to %d of %d bytes: no error", n, len(whole))
		}
	}
	if _, err := read(whole[:len(whole)-1]); !errors.Is(err, ErrCut) {
		t.Errorf("error is %v, want ErrCut", err)
	}
}

func TestRefused(t *testing.T) {
	const (
		header = `{"type":"dayfly queue export","version":1}` + "\n"
		q      = `{"type":"queue","name":"q","attributes":{"visibility":"30s","delay":"0s","retention":"1h","receive_wait":"0s","max_message_size":1024}}` + "\n"
		m      = `{"type":"message","queue":"q","state":"visible","receives":0,"body":"b"}` + "\n"
	)
	end := func(queues, messages int) string {
		return fmt.Sprintf(`{"type":"end","queues":%d,"messages":%d}`+"\n", queues, messages)
	}
	if _, err := read([]byte(header + q + m + end(1, 1))); err != nil {
		t.Fatalf("the file that others are made of: %v", err)
	}
	for name, c := range map[string]struct{ file, want string }{
		"empty":              {"", "line 1: not an export"},
		"something else":     {"hello\n", "line 1: not an export"},
		"newer":              {`{"type":"dayfly queue export","version":2}` + "\n", "version 2 of the format, and this dayfly knows up to 1"},
		"no version":         {`{"type":"dayfly queue export"}` + "\n", "0 is no version"},
		"no end":             {header + q + m, "line 4: the file was cut short"},
		"lines missing":      {header + q + end(1, 1), "line 3: 1 queues and 0 messages came before"},
		"after the end":      {header + end(0, 0) + q, "line 3: something follows"},
		"two ends":           {header + end(0, 0) + end(0, 0), "line 3: something follows"},
		"unknown type":       {header + `{"type":"x"}` + "\n", `line 2: unknown type "x"`},
		"unknown field":      {header + strings.Replace(q, `"name"`, `"nome":"","name"`, 1), `unknown field "nome"`},
		"not JSON":           {header + "{\n", "line 2: not JSON"},
		"two objects a line": {header + strings.TrimSpace(q) + q, "line 2: not JSON"},
		"twice the queue":    {header + q + q, `queue "q" a second time`},
		"no such queue":      {header + m, `message of queue "q", which no line before names`},
		"queue's name":       {header + strings.Replace(q, `"q"`, `"q q"`, 1), "line 2: queue: Name"},
		"retention":          {header + strings.Replace(q, `"1h"`, `"1s"`, 1), "line 2: queue: Retention"},
		"state":              {header + q + strings.Replace(m, "visible", "gone", 1), `state "gone": must be`},
		"no visible_at":      {header + q + strings.Replace(m, "visible", "delayed", 1), "must have a visible_at"},
		"body":               {header + q + strings.Replace(m, `"b"`, `""`, 1), "line 3: queue: Body"},
		"receives":           {header + q + strings.Replace(m, `:0`, `:-1`, 1), "line 3: receives -1"},
		"before 1970":        {header + q + strings.Replace(m, `"body"`, `"first_received":"1969-01-01T00:00:00Z","body"`, 1), "line 3: 1969-01-01T00:00:00Z is before 1970"},
		"dedup id":           {header + q + strings.Replace(m, `"body"`, `"dedup_id":"d","body"`, 1), "line 3: queue: DedupID"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := read([]byte(c.file)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want one with %q", err, c.want)
			}
		})
	}
}

// endless is a line without an end.
type endless struct{ read int64 }

func (e *endless) Read(p []byte) (int, error) {
	e.read += int64(len(p))
	return len(p), nil
}

func TestLongLine(t *testing.T) {
	var e endless
	if _, err := NewReader(&e).Next(); err == nil || e.read > 2*MaxLine {
		t.Errorf("after %d bytes: %v", e.read, err)
	}
}

// FuzzReader: whatever the file, reading ends, and what is read can be written
// and read again.
func FuzzReader(f *testing.F) {
	whole := write(f, append(sample()[:4:4], sample()[5:]...))
	f.Add(whole)
	for _, line := range bytes.SplitAfter(whole, []byte("\n")) {
		f.Add(append(bytes.SplitAfterN(whole, []byte("\n"), 2)[0], line...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		items, err := read(b)
		if err != nil {
			var wrong *Error
			if !errors.As(err, &wrong) || wrong.Line < 1 {
				t.Errorf("the error names no line: %v", err)
			}
			return
		}
		again, err := read(write(t, items))
		if err != nil {
			t.Fatalf("what was read cannot be read once written: %v", err)
		}
		last := len(items) - 1 // the end says what was lost
		if diff := cmp.Diff(items[:last], again[:last], withoutLines, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-read +read again):\n%s", diff)
		}
	})
}
