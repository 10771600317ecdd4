package drivertest

import (
	"errors"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dayfly-dev/dayfly/queue"
)

var queueTests = map[string]func(*env){
	"CreateAndDescribe": func(e *env) {
		name := e.name("full")
		a := e.attributes(func(a *queue.Attributes) {
			a.Visibility, a.Delay, a.Retention = 45*time.Second, 5*time.Second, 2*time.Hour
			a.ReceiveWait, a.MaxMessageSize = 3*time.Second, 2048
		})
		tags := map[string]string{"team": "payments", "empty": ""}
		before := time.Now().Add(-time.Second)
		if err := e.s.CreateQueue(e.ctx, name, a, tags); err != nil {
			e.Fatal(err)
		}
		e.made = append(e.made, name)
		d, err := e.s.Describe(e.ctx, name)
		if err != nil {
			e.Fatal(err)
		}
		if diff := cmp.Diff(a, known(d.Attributes), cmpopts.EquateEmpty()); diff != "" {
			e.Errorf("attributes (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(tags, d.Tags); diff != "" {
			e.Errorf("tags (-want +got):\n%s", diff)
		}
		if d.Name != name {
			e.Errorf("name is %q, want %q", d.Name, name)
		}
		for _, at := range []time.Time{d.Created, d.Modified} {
			if at.Before(before.Truncate(time.Second)) || at.After(time.Now().Add(time.Second)) {
				e.Errorf("made at %v, which is not now", at)
			}
		}
	},
	"CreateAgainIsIdempotent": func(e *env) {
		q := e.queue()
		e.send(q, "stays")
		if err := e.s.CreateQueue(e.ctx, q.Name(), e.attributes(), nil); err != nil {
			e.Errorf("create with equal attributes: %v", err)
		}
		if m := e.take(q); m.Body != "stays" {
			e.Errorf("body is %q, want stays", m.Body)
		}
	},
	"CreateAgainWithOtherAttributes": func(e *env) {
		q := e.queue()
		other := e.attributes(func(a *queue.Attributes) { a.Visibility = time.Minute })
		e.wantErr(e.s.CreateQueue(e.ctx, q.Name(), other, nil), queue.ErrQueueExists)
	},
	"SetAttributes": func(e *env) {
		q := e.queue()
		want := e.attributes(func(a *queue.Attributes) { a.Visibility, a.Delay = time.Minute, time.Second })
		if err := e.s.SetAttributes(e.ctx, q.Name(), want); err != nil {
			e.Fatal(err)
		}
		d, err := q.Describe(e.ctx)
		if err != nil {
			e.Fatal(err)
		}
		if diff := cmp.Diff(want, known(d.Attributes), cmpopts.EquateEmpty()); diff != "" {
			e.Errorf("attributes (-want +got):\n%s", diff)
		}
	},
	"SetTagsReplaces": func(e *env) {
		q := e.queue()
		for _, tags := range []map[string]string{{"a": "1", "b": "2"}, {"b": "3"}, {}} {
			if err := e.s.SetTags(e.ctx, q.Name(), tags); err != nil {
				e.Fatal(err)
			}
			d, err := q.Describe(e.ctx)
			if err != nil {
				e.Fatal(err)
			}
			if diff := cmp.Diff(tags, d.Tags, cmpopts.EquateEmpty()); diff != "" {
				e.Errorf("tags (-want +got):\n%s", diff)
			}
		}
	},
	"DeleteAndMakeAgain": func(e *env) {
		e.needVirtual() // 60 s
		q := e.queue()
		e.send(q, "old")
		old := e.take(q)
		if err := e.s.DeleteQueue(e.ctx, q.Name()); err != nil {
			e.Fatal(err)
		}
		time.Sleep(59 * time.Second)
		e.wantErr(e.s.CreateQueue(e.ctx, q.Name(), e.attributes(), nil), queue.ErrQueueDeletedRecently)
		time.Sleep(time.Second)
		if err := e.s.CreateQueue(e.ctx, q.Name(), e.attributes(), nil); err != nil {
			e.Fatal(err)
		}
		e.none(q)
		errs, err := q.Delete(e.ctx, old.Receipt)
		if err != nil {
			e.Fatal(err)
		}
		e.wantErr(errs[0], queue.ErrReceiptInvalid)
	},
	"NotFound": func(e *env) {
		q := e.s.Queue(e.name("none"))
		_, sendErr := q.Send(e.ctx, text("x"))
		_, receiveErr := q.Receive(e.ctx, defaultReceive)
		_, describeErr := q.Describe(e.ctx)
		for op, err := range map[string]error{
			"send": sendErr, "receive": receiveErr, "describe": describeErr,
			"purge":          e.s.Purge(e.ctx, q.Name()),
			"delete":         e.s.DeleteQueue(e.ctx, q.Name()),
			"set attributes": e.s.SetAttributes(e.ctx, q.Name(), e.attributes()),
			"set tags":       e.s.SetTags(e.ctx, q.Name(), map[string]string{"a": "b"}),
		} {
			if !errors.Is(err, queue.ErrQueueNotFound) {
				e.Errorf("%s: error is %v, want %v", op, err, queue.ErrQueueNotFound)
			}
		}
	},
	"ListPages": func(e *env) {
		stem := e.name("list")
		var want []string
		for _, suffix := range []string{"-e", "-b", "-d", "-a", "-c"} {
			name := stem + suffix
			if err := e.s.CreateQueue(e.ctx, name, e.attributes(), nil); err != nil {
				e.Fatal(err)
			}
			e.made = append(e.made, name)
			want = append(want, name)
		}
		slices.Sort(want)
		for _, max := range []int{1, 2, 5, 1000} {
			if diff := cmp.Diff(want, e.list(stem, max)); diff != "" {
				e.Errorf("pages of %d (-want +got):\n%s", max, diff)
			}
		}
		if got := e.list(stem+"-none", 10); len(got) != 0 {
			e.Errorf("listed %v under a prefix nobody has", got)
		}
	},
	"Counts": func(e *env) {
		q := e.queue()
		e.wantCounts(q, 0, 0, 0)
		e.send(q, "a", "b", "c")
		if _, err := q.Send(e.ctx, queue.Outgoing{Body: "later", Delay: 15 * time.Minute}); err != nil {
			e.Fatal(err)
		}
		e.wantCounts(q, 3, 1, 0)
		m := e.take(q)
		e.wantCounts(q, 2, 1, 1)
		e.delete(q, m.Receipt)
		e.wantCounts(q, 2, 1, 0)
	},
	"OldestAge": func(e *env) {
		e.needVirtual()
		q := e.queue()
		age := func() time.Duration {
			d, err := q.Describe(e.ctx)
			if err != nil {
				e.Fatal(err)
			}
			return d.OldestAge
		}
		if got := age(); got != 0 {
			e.Errorf("age of an empty queue is %v, want 0", got)
		}
		e.send(q, "first")
		e.sleep(10 * time.Second)
		e.send(q, "second")
		e.sleep(10 * time.Second)
		if got := age(); got < 20*time.Second || got > 21*time.Second {
			e.Errorf("age is %v, want 20 s", got)
		}
		e.delete(q, e.take(q).Receipt)
		if got := age(); got < 10*time.Second || got > 11*time.Second {
			e.Errorf("age after the oldest was deleted is %v, want 10 s", got)
		}
	},
}

// known leaves out attributes a service adds by itself.
func known(a queue.Attributes) queue.Attributes {
	a.Extra = nil
	return a
}

// list collects all pages.
func (e *env) list(prefix string, max int) (names []string) {
	e.Helper()
	after := ""
	for {
		p, err := e.s.ListQueues(e.ctx, queue.ListOptions{Prefix: prefix, After: after, Max: max})
		if err != nil {
			e.Fatal(err)
		}
		if len(p.Names) > max {
			e.Fatalf("page of %d names, asked for %d", len(p.Names), max)
		}
		names = append(names, p.Names...)
		if p.Next == "" {
			return names
		}
		after = p.Next
	}
}
