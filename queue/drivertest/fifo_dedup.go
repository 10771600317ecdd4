package drivertest

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
)

// wantDuplicate sends what was sent before: the answer is the same.
func (e *env) wantDuplicate(q *queue.Queue, out queue.Outgoing, first queue.Sent) {
	e.Helper()
	if again := e.sendOut(q, out); again[0] != first {
		e.Errorf("duplicate answered with %+v, the first with %+v", again[0], first)
	}
}

// wantStored sends what must not pass for a duplicate.
func (e *env) wantStored(q *queue.Queue, out queue.Outgoing, before ...queue.Sent) queue.Sent {
	e.Helper()
	sent := e.sendOut(q, out)[0]
	for _, b := range before {
		if sent.ID == b.ID || sent.Sequence <= b.Sequence {
			e.Errorf("answered with %+v after %+v: it passed for a duplicate", sent, b)
		}
	}
	return sent
}

func contentDedup(a *queue.Attributes) { a.ContentDedup = true }
func groupDedup(a *queue.Attributes)   { a.GroupDedup = true }

func contentOf(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

var fifoDedupTests = map[string]func(*env){
	"ByID": func(e *env) {
		q := e.fifo()
		first := inGroup("g", "first")
		sent := e.sendOut(q, first)[0]
		again := first
		again.Body, again.Attributes = "again", map[string]queue.Attribute{"a": {DataType: "String", String: "v"}}
		e.wantDuplicate(q, again, sent)
		m := e.wantReceived(q, 10, "first")
		e.wantDuplicate(q, again, sent) // while in flight
		e.deleteAll(q, m)
		e.wantDuplicate(q, again, sent) // and deleted
		e.none(q)
		e.wantCounts(q, 0, 0, 0)
	},
	"InOneSend": func(e *env) {
		q := e.fifo()
		a, b := inGroup("g", "a"), inGroup("g", "b")
		sent := e.sendOut(q, a, a, b, a)
		if sent[1] != sent[0] || sent[3] != sent[0] || sent[2].ID == sent[0].ID {
			e.Errorf("answers are %+v", sent)
		}
		e.wantReceived(q, 10, "a", "b")
	},
	"ByContent": func(e *env) {
		q := e.fifo(contentDedup)
		out := queue.Outgoing{Body: "content", Delay: -1, GroupID: "g"}
		sent := e.sendOut(q, out)[0]
		again := out
		again.Attributes = map[string]queue.Attribute{"a": {DataType: "String", String: "not content"}}
		e.wantDuplicate(q, again, sent)
		other := out
		other.Body = "other content"
		e.wantStored(q, other, sent)
		m := e.wantReceived(q, 10, "content", "other content")
		if m[0].DedupID != contentOf("content") {
			e.Errorf("deduplication id is %q, want the SHA-256 of the body in hex", m[0].DedupID)
		}
	},
	"IDGoesBeforeContent": func(e *env) {
		q := e.fifo(contentDedup)
		one, two := inGroup("g", "same"), inGroup("g", "same")
		sent := e.sendOut(q, one)[0]
		e.wantStored(q, two, sent)
		e.wantDuplicate(q, one, sent)
		m := e.wantReceived(q, 10, "same", "same")
		if m[0].DedupID != one.DedupID || m[1].DedupID != two.DedupID {
			e.Errorf("deduplication ids are %q, %q; want %q, %q", m[0].DedupID, m[1].DedupID, one.DedupID, two.DedupID)
		}
	},
	// Both are one name space: developer guide, message deduplication id.
	"IDThatIsTheContentOfAnother": func(e *env) {
		q := e.fifo(contentDedup)
		sent := e.sendOut(q, queue.Outgoing{Body: "content", Delay: -1, GroupID: "g"})[0]
		e.wantDuplicate(q, queue.Outgoing{Body: "x", Delay: -1, GroupID: "g", DedupID: contentOf("content")}, sent)
		e.wantReceived(q, 10, "content")
	},
	"ScopeQueue": func(e *env) {
		q := e.fifo()
		out := inGroup("g", "x")
		sent := e.sendOut(q, out)[0]
		out.GroupID = "h"
		e.wantDuplicate(q, out, sent)
		e.wantReceived(q, 10, "x")
	},
	"ScopeGroup": func(e *env) {
		q := e.fifo(groupDedup)
		g, h := inGroup("g", "x"), inGroup("h", "y")
		h.DedupID = g.DedupID
		ofG := e.sendOut(q, g)[0]
		ofH := e.wantStored(q, h, ofG)
		e.wantDuplicate(q, g, ofG)
		e.wantDuplicate(q, h, ofH)
		e.wantReceived(q, 10, "x", "y")
	},
	"ScopeGroupByContent": func(e *env) {
		q := e.fifo(groupDedup, contentDedup)
		out := queue.Outgoing{Body: "x", Delay: -1, GroupID: "g"}
		ofG := e.sendOut(q, out)[0]
		e.wantDuplicate(q, out, ofG)
		out.GroupID = "h"
		e.wantStored(q, out, ofG)
	},
	"OfAnotherQueue": func(e *env) {
		a, b := e.fifo(), e.fifo()
		out := inGroup("g", "x")
		e.sendOut(a, out)
		e.sendOut(b, out)
		e.wantReceived(b, 10, "x")
	},
	"Required": func(e *env) {
		q := e.fifo()
		without := queue.Outgoing{Body: "without", Delay: -1, GroupID: "g"}
		_, err := q.Send(e.ctx, without)
		e.wantErr(err, queue.ErrNoDedupID)
		_, err = q.Send(e.ctx, inGroup("g", "with"), without)
		e.wantErr(err, queue.ErrNoDedupID)
		if !e.h.Remote {
			e.none(q)
		}
		change := e.attributes(func(a *queue.Attributes) { a.FIFO, a.ContentDedup = true, true })
		if err := e.s.SetAttributes(e.ctx, q.Name(), change); err != nil {
			e.Fatal(err)
		}
		e.wantDuplicate(q, without, e.sendOut(q, without)[0])
	},
	// What was refused has not been sent.
	"RefusedIsNotKnown": func(e *env) {
		q := e.fifo(func(a *queue.Attributes) { a.MaxMessageSize = 1024 })
		out := inGroup("g", strings.Repeat("x", 1025))
		_, err := q.Send(e.ctx, out)
		e.wantErr(err, queue.ErrTooLarge)
		out.Body = "fits"
		e.sendOut(q, out)
		e.wantReceived(q, 10, "fits")
	},
	// Five minutes from the first, which duplicates do not extend.
	"Window": func(e *env) {
		e.needVirtual()
		q := e.fifo()
		out := inGroup("g", "first")
		first := e.sendOut(q, out)[0]
		e.sleep(3 * time.Minute)
		e.wantDuplicate(q, out, first)
		e.sleep(119 * time.Second)
		e.wantDuplicate(q, out, first)
		e.sleep(2 * time.Second)
		out.Body = "second"
		second := e.wantStored(q, out, first)
		e.sleep(4*time.Minute + 59*time.Second)
		e.wantDuplicate(q, out, second)
		e.wantReceived(q, 10, "first", "second")
	},
	"OfADelayedMessage": func(e *env) {
		e.needVirtual()
		q := e.fifo(delayed(15 * time.Minute))
		out := inGroup("g", "x")
		e.wantDuplicate(q, out, e.sendOut(q, out)[0])
		e.wantCounts(q, 0, 1, 0)
	},
	// As on the service (measured on it by localstack's test of purge_queue).
	"PurgeForgets": func(e *env) {
		q := e.fifo()
		out := inGroup("g", "old")
		sent := e.sendOut(q, out)[0]
		if err := e.s.Purge(e.ctx, q.Name()); err != nil {
			e.Fatal(err)
		}
		out.Body = "new"
		e.wantStored(q, out, sent)
		e.wantReceived(q, 10, "new")
	},
	"QueueMadeAgain": func(e *env) {
		e.needVirtual()
		q := e.fifo()
		out := inGroup("g", "old")
		sent := e.sendOut(q, out)[0]
		if err := e.s.DeleteQueue(e.ctx, q.Name()); err != nil {
			e.Fatal(err)
		}
		e.sleep(61 * time.Second)
		a := e.attributes(func(a *queue.Attributes) { a.FIFO = true })
		if err := e.s.CreateQueue(e.ctx, q.Name(), a, nil); err != nil {
			e.Fatal(err)
		}
		out.Body = "new"
		if again := e.sendOut(q, out); again[0].ID == sent.ID {
			e.Error("a duplicate of a message in the queue deleted")
		}
		e.wantReceived(q, 10, "new")
	},
	// Of many at once one is stored, and all get its answer.
	"Concurrent": func(e *env) {
		q := e.fifo()
		const n, senders = 10, 8
		var out []queue.Outgoing
		for _, body := range numbered("m", n) {
			out = append(out, inGroup("g", body))
		}
		var answers [senders][n]queue.Sent
		var wg sync.WaitGroup
		for i := range senders {
			wg.Go(func() {
				for j := range out {
					sent, err := q.Send(e.ctx, out[j])
					if err != nil {
						e.Error(err)
						return
					}
					answers[i][j] = sent[0]
				}
			})
		}
		wg.Wait()
		for i := range answers {
			if diff := cmp.Diff(answers[0], answers[i]); diff != "" {
				e.Errorf("answers differ:\n%s", diff)
			}
		}
		e.wantReceived(q, 10, numbered("m", n)...)
		e.none(q)
	},
}
