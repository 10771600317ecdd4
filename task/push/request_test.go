package push

import (
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/task"
)

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

func pusher(t testing.TB, o Options) *Pusher {
	t.Helper()
	to, err := parseURL("http://endpoint:1/tasks?a=b")
	if err != nil {
		t.Fatal(err)
	}
	return &Pusher{o: o, to: to}
}

// TestRequest: the whole of a request.
func TestRequest(t *testing.T) {
	p := pusher(t, Options{Token: token})
	r, err := p.request(&task.Event{ID: "é 1", Source: "https://shop.example/?a=%41", Type: "mail.send", Time: time.Date(2026, 11, 21, 4, 30, 0, 5e8, time.UTC),
		Traceparent: "00-0af7-b7ad-01", Tracestate: "a=1, b=2", Data: []byte(`{"to":"ü"}`), Extensions: map[string]string{"oncekey": `say "hi"`, "subject": "€"}},
		task.Run{Attempt: 3, Queue: "default"})
	if err != nil {
		t.Fatal(err)
	}
	want := http.Header{
		"Ce-Specversion": {"1.0"}, "Ce-Id": {"%C3%A9%201"}, "Ce-Source": {"https://shop.example/?a=%2541"}, "Ce-Type": {"mail.send"},
		"Ce-Time": {"2026-11-21T04:30:00.5Z"}, "Ce-Traceparent": {"00-0af7-b7ad-01"}, "Traceparent": {"00-0af7-b7ad-01"},
		"Ce-Tracestate": {"a=1,%20b=2"}, "Tracestate": {"a=1, b=2"},
		"Ce-Oncekey": {"say%20%22hi%22"}, "Ce-Subject": {"%E2%82%AC"}, "Content-Type": {"application/json"}, "User-Agent": {"dayfly"},
		"Dayfly-Attempt": {"3"}, "Dayfly-Queue": {"default"}, "Authorization": {"Bearer " + token},
	}
	if d := cmp.Diff(want, r.Header); d != "" {
		t.Error(d)
	}
	body, _ := io.ReadAll(r.Body)
	if r.Method != "POST" || r.URL.String() != "http://endpoint:1/tasks?a=b" || string(body) != `{"to":"ü"}` || r.ContentLength != int64(len(body)) {
		t.Errorf("%s %s %q, %d bytes", r.Method, r.URL, body, r.ContentLength)
	}
	r, err = pusher(t, Options{}).request(&task.Event{ID: "1", Source: "s", Type: "t"}, task.Run{Attempt: 1, Queue: "q"})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"Ce-Id", "Ce-Source", "Ce-Specversion", "Ce-Type", "Dayfly-Attempt", "Dayfly-Queue", "User-Agent"},
		slices.Sorted(maps.Keys(r.Header))); d != "" || r.ContentLength != 0 {
		t.Errorf("%s, %d bytes", d, r.ContentLength)
	}
	long := &task.Event{ID: "1", Source: "s", Type: "t", Extensions: map[string]string{"a": strings.Repeat("ü", 2000)}}
	if _, err = p.request(long, task.Run{}); err == nil || !strings.Contains(err.Error(), "bytes of headers, more than") {
		t.Errorf("attributes of 12 KB: %v", err)
	}
}

// FuzzRequest: any event makes a request that HTTP can carry, whose attributes
// are read back as they were, or an error.
func FuzzRequest(f *testing.F) {
	f.Add("1", "dayfly", "work", "oncekey", "a\nb\x00%")
	f.Fuzz(func(t *testing.T, id, source, kind, name, value string) {
		e := &task.Event{ID: id, Source: source, Type: kind, Extensions: map[string]string{name: value}}
		if _, err := e.Encode(); err != nil { // Decode gives no such event
			return
		}
		r, err := pusher(t, Options{}).request(e, task.Run{Attempt: 1, Queue: "q"})
		if err != nil {
			if len(id+source+kind+name+value) < maxHead/3-500 {
				t.Fatal(err)
			}
			return
		}
		for key, want := range map[string]string{"id": id, "source": source, "type": kind, name: value} {
			got, err := url.PathUnescape(r.Header.Get("ce-" + key))
			if err != nil || got != want {
				t.Fatalf("%s is %q, not %q: %v", key, got, want, err)
			}
		}
		for name, values := range r.Header {
			if strings.ContainsFunc(values[0], func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Fatalf("%s: %q", name, values[0])
			}
		}
	})
}

// FuzzAnswer: what an endpoint answers is bounded, clean and without the token.
func FuzzAnswer(f *testing.F) {
	f.Add(500, "7", "https://u:p@h/?q", "text "+token)
	f.Add(429, "Sat, 21 Nov 2026 04:30:00 GMT", ":", "\x00\xff")
	f.Fuzz(func(t *testing.T, code int, after, location, text string) {
		if code < 100 || code > 999 {
			return
		}
		p := pusher(t, Options{Token: token})
		res := &http.Response{StatusCode: code, Header: http.Header{"Retry-After": {after}, "Location": {location}}, Body: io.NopCloser(strings.NewReader(text))}
		a := p.read(res)
		if a.after != 0 && (a.after < time.Second || a.after > maxAfter) {
			t.Fatalf("comes again in %v", a.after)
		}
		if done := code >= 200 && code <= 299; done != (a.failure == nil) {
			t.Fatalf("%d: %v", code, a.failure)
		}
		if a.failure == nil {
			return
		}
		said := a.failure.Error()
		if len(said) > 2*maxText+300 || !utf8.ValidString(said) || strings.Contains(said, "\n") || strings.Contains(said, token) {
			t.Fatalf("%d bytes: %q", len(said), said)
		}
	})
}
