package task

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// several are queues of one engine whose tasks take the time that the test says.
type several struct {
	*rig
	job  *Task[int]
	took func(n int) time.Duration
	from time.Time

	mu    sync.Mutex
	begun []beginning
	busy  map[string]time.Duration // slots were, by queue
}

type beginning struct {
	queue      string
	n, attempt int
	at         time.Duration
}

func newSeveral(t *testing.T, wrap func(driver.Service) driver.Service, took func(n int) time.Duration) *several {
	return severalOf(newRig(t, 5, wrap), took)
}

func severalOf(r *rig, took func(n int) time.Duration) *several {
	s := &several{rig: r, took: took, from: time.Now(), busy: map[string]time.Duration{}}
	s.job = Define("job", func(ctx context.Context, n int) error {
		i, _ := Info(ctx)
		at := time.Since(s.from)
		s.mu.Lock()
		s.begun = append(s.begun, beginning{i.Queue, n, i.Attempt, at})
		s.mu.Unlock()
		defer func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.busy[i.Queue] += time.Since(s.from) - at
		}()
		if waitFor(ctx.Done(), s.took(n)) {
			return context.Cause(ctx)
		}
		return nil
	})
	return s
}

// queue makes a queue that has a dead-letter queue.
func (s *several) queue(name string) *queue.Queue {
	s.t.Helper()
	base, fifo := strings.CutSuffix(name, ".fifo")
	dead := base + "-dead"
	if fifo {
		dead += ".fifo"
	}
	for _, err := range []error{
		s.s.CreateQueue(context.Background(), dead, queue.Attributes{FIFO: fifo}, nil),
		s.s.CreateQueue(context.Background(), name, queue.Attributes{FIFO: fifo, DeadLetter: &queue.DeadLetter{Queue: dead, MaxReceives: 5}}, nil),
	} {
		if err != nil {
			s.t.Fatal(err)
		}
	}
	return s.s.Queue(name)
}

// fill enqueues the job with each argument from first to last.
func (s *several) fill(q *queue.Queue, first, last int, o ...EnqueueOption) {
	s.t.Helper()
	var args []int
	for n := first; n <= last; n++ {
		args = append(args, n)
	}
	must[[]string](s.t)(s.job.EnqueueMany(context.Background(), NewClient(q, nil), args, o...))
}

// start starts a worker of the queues.
func (s *several) start(of []Source, o WorkerOptions) (stop func()) {
	s.t.Helper()
	o.Tasks = []Definition{s.job}
	o.OnResult = s.result
	w := must[*Worker](s.t)(NewWorkerOf(of, o))
	if w.lastPoll = time.Millisecond; s.s.Remote() {
		w.lastPoll, w.quiet = time.Second, 2*time.Second // this machine may be busy
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	return sync.OnceFunc(func() {
		s.t.Helper()
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
	})
}

// all that began so far, in order.
func (s *several) all() []beginning {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.begun)
}

// of is what began of one queue.
func (s *several) of(q *queue.Queue) []beginning {
	return slices.DeleteFunc(s.all(), func(b beginning) bool { return b.queue != q.Name() })
}

// restful waits until the queues are empty, at most so long.
func (s *several) restful(within time.Duration, of ...*queue.Queue) {
	s.t.Helper()
	for end := time.Now().Add(within); ; time.Sleep(time.Second) {
		if !slices.ContainsFunc(of, func(q *queue.Queue) bool { return s.left(q.Name()) != "0 0 0" }) {
			return
		}
		if time.Now().After(end) {
			for _, q := range of {
				s.expect(q.Name(), "0 0 0")
			}
			s.t.FailNow()
		}
	}
}
