package test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/smtp"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/dayfly-dev/dayfly/internal/need"
	"github.com/dayfly-dev/dayfly/queue"
)

// fill takes what room a disk has.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 4 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
}

const everyStore = `name = "full"
[process.web]
command = "%s web"
http = true
health = "/healthz"
[queue.default]
visibility = "0s"
[bucket.files]
[cache.default]
[database.default]
`

// TestFullDiskAtStart: one clear message, and what to do.
func TestFullDiskAtStart(t *testing.T) {
	t.Parallel()
	disk := need.Disk(t, "size=4m")
	dir := application(t, fmt.Sprintf(everyStore, build(t, "./test/app"))+anyPorts)
	data := filepath.Join(disk, "data")
	for range 2 { // the first leaves nothing that hinders the second
		failsToStart(t, dir, data, "no space left on device", "the disk of "+data+" is full", "make room and start again")
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=60m"); err != nil {
		t.Fatal(err)
	}
	h := up(t, dir, data)
	h.down()

	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, "size=60m"); err != nil {
		t.Fatal(err)
	}
	failsToStart(t, dir, data, "read-only file system", "get the right to write there, or give another data folder with --data")
	failsToStart(t, dir, filepath.Join(disk, "other"), "read-only file system", "get the right to write there")
}

func failsToStart(t *testing.T, dir, data string, texts ...string) {
	t.Helper()
	h := start(t, dir, data)
	select {
	case <-h.ended:
	case <-time.After(patience):
		t.Fatalf("it neither starts nor ends:\n%s", h.out.tail(4000))
	}
	out := h.out.String()
	for _, text := range texts {
		if !strings.Contains(out, text) {
			t.Errorf("it does not say %q", text)
		}
	}
	if h.cmd.ProcessState.ExitCode() != 1 || strings.Count(out, "dayfly: ") != 1 || strings.Count(out, "\n") > 2 {
		t.Errorf("not one clear message: %v\n%s", h.cmd.ProcessState, out)
	}
	noneLeft(t, data)
}

// TestFullDisk fills the disk of the data folder while the application runs:
// what needs room is refused and says so, the rest goes on, and with room all
// does; what was acknowledged is there after all, and after a kill.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := need.Disk(t, "size=64m")
	dir := application(t, fmt.Sprintf(everyStore, build(t, "./test/app"))+anyPorts)
	data, filler := filepath.Join(disk, "data"), filepath.Join(disk, "filler")
	h := up(t, dir, data)
	q := client(t, h.env)
	var acknowledged []string
	send := func() error {
		var batch []queue.Outgoing
		for i := range 8 {
			batch = append(batch, queue.Outgoing{Body: fmt.Sprintf("%d-%d-%s", len(acknowledged), i, strings.Repeat("x", 100_000))})
		}
		sent, err := q.Send(t.Context(), batch...)
		for i := range sent {
			if err == nil && sent[i].ID != "" {
				acknowledged = append(acknowledged, batch[i].Body)
			}
		}
		return err
	}
	fill(t, filler)
	var refused error
	for n := 0; refused == nil && n < 2000; n++ {
		refused = send()
	}
	if refused == nil || !strings.Contains(refused.Error(), "503") || !strings.Contains(refused.Error(), "disk") {
		t.Errorf("a send with a full disk: %v", refused)
	}
	if len(acknowledged) == 0 {
		t.Fatal("the log's own room took nothing")
	}
	mailing := func() error {
		u, err := url.Parse(h.env["SMTP_URL"])
		if err != nil {
			t.Fatal(err)
		}
		return smtp.SendMail(u.Host, nil, "a@example.com", []string{"b@example.com"}, []byte("Subject: s\r\n\r\n"+strings.Repeat("text\r\n", 20_000)))
	}
	// The queue may still be giving back what it took for a last try.
	eventually(t, "mail is refused with 452", func() bool {
		fill(t, filler)
		err := mailing()
		return err != nil && strings.HasPrefix(err.Error(), "452")
	})
	objects := s3.New(s3.Options{Region: h.env["AWS_REGION"], BaseEndpoint: aws.String(h.env["AWS_ENDPOINT_URL"]), UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(h.env["AWS_ACCESS_KEY_ID"], h.env["AWS_SECRET_ACCESS_KEY"], "")})
	put := func() error {
		_, err := objects.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(h.env["BUCKET_FILES"]), Key: aws.String("k"),
			Body: strings.NewReader(strings.Repeat("x", 300_000))})
		return err
	}
	if err := put(); err == nil || !strings.Contains(err.Error(), "StatusCode: 507") && !strings.Contains(err.Error(), "StatusCode: 503") {
		t.Errorf("an object with a full disk: %v", err)
	}
	get(t, h.env["SITE_URL"]+"/page")
	get(t, h.env["DAYFLY_URL"]+"/")
	h.cli("ps")
	h.cli("restart", "web")
	if out, err := h.try("run", "x"); err != nil && !strings.Contains(out, "disk") {
		t.Errorf("run with a full disk: %v %s", err, out)
	}
	if m, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 1}); err != nil || len(m) != 1 {
		t.Errorf("receive with a full disk: %d, %v", len(m), err)
	}

	// Killed while it is full: the next start works, or says what to do.
	h.kill()
	h = start(t, dir, data)
	eventually(t, "it runs or says what to do", func() bool {
		out := h.out.String()
		return strings.Contains(out, " is up (dayfly ") || strings.Contains(out, "make room and start again")
	})
	h.kill()
	noneLeft(t, data)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	h = up(t, dir, data)
	q = client(t, h.env)
	objects = s3.New(s3.Options{Region: h.env["AWS_REGION"], BaseEndpoint: aws.String(h.env["AWS_ENDPOINT_URL"]), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(h.env["AWS_ACCESS_KEY_ID"], h.env["AWS_SECRET_ACCESS_KEY"], "")})

	// Full again, and room is made while it runs.
	fill(t, filler)
	for refused = nil; refused == nil; {
		refused = send()
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it takes messages again", func() bool { return send() == nil })
	if err := errors.Join(mailing(), put()); err != nil {
		t.Errorf("with room again: %v", err)
	}
	lost := map[string]bool{}
	for _, body := range acknowledged {
		lost[body] = true
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for len(lost) > 0 && ctx.Err() == nil {
		ms, err := q.Receive(ctx, queue.ReceiveOptions{Max: 10, Visibility: time.Minute})
		if err != nil || len(ms) == 0 {
			break
		}
		for _, m := range ms {
			delete(lost, m.Body)
		}
	}
	if len(lost) > 0 {
		t.Errorf("%d of %d acknowledged messages are lost", len(lost), len(acknowledged))
	}
	t.Logf("%d messages acknowledged around three full disks, %d lost; refused with: %v", len(acknowledged), len(lost), refused)
	h.down()
}

// TestStopUnderLoad stops with requests under way: each is answered or was never
// taken. Half requests at the other listeners do not hold the end up.
func TestStopUnderLoad(t *testing.T) {
	t.Parallel()
	dir := application(t, fmt.Sprintf(everyStore, build(t, "./test/app"))+anyPorts)
	h := up(t, dir, filepath.Join(dir, ".dayfly"))
	for _, name := range []string{"DAYFLY_URL", "AWS_ENDPOINT_URL", "SMTP_URL", "CACHE_DEFAULT_URL"} {
		u, err := url.Parse(h.env[name])
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial("tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf") //nolint:errcheck // whatever it does with it
	}
	var load sync.WaitGroup
	var served, cut atomic.Int64
	for i := range 16 {
		load.Go(func() {
			c := &http.Client{Transport: &http.Transport{DisableKeepAlives: i%2 == 0}, Timeout: patience}
			for {
				_, err := once(c, h.env["SITE_URL"], false)
				if errors.Is(err, syscall.ECONNREFUSED) {
					return
				}
				// A connection that waited in the listener's queue is reset by the kernel; an
				// idle one is closed, which a request may cross on its way. Each client
				// can meet either once: the next connection is refused.
				if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) {
					cut.Add(1)
					continue
				}
				if err != nil {
					t.Errorf("after %d: %v", served.Load(), err)
					return
				}
				served.Add(1)
			}
		})
	}
	eventually(t, "requests are served", func() bool { return served.Load() > 200 })
	began := time.Now()
	h.down()
	if took := time.Since(began); took > 90*time.Second { // each of the four may take two seconds; else it would end never
		t.Errorf("stopping took %s", took)
	}
	load.Wait()
	if cut.Load() > 16 {
		t.Errorf("%d connections of 16 clients were cut while requests were on their way", cut.Load())
	}
	t.Logf("%d requests served, %d connections cut before they were taken", served.Load(), cut.Load())
	noneLeft(t, h.data)
}
