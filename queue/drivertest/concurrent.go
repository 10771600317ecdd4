package drivertest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
)

var concurrentTests = map[string]func(*env){
	// Every message once, as long as no visibility ends.
	"ProducersAndConsumers": func(e *env) {
		const producers, consumers = 8, 8
		each := e.much(100, 25)
		q := e.queue(func(a *queue.Attributes) { a.Visibility = 10 * time.Minute })
		var producing, consuming sync.WaitGroup
		var mu sync.Mutex
		seen := map[string]int{}
		var deleted atomic.Int64
		for p := range producers {
			producing.Go(func() {
				for i := range each {
					if _, err := q.Send(e.ctx, text(fmt.Sprint(p, "/", i))); err != nil {
						e.Error(err)
						return
					}
				}
			})
		}
		for range consumers {
			consuming.Go(func() {
				for deleted.Load() < int64(producers*each) {
					m, err := q.Receive(e.ctx, queue.ReceiveOptions{Max: 7, Visibility: -1, Wait: time.Second})
					if err != nil {
						e.Error(err)
						return
					}
					mu.Lock()
					for _, m := range m {
						seen[m.Body]++
					}
					mu.Unlock()
					for _, m := range m {
						errs, err := q.Delete(e.ctx, m.Receipt)
						if err != nil || errs[0] != nil {
							e.Error(err, errs)
							return
						}
						deleted.Add(1)
					}
				}
			})
		}
		producing.Wait()
		consuming.Wait()
		if len(seen) != producers*each {
			e.Errorf("%d different messages, want %d", len(seen), producers*each)
		}
		for body, n := range seen {
			if n != 1 && !e.h.Remote {
				e.Errorf("%s received %d times", body, n)
			}
		}
		e.wantCounts(q, 0, 0, 0)
	},
	"ManyQueues": func(e *env) {
		var wg sync.WaitGroup
		for i := range 8 {
			q := e.queue()
			wg.Go(func() {
				for j := range e.much(20, 8) {
					body := fmt.Sprint(i, "/", j)
					if _, err := q.Send(e.ctx, text(body)); err != nil {
						e.Error(err)
						return
					}
					m, err := q.Receive(e.ctx, queue.ReceiveOptions{Max: 1, Visibility: -1, Wait: 5 * time.Second})
					if err != nil || len(m) != 1 || m[0].Body != body {
						e.Errorf("received %v, %v; want %s", bodies(m), err, body)
						return
					}
					if _, err := q.Delete(e.ctx, m[0].Receipt); err != nil {
						e.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
	},
}
