package edge

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// childMain is an application: it prints its address, answers with what it was
// sent, and ends by http.Server.Shutdown when it is told to.
func childMain() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	srv := &http.Server{Handler: misbehaving(http.HandlerFunc(childAnswer))}
	go srv.Serve(l)
	fmt.Println(l.Addr())
	<-ctx.Done()
	if err := srv.Shutdown(context.Background()); err != nil {
		os.Exit(1)
	}
}

// childAnswer answers with what was sent, and writes it down if there is where.
func childAnswer(w http.ResponseWriter, r *http.Request) {
	path := os.Getenv("EDGE_TEST_LEDGER")
	if path == "" || r.Method != "POST" {
		io.Copy(w, r.Body)
		return
	}
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(string(sent) + "\n") // one write: instances do not mix
		f.Close()
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Write(sent)
}

// misbehaving answers what is not HTTP from SIGUSR1 on, and resets connections
// from SIGUSR2 on. Its health check passes all the time.
func misbehaving(h http.Handler) http.Handler {
	var how atomic.Value
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	go func() {
		for s := range signals {
			how.Store(s)
		}
	}()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		as := how.Load()
		if as == nil || r.URL.Path == "/healthz" {
			h.ServeHTTP(w, r)
			return
		}
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		if as == os.Signal(syscall.SIGUSR1) {
			io.WriteString(c, "220 this is no HTTP\r\n")
		} else if tcp, ok := c.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		c.Close()
	})
}

type child struct {
	cmd *exec.Cmd
	url string
}

func startChild(t testing.TB, env ...string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), "EDGE_TEST_CHILD=1"), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("child said no address: %v", err)
	}
	c := &child{cmd: cmd, url: "http://" + strings.TrimSpace(addr)}
	t.Cleanup(func() { c.cmd.Process.Kill(); c.cmd.Wait() })
	return c
}

// clients send GET and POST in turn over kept-alive connections until stopped,
// and report everything that is not the answer.
type clients struct {
	wg     sync.WaitGroup
	stop   chan struct{}
	served atomic.Int64
	lost   atomic.Int64 // connections that the edge ended
	bad    chan string
}

func startClients(s *site, n int) *clients {
	c := &clients{stop: make(chan struct{}), bad: make(chan string, 100)}
	for i := range n {
		c.wg.Go(func() { c.run(s.url, i) })
	}
	return c
}

func (c *clients) run(url string, id int) {
	d := net.Dialer{}
	tr := &http.Transport{MaxIdleConnsPerHost: 1, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := d.DialContext(ctx, network, addr)
		return &heldConn{conn, &c.lost}, err
	}}
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr, Timeout: patience}
	for n := 0; ; n++ {
		select {
		case <-c.stop:
			return
		default:
		}
		method, sent := "POST", fmt.Sprintf("client %d request %d", id, n)
		if n%2 == 0 {
			method, sent = "GET", ""
		}
		req, _ := http.NewRequest(method, url, strings.NewReader(sent))
		res, err := client.Do(req)
		if err != nil {
			c.complain(fmt.Sprintf("%s: %v", method, err))
			continue
		}
		got, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != 200 || string(got) != sent || res.Close {
			c.complain(fmt.Sprintf("%s: %d %q %v, closing: %v", method, res.StatusCode, got, err, res.Close))
			continue
		}
		c.served.Add(1)
	}
}

func (c *clients) complain(s string) {
	select {
	case c.bad <- s:
	default:
	}
}

// heldConn counts when the other side ends it. How many connections a client makes
// says less: net/http keeps none whose request it has not done with, as it sees
// it, 50 ms after the answer.
type heldConn struct {
	net.Conn
	lost *atomic.Int64
}

func (c *heldConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil && !errors.Is(err, net.ErrClosed) {
		c.lost.Add(1)
	}
	return n, err
}

func (c *clients) finish(t *testing.T) {
	t.Helper()
	close(c.stop)
	c.wg.Wait()
	close(c.bad)
	for s := range c.bad {
		t.Errorf("failed: %s", s)
	}
	if lost := c.lost.Load(); lost > 0 {
		t.Errorf("%d connections of clients were closed", lost)
	}
}

// patient is an edge that takes no instance for dead, and gives up no request,
// because the machine is slow.
func patient(healthPath string) Options {
	return Options{HealthPath: healthPath, HealthTimeout: patience, HoldTimeout: patience, DialTimeout: patience, ResponseTimeout: patience}
}

// Both instances are replaced again and again under 64 clients; no request
// fails and no connection is lost.
func TestRollingRestart(t *testing.T) {
	const n = 64
	s := newSite(t, patient("/"))
	running := map[string]*child{}
	for _, name := range []string{"web.1-0", "web.2-0"} {
		running[name] = startChild(t)
		s.addURL(t, name, running[name].url)
	}
	c := startClients(s, n)
	for round := range 4 {
		for _, instance := range []string{"web.1", "web.2"} {
			before, after := fmt.Sprintf("%s-%d", instance, round), fmt.Sprintf("%s-%d", instance, round+1)
			seen := c.served.Load()
			eventually(t, "clients served", func() bool { return c.served.Load() > seen+200 })
			running[after] = startChild(t)
			s.addURL(t, after, running[after].url)
			roll(t, s, before, running[before])
		}
	}
	seen := c.served.Load()
	eventually(t, "clients served", func() bool { return c.served.Load() > seen+200 })
	c.finish(t)
	if st := s.Stats(); st.Retried != 0 {
		t.Errorf("%d deliveries were retried; a drained target should have met none", st.Retried)
	}
	t.Logf("%d requests answered during 8 replacements", c.served.Load())
}

// roll drains an instance, stops it and removes it.
func roll(t *testing.T, s *site, name string, c *child) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Drain(ctx, name); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Wait(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatalf("%s did not end by itself: %v", name, err)
	}
	s.Remove(name)
}

// The only instance is replaced with nothing in between: requests wait.
func TestRestartOfTheOnlyInstance(t *testing.T) {
	const n = 16
	s := newSite(t, patient(""))
	old := startChild(t)
	s.addURL(t, "web.1", old.url)
	c := startClients(s, n)
	eventually(t, "clients served", func() bool { return c.served.Load() > 200 })
	roll(t, s, "web.1", old)
	eventually(t, "all clients wait", func() bool { return s.Stats().Held == n })
	s.addURL(t, "web.1", startChild(t).url)
	seen := c.served.Load()
	eventually(t, "clients served", func() bool { return c.served.Load() > seen+200 })
	c.finish(t)
}

// An instance is killed under clients that only read: each request is answered.
func TestInstanceKilled(t *testing.T) {
	s := newSite(t, Options{})
	victim, other := startChild(t), startChild(t)
	s.addURL(t, "web.1", victim.url)
	s.addURL(t, "web.2", other.url)
	var bad, served atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				res, err := s.client.Get(s.url)
				if err != nil || res.StatusCode != 200 {
					bad.Add(1)
				}
				if err == nil {
					io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
				served.Add(1)
			}
		})
	}
	eventually(t, "clients served", func() bool { return served.Load() > 500 })
	victim.cmd.Process.Kill()
	eventually(t, "out", func() bool { return !s.target(t, "web.1").Healthy })
	seen := served.Load()
	eventually(t, "clients served", func() bool { return served.Load() > seen+500 })
	close(stop)
	wg.Wait()
	if bad.Load() > 0 {
		t.Errorf("%d of %d requests failed", bad.Load(), served.Load())
	}
}
