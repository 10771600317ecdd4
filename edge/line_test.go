package edge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A queueing is an edge of one target with one place, and requests that wait
// for it; what becomes of each is noted in order.
type queueing struct {
	*Edge
	mu    sync.Mutex
	order []string
	wg    sync.WaitGroup
}

func newQueueing(t *testing.T, b Balance) *queueing {
	b.PerTarget = 1
	q := &queueing{Edge: fabricated(t, b, "web.1")}
	q.come(t.Context(), "first")
	synctest.Wait()
	return q
}

func (q *queueing) come(ctx context.Context, name string) {
	q.wg.Go(func() {
		_, err := q.acquire(ctx, &want{}, time.Now().Add(time.Hour))
		if err != nil {
			name += fmt.Sprintf(" refused after %v", errShort(err))
		}
		q.mu.Lock()
		q.order = append(q.order, name)
		q.mu.Unlock()
	})
	synctest.Wait()
}

func errShort(err error) string {
	switch {
	case errors.Is(err, errLineFull):
		return "full"
	case errors.Is(err, errLineOver):
		return "over"
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	return err.Error()
}

// done ends the request that is served.
func (q *queueing) done() {
	q.release(q.targets[0], false, answered)
	synctest.Wait()
}

func (q *queueing) expect(t *testing.T, want ...string) {
	t.Helper()
	q.mu.Lock()
	defer q.mu.Unlock()
	if !slices.Equal(q.order, want) {
		t.Errorf("got  %q\nwant %q", q.order, want)
	}
}

func TestLineIsFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueueing(t, Balance{Queue: 3})
		ctx, cancel := context.WithCancel(t.Context())
		q.come(t.Context(), "a")
		q.come(ctx, "b")
		q.come(t.Context(), "c")
		q.come(t.Context(), "d")
		if !q.lineFull() {
			t.Error("not full")
		}
		cancel()
		synctest.Wait()
		if q.lineFull() {
			t.Error("full although one left")
		}
		q.done()
		q.done()
		if o := q.targets[0].outstanding; o != 1 {
			t.Errorf("%d outstanding", o)
		}
		q.done()
		q.expect(t, "first", "d refused after full", "b refused after canceled", "a", "c")
		if s := q.Stats(); s.Shed != 2 || s.Queued != 0 || s.Targets[0].Outstanding != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// A line that does not empty for its timeout is served from its end, and who
// has waited a tenth of it is turned away.
func TestLineUnderLastingOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueueing(t, Balance{QueueTimeout: 10 * time.Second})
		q.come(t.Context(), "old")
		time.Sleep(9500 * time.Millisecond)
		q.come(t.Context(), "middle")
		time.Sleep(600 * time.Millisecond) // old's time is over
		q.come(t.Context(), "new")
		q.come(t.Context(), "newer")
		q.done()
		time.Sleep(500 * time.Millisecond)
		q.come(t.Context(), "newest") // middle has waited 1.1 s
		q.done()
		q.done()
		q.done()
		q.expect(t, "first", "old refused after over", "newer", "middle refused after over", "newest", "new")
		q.come(t.Context(), "served at once") // the line had emptied: a burst is served in turn again
		q.come(t.Context(), "1")
		q.come(t.Context(), "2")
		q.done()
		q.done()
		q.expect(t, "first", "old refused after over", "newer", "middle refused after over", "newest", "new", "served at once", "1", "2")
	})
}

// Who waits in line is held when no target is left, and served when one comes.
func TestLineWithoutTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueueing(t, Balance{})
		q.come(t.Context(), "a")
		q.come(t.Context(), "b")
		x := q.targets[0]
		q.setHealth(x, errors.New("gone"))
		synctest.Wait()
		if s := q.Stats(); s.Held != 2 || s.Queued != 0 {
			t.Errorf("%d held, %d queued", s.Held, s.Queued)
		}
		time.Sleep(time.Minute) // longer than the line's timeout
		q.done()
		q.setHealth(x, nil)
		synctest.Wait()
		if s := q.Stats(); s.Held != 0 || s.Queued != 1 {
			t.Errorf("%d held, %d queued", s.Held, s.Queued)
		}
		q.done()
		q.done()
		if len(q.order) != 3 {
			t.Errorf("%q", q.order)
		}
	})
}

// Dayfly's own requests wait without a bound, and after the visitors.
func TestTasksWaitForVisitors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueueing(t, Balance{})
		q.wg.Go(func() {
			if _, err := q.await(t.Context(), &want{}); err != nil {
				t.Error(err)
			}
			q.mu.Lock()
			q.order = append(q.order, "task")
			q.mu.Unlock()
		})
		synctest.Wait()
		q.come(t.Context(), "visitor")
		q.done()
		time.Sleep(time.Minute)
		q.done()
		q.expect(t, "first", "visitor", "task")
	})
}

// The bound holds over HTTP: never more than it at the application, event
// streams apart, and who is turned away is told when to come again.
func TestPerTarget(t *testing.T) {
	s := newSite(t, Options{Balance: Balance{PerTarget: 2, Queue: 3, QueueTimeout: patience}})
	arrived, release := make(chan struct{}, 100), make(chan struct{})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/events" {
			w.Header().Set("Content-Type", "text/event-stream")
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		arrived <- struct{}{}
		<-release
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 5 {
		req, _ := http.NewRequestWithContext(ctx, "GET", s.url+"/events", nil)
		res, err := s.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
	}
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if res, _ := s.do(t, "POST", "/", strings.NewReader("form")); res.StatusCode != 200 {
				t.Errorf("one that waited was answered %d", res.StatusCode)
			}
		})
	}
	eventually(t, "three wait", func() bool { return s.Stats().Queued == 3 })
	body := strings.NewReader("form")
	res, text := s.do(t, "POST", "/", body)
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !strings.Contains(text, "Nothing of it was processed") {
		t.Errorf("the sixth was answered %d %v %q", res.StatusCode, res.Header, text)
	}
	if n := len(arrived); n != 2 {
		t.Errorf("%d at the application", n)
	}
	close(release)
	wg.Wait()
	if s.Stats().Shed != 1 {
		t.Errorf("%d shed", s.Stats().Shed)
	}
}
