package task

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/driver"
	"github.com/dayfly-dev/dayfly/queue/sqsqueue"
	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/memrecords"
)

// seeded are lengths of tasks between min and max, the same for the same seed.
func seeded(t *testing.T, min, max time.Duration) func(n int) time.Duration {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return func(n int) time.Duration {
		return min + time.Duration(rand.New(rand.NewPCG(seed, uint64(n))).Int64N(int64(max-min)))
	}
}

// TestStrictOrder: no task begins while one waits in a queue before its own, be
// it that there were more than the worker can take at the start, or that they
// come later; and the last queue has its turn as soon as the others are empty.
func TestStrictOrder(t *testing.T) {
	for _, concurrency := range []int{1, 4, 50} {
		t.Run(fmt.Sprint(concurrency), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSeveral(t, nil, seeded(t, time.Millisecond, time.Second))
				high, mid, low := s.queue("high"), s.queue("mid"), s.queue("low")
				s.fill(low, 1, 300)
				s.fill(mid, 301, 600)
				s.fill(high, 601, 900)
				stop := s.start([]Source{{Queue: high}, {Queue: mid}, {Queue: low}}, WorkerOptions{Concurrency: concurrency})
				s.restful(time.Hour, high, mid, low)
				rank := map[string]int{"high": 0, "mid": 1, "low": 2}
				all := s.all()
				if !slices.IsSortedFunc(all, func(a, b beginning) int { return rank[a.queue] - rank[b.queue] }) || len(all) != 900 {
					t.Errorf("%d began, and not in the order of the queues", len(all))
				}
				stop()
			})
		})
	}
}

// TestStrictOrderSQS: the same over SQS's protocol.
func TestStrictOrderSQS(t *testing.T) {
	r := &rig{t: t, s: queue.New(sqsqueue.New(sqs.New(sqs.Options{BaseEndpoint: aws.String(endpoint(t)), Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", "")}), nil))}
	t.Cleanup(func() { r.s.Close() })
	s := severalOf(r, seeded(t, 0, 10*time.Millisecond))
	high, low := s.queue("high"), s.queue("low")
	s.fill(low, 1, 100)
	s.fill(high, 101, 200)
	stop := s.start([]Source{{Queue: high}, {Queue: low}}, WorkerOptions{Concurrency: 4})
	s.restful(time.Minute, high, low)
	stop()
	all := s.all()
	if i := slices.IndexFunc(all, func(b beginning) bool { return b.queue == "low" }); i != 100 || len(all) != 200 {
		t.Errorf("%d began, the first of the last queue after %d", len(all), i)
	}
}

// TestStrictOrderLater: while the last queue has more than can be done, what
// comes to the first waits for one task to end at most; what runs is not ended
// for it; and in between the last queue has all slots.
func TestStrictOrderLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeveral(t, nil, seeded(t, 500*time.Millisecond, time.Second))
		high, low := s.queue("high"), s.queue("low")
		s.fill(low, 1, 2000)
		stop := s.start([]Source{{Queue: high}, {Queue: low}}, WorkerOptions{Concurrency: 4})
		for i := range 20 {
			time.Sleep(15 * time.Second)
			sent := time.Since(s.from)
			s.fill(high, 10_000+4*i, 10_003+4*i)
			time.Sleep(4 * time.Second)
			for _, b := range s.of(high)[4*i:] {
				if b.at-sent > time.Second+2*quiet {
					t.Errorf("round %d: %d began %v after it was sent", i, b.n, b.at-sent)
				}
			}
		}
		if n := len(s.of(high)); n != 80 {
			t.Errorf("%d of 80 of the first queue began", n)
		}
		took := time.Since(s.from)
		s.mu.Lock()
		used := float64(s.busy["high"]+s.busy["low"]) / float64(4*took)
		s.mu.Unlock()
		if used < 0.9 { // were slots kept for what may come it would be less
			t.Errorf("slots were in use for %.0f %% of the time", 100*used)
		}
		stop()
		for _, b := range s.all() {
			if b.attempt != 1 {
				t.Errorf("%v: waiting cost an attempt", b)
			}
		}
	})
}

// TestStrictOrderLong: where tasks run for longer than a long poll stands, no
// queue is being asked when one ends. What came meanwhile is next all the same,
// however much sooner the last queue answers.
func TestStrictOrderLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeveral(t, func(d driver.Service) driver.Service { return &slowToAnswer{d} }, func(int) time.Duration { return time.Minute })
		high, low := s.queue("high"), s.queue("low")
		s.fill(low, 1, 100)
		stop := s.start([]Source{{Queue: high}, {Queue: low}}, WorkerOptions{Concurrency: 1})
		defer stop()
		for i := range 10 {
			time.Sleep(30 * time.Second)
			sent := time.Since(s.from)
			s.fill(high, 1000+i, 1000+i)
			time.Sleep(90 * time.Second)
			if b := s.of(high); len(b) != i+1 || b[i].at-sent > time.Minute {
				t.Fatalf("sent at %v: %v", sent, s.all())
			}
		}
		stop()
	})
}

// slowToAnswer is an engine of which one queue is far away.
type slowToAnswer struct{ driver.Service }

func (s *slowToAnswer) Receive(ctx context.Context, name string, o driver.ReceiveOptions) ([]driver.Message, error) {
	if name == "high" {
		waitFor(ctx.Done(), quiet/2)
	}
	return s.Service.Receive(ctx, name, o)
}

// TestMost: what is not for the last queue is there at once, however long its
// tasks run.
func TestMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeveral(t, nil, func(n int) time.Duration {
			return map[bool]time.Duration{true: time.Hour, false: time.Second}[n < 1000]
		})
		high, low := s.queue("high"), s.queue("low")
		s.fill(low, 1, 100)
		stop := s.start([]Source{{Queue: high}, {Queue: low, Most: 3}}, WorkerOptions{Concurrency: 4})
		defer stop()
		for i := range 10 {
			time.Sleep(5 * time.Minute)
			sent := time.Since(s.from)
			s.fill(high, 1000+i, 1000+i)
			time.Sleep(time.Minute)
			if b := s.of(high); len(b) != i+1 || b[i].at-sent > quiet {
				t.Fatalf("round %d: sent at %v: %v", i, sent, b)
			}
		}
		if n := len(s.of(low)); n != 3 {
			t.Errorf("%d of the last queue began, not 3", n)
		}
		s.expect("low", "97 0 3") // no more than can be run was received
		time.Sleep(time.Hour)
		if n := len(s.of(low)); n != 6 {
			t.Errorf("%d of the last queue began, not 6", n)
		}
		stop()
	})
}

// TestWeights: with more than can be done in each queue, each has its share of
// the time, whatever the length of its tasks and the number of slots, and none
// waits for long; when one is empty the others have its share.
func TestWeights(t *testing.T) {
	for _, concurrency := range []int{1, 8} {
		for name, lengths := range map[string][3]time.Duration{
			"alike":             {time.Second, time.Second, time.Second},
			"short before long": {100 * time.Millisecond, time.Second, 3 * time.Second},
			"long before short": {3 * time.Second, time.Second, 100 * time.Millisecond},
		} {
			span := 400 * time.Second / time.Duration(concurrency)
			if name == "alike" {
				span *= 3
			}
			t.Run(fmt.Sprint(name, " ", concurrency), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					random := seeded(t, 900, 1100)
					s := newSeveral(t, nil, func(n int) time.Duration { return lengths[n/1e6] * random(n) / 1000 })
					weights := []int{6, 3, 1}
					var of []Source
					for i, w := range weights {
						q := s.queue(fmt.Sprint("q", i))
						share := float64(span) * float64(concurrency) * float64(w) / 10
						s.fill(q, i*1e6, i*1e6+int(share/float64(lengths[i])*1.2)+20)
						of = append(of, Source{Queue: q, Weight: w})
					}
					stop := s.start(of, WorkerOptions{Concurrency: concurrency})
					time.Sleep(span)
					s.mu.Lock()
					var got []float64
					for i := range of {
						got = append(got, s.busy[of[i].Queue.Name()].Seconds()/span.Seconds()/float64(concurrency))
					}
					s.mu.Unlock()
					t.Logf("shares %.3f", got)
					for i, w := range weights {
						if math.Abs(got[i]-float64(w)/10) > 0.03 {
							t.Errorf("queue %d: %.3f of the time, not %.1f", i, got[i], float64(w)/10)
						}
					}
					worst := longestGap(s.of(of[2].Queue), span)
					if limit := 2*lengths[2]*10/time.Duration(concurrency) + 2*slices.Max(lengths[:]) + time.Second; worst > limit {
						t.Errorf("the last queue waited %v, more than %v", worst, limit)
					}
					stop()
				})
			})
		}
	}
}

// longestGap is the longest time in which none began.
func longestGap(of []beginning, until time.Duration) (longest time.Duration) {
	var last time.Duration
	for _, b := range append(of, beginning{at: until}) {
		longest = max(longest, b.at-last)
		last = b.at
	}
	return longest
}

// TestWeightsOfIdle: a queue that had nothing to do has not saved up for it, and
// one that worked alone is not made to wait for that.
func TestWeightsOfIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeveral(t, nil, seeded(t, 90*time.Millisecond, 110*time.Millisecond))
		a, b := s.queue("a"), s.queue("b")
		s.fill(a, 1, 3000)
		stop := s.start([]Source{{Queue: a, Weight: 1}, {Queue: b, Weight: 1}}, WorkerOptions{Concurrency: 4})
		time.Sleep(40 * time.Second)
		if n := len(s.of(a)); n < 1400 {
			t.Errorf("alone it had %d of some 1,600", n)
		}
		before := len(s.of(a))
		s.fill(b, 10_001, 11_000)
		time.Sleep(20 * time.Second)
		na, nb := len(s.of(a))-before, len(s.of(b))
		if share := float64(nb) / float64(na+nb); share < 0.45 || share > 0.55 {
			t.Errorf("afterwards %d of one began and %d of the other", na, nb)
		}
		stop()
	})
}

// TestIdleRequests: a queue without messages costs a request each 20 seconds,
// 129,600 in 30 days, and so does that of a worker of one.
func TestIdleRequests(t *testing.T) {
	for n := 1; n <= 3; n++ {
		synctest.Test(t, func(t *testing.T) {
			var requests atomic.Int64
			s := newSeveral(t, func(d driver.Service) driver.Service { return &receives{Service: d, n: &requests} }, nil)
			var of []Source
			for i := range n {
				of = append(of, Source{Queue: s.queue(fmt.Sprint("q", i))})
			}
			stop := s.start(of, WorkerOptions{Concurrency: 100})
			time.Sleep(24 * time.Hour)
			if got, want := requests.Load(), int64(n*24*3600/20); got < want-int64(n) || got > want+int64(n) {
				t.Errorf("%d requests a day for %d queues, not %d", got, n, want)
			}
			stop()
		})
	}
}

// receives counts requests for messages, of one queue or of all.
type receives struct {
	driver.Service
	of string // "": all
	n  *atomic.Int64
}

func (r *receives) Receive(ctx context.Context, name string, o driver.ReceiveOptions) ([]driver.Message, error) {
	if r.of == "" || r.of == name {
		r.n.Add(1)
	}
	return r.Service.Receive(ctx, name, o)
}

// TestBusyRequests: while the worker is busy with the last queue the one before
// it costs no more than when all are empty.
func TestBusyRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var requests atomic.Int64
		s := newSeveral(t, func(d driver.Service) driver.Service { return &receives{d, "high", &requests} }, seeded(t, time.Second, 2*time.Second))
		high, low := s.queue("high"), s.queue("low")
		s.fill(low, 1, 4000)
		stop := s.start([]Source{{Queue: high}, {Queue: low}}, WorkerOptions{Concurrency: 100})
		time.Sleep(50 * time.Second)
		if n := len(s.of(low)); n < 3000 {
			t.Errorf("only %d began", n)
		}
		if n := requests.Load(); n != 3 {
			t.Errorf("%d requests in 50 s, not 3", n)
		}
		stop()
	})
}

// TestNoSlotForMessage: messages come by requests that stood when others took the
// slots. They are kept, as long as that is not long, and then go back to the
// queue, where another worker finds them: no attempt is used up, none is lost or
// run twice.
func TestNoSlotForMessage(t *testing.T) {
	for _, name := range []string{"low", "low.fifo"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSeveral(t, nil, func(n int) time.Duration {
					return map[bool]time.Duration{true: time.Hour, false: time.Second}[n < 1000]
				})
				high, low := s.queue("high"), s.queue(name)
				of := []Source{{Queue: high}, {Queue: low}}
				stop := s.start(of, WorkerOptions{Concurrency: 4, Visibility: 3 * time.Second})
				time.Sleep(time.Second)
				s.fill(high, 1, 4)
				time.Sleep(time.Second)
				s.fill(low, 1000, 1003)
				time.Sleep(4 * time.Second)
				if strings.HasPrefix(s.left(name), "4 ") {
					t.Errorf("%s holds %s: nothing was received, so the test shows nothing", name, s.left(name))
				}
				time.Sleep(30 * time.Second)
				s.expect(name, "4 0 0")
				if got := s.of(low); len(got) != 0 {
					t.Errorf("%v began without a slot", got)
				}
				other := s.start(of, WorkerOptions{Concurrency: 4})
				s.restful(time.Minute, low)
				other()
				attempt := 1
				if isFIFO(name) { // SQS has no way to give one back uncounted
					attempt = 2
				}
				seen := map[int]bool{}
				for _, b := range s.of(low) {
					if b.attempt > attempt || seen[b.n] {
						t.Errorf("%v", b)
					}
					seen[b.n] = true
				}
				if len(seen) != 4 {
					t.Errorf("%d of 4 ran", len(seen))
				}
				s.restful(2*time.Hour, high)
				stop()
				if n := len(s.of(high)); n != 4 {
					t.Errorf("%d of the first queue ran, not 4", n)
				}
			})
		})
	}
}

// TestPriorityPause: a queue that is paused keeps nothing from those after it.
func TestPriorityPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, store := newSeveral(t, nil, seeded(t, 900*time.Millisecond, time.Second)), records.New(memrecords.New())
		high, low := s.queue("high"), s.queue("low")
		s.fill(high, 1, 200)
		s.fill(low, 1001, 2000)
		stop := s.start([]Source{{Queue: high}, {Queue: low}}, WorkerOptions{Concurrency: 4, Records: store})
		time.Sleep(10 * time.Second)
		if _, _, err := Pause(t.Context(), store, "high"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		n, m := len(s.of(high)), len(s.of(low))
		time.Sleep(20 * time.Second)
		if n2, m2 := len(s.of(high)), len(s.of(low)); n2 != n || m2-m < 75 {
			t.Errorf("while the first is paused, %d of it and %d of the other began", n2-n, m2-m)
		}
		if _, err := Resume(t.Context(), store, "high"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		n, m = len(s.of(high)), len(s.of(low))
		time.Sleep(20 * time.Second)
		if n2, m2 := len(s.of(high)), len(s.of(low)); n2-n < 75 || m2 != m {
			t.Errorf("after the first was resumed, %d of it and %d of the other began", n2-n, m2-m)
		}
		stop()
	})
}

// TestPriorityDrain: what waits for a slot goes back at the end, and all runs
// once, whenever workers are stopped.
func TestPriorityDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeveral(t, nil, seeded(t, 10*time.Millisecond, 3*time.Second))
		high, low, line := s.queue("high"), s.queue("low"), s.queue("line.fifo")
		of := []Source{{Queue: high, Weight: 5}, {Queue: low, Weight: 2}, {Queue: line, Weight: 1}}
		s.fill(high, 1, 200)
		s.fill(low, 1001, 1200)
		s.fill(line, 2001, 2020, Group("a"))
		s.fill(line, 3001, 3020, Group("b"))
		seed := rand.Uint64()
		t.Logf("stops: seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		for range 40 {
			stop := s.start(of, WorkerOptions{Concurrency: 3})
			time.Sleep(time.Duration(r.Int64N(int64(5 * time.Second))))
			stop()
			for _, q := range of {
				if got := s.left(q.Queue.Name()); !strings.HasSuffix(got, " 0 0") {
					t.Errorf("after a stop %s holds %s", q.Queue.Name(), got)
				}
			}
		}
		stop := s.start(of, WorkerOptions{Concurrency: 3})
		s.restful(time.Hour, high, low, line)
		stop()
		seen, last := map[int]int{}, map[int]int{}
		for _, b := range s.all() {
			seen[b.n]++
			if g := b.n / 1000; g > 1 {
				if b.n != last[g]+1 && last[g] != 0 {
					t.Errorf("of group %d began %d after %d", g, b.n, last[g])
				}
				last[g] = b.n
			}
		}
		if len(seen) != 440 {
			t.Errorf("%d of 440 ran", len(seen))
		}
		for n, times := range seen {
			if times != 1 {
				t.Errorf("%d began %d times", n, times)
			}
		}
	})
}

// TestPriorityOutage: a queue that cannot be asked keeps nothing from others, and
// neither does a request for its messages that is never answered.
func TestPriorityOutage(t *testing.T) {
	for _, how := range []string{"fails", "hangs"} {
		synctest.Test(t, func(t *testing.T) {
			o := &outOfOrder{how: how}
			s := newSeveral(t, func(d driver.Service) driver.Service { o.Service = d; return o }, seeded(t, 900*time.Millisecond, time.Second))
			high, low := s.queue("high"), s.queue("low")
			s.fill(high, 1, 40)
			s.fill(low, 1001, 2000)
			stop := s.start([]Source{{Queue: high}, {Queue: low}}, WorkerOptions{Concurrency: 4})
			time.Sleep(5 * time.Second)
			o.out.Store(true)
			time.Sleep(2 * time.Second)
			n := len(s.of(low))
			time.Sleep(20 * time.Second)
			if got := len(s.of(low)) - n; got < 75 {
				t.Errorf("the queue before it %s: %d began in 20 s", how, got)
			}
			o.out.Store(false)
			s.restful(time.Minute, high)
			stop()
		})
	}
}

// outOfOrder is an engine of which one queue fails, or hangs for ten seconds.
type outOfOrder struct {
	driver.Service
	how string
	out atomic.Bool
}

func (o *outOfOrder) Receive(ctx context.Context, name string, r driver.ReceiveOptions) ([]driver.Message, error) {
	if name == "high" && o.out.Load() {
		if o.how == "fails" {
			return nil, errInjected
		}
		waitFor(ctx.Done(), 10*time.Second)
	}
	return o.Service.Receive(ctx, name, r)
}

func TestNewWorkerOf(t *testing.T) {
	s := queue.New(nil)
	a, b := s.Queue("a"), s.Queue("b")
	job := Define("job", func(context.Context, int) error { return nil })
	for want, of := range map[string][]Source{
		"":                        {{Queue: a}, {Queue: b, Most: 8}},
		"0 queues":                {},
		"21 queues":               make([]Source, 21),
		"has no queue":            {{Queue: a}, {}},
		"Weight of b is -1":       {{Queue: a}, {Queue: b, Weight: -1}},
		"Weight of a is 1001":     {{Queue: a, Weight: 1001}},
		"some queues":             {{Queue: a, Weight: 1}, {Queue: b}},
		"Most of b is 9, not 1–8": {{Queue: a}, {Queue: b, Most: 9}},
		"the queue a twice":       {{Queue: a}, {Queue: b}, {Queue: s.Queue("a")}},
	} {
		_, err := NewWorkerOf(of, WorkerOptions{Tasks: []Definition{job}, Concurrency: 8})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v, not %q", err, want)
		}
	}
}
