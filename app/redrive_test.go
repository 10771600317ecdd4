package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/dayfly-dev/dayfly/app/control"
	"github.com/dayfly-dev/dayfly/internal/gateway"
	"github.com/dayfly-dev/dayfly/internal/sigv4"
	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
	"github.com/dayfly-dev/dayfly/queue/sqsqueue"
	"github.com/dayfly-dev/dayfly/queue/sqsserver"
	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/memrecords"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/ledger"
)

// effectRig is an application's ledger and queues: the embedded engine's, or the
// same over the SQS protocol and AWS's client.
type effectRig struct {
	*testing.T
	a    *App
	book *ledger.Ledger
	all  *queue.Service // the engine's
	runs chan task.Result
}

// onEach runs a test on the engine and over the protocol.
func onEach(t *testing.T, fifo bool, test func(*effectRig)) {
	for _, name := range []string{"engine", "SQS"} {
		t.Run(name, func(t *testing.T) { test(newEffectRig(t, name == "SQS", fifo)) })
	}
}

func newEffectRig(t *testing.T, remote, fifo bool) *effectRig {
	t.Helper()
	engine, err := diskqueue.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	all := queue.New(engine)
	t.Cleanup(func() { all.Close() })
	r := &effectRig{T: t, all: all, runs: make(chan task.Result, 1000),
		a: &App{log: slog.New(slog.NewTextHandler(t.Output(), nil)), records: records.New(memrecords.New()), queues: all}}
	if remote {
		r.a.queues = queue.New(sqsqueue.New(sqsClient(t, all), nil))
	}
	suffix := map[bool]string{true: ".fifo"}[fifo]
	for _, q := range []struct {
		name string
		a    queue.Attributes
	}{
		{"dead" + suffix, queue.Attributes{FIFO: fifo}},
		{"work" + suffix, queue.Attributes{FIFO: fifo, DeadLetter: &queue.DeadLetter{Queue: "dead" + suffix, MaxReceives: 3}}},
	} {
		if err := all.CreateQueue(t.Context(), q.name, q.a, nil); err != nil {
			t.Fatal(err)
		}
	}
	if r.book, err = r.a.ledger(); err != nil {
		t.Fatal(err)
	}
	return r
}

// sqsClient is AWS's, of an endpoint on these queues.
func sqsClient(t *testing.T, all *queue.Service) *sqs.Client {
	t.Helper()
	server, err := sqsserver.New(sqsserver.Options{Service: all})
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(gateway.Options{
		Credentials: []sigv4.Credentials{{AccessKeyID: "AKIATEST", SecretAccessKey: "secret"}},
		Services:    map[string]http.Handler{"sqs": server},
	})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(g)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		server.Shutdown(ctx)
		h.Close()
	})
	return sqs.New(sqs.Options{BaseEndpoint: aws.String(h.URL), Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", "")})
}

// run runs a task until there are n results.
func (r *effectRig) run(queue string, n int, f func(context.Context, string) error, args ...string) []task.Result {
	r.Helper()
	t := task.Define("send", f)
	q := r.a.queues.Queue(queue)
	client := task.NewClient(q, nil)
	for _, a := range args {
		var o []task.EnqueueOption
		if strings.HasSuffix(queue, ".fifo") {
			o = append(o, task.Group("g"))
		}
		if _, err := t.Enqueue(r.Context(), client, a, o...); err != nil {
			r.Fatal(err)
		}
	}
	w, err := task.NewWorker(q, task.WorkerOptions{Tasks: []task.Definition{t}, Ledger: r.book, Wait: time.Second,
		Backoff: task.Backoff{Min: time.Millisecond, Max: 2 * time.Millisecond}, OnResult: func(x task.Result) { r.runs <- x }})
	if err != nil {
		r.Fatal(err)
	}
	ctx, stop := context.WithCancel(r.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	var all []task.Result
	for range n {
		select {
		case x := <-r.runs:
			all = append(all, x)
		case <-time.After(5 * time.Minute):
			r.Fatalf("%d of %d results within a minute", len(all), n)
		}
	}
	stop()
	if err := <-ended; err != nil {
		r.Fatal(err)
	}
	return all
}

// holds is what a queue has: visible, delayed, in flight.
func (r *effectRig) holds(name string) string {
	r.Helper()
	d, err := r.all.Describe(r.Context(), name)
	if err != nil {
		r.Fatal(err)
	}
	return fmt.Sprint(d.Visible, d.Delayed, d.InFlight)
}

func (r *effectRig) resolve(key string, sent bool) control.Resolved {
	r.Helper()
	done, err := r.a.Resolve(r.Context(), control.Resolve{Key: key, Sent: sent, By: "ann"})
	if err != nil {
		r.Fatal(err)
	}
	return done
}

func (r *effectRig) unknown(want ...string) {
	r.Helper()
	found, err := r.a.Unknown(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	var got []string
	for _, e := range found {
		got = append(got, e.Key+" "+e.State)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		r.Errorf("listed are %q, not %q", got, want)
	}
}

// begins counts how often effects began, by whom they are for.
type begins struct {
	mu  sync.Mutex
	all map[string]int
}

func (b *begins) of(to string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all[to]
}

// lost is an effect whose answer is lost the first time.
func (b *begins) lost(ctx context.Context, to string) error {
	return task.Once(ctx, "greet/"+to, func(context.Context) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.all == nil {
			b.all = map[string]int{}
		}
		if b.all[to]++; b.all[to] == 1 {
			return errors.New("the answer was lost")
		}
		return nil
	})
}

// people are n names.
func people(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprint("p", i))
	}
	return all
}

// TestResolveOneOfMany: the dead letter of one effect goes back, as it was, and
// the others stay and are visible at once.
func TestResolveOneOfMany(t *testing.T) {
	onEach(t, false, func(r *effectRig) {
		var begun begins
		r.run("work", 25, begun.lost, people(25)...)
		if got := r.holds("dead"); got != "25 0 0" {
			r.Fatalf("dead letters: %s", got)
		}
		done := r.resolve("greet/p17", false)
		if done.Redriven != 1 || done.Note != "" || done.Already || done.State != "not-sent" {
			r.Errorf("%+v", done)
		}
		if got := r.holds("dead"); got != "24 0 0" {
			r.Errorf("dead letters after a resend: %s", got)
		}
		got, err := r.all.Receive(r.Context(), "work", queue.ReceiveOptions{Max: 10, Visibility: 0})
		if err != nil || len(got) != 1 || len(got[0].Attributes) != 0 {
			r.Fatalf("%+v, %v: not one message without what was written about its failure", got, err)
		}
		if done := r.resolve("greet/p3", true); done.Redriven != 1 || done.State != "sent" {
			r.Errorf("%+v", done)
		}
		for _, x := range r.run("work", 2, begun.lost) {
			if x.Outcome != task.Done {
				r.Errorf("%+v", x)
			}
		}
		if begun.of("p17") != 2 || begun.of("p3") != 1 {
			r.Errorf("begun: %v", begun.all)
		}
	})
}

// TestResolveAgain: the same word twice, the other word, and keys that are none.
func TestResolveAgain(t *testing.T) {
	onEach(t, false, func(r *effectRig) {
		r.run("work", 1, new(begins).lost, "ann")
		r.unknown("greet/ann unknown")
		r.resolve("greet/ann", true)
		r.unknown()
		again := r.resolve("greet/ann", true)
		if !again.Already || again.Redriven != 0 || !strings.Contains(again.Note, "so it was already") ||
			!strings.Contains(again.Note, "ann says that it was sent") || !strings.Contains(again.Note, "nothing to do") {
			r.Errorf("said twice: %+v", again)
		}
		for key, want := range map[string]string{
			"greet/ann":  "it happened",
			"greet/none": "there is no record of this key: no task has begun it",
			"":           "the key is empty",
		} {
			if _, err := r.a.Resolve(r.Context(), control.Resolve{Key: key, By: "ann"}); err == nil || !strings.Contains(err.Error(), want) {
				r.Errorf("resend of %q: %v", key, err)
			}
		}
		r.run("work", 2, new(begins).lost, "bob")
		r.resolve("greet/bob", false)
		if again := r.resolve("greet/bob", false); !again.Already || !strings.Contains(again.Note, "it is sent when its task runs") {
			r.Errorf("to be sent again, said twice: %+v", again)
		}
	})
}

// TestResolveWhatIsHeld: a letter that somebody else has in flight is told of,
// and the effect stays listed for it.
func TestResolveWhatIsHeld(t *testing.T) {
	onEach(t, false, func(r *effectRig) {
		r.run("work", 1, new(begins).lost, "ann")
		got, err := r.all.Receive(r.Context(), "dead", queue.ReceiveOptions{Max: 1, Visibility: time.Hour})
		if err != nil || len(got) != 1 {
			r.Fatal(got, err)
		}
		if done := r.resolve("greet/ann", true); done.Redriven != 0 || !strings.Contains(done.Note, "in flight: run this command again") {
			r.Errorf("%+v", done)
		}
		r.unknown("greet/ann sent")
		if _, err := r.all.ChangeVisibility(r.Context(), "dead", []queue.VisibilityChange{{Receipt: got[0].Receipt}}); err != nil {
			r.Fatal(err)
		}
		if done := r.resolve("greet/ann", true); done.Redriven != 1 || !done.Already {
			r.Errorf("%+v", done)
		}
		r.unknown()
	})
}

// TestResolveFIFO: a letter behind ten others of its group cannot be seen over
// the protocol, which is told.
func TestResolveFIFO(t *testing.T) {
	onEach(t, true, func(r *effectRig) {
		var begun begins
		r.run("work.fifo", 12, begun.lost, people(12)...)
		remote := r.a.queues != r.all
		done := r.resolve("greet/p11", true)
		if remote && (done.Redriven != 0 || !strings.Contains(done.Note, "behind others of their group")) || !remote && done.Redriven != 1 {
			r.Errorf("%+v", done)
		}
		if done := r.resolve("greet/p4", true); done.Redriven != 1 {
			r.Errorf("%+v", done)
		}
		if x := r.run("work.fifo", map[bool]int{true: 1, false: 2}[remote], begun.lost); x[0].Outcome != task.Done {
			r.Errorf("%+v", x)
		}
	})
}

// TestResolveCountedLetters: letters that go on to another queue are not received
// to be looked at.
func TestResolveCountedLetters(t *testing.T) {
	r := newEffectRig(t, true, false)
	if err := r.all.CreateQueue(t.Context(), "deader", queue.Attributes{}, nil); err != nil {
		t.Fatal(err)
	}
	d, err := r.all.Describe(t.Context(), "dead")
	if err != nil {
		t.Fatal(err)
	}
	d.Attributes.DeadLetter = &queue.DeadLetter{Queue: "deader", MaxReceives: 1}
	if err := r.all.SetAttributes(t.Context(), "dead", d.Attributes); err != nil {
		t.Fatal(err)
	}
	r.run("work", 1, new(begins).lost, "ann")
	if done := r.resolve("greet/ann", true); done.Redriven != 0 || !strings.Contains(done.Note, "each look at its letters would count") {
		t.Errorf("%+v", done)
	}
	if got := r.holds("dead"); got != "1 0 0" {
		t.Errorf("dead letters: %s", got)
	}
}
