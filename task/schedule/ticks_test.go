package schedule

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
	"gocloud.dev/blob/memblob"

	"github.com/dayfly-dev/dayfly/blob"
	"github.com/dayfly-dev/dayfly/blob/s3server"
	"github.com/dayfly-dev/dayfly/internal/need"
)

// stores opens each kind of store n times, as n processes would.
var stores = map[string]func(t *testing.T, n int) []Ticks{
	"memory": func(t *testing.T, n int) []Ticks {
		b := memblob.OpenBucket(nil)
		t.Cleanup(func() { b.Close() })
		all := make([]Ticks, n)
		for i := range all {
			all[i] = BucketTicks(b)
		}
		return all
	},
	"folder": func(t *testing.T, n int) []Ticks {
		dir := t.TempDir()
		all := make([]Ticks, n)
		for i := range all {
			var err error
			if all[i], err = FolderTicks(dir); err != nil {
				t.Fatal(err)
			}
		}
		return all
	},
	"own S3 endpoint": func(t *testing.T, n int) []Ticks {
		s, err := s3server.Open(s3server.Options{Dir: t.TempDir(), AccessKey: "AKIATEST", SecretKey: "secret"})
		if err != nil {
			t.Fatal(err)
		}
		h := httptest.NewServer(s)
		t.Cleanup(func() {
			h.Close()
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
			defer cancel()
			if err := s.Shutdown(ctx); err != nil {
				t.Error(err)
			}
		})
		return overS3(t, h.URL, n)
	},
	"moto": func(t *testing.T, n int) []Ticks { return overS3(t, moto(t), n) },
}

func overS3(t *testing.T, url string, n int) []Ticks {
	all := make([]Ticks, n)
	for i := range all {
		client := s3.New(s3.Options{
			Region: "us-east-1", BaseEndpoint: aws.String(url), UsePathStyle: true,
			Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""),
		})
		if i == 0 {
			if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("ticks")}); err != nil {
				t.Fatal(err)
			}
		}
		b, err := blob.Open(t.Context(), "ticks", &blob.Options{Client: client})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		all[i] = BucketTicks(b)
	}
	return all
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

// TestTicks is what the scheduler relies on.
func TestTicks(t *testing.T) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			const processes, keys = 6, 25
			all, ctx := open(t, processes), t.Context()
			key := func(k int) string { return fmt.Sprintf("schedule/a/2026-11-21T00:00:%02dZ.1", k) }
			won := make([][]int, processes)
			var wg sync.WaitGroup
			for p, ticks := range all {
				wg.Go(func() {
					for k := range keys {
						ok, err := ticks.Create(ctx, key(k), fmt.Appendf(nil, "%d of %d", k, p))
						if err != nil {
							t.Errorf("create %d: %v", k, err)
						}
						if ok {
							won[p] = append(won[p], k)
						}
					}
				})
			}
			wg.Wait()
			owner := map[int]int{}
			for p, ks := range won {
				for _, k := range ks {
					if other, twice := owner[k]; twice {
						t.Errorf("%d was created by %d and %d", k, other, p)
					}
					owner[k] = p
					got, err := all[(p+1)%processes].Read(ctx, key(k))
					if want := fmt.Sprintf("%d of %d", k, p); err != nil || string(got) != want {
						t.Errorf("%d holds %q (%v), not %q", k, got, err, want)
					}
				}
			}
			if len(owner) != keys {
				t.Errorf("%d of %d keys were created", len(owner), keys)
			}
			testTicksList(t, all[0], key)
		})
	}
}

func testTicksList(t *testing.T, ticks Ticks, key func(int) string) {
	ctx := t.Context()
	for _, other := range []string{"schedule/ab/2026-11-21T00:00:00Z.1", "schedule/a/spec-000001"} {
		if ok, err := ticks.Create(ctx, other, []byte("x")); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	got, err := ticks.List(ctx, "schedule/a/2", key(3), 2)
	if d := cmp.Diff([]string{key(3), key(4)}, got); d != "" || err != nil {
		t.Error(d, err)
	}
	if got, err = ticks.List(ctx, "schedule/a/", "", 1000); len(got) != 26 || err != nil {
		t.Errorf("%d keys, %v", len(got), err)
	}
	if got, err = ticks.List(ctx, "schedule/none/", "", 1000); len(got) != 0 || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	for range 2 {
		if err := ticks.Delete(ctx, key(0)); err != nil {
			t.Error(err)
		}
	}
	if _, err := ticks.Read(ctx, key(0)); !errors.Is(err, ErrNoRecord) {
		t.Errorf("read of a deleted record: %v", err)
	}
	if ok, err := ticks.Create(ctx, key(0), []byte("again")); !ok || err != nil {
		t.Error(ok, err)
	}
}

// TestFolderProcesses: the same of real processes, which are this test run
// again.
func TestFolderProcesses(t *testing.T) {
	const processes, keys = 4, 100
	if dir := os.Getenv("SCHEDULE_TEST_DIR"); dir != "" {
		ticks, err := FolderTicks(dir)
		if err != nil {
			t.Fatal(err)
		}
		for k := range keys {
			ok, err := ticks.Create(t.Context(), fmt.Sprintf("schedule/p/%03d", k), []byte{'x'})
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				fmt.Printf("won %03d\n", k)
			}
		}
		return
	}
	dir := t.TempDir()
	outs := make([]string, processes)
	var wg sync.WaitGroup
	for p := range outs {
		wg.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run=^TestFolderProcesses$")
			cmd.Env = append(os.Environ(), "SCHEDULE_TEST_DIR="+dir)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
			outs[p] = string(out)
		})
	}
	wg.Wait()
	won := map[string]int{}
	for _, out := range outs {
		for line := range strings.Lines(out) {
			if k, ok := strings.CutPrefix(line, "won "); ok {
				won[k]++
			}
		}
	}
	for k, n := range won {
		if n != 1 {
			t.Errorf("%s was won %d times", k, n)
		}
	}
	if len(won) != keys {
		t.Errorf("%d of %d were won", len(won), keys)
	}
}

func TestFolderKeys(t *testing.T) {
	ticks := folder(t)
	for _, key := range []string{"", ".", "..", "../x", "/x", "a/../../x", `a\b`} {
		if ok, err := ticks.Create(t.Context(), key, nil); ok || err == nil {
			t.Errorf("%q was created", key)
		}
		if _, err := ticks.Read(t.Context(), key); err == nil || errors.Is(err, ErrNoRecord) {
			t.Errorf("%q was looked for: %v", key, err)
		}
	}
}

// TestFolderSweep: what a process that died while writing left is not taken
// for a record, and goes.
func TestFolderSweep(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, "schedule", "a", temporary+"123")
	if err := os.MkdirAll(filepath.Dir(left), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, age := range []time.Duration{0, 2 * time.Hour} {
		if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		then := time.Now().Add(-age)
		if err := os.Chtimes(left, then, then); err != nil {
			t.Fatal(err)
		}
		ticks, err := FolderTicks(dir)
		if err != nil {
			t.Fatal(err)
		}
		if keys, err := ticks.List(t.Context(), "schedule/a/", "", 10); len(keys) != 0 || err != nil {
			t.Errorf("%v, %v", keys, err)
		}
		if _, err := os.Stat(left); (err == nil) != (age == 0) {
			t.Errorf("left for %v: %v", age, err)
		}
	}
}
