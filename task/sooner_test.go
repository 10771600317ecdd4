package task

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/sqsqueue"
)

// hasten waits until the queue has one message, which waits, and has it begin.
func (r *rig) hasten(in *queue.Service) queue.Browsed {
	r.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		all := must[[]queue.Browsed](r.t)(in.Browse(r.t.Context(), r.q.Name(), "", 10))
		if len(all) == 1 && all[0].Waits {
			must[queue.Sent](r.t)(in.Replace(r.t.Context(), r.q.Name(), all[0], Sooner(all[0])))
			return all[0]
		}
	}
	r.t.Fatal("the queue has not one message that waits")
	return queue.Browsed{}
}

// TestSooner: a task that waits, be it longer than a queue delays, for its next
// attempt, or for a limit, begins when it is asked to: once, and with the attempts
// that it has left.
func TestSooner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 3, nil)
		var mu sync.Mutex
		var begun []string
		start, postponed := time.Now(), false
		def := Define("t", func(ctx context.Context, a mailArgs) error {
			info, _ := Info(ctx)
			mu.Lock()
			defer mu.Unlock()
			begun = append(begun, fmt.Sprint(a.To, info.Attempt, time.Since(start).Round(time.Minute)))
			if a.To == "busy" && !postponed {
				postponed = true
				return Postpone(errors.New("not now"), 15*time.Minute)
			}
			return errors.New("failed")
		})
		stop := r.work(WorkerOptions{Tasks: []Definition{def}, Backoff: Backoff{Min: time.Hour, Max: time.Hour, Floor: time.Hour}})
		must[string](t)(def.Enqueue(t.Context(), r.c, mailArgs{To: "far"}, Delay(48*time.Hour)))
		time.Sleep(time.Hour)
		for range 3 { // the delay, and two pauses
			r.hasten(r.s)
			synctest.Wait()
			time.Sleep(time.Minute)
		}
		must[string](t)(def.Enqueue(t.Context(), r.c, mailArgs{To: "busy"}))
		synctest.Wait()
		time.Sleep(time.Minute)
		r.hasten(r.s)
		time.Sleep(30 * time.Minute) // the pause is an hour: it is not received again
		want := []string{"far1 1h0m0s", "far2 1h1m0s", "far3 1h2m0s", "busy1 1h3m0s", "busy1 1h4m0s"}
		mu.Lock()
		if d := cmp.Diff(want, begun); d != "" {
			t.Error(d)
		}
		mu.Unlock()
		r.stop(stop)
		if letters := r.letters(); len(letters) != 1 || letters[0].Attributes[AttributeAttempts].String != "3" {
			t.Errorf("%+v", letters)
		}
	})
}

// TestSoonerSQS: over SQS's protocol, too, a worker says that it has done with a
// message it gives back, and never of one that it runs.
func TestSoonerSQS(t *testing.T) {
	url, engine := endpointOf(t)
	r := &rig{t: t, s: queue.New(sqsqueue.New(sqs.New(sqs.Options{BaseEndpoint: aws.String(url), Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", "")}), nil))}
	t.Cleanup(func() { r.s.Close() })
	s := severalOf(r, nil)
	r.q = s.queue("q")
	r.c = NewClient(r.q, nil)
	ran := make(chan int, 2)
	def := Define("t", func(ctx context.Context, _ mailArgs) error {
		info, _ := Info(ctx)
		all, err := engine.Browse(ctx, "q", "", 10)
		if err != nil || len(all) != 1 || all[0].Waits {
			t.Errorf("while it runs: %v, %v", all, err)
		}
		ran <- info.Attempt
		if info.Attempt == 1 {
			return RetryAfter(errors.New("failed"), 10*time.Hour)
		}
		return nil
	})
	stop := r.work(WorkerOptions{Tasks: []Definition{def}})
	must[string](t)(def.Enqueue(t.Context(), r.c, mailArgs{}))
	first := <-ran
	if old := r.hasten(engine); old.State != queue.StateInFlight || old.Receives != 1 {
		t.Errorf("%+v", old)
	}
	if second := <-ran; first != 1 || second != 2 {
		t.Errorf("attempts %d and %d", first, second)
	}
	r.stop(stop)
}

// TestSoonerBody: nothing but notbefore changes in a message, and that only where
// it is in the future.
func TestSoonerBody(t *testing.T) {
	now := time.Date(2027, 1, 15, 8, 0, 0, 5, time.UTC)
	const body = `{ "z":1.50,"specversion":"1.0", "id":"1","source":"s","type":"t","notbefore":"%s","new":{"b":1, "a":[ ]},"data":{"notbefore":"2030-01-01T00:00:00Z"}}`
	for from, to := range map[string]string{
		"2027-01-16T08:00:00.000000001Z": "2027-01-15T08:00:00Z",
		"2027-01-15T10:00:00+01:00":      "2027-01-15T08:00:00Z",
		"2027-01-15T08:00:00Z":           "2027-01-15T08:00:00Z",
		"2026-01-15T08:00:00+01:00":      "2026-01-15T08:00:00+01:00",
	} {
		if got, want := sooner(fmt.Sprintf(body, from), now), fmt.Sprintf(body, to); got != want {
			t.Errorf("%s: %s", from, got)
		}
	}
	for _, other := range []string{"", "hello", `{"notbefore":"2030-01-01T00:00:00Z"}`, strings.Repeat("[", 1000)} {
		if got := sooner(other, now); got != other {
			t.Errorf("%.40q became %.40q", other, got)
		}
	}
}

func FuzzSooner(f *testing.F) {
	f.Add(`{"specversion":"1.0","id":"1","source":"s","type":"t","notbefore":"2030-01-01T00:00:00Z","data":1}`)
	now := time.Date(2027, 1, 15, 8, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, body string) {
		got := sooner(body, now)
		e, err := Decode(body)
		if err != nil || !e.NotBefore.After(now) {
			if got != body {
				t.Fatalf("%q became %q", body, got)
			}
			return
		}
		e.NotBefore = now
		if d, err := Decode(got); err != nil || len(got) > len(body) || !cmp.Equal(e, d) {
			t.Fatalf("%q became %q: %v", body, got, err)
		}
	})
}
