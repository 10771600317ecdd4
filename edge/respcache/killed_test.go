package respcache

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// pageOf is what the application answers with for a path: a body that shows whose
// it is throughout, of a length of its own.
func pageOf(path string) string {
	return strings.Repeat("this is "+path+"; ", 200+len(path)*97%3000)
}

func killedSite(t *testing.T, dir string) *site {
	return newSite(t, Options{Dir: dir, Size: 4 << 20}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=6000")
		io.WriteString(w, pageOf(r.URL.Path))
	})
}

const killedDir = "RESPCACHE_TEST_KILLED_DIR"

// TestKilledWriter is the process that TestKilled kills; alone it does nothing.
func TestKilledWriter(t *testing.T) {
	dir := os.Getenv(killedDir)
	if dir == "" {
		return
	}
	s := killedSite(t, dir)
	for i := 0; ; i++ {
		s.get(fmt.Sprintf("/%s/%d", os.Getenv("ROUND"), i))
		if i == 20 {
			fmt.Println("writing")
		}
	}
}

// TestKilled kills a process while it writes answers to disk, again and again on
// one folder: whoever opens that next answers with what the application said, or
// asks it.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	stored := 0
	for round := range 4 {
		c := exec.Command(os.Args[0], "-test.run=^TestKilledWriter$")
		c.Env = append(os.Environ(), killedDir+"="+dir, fmt.Sprintf("ROUND=%d", round))
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		began := make(chan bool, 1)
		go func() {
			in := bufio.NewScanner(out)
			for in.Scan() && !strings.Contains(in.Text(), "writing") {
			}
			began <- true
			io.Copy(io.Discard, out) //nolint:errcheck // until it is killed
		}()
		select {
		case <-began:
		case <-time.After(60 * time.Second):
			t.Error("nothing was written within a minute")
		}
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		c.Wait() //nolint:errcheck // it was killed
		s := killedSite(t, dir)
		for r := range round + 1 {
			for i := range 40 {
				path := fmt.Sprintf("/%d/%d", r, i)
				a := s.get(path)
				if a.body != pageOf(path) {
					t.Fatalf("%s: %d bytes, %.60q", path, len(a.body), a.body)
				}
				if strings.HasPrefix(a.status(), "dayfly; hit") {
					stored++
				}
			}
		}
		s.Close()
	}
	if t.Logf("%d answers outlived a kill", stored); stored == 0 {
		t.Error("nothing outlived a kill")
	}
}
