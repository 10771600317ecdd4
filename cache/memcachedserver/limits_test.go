package memcachedserver_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dayfly-dev/dayfly/cache/driver"
	"github.com/dayfly-dev/dayfly/cache/localcache"
	"github.com/dayfly-dev/dayfly/cache/memcachedserver"
	"github.com/dayfly-dev/dayfly/cache/memcachedtest"
)

func TestOptions(t *testing.T) {
	engine, err := localcache.New(localcache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	for _, o := range []memcachedserver.Options{
		{}, {Cache: engine, MaxConns: -1}, {Cache: engine, MaxValue: -1}, {Cache: engine, MaxValue: 2 << 30},
		{Cache: engine, MaxLine: 100}, {Cache: engine, MaxLine: 1 << 30}, {Cache: engine, MaxInput: 1000},
		{Cache: engine, Timeout: -1},
	} {
		if _, err := memcachedserver.New(o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

func TestMaxConns(t *testing.T) {
	address, s := memcachedtest.Serve(t, memcachedserver.Options{MaxConns: 2})
	a, b := dial(t, address), dial(t, address)
	a.exchange("")
	b.exchange("")
	c := dial(t, address)
	c.reads("ERROR Too many open connections\r\n")
	c.ends()
	a.send("quit\r\n")
	a.ends()
	// The place is free once the server has seen a go.
	for s.Stats().Conns > 1 {
		runtime.Gosched()
	}
	if got := dial(t, address).exchange("get a\r\n"); got != "END\r\n" {
		t.Errorf("after one left: %q", got)
	}
	if st := s.Stats(); st.RejectedConns != 1 || st.TotalConns != 3 {
		t.Errorf("%+v", st)
	}
}

func TestLineTooLong(t *testing.T) {
	address, _ := memcachedtest.Serve(t, memcachedserver.Options{MaxLine: 4096})
	for name, line := range map[string]string{
		"without end": strings.Repeat("x", 5000),
		"with end":    "get" + strings.Repeat(" key", 1100) + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			w := dial(t, address)
			w.send(line)
			w.reads("CLIENT_ERROR line too long\r\n")
		})
	}
	w := dial(t, address)
	w.send("get" + strings.Repeat(" key", 1000) + "\r\n")
	w.reads("END\r\n")
}

// TestLargeValues mixes values around every size at which the server changes
// its ways.
func TestLargeValues(t *testing.T) {
	address, _ := memcachedtest.Serve(t, memcachedserver.Options{})
	w := dial(t, address)
	var keys, want strings.Builder
	for i, size := range []int{0, 1, 2000, 2048, 16<<10 - 1, 16 << 10, 64 << 10, 64<<10 + 1, 300_000, 1 << 20} {
		v := strings.Repeat(string(rune('a'+i)), size)
		w.send(fmt.Sprintf("set k%d 0 0 %d\r\n%s\r\n", i, size, v))
		w.reads("STORED\r\n")
		fmt.Fprintf(&keys, " k%d", i)
		fmt.Fprintf(&want, "VALUE k%d 0 %d\r\n%s\r\n", i, size, v)
	}
	for range 3 {
		w.send("get" + keys.String() + "\r\n")
		w.reads(want.String() + "END\r\n")
	}
}

// TestMaxInput: unfinished stores of all connections share a bound; one that
// does not fit is skipped whole, and room comes back.
func TestMaxInput(t *testing.T) {
	const value = 1 << 20
	address, _ := memcachedtest.Serve(t, memcachedserver.Options{MaxInput: 2 * value})
	head, body := fmt.Sprintf("set a 0 0 %d\r\n", value), strings.Repeat("x", value)
	var held []*wire
	refused := 0
	for range 4 {
		w := dial(t, address)
		w.send(head + body[:value-10]) // all but the end
		held = append(held, w)
	}
	for _, w := range held {
		w.send(body[value-10:] + "\r\n")
		if got := w.exchange(""); strings.HasPrefix(got, "SERVER_ERROR out of memory") {
			refused++
		} else if got != "STORED\r\n" {
			t.Errorf("%q", got)
		}
	}
	if refused == 0 {
		t.Error("4 MiB of unfinished stores fitted into 2 MiB")
	}
	for range 4 { // nothing is held any more
		w := dial(t, address)
		w.send(head + body + "\r\n")
		w.reads("STORED\r\n")
	}
}

// TestAnnouncedIsNotHeld: announcing much and sending little holds little.
func TestAnnouncedIsNotHeld(t *testing.T) {
	address, s := memcachedtest.Serve(t, memcachedserver.Options{MaxInput: 2 << 20})
	for range 200 {
		dial(t, address).send("set a 0 0 1048576\r\nx")
	}
	for s.Stats().BytesRead < 200*uint64(len("set a 0 0 1048576\r\nx")) {
		runtime.Gosched()
	}
	w := dial(t, address)
	w.send("set b 0 0 1048576\r\n" + strings.Repeat("x", 1<<20) + "\r\n")
	w.reads("STORED\r\n")
}

// pipes serves pairs of in-process connections, inside a bubble where time is
// the test's own.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

// TestSlowSender: half a command is cut off after Timeout, however it
// trickles; no command at all is not.
func TestSlowSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		s := memcachedtest.ServeOn(t, l, memcachedserver.Options{Timeout: 30 * time.Second})
		idle, slow := l.dial(), l.dial()
		slow.Write([]byte("set a 0 0 1000\r\n"))
		begun := time.Now()
		for {
			if _, err := slow.Write([]byte("x")); err != nil {
				break
			}
			time.Sleep(time.Second)
		}
		if took := time.Since(begun); took < 29*time.Second || took > 31*time.Second {
			t.Errorf("cut off after %v", took)
		}
		time.Sleep(24 * time.Hour)
		idle.Write([]byte("get a\r\n"))
		b := make([]byte, 5)
		if _, err := idle.Read(b); err != nil || string(b) != "END\r\n" {
			t.Errorf("after a day idle: %q, %v", b, err)
		}
		// A command may begin anew: its time is its own.
		for range 5 {
			idle.Write([]byte("get"))
			time.Sleep(20 * time.Second)
			idle.Write([]byte(" a\r\n"))
			if _, err := idle.Read(b); err != nil || string(b) != "END\r\n" {
				t.Fatalf("slow but in time: %q, %v", b, err)
			}
		}
		if st := s.Stats(); st.Conns != 1 {
			t.Errorf("%d connections, want the idle one", st.Conns)
		}
	})
}

// TestSlowReader: a client that takes no reply is cut off after Timeout.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		s := memcachedtest.ServeOn(t, l, memcachedserver.Options{Timeout: 30 * time.Second})
		nc := l.dial()
		nc.Write([]byte("version\r\n")) // and never read
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if st := s.Stats(); st.Conns != 0 {
			t.Errorf("%d connections are left", st.Conns)
		}
	})
}

// TestShutdown: who is between commands is closed, who is within one may end it.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		s := memcachedtest.ServeOn(t, l, memcachedserver.Options{})
		idle, busy := l.dial(), l.dial()
		busy.Write([]byte("set a 0 0 4\r\nab"))
		synctest.Wait()
		done := make(chan error, 1)
		go func() { done <- s.Shutdown(t.Context()) }()
		b := make([]byte, 100)
		if n, err := idle.Read(b); err == nil {
			t.Errorf("the idle connection read %q", b[:n])
		}
		time.Sleep(10 * time.Second)
		busy.Write([]byte("cd\r\n"))
		n, err := busy.Read(b)
		if err != nil || string(b[:n]) != "STORED\r\n" {
			t.Errorf("the busy connection read %q, %v", b[:n], err)
		}
		if _, err := busy.Read(b); err == nil {
			t.Error("the busy connection stays open")
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestShutdownCutsOff: when the time of a shutdown is over, so are all commands.
func TestShutdownCutsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		s := memcachedtest.ServeOn(t, l, memcachedserver.Options{})
		busy := l.dial()
		busy.Write([]byte("set a 0 0 4\r\nab"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		begun := time.Now()
		if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(begun); took > 6*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// failing is an engine that fails with more than a line of reasons.
type failing struct{ driver.Cache }

func (failing) Get(context.Context, string) (driver.Item, error) {
	return driver.Item{}, errors.New("the engine\r\nSTORED\r\nis ill")
}

func (failing) Store(context.Context, driver.Op, string, driver.Item, time.Duration) error {
	return errors.New("no room")
}

func TestEngineFails(t *testing.T) {
	address, _ := memcachedtest.Serve(t, memcachedserver.Options{Cache: failing{}})
	want := "SERVER_ERROR the engine  STORED  is ill\r\nSERVER_ERROR no room\r\n"
	if got := dial(t, address).exchange("get a b\r\nset a 0 0 1\r\nx\r\nset a 0 0 1 noreply\r\nx\r\n"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAcceptFails(t *testing.T) {
	engine, err := localcache.New(localcache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	s, err := memcachedserver.New(memcachedserver.Options{Cache: engine})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := s.Serve(l); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Serve(l); err != nil {
		t.Errorf("serve after shutdown: %v", err)
	}
}
