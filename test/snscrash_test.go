package test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/dayfly-dev/dayfly/internal/need"
)

// TestTopicsKilled publishes while dayfly is killed with SIGKILL at random
// moments, and subscribes too. Every message that was answered must be in both
// queues, every subscription that was answered must be there; how many messages
// came twice is reported. DAYFLY_SNS_SEED repeats a run's moments.
func TestTopicsKilled(t *testing.T) {
	t.Parallel()
	const messages, kills, publishers = 3000, 4, 8
	seed := number(t, "DAYFLY_SNS_SEED", int(time.Now().UnixNano()&0x7fffffff))
	t.Logf("seed %d (DAYFLY_SNS_SEED=%d repeats the moments)", seed, seed)
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	dir := application(t, fmt.Sprintf(`name = "topics"
[queue.raw]
attempts = 1000
[queue.wrapped]
attempts = 1000
[listen]
aws = "%s"
dashboard = "127.0.0.1:0"
smtp = "127.0.0.1:0"
`, need.Address(t)))
	data := filepath.Join(dir, ".dayfly")
	h := up(t, dir, data)
	client := topics(h.env)
	topic := newTopic(t, client, "news")
	subscribeQueue(t, client, topic, queueARN(h.env, "raw"), map[string]string{"RawMessageDelivery": "true"})
	subscribeQueue(t, client, topic, queueARN(h.env, "wrapped"), nil)

	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	var published, subscribed sync.Map
	var count atomic.Int64
	var clients sync.WaitGroup
	for p := range publishers {
		clients.Go(func() {
			for i := p; i < messages && ctx.Err() == nil; i += publishers {
				// Not answered: it may be there or not, so it is sent again.
				body := fmt.Sprint("message ", i)
				for ctx.Err() == nil {
					if _, err := client.Publish(ctx, &sns.PublishInput{TopicArn: &topic, Message: &body}); err == nil {
						break
					}
					time.Sleep(20 * time.Millisecond)
				}
				published.Store(body, true)
				count.Add(1)
			}
		})
	}
	clients.Go(func() {
		other := ""
		for i := 0; count.Load() < messages && ctx.Err() == nil; i++ {
			if other == "" {
				if out, err := client.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("other")}); err == nil {
					other = *out.TopicArn
				}
				continue
			}
			out, err := client.Subscribe(ctx, &sns.SubscribeInput{TopicArn: &other, Protocol: aws.String("sms"), Endpoint: aws.String(fmt.Sprint("+4179", 1000000+i))})
			if err == nil {
				subscribed.Store(*out.SubscriptionArn, true)
			} else {
				time.Sleep(20 * time.Millisecond)
			}
		}
	})
	for kill := range kills {
		for count.Load() < int64(messages*kill/kills) && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(random.Int64N(int64(100 * time.Millisecond))))
		h.kill()
		h = start(t, dir, data)
		h.wait()
	}
	clients.Wait()
	if n := count.Load(); n != messages {
		t.Fatalf("only %d of %d messages were answered in time", n, messages)
	}
	h.kill() // what was answered last, too
	h = up(t, dir, data)

	for _, name := range []string{"raw", "wrapped"} {
		got := drain(t, openQueue(t, h.env, name))
		lost, twice := 0, 0
		published.Range(func(body, _ any) bool {
			switch n := got[body.(string)]; {
			case n == 0:
				lost++
			case n > 1:
				twice++
			}
			return true
		})
		t.Logf("queue %s: %d messages answered, %d lost, %d came more than once", name, messages, lost, twice)
		if lost > 0 {
			t.Errorf("queue %s lost %d messages that were answered", name, lost)
		}
	}
	there, n := map[string]bool{}, 0
	for pages := sns.NewListSubscriptionsPaginator(topics(h.env), nil); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range page.Subscriptions {
			there[*s.SubscriptionArn] = true
		}
	}
	subscribed.Range(func(arn, _ any) bool {
		n++
		if !there[arn.(string)] {
			t.Errorf("%s was answered and is lost", arn)
		}
		return true
	})
	t.Logf("%d subscriptions answered around %d kills", n, kills+1)
	if n == 0 {
		t.Error("nothing was subscribed")
	}
	h.down()
}
