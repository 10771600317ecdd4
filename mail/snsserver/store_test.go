package snsserver

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
)

// state is what a server has, so that two can be compared.
func state(s *Server) map[string]topic {
	all := map[string]topic{}
	for _, name := range s.store.names() {
		t := *s.store.topic(name)
		t.Subscriptions = nil
		for _, sub := range s.store.topic(name).Subscriptions {
			t.Subscriptions = append(t.Subscriptions, &subscription{ID: sub.ID, Protocol: sub.Protocol, Endpoint: sub.Endpoint, Attributes: sub.Attributes})
		}
		all[name] = t
	}
	return all
}

func diffState(a, b map[string]topic) string {
	return cmp.Diff(a, b, cmp.AllowUnexported(subscription{}), cmpopts.EquateEmpty())
}

// work are changes of every kind, one after the other.
func work(s *Server) []func() answer {
	subscription := func() string {
		if t := s.store.topic("a"); t != nil && len(t.Subscriptions) > 0 {
			return s.subscriptionARN("a", t.Subscriptions[0].ID)
		}
		return s.subscriptionARN("a", "none")
	}
	subscribe := func(queue string) answer {
		return post(s, "Action", "Subscribe", "TopicArn", s.topicARN("a"), "Protocol", "sqs", "Endpoint", queueARN(queue),
			"Attributes.entry.1.key", "FilterPolicy", "Attributes.entry.1.value", `{"k":["v"]}`)
	}
	return []func() answer{
		func() answer {
			return post(s, "Action", "CreateTopic", "Name", "a", "Tags.member.1.Key", "k", "Tags.member.1.Value", "v")
		},
		func() answer { return subscribe("one") },
		func() answer { return subscribe("two") },
		func() answer {
			return post(s, "Action", "SetSubscriptionAttributes", "SubscriptionArn", subscription(), "AttributeName", "RawMessageDelivery", "AttributeValue", "true")
		},
		func() answer {
			return post(s, "Action", "SetTopicAttributes", "TopicArn", s.topicARN("a"), "AttributeName", "DisplayName", "AttributeValue", "A")
		},
		func() answer {
			return post(s, "Action", "CreateTopic", "Name", "b.fifo", "Attributes.entry.1.key", "FifoTopic", "Attributes.entry.1.value", "true")
		},
		func() answer { return post(s, "Action", "Unsubscribe", "SubscriptionArn", subscription()) },
		func() answer { return post(s, "Action", "DeleteTopic", "TopicArn", s.topicARN("b.fifo")) },
	}
}

// TestFaults fails each operation of the disk in turn, in three ways, and takes
// the power away right after: what was answered is there, what failed is there
// whole or not at all.
func TestFaults(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for _, fault := range []error{faultfs.ErrInjected, faultfs.ErrShort} {
		for n := 0; ; n++ {
			files := faultfs.New()
			s := openServer(t, files, newMemory())
			hit := false
			files.SetFault(func(op faultfs.Op) error {
				if op.N == n {
					hit = true
					return fault
				}
				return nil
			})
			for i, change := range work(s) {
				before := state(s)
				a := change()
				if a.status/100 != 2 && !hit {
					t.Fatalf("operation %d, change %d: %s", n, i, a.body)
				}
				if hit && a.status/100 == 2 {
					t.Fatalf("operation %d, change %d: %v was answered with success", n, i, fault)
				}
				if a.status/100 != 2 && diffState(before, state(s)) != "" {
					t.Fatalf("operation %d, change %d: failed, and is seen", n, i)
				}
				again := openServer(t, files.Crash(random), newMemory())
				found := state(again)
				if a.status/100 == 2 {
					if diff := diffState(state(s), found); diff != "" {
						t.Fatalf("operation %d, change %d: answered and not there after a crash: %s", n, i, diff)
					}
					continue
				}
				if diff := diffState(before, found); diff != "" && !oneStep(before, found) {
					t.Fatalf("operation %d, change %d: half there after a crash: %s", n, i, diff)
				}
				break
			}
			if !hit {
				if n < 20 {
					t.Fatalf("%d operations of the disk in %d changes: something does not reach it", n, len(work(s)))
				}
				break
			}
		}
	}
}

// oneStep: at most one topic is otherwise.
func oneStep(a, b map[string]topic) bool {
	names := map[string]bool{}
	for name := range a {
		names[name] = true
	}
	for name := range b {
		names[name] = true
	}
	changed := 0
	for name := range names {
		x, hasX := a[name]
		y, hasY := b[name]
		if hasX != hasY || diffState(map[string]topic{"": x}, map[string]topic{"": y}) != "" {
			changed++
		}
	}
	return changed <= 1
}

// TestFull: on a full disk a change is refused, says so, and is not seen; with
// room it is taken.
func TestFull(t *testing.T) {
	files := faultfs.New()
	s := openServer(t, files, newMemory())
	create := func(name string) answer { return post(s, "Action", "CreateTopic", "Name", name) }
	if a := create("there"); a.status != 200 {
		t.Fatal(a.body)
	}
	files.SetCapacity(files.Used() + 100)
	if a := create("another"); a.status != 503 || a.Code != "ServiceUnavailable" || !strings.Contains(a.Text, "no room on the disk") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if diff := diffState(state(s), state(openServer(t, files.Kill(), newMemory()))); diff != "" {
		t.Error(diff)
	}
	files.SetCapacity(0)
	if a := create("another"); a.status != 200 {
		t.Error(a.body)
	}
}

// TestDamage flips each byte of a topic's file, cuts it at each length, and
// gives it a format to come: the server refuses to start, and says which file
// and what to do.
func TestDamage(t *testing.T) {
	files := faultfs.New()
	s := openServer(t, files, newMemory())
	for _, change := range work(s)[:2] {
		if a := change(); a.status != 200 {
			t.Fatal(a.body)
		}
	}
	file := fileOf("a")
	size := 0
	files.Corrupt(file, func(data []byte) []byte { size = len(data); return data })
	const restore = "restore it from a backup"
	refused := func(what, text string, change func([]byte) []byte) {
		t.Helper()
		damaged := files.Kill()
		damaged.Corrupt(file, change)
		_, err := Open(Options{Files: damaged, Queues: newMemory(), Inbox: s.Inbox, Region: testRegion, Account: testAccount})
		if err == nil || !strings.Contains(err.Error(), "topics/"+file) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := range size {
		refused(fmt.Sprintf("byte %d flipped", i), restore, func(data []byte) []byte { data[i] ^= 1; return data })
		refused(fmt.Sprintf("cut to %d", i), restore, func(data []byte) []byte { return data[:i] })
	}
	refused("format 2", "install a newer dayfly", func(data []byte) []byte {
		return bytes.Replace(data, []byte("format 1,"), []byte("format 2,"), 1)
	})
	refused("another topic's", "it holds the topic \"b\"", func([]byte) []byte {
		data, err := encodeTopic(&topic{Name: "b"})
		if err != nil {
			t.Fatal(err)
		}
		return data
	})
}

// FuzzTopicFile: no file is too strange, and one that is read is written back
// to what is read again.
func FuzzTopicFile(f *testing.F) {
	for _, t := range []*topic{{Name: "a"}, {Name: "b.fifo", Created: time.Unix(1, 0).UTC(), Tags: map[string]string{"k": "v"},
		Subscriptions: []*subscription{{ID: "1", Protocol: "sqs", Endpoint: queueARN("q"), Attributes: map[string]string{"FilterPolicy": `{"a":["b"]}`}}}}} {
		data, err := encodeTopic(t)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[bytes.IndexByte(data, '\n')+1:], true)
		f.Add(data, false)
	}
	f.Fuzz(func(t *testing.T, data []byte, sealed bool) {
		if sealed { // with its checksum, so that the JSON is looked at
			data = seal(data)
		}
		read, err := decodeTopic(data)
		if err != nil {
			return
		}
		written, err := encodeTopic(read)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeTopic(written)
		if err != nil || again.Name != read.Name || len(again.Subscriptions) != len(read.Subscriptions) {
			t.Fatalf("%v\n%s", err, written)
		}
	})
}
