package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/internal/need"
)

func TestParseWrk(t *testing.T) {
	const text = `Running 4s test @ http://127.0.0.1:8080/
  2 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.01ms    1.20ms  21.73ms   88.04%
    Req/Sec    38.07k     3.86k   46.50k    70.00%
  Latency Distribution
     50%  654.00us
     75%    1.22ms
     90%    2.39ms
     99%    5.70ms
  303030 requests in 4.02s, 371.43MB read
`
	h, err := parseWrk([]byte(text))
	if want := (heard{303030, 4020 * time.Millisecond, 5700 * time.Microsecond, ""}); err != nil || h != want {
		t.Errorf("got %+v, %v; want %+v", h, err, want)
	}
	h, err = parseWrk([]byte(text + "  Socket errors: connect 0, read 12, write 0, timeout 0\n  Non-2xx or 3xx responses: 7\n"))
	if err != nil || !strings.HasPrefix(h.failed, "Socket errors") {
		t.Errorf("errors are not seen: %+v, %v", h, err)
	}
	if _, err := parseWrk([]byte("unable to connect to 127.0.0.1:1 Connection refused\n")); err == nil {
		t.Error("no summary, and no error")
	}
}

// TestParts: each subject starts, answers, and is measured in each part.
func TestParts(t *testing.T) {
	for _, tool := range []string{"wrk", "nginx", "caddy", "varnishd"} {
		need.Tool(t, tool)
	}
	dir := t.TempDir()
	binary, self := filepath.Join(dir, "dayfly"), filepath.Join(dir, "benchedge")
	root := filepath.Join(need.Root(t), "..", "..") // of Dayfly's module
	for _, build := range []*exec.Cmd{exec.Command("go", "build", "-C", root, "-o", binary, "./cmd/dayfly"), exec.Command("go", "build", "-o", self, ".")} {
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	for _, p := range parts {
		t.Run(p.name, func(t *testing.T) {
			var out, progress bytes.Buffer
			cmd := exec.Command(self, "-part", p.name, "-rounds", "1", "-time", "1s", "-idle", "100", "-dayfly", binary)
			cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &progress
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v\n%s", err, progress.Bytes())
			}
			if !strings.Contains(out.String(), "| "+dayfly+" | ") || strings.Contains(out.String(), "failed") {
				t.Errorf("printed:\n%s\n%s", out.String(), progress.String())
			}
		})
	}
}
