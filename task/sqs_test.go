package task

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/dayfly-dev/dayfly/internal/gateway"
	"github.com/dayfly-dev/dayfly/internal/need"
	"github.com/dayfly-dev/dayfly/internal/sigv4"
	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
	"github.com/dayfly-dev/dayfly/queue/sqsqueue"
	"github.com/dayfly-dev/dayfly/queue/sqsserver"
)

// endpoint is the embedded SQS server as dayfly runs it.
func endpoint(t *testing.T) string {
	engine, err := diskqueue.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	queues := queue.New(engine)
	server, err := sqsserver.New(sqsserver.Options{Service: queues})
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
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		h.Close()
		if err := queues.Close(); err != nil {
			t.Error(err)
		}
	})
	return h.URL
}

// moto starts moto's server and returns its address.
func moto(t *testing.T) string {
	py := need.Python(t, "moto.server", "flask")
	cmd := exec.Command(py, "-u", "-c", `
import sys
from moto.server import ThreadedMotoServer
s = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
s.start()
print("http://%s:%d" % s.get_host_and_port())
sys.stdin.read()
s.stop()`)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, out)
	return strings.TrimSpace(url)
}

// TestOverSQS runs tasks of every kind through the SQS protocol: retries, dead
// letters, delays, a task longer than its visibility timeout, and a worker
// that is replaced in the middle.
func TestOverSQS(t *testing.T) {
	for name, open := range map[string]func(*testing.T) string{"embedded": endpoint, "moto": moto} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := sqs.New(sqs.Options{
				BaseEndpoint: aws.String(open(t)), Region: "us-east-1",
				Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""),
			})
			s := queue.New(sqsqueue.New(client, nil))
			defer s.Close()
			for _, c := range []struct {
				name string
				a    queue.Attributes
			}{
				{"default-dead", queue.Attributes{}},
				{"default", queue.Attributes{Visibility: 3 * time.Second, DeadLetter: &queue.DeadLetter{Queue: "default-dead", MaxReceives: 4}}},
			} {
				if err := s.CreateQueue(t.Context(), c.name, c.a, nil); err != nil {
					t.Fatal(err)
				}
			}
			overSQS(t, s)
		})
	}
}

func overSQS(t *testing.T, s *queue.Service) {
	r := &rig{t: t, s: s, q: s.Queue("default")}
	var mu sync.Mutex
	ran := map[string]int{}
	var begun, ended time.Time
	lastAttempt := 0 // of the task that is postponed
	task := Define("t", func(ctx context.Context, kind string) error {
		i, _ := Info(ctx)
		mu.Lock()
		ran[kind]++
		runs := ran[kind]
		mu.Unlock()
		switch kind {
		case "slow":
			time.Sleep(7 * time.Second)
			return ctx.Err()
		case "delayed":
			ended = time.Now()
		case "bad":
			return Permanent(errors.New("no good"))
		case "shaky":
			if i.Attempt < 3 {
				return errors.New("not yet")
			}
		case "later": // fails once, is postponed twice
			switch runs {
			case 1:
				return errors.New("failed")
			case 2, 3:
				return Postpone(errors.New("later"), time.Second)
			}
			lastAttempt = i.Attempt
		}
		return nil
	})
	c := NewClient(r.q, nil)
	kinds := []string{"slow", "bad", "shaky", "later"}
	for i := range 60 {
		kinds = append(kinds, fmt.Sprint("quick", i))
	}
	if _, err := task.EnqueueMany(t.Context(), c, kinds); err != nil {
		t.Fatal(err)
	}
	begun = time.Now()
	must[string](t)(task.Enqueue(t.Context(), c, "delayed", Delay(2*time.Second)))
	o := WorkerOptions{Tasks: []Definition{task}, Concurrency: 12, Backoff: Backoff{Max: 2 * time.Second}}
	stop := r.work(o)
	time.Sleep(100 * time.Millisecond)
	second := r.work(o)
	r.stop(stop)
	deadline := time.Now().Add(60 * time.Second)
	for r.left("default") != "0 0 0" && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
	r.stop(second)
	for _, kind := range append(kinds, "delayed") {
		// A delivery the first worker was given as it stopped counts as an
		// attempt, so what is shaky may need fewer runs.
		most := 1
		switch kind {
		case "shaky":
			most = 3
		case "later":
			most = 4
		}
		if n := ran[kind]; n < 1 || n > most {
			t.Errorf("%s ran %d times", kind, n)
		}
	}
	if lastAttempt < 2 || lastAttempt > 3 { // 3: with a delivery at the first worker's stop
		t.Errorf("a task that failed once and was postponed ran as attempt %d", lastAttempt)
	}
	if d := ended.Sub(begun); d < 1500*time.Millisecond { // whole seconds: up to half a second early is rounding
		t.Errorf("the delayed task ran after %v", d)
	}
	r.expect("default", "0 0 0")
	letters := r.letters()
	if len(letters) != 1 || letters[0].Attributes[AttributeError].String != "no good" {
		t.Errorf("dead letters: %+v", letters)
	}
}
