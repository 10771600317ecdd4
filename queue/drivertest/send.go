package drivertest

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dayfly-dev/dayfly/queue"
)

var sendTests = map[string]func(*env){
	"RoundTrip": func(e *env) {
		q := e.queue()
		for name, body := range map[string]string{
			"one byte":    "x",
			"white space": " \t\r\n ",
			"markup":      `<a href="x">&amp; "quoted" 'too'</a>`,
			"json":        `{"a":[1,2,{"b":"\u0000"}]}`,
			"unicode":     "žluťoučký кон 漢字 🐎 \U0010FFFD\uE000\uFFFD",
			"64 KiB":      strings.Repeat("0123456789abcdef", 4096),
			"1 MiB":       strings.Repeat("m", 1<<20),
		} {
			out := text(body)
			if len(body) < 1<<20 { // the limit is for body and attributes together
				out.Attributes = map[string]queue.Attribute{
					"s":         {DataType: "String", String: "text with ünicode"},
					"n":         {DataType: "Number", String: "-12.5e3"},
					"b":         {DataType: "Binary", Binary: []byte{0, 1, 2, 255}},
					"custom.ty": {DataType: "String.uuid", String: "x"},
				}
				out.System = map[string]queue.Attribute{
					"AWSTraceHeader": {DataType: "String", String: "Root=1-5759e988-bd862e3fe1be46a994272793"},
				}
			}
			before := time.Now()
			sent, err := q.Send(e.ctx, out)
			if err != nil {
				e.Fatalf("%s: %v", name, err)
			}
			got := e.take(q)
			e.delete(q, got.Receipt)
			want := queue.Message{ID: sent[0].ID, Body: body, Attributes: out.Attributes, System: out.System, Receives: 1}
			ignore := cmpopts.IgnoreFields(queue.Message{}, "Receipt", "Sent", "FirstReceived", "Sequence")
			if diff := cmp.Diff(want, got, ignore, cmpopts.EquateEmpty()); diff != "" {
				e.Errorf("%s (-want +got):\n%s", name, diff)
			}
			for what, at := range map[string]time.Time{"sent": got.Sent, "first received": got.FirstReceived} {
				if at.Before(before.Add(-time.Second)) || at.After(time.Now().Add(time.Second)) {
					e.Errorf("%s: %s at %v, which is not now", name, what, at)
				}
			}
		}
	},
	"BatchResultsInOrder": func(e *env) {
		q := e.queue()
		var out []queue.Outgoing
		for i := range 10 {
			out = append(out, text(fmt.Sprint("body ", i)))
		}
		sent, err := q.Send(e.ctx, out...)
		if err != nil {
			e.Fatal(err)
		}
		if len(sent) != len(out) {
			e.Fatalf("%d results, want %d", len(sent), len(out))
		}
		byID := map[string]string{}
		for i, s := range sent {
			if byID[s.ID] != "" {
				e.Errorf("id %s twice", s.ID)
			}
			byID[s.ID] = out[i].Body
		}
		for _, m := range e.takeN(q, 10) {
			if byID[m.ID] != m.Body {
				e.Errorf("id %s has body %q, want %q", m.ID, m.Body, byID[m.ID])
			}
		}
	},
	"DelayOfMessage": func(e *env) {
		q := e.queue()
		begun := time.Now()
		if _, err := q.Send(e.ctx, queue.Outgoing{Body: "later", Delay: e.brief()}); err != nil {
			e.Fatal(err)
		}
		e.none(q)
		e.wantCounts(q, 0, 1, 0)
		e.takeWith(q, queue.ReceiveOptions{Max: 1, Visibility: -1, Wait: 20 * time.Second})
		e.wantElapsed(begun, e.brief())
	},
	"DelayOfQueue": func(e *env) {
		q := e.queue(func(a *queue.Attributes) { a.Delay = e.brief() })
		begun := time.Now()
		e.send(q, "the queue's")
		if _, err := q.Send(e.ctx, queue.Outgoing{Body: "none", Delay: 0}); err != nil {
			e.Fatal(err)
		}
		if m := e.take(q); m.Body != "none" {
			e.Errorf("body is %q, want none", m.Body)
		}
		m := e.takeWith(q, queue.ReceiveOptions{Max: 1, Visibility: -1, Wait: 20 * time.Second})
		if m.Body != "the queue's" {
			e.Errorf("body is %q", m.Body)
		}
		e.wantElapsed(begun, e.brief())
	},
	"LongDelay": func(e *env) {
		e.needVirtual()
		q := e.queue()
		if _, err := q.Send(e.ctx, queue.Outgoing{Body: "later", Delay: 15 * time.Minute}); err != nil {
			e.Fatal(err)
		}
		e.sleep(15*time.Minute - time.Second)
		e.none(q)
		e.sleep(time.Second + time.Millisecond)
		e.take(q)
	},
	"TooLargeForQueue": func(e *env) {
		q := e.queue(func(a *queue.Attributes) { a.MaxMessageSize = 1024 })
		e.send(q, strings.Repeat("x", 1024))
		_, err := q.Send(e.ctx, text(strings.Repeat("x", 1025)))
		e.wantErr(err, queue.ErrTooLarge)
		withAttribute := text(strings.Repeat("x", 1020))
		withAttribute.Attributes = map[string]queue.Attribute{"a": {DataType: "String", String: "1234"}}
		_, err = q.Send(e.ctx, withAttribute)
		e.wantErr(err, queue.ErrTooLarge)
		e.take(q)
		e.none(q)
	},
}
