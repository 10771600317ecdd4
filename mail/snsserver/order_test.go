package snsserver

import (
	"context"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// published reads MessageId and SequenceNumber.
func (a answer) published(t *testing.T) published {
	t.Helper()
	var v struct {
		ID       string `xml:"PublishResult>MessageId"`
		Sequence string `xml:"PublishResult>SequenceNumber"`
	}
	if err := xml.Unmarshal([]byte(a.body), &v); err != nil || a.status != 200 || v.ID == "" {
		t.Fatalf("%d %s %v", a.status, a.body, err)
	}
	return published{v.ID, v.Sequence}
}

func publishFIFO(s *Server, topic, group, dedup, message string) answer {
	return post(s, "Action", "Publish", "TopicArn", s.topicARN(topic), "Message", message, "MessageGroupId", group, "MessageDeduplicationId", dedup)
}

// TestFIFO: FIFO queues get group and deduplication id, standard ones neither;
// what was published in the last five minutes is answered, not delivered.
func TestFIFO(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory("q.fifo", "standard")
		s := bench(t, m, "t.fifo", "q.fifo", "standard")
		first := publishFIFO(s, "t.fifo", "g", "d", "m").published(t)
		want := map[string][]Message{"q.fifo": {{Body: "m", GroupID: "g", DedupID: "d"}}, "standard": {{Body: "m"}}}
		for queue, messages := range want {
			if diff := cmp.Diff(messages, m.take(queue)); diff != "" {
				t.Error(diff)
			}
		}
		time.Sleep(dedupFor - time.Nanosecond)
		// Another group: the whole topic knows the id.
		if again := publishFIFO(s, "t.fifo", "other", "d", "m").published(t); again != first {
			t.Errorf("%v again is %v", first, again)
		}
		if n := len(m.take("standard")); n != 0 {
			t.Errorf("%d messages were delivered again", n)
		}
		time.Sleep(time.Nanosecond)
		later := publishFIFO(s, "t.fifo", "g", "d", "m").published(t)
		if later.id == first.id || later.sequence <= first.sequence || len(later.sequence) != 20 {
			t.Errorf("after five minutes %v is %v", first, later)
		}
		if n := len(m.take("standard")); n != 1 {
			t.Errorf("%d messages were delivered after five minutes", n)
		}
	})
}

// TestDedupScope: with FifoThroughputScope MessageGroup each group has ids of
// its own. A topic made anew knows nothing of the old one.
func TestDedupScope(t *testing.T) {
	m := newMemory("q")
	s := bench(t, m, "t.fifo", "q")
	set := func(key, value string) {
		if a := post(s, "Action", "SetTopicAttributes", "TopicArn", s.topicARN("t.fifo"), "AttributeName", key, "AttributeValue", value); a.status != 200 {
			t.Fatal(a.body)
		}
	}
	set("FifoThroughputScope", "MessageGroup")
	a, b, again := publishFIFO(s, "t.fifo", "a", "d", "m").published(t), publishFIFO(s, "t.fifo", "b", "d", "m").published(t), publishFIFO(s, "t.fifo", "a", "d", "m").published(t)
	if a == b || a != again || len(m.take("q")) != 2 {
		t.Errorf("%v %v %v", a, b, again)
	}
	set("ContentBasedDeduplication", "true")
	c, d, other := publishFIFO(s, "t.fifo", "c", "", "m"), publishFIFO(s, "t.fifo", "c", "", "m"), publishFIFO(s, "t.fifo", "c", "", "n")
	if c.published(t) != d.published(t) || c.published(t) == other.published(t) {
		t.Error("content is not what messages are told apart by")
	}
	post(s, "Action", "DeleteTopic", "TopicArn", s.topicARN("t.fifo"))
	post(s, "Action", "CreateTopic", "Name", "t.fifo", "Attributes.entry.1.key", "FifoTopic", "Attributes.entry.1.value", "true")
	if publishFIFO(s, "t.fifo", "a", "d", "m").published(t) == a {
		t.Error("the new topic knows what the old one had")
	}
}

// TestFailedIsForgotten: a message that was not delivered may be sent again.
func TestFailedIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory("q.fifo")
		s := bench(t, m, "t.fifo", "q.fifo")
		m.fail = func(string, []Message) error { return errBusy }
		if a := publishFIFO(s, "t.fifo", "g", "d", "m"); a.status != 500 {
			t.Fatal(a.body)
		}
		m.fail = nil
		publishFIFO(s, "t.fifo", "g", "d", "m").published(t)
		if n := len(m.take("q.fifo")); n != 1 {
			t.Errorf("%d messages", n)
		}
	})
}

func TestFIFOBatch(t *testing.T) {
	m := newMemory("q.fifo")
	s := bench(t, m, "t.fifo", "q.fifo")
	form := []string{"Action", "PublishBatch", "TopicArn", s.topicARN("t.fifo")}
	for i, dedup := range []string{"d1", "d2", "d1", "d3"} {
		prefix := fmt.Sprintf("PublishBatchRequestEntries.member.%d.", i+1)
		form = append(form, prefix+"Id", fmt.Sprint(i), prefix+"Message", fmt.Sprint("m", i), prefix+"MessageGroupId", "g"+dedup, prefix+"MessageDeduplicationId", dedup)
	}
	a := post(s, form...)
	var v struct {
		Done []struct{ MessageId, SequenceNumber string } `xml:"PublishBatchResult>Successful>member"`
	}
	if err := xml.Unmarshal([]byte(a.body), &v); err != nil || len(v.Done) != 4 {
		t.Fatalf("%d %s %v", a.status, a.body, err)
	}
	if v.Done[0] != v.Done[2] || v.Done[0] == v.Done[1] || v.Done[1].SequenceNumber >= v.Done[3].SequenceNumber {
		t.Errorf("%+v", v.Done)
	}
	if diff := cmp.Diff([]string{"m0", "m1", "m3"}, m.bodies("q.fifo")); diff != "" {
		t.Error(diff)
	}
}

// TestOrder: however many publish at a time, all queues get the messages of a
// group in one order, that of their sequence numbers.
func TestOrder(t *testing.T) {
	for _, scope := range []string{"Topic", "MessageGroup"} {
		t.Run(scope, func(t *testing.T) {
			queues := []string{"a.fifo", "b.fifo", "c.fifo"}
			m := newMemory(queues...)
			s := bench(t, m, "t.fifo", queues...)
			post(s, "Action", "SetTopicAttributes", "TopicArn", s.topicARN("t.fifo"), "AttributeName", "FifoThroughputScope", "AttributeValue", scope)
			var mu sync.Mutex
			sequences := map[string]string{} // by message
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() {
					for j := range 25 {
						message := fmt.Sprint(i, "-", j)
						// Batches of both groups, named in either order, must not wait for each other.
						groups := []string{"g", "h"}
						if i%2 == 0 {
							slices.Reverse(groups)
						}
						form := []string{"Action", "PublishBatch", "TopicArn", s.topicARN("t.fifo")}
						for k, g := range groups {
							p := fmt.Sprintf("PublishBatchRequestEntries.member.%d.", k+1)
							form = append(form, p+"Id", g, p+"Message", message+g, p+"MessageGroupId", g, p+"MessageDeduplicationId", message+g)
						}
						a := post(s, form...)
						var v struct {
							Done []struct{ Id, SequenceNumber string } `xml:"PublishBatchResult>Successful>member"`
						}
						if err := xml.Unmarshal([]byte(a.body), &v); err != nil || len(v.Done) != 2 {
							t.Errorf("%d %s %v", a.status, a.body, err)
							return
						}
						mu.Lock()
						for _, d := range v.Done {
							sequences[message+d.Id] = d.SequenceNumber
						}
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			for _, group := range []string{"g", "h"} {
				var orders [][]string
				for _, q := range queues {
					var order []string
					for _, message := range m.queues[q] {
						if message.GroupID == group {
							order = append(order, sequences[message.Body])
						}
					}
					orders = append(orders, order)
				}
				if len(orders[0]) != 200 || !slices.IsSorted(orders[0]) || !slices.Equal(orders[0], orders[1]) || !slices.Equal(orders[0], orders[2]) {
					t.Errorf("group %s: queues differ, or are not in the order of the sequence numbers", group)
				}
			}
			if n := len(s.orders.lines); n != 0 {
				t.Errorf("%d lines are left", n)
			}
		})
	}
}

// TestLineHoldsUp: of a group only the first is delivered at a time, another
// group is not held up.
func TestLineHoldsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &gate{memory: newMemory("q.fifo"), open: make(chan struct{})}
		s := bench(t, m.memory, "t.fifo", "q.fifo")
		s.Queues = m
		post(s, "Action", "SetTopicAttributes", "TopicArn", s.topicARN("t.fifo"), "AttributeName", "FifoThroughputScope", "AttributeValue", "MessageGroup")
		var wg sync.WaitGroup
		for _, message := range []string{"shut", "second"} {
			wg.Go(func() { publishFIFO(s, "t.fifo", "g", message, message) })
			synctest.Wait()
		}
		wg.Go(func() { publishFIFO(s, "t.fifo", "h", "free", "free") })
		synctest.Wait()
		if diff := cmp.Diff([]string{"free"}, m.bodies("q.fifo")); diff != "" {
			t.Error(diff)
		}
		close(m.open)
		wg.Wait()
		if diff := cmp.Diff([]string{"shut", "second"}, m.bodies("q.fifo")); diff != "" {
			t.Error(diff)
		}
	})
}

// gate holds a message "shut" until it is opened.
type gate struct {
	*memory
	open chan struct{}
}

func (g *gate) Send(ctx context.Context, queue string, m []Message) error {
	if strings.HasPrefix(m[0].Body, "shut") {
		<-g.open
	}
	return g.memory.Send(ctx, queue, m)
}
