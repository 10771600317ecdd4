package dash

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
)

var look = flag.String("look", "", "address to serve the dashboard of a made-up application on, until interrupted, to look at")

// TestLook is for eyes: go test ./dash -run TestLook -look 127.0.0.1:8099
func TestLook(t *testing.T) {
	if *look == "" {
		t.Skip("only with -look ADDRESS")
	}
	f := newFixture(t)
	f.Refresh, f.Now = 2*time.Second, func() time.Time { return now }
	fill(t, f)
	fillWaiting(t, f)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	go func() {
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-time.After(1500 * time.Millisecond):
				f.app.log(LogLine{Time: time.Now(), Process: "web.1", Stream: "out", Text: fmt.Sprintf("GET /packages/%d 200 4ms", i)})
			}
		}
	}()
	srv := &http.Server{Addr: *look, Handler: f}
	context.AfterFunc(ctx, func() { f.Close(); srv.Close() })
	if err := srv.ListenAndServe(); ctx.Err() == nil {
		t.Fatal(err)
	}
}

// fill puts messages and objects where they are.
func fill(t testing.TB, f *fixture) {
	t.Helper()
	deadLetter(t, f.queues, "compare_archives", "compare golang.org/x/net: archive has a path outside: ../../etc/passwd")
	deadLetter(t, f.queues, "send_digest", "panic: runtime error: index out of range [3] with length 3")
	ctx := context.Background()
	if err := f.queues.CreateQueue(ctx, "mails", queue.Attributes{}, nil); err != nil {
		t.Fatal(err)
	}
	w := workers(2, 120)
	w[0].Runs[0].Key, w[0].Runs[0].Done, w[0].Runs[0].Text = "shop-17", 62.5, "1,250 of 2,000 pictures"
	w[0].Runs[1].Task, w[0].Runs[1].ID, w[0].Runs[1].Key = "resize_pictures_of_a_catalogue_with_a_long_name", longID, longID
	w[1].Host, w[1].Runs[1].Ending, w[1].Runs[2].Attempt = "ip-10-0-113-27.eu-central-1.compute.internal", "task: cancelled", 3
	f.tasks.works(w...)
	down := f.tasks.activity["default"]
	down.Push = &Push{URL: "https://" + strings.Repeat("a-rather-long-name.", 5) + "example.com/tasks/of/the/mailer", Outcomes: down.Push.Outcomes, Down: true, Since: now.Add(-11 * time.Minute), Next: now,
		Error: "Post \"https://a-rather-long-name.example.com/tasks/of/the/mailer\": dial tcp 10.0.113.27:443: connect: connection refused"}
	f.tasks.activity["mails"] = down
	f.tasks.pauses = []Pause{{Queue: "mails", At: now.Add(-9 * time.Minute), By: "ann", Why: "the provider asked us to wait: " + longID}}
	apart := `{"specversion":"1.0","type":"resize_pictures_of_a_catalogue_with_a_long_name","id":"` + longID + `","dataref":"s3://shop-payloads/tasks/2026-11-21/` + longID + `","datasize":3145728}`
	if _, err := f.queues.Send(ctx, "mails", []queue.Outgoing{{Body: apart, Delay: -1}}); err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		_, err := f.queues.Send(ctx, "default", []queue.Outgoing{{Body: fmt.Sprintf(`{"specversion":"1.0","type":"check_versions","id":"0197c%03d","data":{"package":"example.org/p%d"}}`, i, i), Delay: time.Duration(i%3) * time.Minute}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.queues.Receive(ctx, "default", queue.ReceiveOptions{Max: 2, Visibility: -1}); err != nil {
		t.Fatal(err)
	}
	f.put(t, "advisories", "golang.org/x/net/v0.62.0.json", "application/json", []byte(`{"package":"golang.org/x/net","from":"v0.61.0","to":"v0.62.0","files":{"added":["http2/x.go"],"removed":[]},"lines":{"added":231,"removed":120}}`))
	f.put(t, "advisories", "index.json", "application/json", []byte(`["golang.org/x/net"]`))
	f.put(t, "advisories", "logo.png", "image/png", picture())
	f.put(t, "advisories", "readme.txt", "text/plain; charset=utf-8", []byte("Advisories, one an update.\n"))
	f.put(t, "archives", "net.zip", "application/zip", []byte("PK\x03\x04\x00\x00\x00"))
	for i := range 120 {
		f.put(t, "archives", fmt.Sprintf("go/module-%03d.zip", i), "application/zip", []byte("PK\x03\x04"))
	}
}

// fillWaiting sends what waits for two days, and what waits for a limit.
func fillWaiting(t testing.TB, f *fixture) {
	t.Helper()
	for body, limit := range map[string]string{`{"specversion":"1.0","type":"remind","id":"0197-far","notbefore":"` + now.Add(50*time.Hour).Format(time.RFC3339) + `"}`: "",
		`{"specversion":"1.0","type":"call_api","id":"0197-limited"}`: "mails call_api=" + longID} {
		o := queue.Outgoing{Body: body, Delay: 14 * time.Minute}
		if limit != "" {
			o.Attributes = map[string]queue.Attribute{attrLimit: {DataType: "String", String: limit}}
		}
		if _, err := f.queues.Send(context.Background(), "mails", []queue.Outgoing{o}); err != nil {
			t.Fatal(err)
		}
	}
}
