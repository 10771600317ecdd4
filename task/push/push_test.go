package push

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/task"
)

// TestOutcomes: one task, what the endpoint answers to it, when it was asked
// and as which attempt, and what became of the task.
func TestOutcomes(t *testing.T) {
	cut := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	slow := func(w http.ResponseWriter, q *http.Request) { <-q.Context().Done() }
	in90 := func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Retry-After", time.Now().Add(90*time.Second).UTC().Format(http.TimeFormat))
		w.WriteHeader(429)
	}
	halfAnAnswer := func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Length", "10")
		io.WriteString(w, "half")
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	garbage := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, q *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			io.WriteString(c, text)
			c.Close()
		}
	}
	for name, c := range map[string]struct {
		h        http.HandlerFunc
		asked    []string
		outcomes []string
		letter   string // what its error contains
	}{
		"200":           {status(200), []string{"0 a 1"}, []string{"done a 1"}, ""},
		"202":           {status(202), []string{"0 a 1"}, []string{"done a 1"}, ""},
		"204":           {status(204), []string{"0 a 1"}, []string{"done a 1"}, ""},
		"half of a 200": {halfAnAnswer, []string{"0 a 1"}, []string{"done a 1"}, ""},
		"early hints":   {func(w http.ResponseWriter, q *http.Request) { w.WriteHeader(103); w.WriteHeader(200) }, []string{"0 a 1"}, []string{"done a 1"}, ""},
		"500, then 200": {inTurn(status(500), status(200)), []string{"0 a 1", "1 a 2"}, []string{"retried a 1", "done a 2"}, ""},
		"400": {status(400), []string{"0 a 1", "1 a 2", "2 a 3"}, []string{"retried a 1", "retried a 2", "dead a 3"},
			"push: http://endpoint:1/tasks answered 400 Bad Request"},
		"503 with nothing said": {status(503), []string{"0 a 1", "1 a 2", "2 a 3"}, []string{"retried a 1", "retried a 2", "dead a 3"}, "503"},
		"503 with what is no time": {status(503, "Retry-After", "soon"), []string{"0 a 1", "1 a 2", "2 a 3"},
			[]string{"retried a 1", "retried a 2", "dead a 3"}, "503"},
		"503 Retry-After seconds": {inTurn(status(503, "Retry-After", "7"), status(503, "Retry-After", "0"), status(200)),
			[]string{"0 a 1", "7 a 1", "8 a 1"}, []string{"postponed a 1", "postponed a 1", "done a 1"}, ""},
		"429 Retry-After date": {inTurn(in90, status(200)), []string{"0 a 1", "90 a 1"}, []string{"postponed a 1", "done a 1"}, ""},
		"429 Retry-After a year": {inTurn(status(429, "Retry-After", "99999999999999999999"), status(200)),
			[]string{"0 a 1", "900 a 1"}, []string{"postponed a 1", "done a 1"}, ""},
		"429 between failures": {inTurn(status(500), status(429, "Retry-After", "5"), status(500), status(429, "Retry-After", "5"), status(500)),
			[]string{"0 a 1", "1 a 2", "6 a 2", "7 a 3", "12 a 3"},
			[]string{"retried a 1", "postponed a 2", "retried a 2", "postponed a 3", "dead a 3"}, "500"},
		"429 that never ends is none too many": {inTurn(status(429, "Retry-After", "1"), status(429, "Retry-After", "1"), status(429, "Retry-After", "1"),
			status(429, "Retry-After", "1"), status(200)), []string{"0 a 1", "1 a 1", "2 a 1", "3 a 1", "4 a 1"},
			[]string{"postponed a 1", "postponed a 1", "postponed a 1", "postponed a 1", "done a 1"}, ""},
		"302": {status(302, "Location", "https://user:secret@elsewhere.example/login?secret=1"), []string{"0 a 1", "1 a 2", "2 a 3"},
			[]string{"retried a 1", "retried a 2", "dead a 3"}, "answered 302 Found to https://elsewhere.example/login: redirects are not followed"},
		"307 to nowhere": {status(307), []string{"0 a 1", "1 a 2", "2 a 3"}, []string{"retried a 1", "retried a 2", "dead a 3"}, "to nowhere"},
		"garbage":        {inTurn(garbage("SMTP ready\r\n"), status(200)), []string{"0 a 1", "1 a 2"}, []string{"retried a 1", "done a 2"}, ""},
		"endless head": {inTurn(garbage("HTTP/1.1 200 OK\r\nA: "+strings.Repeat("x", 70<<10)+"\r\n\r\n"), status(200)),
			[]string{"0 a 1", "1 a 2"}, []string{"retried a 1", "done a 2"}, ""},
		"cut, then 200": {inTurn(cut, status(200)), []string{"0 a 1", "1 a 2"}, []string{"retried a 1", "done a 2"}, ""},
		"no answer": {slow, []string{"0 a 1", "61 a 2", "122 a 3"}, []string{"retried a 1", "retried a 2", "dead a 3"},
			"no answer within 1m0s"},
		"longer than the visibility timeout": {func(w http.ResponseWriter, q *http.Request) { time.Sleep(59 * time.Second) },
			[]string{"0 a 1"}, []string{"done a 1"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, "default", 3, c.h)
				r.o.Timeout = time.Minute
				r.enqueue("a")
				stop := r.run()
				time.Sleep(20 * time.Minute)
				stop()
				if d := cmp.Diff(c.asked, r.requests()); d != "" {
					t.Error("asked", d)
				}
				if d := cmp.Diff(c.outcomes, r.outcomes()); d != "" {
					t.Error("outcomes", d)
				}
				r.empty()
				letters := r.letters()
				if c.letter == "" && len(letters) == 0 {
					return
				}
				if len(letters) != 1 {
					t.Fatalf("%d dead letters", len(letters))
				}
				if text := letters[0].Attributes[task.AttributeError].String; !strings.Contains(text, c.letter) || strings.Contains(text, "secret") {
					t.Errorf("dead letter says %q, want …%s…", text, c.letter)
				}
			})
		})
	}
}

// TestFIFO: on a FIFO queue a task that is to come again keeps its place.
func TestFIFO(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "q.fifo", 3, inTurn(status(503, "Retry-After", "60"), status(500), status(503, "Retry-After", "60"), status(200)))
		r.enqueue("a", "b")
		stop := r.run()
		time.Sleep(10 * time.Minute)
		stop()
		if d := cmp.Diff([]string{"0 a 1", "60 a 1", "61 a 2", "121 a 2", "121 b 1"}, r.requests()); d != "" {
			t.Error(d)
		}
		r.empty()
	})
}

// TestAnswersAreBounded: what is kept of an answer is its start, on one line,
// without the token it repeats, also where the token ends beyond what is kept.
func TestAnswersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "default", 1, func(w http.ResponseWriter, q *http.Request) {
			w.WriteHeader(500)
			io.WriteString(w, "Traceback\n  "+q.Header.Get("Authorization")+"\n\x00\xff")
			io.WriteString(w, strings.Repeat("x", maxText-65)+q.Header.Get("Authorization"))
			for q.Context().Err() == nil { // without end
				if _, err := io.WriteString(w, strings.Repeat("y", 1000)); err != nil {
					return
				}
			}
		})
		r.enqueue("a")
		stop := r.run()
		time.Sleep(time.Minute)
		stop()
		letters := r.letters()
		if len(letters) != 1 {
			t.Fatalf("%d dead letters", len(letters))
		}
		text := letters[0].Attributes[task.AttributeError].String
		if !strings.Contains(text, "500 Internal Server Error: Traceback Bearer [token] ") || len(text) > maxText+100 || strings.Contains(text, token[:4]) {
			t.Errorf("%d bytes: %s", len(text), text)
		}
	})
}

// TestDripping: an answer whose body does not end is done with soon.
func TestDripping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "default", 1, func(w http.ResponseWriter, q *http.Request) {
			for q.Context().Err() == nil {
				io.WriteString(w, ".")
				http.NewResponseController(w).Flush()
				time.Sleep(time.Second)
			}
		})
		r.enqueue("a")
		stop := r.run()
		time.Sleep(bodyTimeout + time.Second)
		if d := cmp.Diff([]string{"done a 1"}, r.outcomes()); d != "" {
			t.Error(d)
		}
		stop()
	})
}

func TestNew(t *testing.T) {
	r := newRig(t, "default", 1, status(200))
	for want, change := range map[string]func(*Options){
		"no queue":           func(o *Options) { o.Queue = nil },
		"is not an address":  func(o *Options) { o.URL = "http://u:hunter2@[::1" },
		"must begin":         func(o *Options) { o.URL = "ftp://host/hunter2" },
		"and a host":         func(o *Options) { o.URL = "http:///tasks" },
		"has a user":         func(o *Options) { o.URL = "http://u:hunter2@host:1/" },
		"a fragment":         func(o *Options) { o.URL = "http://host:1/#hunter2" },
		"Concurrency is -1":  func(o *Options) { o.Concurrency = -1 },
		"is 1001, not 1–100": func(o *Options) { o.Concurrency = 1001 },
		"Timeout is 1ms":     func(o *Options) { o.Timeout = time.Millisecond },
		"has 7 characters":   func(o *Options) { o.Token = "hunter2" },
		"printable ASCII":    func(o *Options) { o.Token = "hunter2 hunter2 hunter2" },
	} {
		o := r.o
		change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", want, err)
		}
	}
}
