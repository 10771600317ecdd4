package test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/dayfly-dev/dayfly/app/manifest"
	"github.com/dayfly-dev/dayfly/blob"
	"github.com/dayfly-dev/dayfly/internal/need"
	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/sqsqueue"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/payload"
)

// TestCrash enqueues tasks through the SQS endpoint while dayfly is killed with
// SIGKILL at random moments. Every task whose enqueueing was acknowledged must
// run; how many ran twice is reported. One in a hundred is larger than a message. DAYFLY_CRASH_SEED repeats a run's
// moments, DAYFLY_CRASH_TASKS and DAYFLY_CRASH_KILLS make it longer.
func TestCrash(t *testing.T) {
	t.Parallel()
	tasks, kills := number(t, "DAYFLY_CRASH_TASKS", 20_000), number(t, "DAYFLY_CRASH_KILLS", 10)
	seed := uint64(number(t, "DAYFLY_CRASH_SEED", int(time.Now().UnixNano()&0x7fffffff)))
	t.Logf("seed %d: %d tasks, %d kills (DAYFLY_CRASH_SEED=%d repeats the moments)", seed, tasks, kills, seed)
	random := rand.New(rand.NewPCG(seed, 0))

	worker, record := build(t, "./test/app"), filepath.Join(t.TempDir(), "record")
	address := need.Address(t) // the endpoint is where it was after each start
	dir := application(t, fmt.Sprintf(`name = "crash"
[process.worker]
command = "%s worker"
instances = { min = 2 }
env = { RECORD_FILE = "%s" }
[queue.default]
visibility = "5s"
attempts = 1000
[listen]
aws = "%s"
dashboard = "127.0.0.1:0"
cache = "127.0.0.1:0"
smtp = "127.0.0.1:0"
`, worker, record, address))
	data := filepath.Join(dir, ".dayfly")

	h := up(t, dir, data)
	queueURL := h.env["QUEUE_DEFAULT_URL"]
	q, payloads := client(t, h.env), objectClient(t, h.env)
	var acknowledged sync.Map // key → true
	var count atomic.Int64
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	var producers sync.WaitGroup
	const producersN = 16
	for p := range producersN {
		producers.Go(func() {
			c := task.NewClient(q, &task.ClientOptions{Payloads: payloads})
			for i := p; i < tasks && ctx.Err() == nil; i += producersN {
				key := fmt.Sprintf("%s-%d", queueURL[len(queueURL)-7:], i)
				args := `{"key":"` + key + `"}`
				if i%100 == 0 { // stored apart
					args = fmt.Sprintf(`{"key":"%s","size":%d,"text":"%s"}`, key, 300_000+i, strings.Repeat("x", 300_000+i))
				}
				// Not acknowledged: it may be there or not, so it is sent again.
				for ctx.Err() == nil {
					if _, err := task.EnqueueNamed(ctx, c, "record", []byte(args)); err == nil {
						acknowledged.Store(key, true)
						count.Add(1)
						break
					}
					time.Sleep(20 * time.Millisecond)
				}
			}
		})
	}
	produced := make(chan struct{})
	go func() { producers.Wait(); close(produced) }()

	for kill := range kills {
		// The kills are spread over the time tasks are enqueued: each comes at a
		// random moment after its share of them was acknowledged.
		share := int64(tasks) * int64(kill) / int64(kills)
		for count.Load() < share && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(random.Int64N(int64(300 * time.Millisecond))))
		h.kill()
		h = start(t, dir, data)
		h.wait()
	}
	<-produced
	if got := count.Load(); got != int64(tasks) {
		t.Fatalf("only %d of %d tasks were acknowledged in time", got, tasks)
	}
	ran := map[string]int{}
	eventually(t, "every acknowledged task has run", func() bool {
		ran = readRecord(t, record)
		return len(ran) >= tasks
	})
	lost, again, twice := 0, 0, 0
	acknowledged.Range(func(key, _ any) bool {
		if ran[key.(string)] == 0 {
			lost++
		}
		return true
	})
	for _, n := range ran {
		if n > 1 {
			twice++
			again += n - 1
		}
	}
	t.Logf("%d kills, %d tasks acknowledged, %d lost; %d tasks ran more than once (%d runs too many)", kills, tasks, lost, twice, again)
	if lost > 0 {
		t.Errorf("%d acknowledged tasks were lost", lost)
	}
	left, err := filepath.Glob(filepath.Join(data, "objects", manifest.PayloadsBucket, "*", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	// Each kill may leave what was stored and not sent, by as many as sent, and
	// what was done and not deleted, by as many as worked.
	t.Logf("%d payloads are left to be swept", len(left))
	if most := (kills + 1) * (producersN + 2*32); len(left) > min(most, tasks/100-1) {
		t.Errorf("%d payloads are left of %d, more than the kills explain", len(left), tasks/100)
	}
	h.down()
}

// client sends without the SDK's own retries: one call is one acknowledgement.
func client(t *testing.T, env map[string]string) *queue.Queue {
	t.Helper()
	cfg := aws.Config{Region: env["AWS_REGION"], BaseEndpoint: aws.String(env["AWS_ENDPOINT_URL"]), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], "")}
	q, err := sqsqueue.Open(t.Context(), env["QUEUE_DEFAULT_URL"], &sqsqueue.Options{Config: &cfg})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// objectClient stores large arguments, also without retries of the SDK's.
func objectClient(t *testing.T, env map[string]string) *payload.Store {
	t.Helper()
	name, err := payload.BucketOf(env["PAYLOADS_URL"])
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := blob.Open(t.Context(), name, &blob.Options{Client: s3.New(s3.Options{Region: env["AWS_REGION"],
		BaseEndpoint: aws.String(env["AWS_ENDPOINT_URL"]), UsePathStyle: true, Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], "")})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bucket.Close() })
	s, err := payload.New(bucket, env["PAYLOADS_URL"], nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func readRecord(t *testing.T, path string) map[string]int {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ran := map[string]int{}
	for scan := bufio.NewScanner(f); scan.Scan(); {
		ran[scan.Text()]++
	}
	return ran
}

func number(t *testing.T, variable string, value int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return value
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q is not a number above 0", variable, text)
	}
	return n
}
