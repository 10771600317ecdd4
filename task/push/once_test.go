package push

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/memrecords"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/ledger"
)

// enqueueOnce sends a task with an oncekey.
func (r *rig) enqueueOnce(id, key, data string) {
	r.t.Helper()
	e := task.Event{ID: id, Source: "test", Type: "charge", Data: []byte(data), Extensions: map[string]string{OnceKey: key}}
	body, err := e.Encode()
	if err == nil {
		_, err = r.q.Send(r.t.Context(), queue.Outgoing{Body: body, Delay: -1})
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) withLedger() {
	r.t.Helper()
	l, err := ledger.New(records.New(memrecords.New()), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	r.o.Ledger = l
}

// TestOnce: a task with a key, sent twice; what the endpoint answers, when it is
// asked, and what becomes of both messages.
func TestOnce(t *testing.T) {
	cut := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	for name, c := range map[string]struct {
		h      http.HandlerFunc
		policy ledger.Policy
		asked  []string // by which of the two does not matter
		dead   int
		letter string
	}{
		"done":          {status(200), "", []string{"0 1"}, 0, ""},
		"nobody knows":  {status(500), "", []string{"0 1"}, 2, "it is not known whether the effect happened"},
		"cut":           {cut, "", []string{"0 1"}, 2, "the connection ended without an answer"},
		"says not done": {inTurn(status(500, NotDone, "true"), status(200)), "", []string{"0 1", "1 2"}, 0, ""},
		"says when to come, and that nothing was done": {inTurn(status(503, NotDone, "true", "Retry-After", "5"), status(200)),
			"", []string{"0 1", "3 1"}, 0, ""},
		"says when to come, and not whether something was done": {status(503, "Retry-After", "5"), "", []string{"0 1"}, 2, "503 Service Unavailable"},
		"never done":    {status(409, NotDone, "true"), "", []string{"0 1", "1 2", "2 3", "3 1", "4 2", "5 3"}, 2, "409 Conflict"},
		"at least once": {inTurn(cut, status(200)), ledger.AtLeastOnce, []string{"0 1", "61"}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, "default", 3, c.h)
				r.withLedger()
				r.o.Once, r.o.Concurrency = c.policy, 1
				r.enqueueOnce("a", "charge/1", `{"cents":100}`)
				stop := r.run()
				time.Sleep(3 * time.Second)
				r.enqueueOnce("b", "charge/1", `{ "cents": 100 }`)
				time.Sleep(20 * time.Minute)
				stop()
				var asked []string
				for _, x := range r.requests() {
					second, attempt := strings.Fields(x)[0], strings.Fields(x)[2]
					if second == "61" { // of the two the first to come has it: one failed before, one waited
						attempt = ""
					}
					asked = append(asked, strings.TrimSpace(second+" "+attempt))
				}
				if d := cmp.Diff(c.asked, asked); d != "" {
					t.Error(d)
				}
				r.empty()
				letters := r.letters()
				if len(letters) != c.dead {
					t.Errorf("%d dead letters", len(letters))
				}
				if len(letters) > 0 && !strings.Contains(letters[0].Attributes[task.AttributeError].String, c.letter) {
					t.Errorf("dead letter says %q", letters[0].Attributes[task.AttributeError].String)
				}
				if t.Failed() {
					t.Log(r.outcomes())
				}
			})
		})
	}
}

// TestOnceUnreachable: what was not sent is not unknown, though dayfly is stopped
// while it waits.
func TestOnceUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "default", 1, status(200))
		r.withLedger()
		r.setDown(errRefused)
		r.enqueueOnce("a", "charge/1", `{}`)
		stop := r.run()
		time.Sleep(time.Minute)
		stop()
		r.setDown(nil)
		r.begun = time.Now()
		stop = r.run()
		time.Sleep(time.Second)
		stop()
		if d := cmp.Diff([]string{"0 a 1"}, r.requests()); d != "" {
			t.Error(d)
		}
		r.empty()
	})
}

// TestOnceRefused: a key with another payload, a key that is none, and a pusher
// without a ledger.
func TestOnceRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "default", 2, status(200))
		without := r.o
		r.withLedger()
		r.enqueueOnce("a", "charge/1", `{"cents":100}`)
		stop := r.run()
		time.Sleep(time.Second)
		r.enqueueOnce("b", "charge/1", `{"cents":200}`)
		r.enqueueOnce("c", "", `{}`)
		time.Sleep(time.Minute)
		stop()
		r.o = without
		r.enqueueOnce("d", "charge/2", `{}`)
		stop = r.run()
		time.Sleep(time.Minute)
		stop()
		if d := cmp.Diff([]string{"0 a 1"}, r.requests()); d != "" {
			t.Error(d)
		}
		want := map[string]string{"b": "1 with another payload", "c": "1 the key is empty", "d": "2 set RECORDS_URL"}
		for _, m := range r.letters() {
			e, err := task.Decode(m.Body)
			if err != nil {
				t.Fatal(err)
			}
			attempts, text, _ := strings.Cut(want[e.ID], " ")
			if got := m.Attributes[task.AttributeError].String; !strings.Contains(got, text) || m.Attributes[task.AttributeAttempts].String != attempts {
				t.Errorf("%s: %q after %s attempts, want …%s… after %s", e.ID, got, m.Attributes[task.AttributeAttempts].String, text, attempts)
			}
			delete(want, e.ID)
		}
		if len(want) > 0 {
			t.Errorf("no dead letters for %v", want)
		}
	})
}
