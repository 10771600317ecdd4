package outbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/dayfly-dev/dayfly/internal/gateway"
	"github.com/dayfly-dev/dayfly/internal/sigv4"
	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/sqsqueue"
	"github.com/dayfly-dev/dayfly/queue/sqsserver"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/outbox"
)

// relayProcess is set in the environment of a process that is a relay.
const relayProcess = "OUTBOX_TEST_RELAY"

// runRelayProcess relays until it is killed.
func runRelayProcess() {
	db, err := sql.Open(os.Getenv("OUTBOX_TEST_DRIVER"), os.Getenv("OUTBOX_TEST_DATABASE"))
	if err == nil {
		var relay *outbox.Relay
		client := sqs.New(sqs.Options{BaseEndpoint: aws.String(os.Getenv("OUTBOX_TEST_ENDPOINT")), Region: "us-east-1",
			Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", "")})
		relay, err = outbox.NewRelay(db, queue.New(sqsqueue.New(client, nil)).Queue("default"),
			&outbox.RelayOptions{Poll: 10 * time.Millisecond, Lease: time.Second, Batch: 20})
		if err == nil {
			err = relay.Run(context.Background())
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// TestKilledRelay: two relays in processes of their own are killed at random
// moments while transactions commit and roll back. Everything committed arrives,
// nothing else does, and what arrives twice is the same.
func TestKilledRelay(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %#x", seed)
	onEach(t, func(t *testing.T, d database) {
		random := rand.New(rand.NewPCG(seed, 0))
		r := newRig(t, d, nil)
		stop := make(chan struct{})
		kills := make(chan int, 2)
		endpoint := serve(t, r.s)
		for range 2 {
			pauses := rand.New(rand.NewPCG(random.Uint64(), 0))
			go func() { kills <- killAgainAndAgain(t, d, endpoint, pauses, stop) }()
		}
		want := map[string]string{} // body by id
		for i := range 400 {
			id, rollback := fmt.Sprintf("order-%d", i), random.IntN(4) == 0
			r.inTx(func(tx *sql.Tx) error {
				if _, err := outbox.Enqueue(t.Context(), tx, digest, digestArgs{id}, task.ID(id)); err != nil || rollback {
					return errRollback
				}
				return nil
			})
			if !rollback {
				want[id] = fmt.Sprintf(`{"Day":%q}`, id)
			}
			time.Sleep(time.Duration(random.IntN(8)) * time.Millisecond) // the pace of the application, not a wait
		}
		r.wantCount("dayfly_outbox", 0)
		close(stop)
		n := <-kills + <-kills
		twice := 0
		got := map[string]bool{}
		for {
			m, err := r.s.Queue("default").Receive(t.Context(), queue.ReceiveOptions{Max: 10, Visibility: -1})
			if err != nil {
				t.Fatal(err)
			}
			if len(m) == 0 {
				break
			}
			for _, m := range m {
				e, err := task.Decode(m.Body)
				if err != nil || want[e.ID] != string(e.Data) {
					t.Fatalf("%s: %v; it should be %q", m.Body, err, want[e.ID])
				}
				if got[e.ID] {
					twice++
				}
				got[e.ID] = true
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d of %d tasks arrived", len(got), len(want))
		}
		if n == 0 {
			t.Error("no relay was ever killed")
		}
		t.Logf("%d relays killed; %d tasks arrived, %d of them twice", n, len(got), twice)
	})
}

// killAgainAndAgain runs a relay, kills it, and runs another, until stop; it
// returns how many it killed while there was work.
func killAgainAndAgain(t *testing.T, d database, endpoint string, random *rand.Rand, stop <-chan struct{}) (kills int) {
	for {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), relayProcess+"=1", "OUTBOX_TEST_DRIVER="+d.driver, "OUTBOX_TEST_DATABASE="+d.address, "OUTBOX_TEST_ENDPOINT="+endpoint)
		c.Stderr = t.Output()
		if err := c.Start(); err != nil {
			t.Error(err)
			return kills
		}
		timer := time.NewTimer(300*time.Millisecond + time.Duration(random.IntN(1200))*time.Millisecond)
		var over bool
		select {
		case <-timer.C:
			kills++
		case <-stop:
			over = true
		}
		timer.Stop()
		c.Process.Kill()
		c.Wait()
		if over {
			return kills
		}
	}
}

// serve is the embedded SQS endpoint as dayfly runs it.
func serve(t *testing.T, s *queue.Service) string {
	server, err := sqsserver.New(sqsserver.Options{Service: s})
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
		h.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return h.URL
}
