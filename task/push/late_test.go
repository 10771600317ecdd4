package push

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/task"
)

// TestLateAnswer: an answer within the ten minutes that are the default counts.
// One after that comes to nobody: the task is pushed again, or, if it is to be
// done once, is for a person.
func TestLateAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		takes     time.Duration
		once      bool
		asked     []string
		outcomes  []string
		letter    string
		abandoned int // requests whose connection ended before the answer
	}{
		"9:59":       {10*time.Minute - time.Second, false, []string{"0 a 1"}, []string{"done a 1"}, "", 0},
		"10:01":      {10*time.Minute + time.Second, false, []string{"0 a 1", "601 a 2"}, []string{"retried a 1", "dead a 2"}, "no answer within 10m0s", 2},
		"once, 9:59": {10*time.Minute - time.Second, true, []string{"0 a 1"}, []string{"done a 1"}, "", 0},
		"once, 10:01": {10*time.Minute + time.Second, true, []string{"0 a 1"}, []string{"dead a 1"},
			"it is not known whether the effect happened", 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				abandoned := make(chan bool, 10)
				r := newRig(t, "default", 2, func(w http.ResponseWriter, q *http.Request) {
					time.Sleep(c.takes)
					abandoned <- q.Context().Err() != nil
				})
				r.withLedger()
				if c.once {
					r.enqueueOnce("a", "charge/1", `{}`)
				} else {
					r.enqueue("a")
				}
				stop := r.run()
				time.Sleep(time.Hour)
				stop()
				if d := cmp.Diff(c.asked, r.requests()); d != "" {
					t.Error("asked", d)
				}
				if d := cmp.Diff(c.outcomes, r.outcomes()); d != "" {
					t.Error("outcomes", d)
				}
				r.empty()
				n := 0
				for range c.asked {
					if <-abandoned {
						n++
					}
				}
				if n != c.abandoned {
					t.Errorf("%d requests were abandoned, not %d", n, c.abandoned)
				}
				if letters := r.letters(); c.letter == "" && len(letters) > 0 || c.letter != "" &&
					(len(letters) != 1 || !strings.Contains(letters[0].Attributes[task.AttributeError].String, c.letter)) {
					t.Errorf("%d dead letters: %v", len(letters), letters)
				}
			})
		})
	}
}

// TestClosedMidBody: an endpoint that ends the connection in the middle of the
// request is one of which nobody knows what it did, unless it has answered; over
// real connections, whose buffers take a part of what is sent.
func TestClosedMidBody(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		once   bool
		asked  int
		letter string
	}{
		"no answer":           {"", false, 2, "the connection ended without an answer"},
		"no answer, once":     {"", true, 1, "it is not known whether the effect happened"},
		"413":                 {"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", false, 2, "413 Request Entity Too Large"},
		"413, nothing's done": {"HTTP/1.1 413 Content Too Large\r\n" + NotDone + ": true\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", true, 2, "413 Request Entity Too Large"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "default", 2, status(500))
			r.withLedger()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			asked := make(chan bool, 10)
			serving := make(chan struct{})
			go func() { // ends with the listener
				defer close(serving)
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					asked <- true
					closeMidBody(conn, c.answer)
				}
			}()
			defer func() { l.Close(); <-serving }()
			r.o.Transport, r.o.URL = newTransport(), "http://"+l.Addr().String()+"/tasks"
			r.o.Backoff = task.Backoff{Min: time.Millisecond, Max: 10 * time.Millisecond}
			data := `{"text":"` + strings.Repeat("x", 900_000) + `"}`
			if c.once {
				r.enqueueOnce("a", "charge/1", data)
			} else if _, err := task.EnqueueNamed(t.Context(), task.NewClient(r.q, nil), "work", []byte(data), task.ID("a")); err != nil {
				t.Fatal(err)
			}
			stop := r.run()
			for end := time.Now().Add(time.Minute); len(r.outcomes()) == 0 || !strings.HasPrefix(r.outcomes()[len(r.outcomes())-1], "dead"); {
				if time.Now().After(end) {
					t.Fatalf("%v\n%s", r.outcomes(), r.logs.text())
				}
				time.Sleep(10 * time.Millisecond) // for the dead letter, over real connections
			}
			stop()
			if len(asked) != c.asked {
				t.Errorf("asked %d times, not %d: %v", len(asked), c.asked, r.outcomes())
			}
			r.empty()
			letters := r.letters()
			if len(letters) != 1 {
				t.Fatalf("%d dead letters", len(letters))
			}
			if why := letters[0].Attributes[task.AttributeError].String; !strings.Contains(why, c.letter) {
				t.Errorf("dead letter says %q", why)
			}
		})
	}
}

// closeMidBody reads the head and the beginning of the body, answers, and closes.
func closeMidBody(conn net.Conn, answer string) {
	defer conn.Close()
	io.ReadFull(conn, make([]byte, 4000)) //nolint:errcheck // what there is
	if answer == "" {
		return
	}
	io.WriteString(conn, answer) //nolint:errcheck // it may have gone
	// Closed with bytes unread the kernel sends a reset, which takes the answer
	// with it: so what comes is read for a while, as servers do.
	conn.SetReadDeadline(time.Now().Add(time.Minute)) //nolint:errcheck // of TCP it is none
	io.Copy(io.Discard, conn)                         //nolint:errcheck // until it ends
}
