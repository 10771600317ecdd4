package snsserver

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
)

// TestPublishWhileSubscribing: queues come, go and change their filters while
// others publish. The one that stays gets every message once, and one that left
// gets none that was published after.
func TestPublishWhileSubscribing(t *testing.T) {
	const publishers, each, subscribers = 8, 50, 4
	names := []string{"stays"}
	for i := range subscribers {
		names = append(names, fmt.Sprint("moves", i))
	}
	m := newMemory(names...)
	s := openServer(t, faultfs.New(), m)
	if a := post(s, "Action", "CreateTopic", "Name", "t"); a.status != 200 {
		t.Fatal(a.body)
	}
	subscribe := func(queue string) answer {
		return post(s, "Action", "Subscribe", "TopicArn", s.topicARN("t"), "Protocol", "sqs", "Endpoint", queueARN(queue),
			"Attributes.entry.1.key", "RawMessageDelivery", "Attributes.entry.1.value", "true")
	}
	if a := subscribe("stays"); a.status != 200 {
		t.Fatal(a.body)
	}
	var publishing, moving sync.WaitGroup
	var done atomic.Bool
	for i := range subscribers {
		moving.Go(func() {
			for !done.Load() {
				if a := subscribe(fmt.Sprint("moves", i)); a.status != 200 {
					t.Error(a.body)
				}
				arn := ""
				for _, sub := range s.store.topic("t").Subscriptions {
					if sub.queue() == fmt.Sprint("moves", i) {
						arn = s.subscriptionARN("t", sub.ID)
					}
				}
				if a := post(s, "Action", "SetSubscriptionAttributes", "SubscriptionArn", arn, "AttributeName", "FilterPolicy", "AttributeValue", `{"k":["v"]}`); a.status != 200 {
					t.Error(a.body)
				}
				if a := post(s, "Action", "Unsubscribe", "SubscriptionArn", arn); a.status != 200 {
					t.Error(a.body)
				}
			}
		})
	}
	for p := range publishers {
		publishing.Go(func() {
			for i := range each {
				if a := post(s, "Action", "Publish", "TopicArn", s.topicARN("t"), "Message", fmt.Sprint(p, "-", i)); a.status != 200 {
					t.Error(a.body)
				}
			}
		})
	}
	publishing.Wait()
	done.Store(true)
	moving.Wait()
	got := map[string]int{}
	for _, body := range m.bodies("stays") {
		got[body]++
	}
	for p := range publishers {
		for i := range each {
			if n := got[fmt.Sprint(p, "-", i)]; n != 1 {
				t.Errorf("message %d-%d came %d times", p, i, n)
			}
		}
	}
	for i := range subscribers {
		m.take(fmt.Sprint("moves", i))
	}
	if a := post(s, "Action", "Publish", "TopicArn", s.topicARN("t"), "Message", "after"); a.status != 200 {
		t.Fatal(a.body)
	}
	for i := range subscribers {
		if left := m.bodies(fmt.Sprint("moves", i)); len(left) > 0 {
			t.Errorf("moves%d has left, and got %v", i, left)
		}
	}
	if subs := s.store.topic("t").Subscriptions; len(subs) != 1 {
		t.Errorf("%d subscriptions", len(subs))
	}
}
