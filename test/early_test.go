package test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/internal/need"
)

// TestEarlyAnswers has clients send large bodies to an application that answers
// before it has read them: the answer arrives, and the next request works. The
// sizes are one that the edge reads first, and one that it passes on as it comes.
func TestEarlyAnswers(t *testing.T) {
	t.Parallel()
	python, curl := need.Python(t), need.Tool(t, "curl")
	app := build(t, "./test/edgeapp")
	dir := application(t, fmt.Sprintf("name = \"early\"\n[process.web]\ncommand = \"%s early\"\nhttp = true\nhealth = \"/healthz\"\n[edge.bodies]\nrequest = \"1MiB\"\n", app)+anyPorts)
	h := up(t, dir, filepath.Join(dir, ".dayfly"))
	for _, size := range []int{300_000, 24 << 20} {
		t.Run(fmt.Sprintf("http.client, %d bytes", size), func(t *testing.T) {
			h.client(t, nil, python, "clients/http_early.py", fmt.Sprint(size))
		})
		t.Run(fmt.Sprintf("curl, %d bytes", size), func(t *testing.T) { h.earlyCurl(t, curl, size) })
		t.Run(fmt.Sprintf("net/http, %d bytes", size), func(t *testing.T) { h.earlyGo(t, size) })
	}
	h.down()
}

var earlyAnswers = map[string]string{
	"/large": "413 too large for us\n", "/denied": "401 who are you\n", "/abrupt": "413 too large for us", "/abruptchunks": "413 too large for us",
}

// earlyCurl asks with and without 100 Continue, then for something else in the
// same run, so on the same connection where it is left open.
func (h *house) earlyCurl(t *testing.T, curl string, size int) {
	site := h.env["SITE_URL"]
	file := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(file, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, answer := range earlyAnswers {
		for _, expect := range []string{"Expect: 100-continue", "Expect:"} {
			for _, length := range []string{"X-Length: known", "Transfer-Encoding: chunked"} {
				status, body, _ := strings.Cut(answer, " ")
				out, err := exec.CommandContext(t.Context(), curl, "-sS", "--max-time", "300", "-H", expect, "-H", length, "-X", "POST", "-T", file, "-w", " %{http_code}\n", site+path,
					"--next", "-sS", "--max-time", "300", "-H", expect, "-d", "small", "-w", " %{http_code}\n", site+"/read").CombinedOutput()
				if want := body + " " + status + "\n5 bytes 200\n"; err != nil || string(out) != want {
					t.Errorf("%s, %s, %s: %q, %v, want %q", path, expect, length, out, err, want)
				}
			}
		}
	}
}

// earlyGo asks with net/http, whose transport reads while it sends.
func (h *house) earlyGo(t *testing.T, size int) {
	transport := &http.Transport{ExpectContinueTimeout: patience}
	defer transport.CloseIdleConnections()
	c := &http.Client{Transport: transport, Timeout: patience}
	for path, want := range earlyAnswers {
		for _, expect := range []bool{true, false} {
			for _, length := range []int64{int64(size), -1} {
				began := time.Now()
				ask := func(path string) (string, error) {
					r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.env["SITE_URL"]+path, io.LimitReader(zeros{}, int64(size)))
					if err != nil {
						return "", err
					}
					r.ContentLength = length
					if expect {
						r.Header.Set("Expect", "100-continue")
					}
					res, err := c.Do(r)
					if err != nil {
						return "", err
					}
					defer res.Body.Close()
					body, err := io.ReadAll(res.Body)
					return fmt.Sprintf("%d %s", res.StatusCode, body), err
				}
				if got, err := ask(path); err != nil || got != want {
					t.Errorf("%s, expect %t, length %d: %q, %v after %v", path, expect, length, got, err, time.Since(began))
				}
				if got, err := ask("/read"); err != nil || got != fmt.Sprintf("200 %d bytes", size) {
					t.Errorf("after %s, expect %t, length %d: %q, %v after %v", path, expect, length, got, err, time.Since(began))
				}
			}
		}
	}
}

// zeros is a body without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
