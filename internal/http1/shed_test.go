package http1

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	shedVariable = "DAYFLY_HTTP1_SHED" // the address where the child listens is written to this descriptor
	shedLimit    = 64                  // descriptors
)

// TestShed: a process that may have few descriptors goes on answering new clients
// however many keep connections open, closes those first that waited longest, and
// says so once.
func TestShed(t *testing.T) {
	if os.Getenv(shedVariable) != "" {
		shedChild(t)
		return
	}
	for _, reserve := range []bool{true, false} { // closed in time, or when accepting fails
		t.Run("reserve "+strconv.FormatBool(reserve), func(t *testing.T) { shedding(t, reserve) })
	}
}

func shedding(t *testing.T, reserve bool) {
	var said bytes.Buffer
	c := exec.Command("sh", "-c", "ulimit -n "+strconv.Itoa(shedLimit)+" && exec \"$0\" -test.run=^TestShed$", os.Args[0])
	c.Env = append(os.Environ(), shedVariable+"="+strconv.FormatBool(reserve))
	c.Stderr = &said
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	end := sync.OnceFunc(func() { in.Close(); io.Copy(io.Discard, out); c.Wait() })
	t.Cleanup(end)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var conns []net.Conn
	for i := range 4 * shedLimit {
		c, err := net.Dial("tcp", strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(time.Minute))
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || r.StatusCode != 200 {
			t.Fatalf("client %d is not answered: %v", i, err)
		}
		io.Copy(io.Discard, r.Body)
		conns = append(conns, c)
	}
	io.WriteString(conns[len(conns)-1], "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if r, err := http.ReadResponse(bufio.NewReader(conns[len(conns)-1]), nil); err != nil || r.StatusCode != 200 {
		t.Errorf("the youngest connection was closed: %v", err)
	}
	if _, err := conns[0].Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the oldest connection: %v", err)
	}
	end()
	if n := strings.Count(said.String(), "too many connections"); n != 1 || strings.Contains(said.String(), "cannot accept") {
		t.Errorf("said %d times:\n%s", n, &said)
	}
}

// shedChild serves until its input ends.
func shedChild(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{HTTP: &http.Server{Handler: echo, ReadHeaderTimeout: 10 * time.Second}, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	s.init()
	if os.Getenv(shedVariable) == "false" {
		s.most = 1 << 30
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	os.Stdout.WriteString(l.Addr().String() + "\n")
	io.Copy(io.Discard, os.Stdin)
	s.Close()
	<-ended
}
