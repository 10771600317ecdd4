package memcachedcache_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dayfly-dev/dayfly/cache"
	"github.com/dayfly-dev/dayfly/cache/driver"
	"github.com/dayfly-dev/dayfly/cache/memcachedcache"
	"github.com/dayfly-dev/dayfly/cache/memcachedserver"
	"github.com/dayfly-dev/dayfly/cache/memcachedtest"
	"github.com/dayfly-dev/dayfly/internal/need"
)

func TestOpen(t *testing.T) {
	address, _ := memcachedtest.Serve(t, memcachedserver.Options{})
	for _, url := range []string{
		"memcached://" + address,
		"memcached://" + address + "/",
		"memcached://" + address + "?timeout=500ms&conns=3&ttl=1h",
	} {
		c, err := memcachedcache.Open(url)
		if err != nil {
			t.Fatalf("%s: %v", url, err)
		}
		if err := c.Prove(t.Context()); err != nil {
			t.Errorf("%s: %v", url, err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	for url, want := range map[string]string{
		"":                                     "memcached://",
		"127.0.0.1:11211":                      "memcached://",
		"redis://127.0.0.1":                    "does not begin with",
		"memcached://":                         "names no host",
		"memcached://user:secret@host":         "has a user",
		"memcached://host/path":                "has a path",
		"memcached://host?tiemout=1s":          `unknown parameter "tiemout"`,
		"memcached://host?timeout=5":           "wrong timeout",
		"memcached://host?timeout=-5s":         "wrong timeout",
		"memcached://host?conns=0":             "wrong conns",
		"memcached://host?conns=100000000":     "MaxConns",
		"memcached://host?ttl=x":               "wrong ttl",
		"memcached://user:secret@host:notport": "no URL",
	} {
		c, err := memcachedcache.Open(url)
		if err == nil {
			c.Close()
			t.Errorf("%q was accepted", url)
		} else if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v; want a word of %q and no password", url, err, want)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []memcachedcache.Options{
		{MaxConns: -1}, {MaxConns: 1 << 20}, {MaxConns: 2, MaxIdle: 3}, {Timeout: -1}, {MaxValue: -1}, {MaxValue: 2 << 30},
	} {
		if _, err := memcachedcache.New("x", &o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

// TestNoServer: every operation says that there is none, also Set.
func TestNoServer(t *testing.T) {
	address := need.Address(t)
	c, err := memcachedcache.Open("memcached://" + address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx := t.Context()
	_, getErr := c.Get(ctx, "a")
	for name, err := range map[string]error{
		"prove": c.Prove(ctx), "set": c.Set(ctx, &cache.Item{Key: "a"}), "get": getErr,
	} {
		if err == nil || !strings.Contains(err.Error(), address) || errors.Is(err, cache.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestServerRestarts: a connection that the server closed while it was idle is
// not used for the next operation.
func TestServerRestarts(t *testing.T) {
	var mu sync.Mutex
	var open []net.Conn
	address, s := memcachedtest.Serve(t, memcachedserver.Options{})
	c := client(t, address, &memcachedcache.Options{Dial: func(ctx context.Context, address string) (net.Conn, error) {
		nc, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		mu.Lock()
		defer mu.Unlock()
		open = append(open, nc)
		return nc, err
	}})
	ctx := t.Context()
	for range 3 {
		if err := c.Store(ctx, driver.OpSet, "a", driver.Item{Value: []byte("x")}, 0); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		open[len(open)-1].(*net.TCPConn).CloseWrite() // the server sees the end and closes
		mu.Unlock()
		for s.Stats().Conns > 0 {
			runtime.Gosched()
		}
		time.Sleep(20 * time.Millisecond) // idle: that real time passes is the point
	}
	if len(open) != 3 {
		t.Errorf("%d connections were made, want a new one each time", len(open))
	}
}

// TestTimeout: a server that does not answer costs Timeout, or the context's
// time, and the next operation has a connection of its own.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		c := client(t, "pipe", &memcachedcache.Options{Dial: l.dial, Timeout: 2 * time.Second, MaxConns: 1})
		defer l.Close()
		go func() { // takes everything, answers nothing
			for {
				nc, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					b := make([]byte, 100)
					for {
						if _, err := nc.Read(b); err != nil {
							return
						}
					}
				}()
			}
		}()
		took := func(ctx context.Context) (time.Duration, error) {
			begun := time.Now()
			_, err := c.Get(ctx, "a")
			return time.Since(begun), err
		}
		if d, err := took(t.Context()); !errors.Is(err, context.DeadlineExceeded) || d != 2*time.Second {
			t.Errorf("client's timeout: %v after %v", err, d)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if d, err := took(short); !errors.Is(err, context.DeadlineExceeded) || d != time.Second {
			t.Errorf("context's deadline: %v after %v", err, d)
		}
		cancelled, cancel := context.WithCancel(t.Context())
		time.AfterFunc(500*time.Millisecond, cancel)
		if d, err := took(cancelled); !errors.Is(err, context.Canceled) || d != 500*time.Millisecond {
			t.Errorf("cancelled: %v after %v", err, d)
		}
		// All connections in use: waiting ends with the context too.
		go c.Get(t.Context(), "a")
		synctest.Wait()
		short, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if d, err := took(short); !errors.Is(err, context.DeadlineExceeded) || d != time.Second || !strings.Contains(err.Error(), "in use") {
			t.Errorf("pool is busy: %v after %v", err, d)
		}
	})
}

// scripted is a server that answers each line with the next reply.
func scripted(t *testing.T, replies ...string) *memcachedcache.Client {
	l := newPipeListener()
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				r := bufio.NewReader(nc)
				for len(replies) > 0 {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					if strings.HasPrefix(line, "set") {
						r.ReadString('\n')
					}
					reply := replies[0]
					replies = replies[1:]
					if _, err := nc.Write([]byte(reply)); err != nil {
						return
					}
				}
			}()
		}
	}()
	return client(t, "pipe", &memcachedcache.Options{Dial: l.dial, Timeout: 5 * time.Second})
}

// TestWrongAnswers: what is not the answer is an error, never a value or a miss.
func TestWrongAnswers(t *testing.T) {
	for _, reply := range []string{
		"", "\r\n", "garbage\r\n", "HTTP/1.1 400 Bad Request\r\n", "ERROR\r\n", "SERVER_ERROR out of memory\r\n", "STORED\r\n",
		"VALUE a 0 1 1\r\nx", "VALUE a 0 1 1\r\nxyEND\r\n", "VALUE b 0 1 1\r\nx\r\nEND\r\n", "VALUE a 0 1\r\nx\r\nEND\r\n",
		"VALUE a 0 -1 1\r\n\r\nEND\r\n", "VALUE a 0 99999999999 1\r\n", "VALUE a x 1 1\r\nx\r\nEND\r\n", "VALUE a 0 1 0\r\nx\r\nEND\r\n",
		"VALUE a 0 1 1\r\nx\r\nVALUE a 0 1 2\r\ny\r\nEND\r\n", "VALUE a 0 1048577 1\r\n", "VALUE a 0 1000000 1\r\nx",
		strings.Repeat("x", 5000) + "\r\n", "VALUE a 0 1 1 1\r\nx\r\nEND\r\n",
	} {
		c := scripted(t, reply)
		it, err := c.Get(t.Context(), "a")
		if err == nil || errors.Is(err, driver.ErrNotFound) || it.Value != nil {
			t.Errorf("answer %.60q: %q, %v", reply, it.Value, err)
		}
	}
	for _, reply := range []string{"", "OK\r\n", "END\r\n", "ERROR\r\n", "SERVER_ERROR out of memory storing object\r\n"} {
		c := scripted(t, reply)
		if err := c.Store(t.Context(), driver.OpSet, "a", driver.Item{}, 0); err == nil {
			t.Errorf("answer %q to a set was taken for success", reply)
		}
	}
	var refused *memcachedcache.ServerError
	err := scripted(t, "SERVER_ERROR out of memory\r\n").Delete(t.Context(), "a")
	if !errors.As(err, &refused) || refused.Reply != "SERVER_ERROR out of memory" {
		t.Errorf("got %v", err)
	}
	for _, reply := range []string{"x\r\n", "-1\r\n", "18446744073709551616\r\n", "1 2\r\n"} {
		if n, err := scripted(t, reply).Increment(t.Context(), "a", 1); err == nil {
			t.Errorf("answer %q to incr was taken for %d", reply, n)
		}
	}
}

// TestPoolBound: never more connections than MaxConns.
func TestPoolBound(t *testing.T) {
	address, s := memcachedtest.Serve(t, memcachedserver.Options{})
	c := client(t, address, &memcachedcache.Options{MaxConns: 3, MaxIdle: 2})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for j := range 50 {
				key := fmt.Sprint(i, "-", j)
				if err := c.Store(t.Context(), driver.OpSet, key, driver.Item{Value: []byte(key)}, 0); err != nil {
					t.Error(err)
				}
				if it, err := c.Get(t.Context(), key); err != nil || string(it.Value) != key {
					t.Errorf("%q, %v", it.Value, err)
				}
				if n := s.Stats().Conns; n > 4 { // one may be closing
					t.Errorf("%d connections", n)
				}
			}
		})
	}
	wg.Wait()
}

// TestFlushIsolation: each named cache has its own server.
func TestFlushIsolation(t *testing.T) {
	var named [2]*cache.Cache
	for i := range named {
		address, _ := memcachedtest.Serve(t, memcachedserver.Options{})
		c, err := memcachedcache.Open("memcached://" + address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if err := c.Set(t.Context(), &cache.Item{Key: "a", Value: []byte("kept")}); err != nil {
			t.Fatal(err)
		}
		named[i] = c
	}
	if err := named[0].Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := named[0].Get(t.Context(), "a"); !errors.Is(err, cache.ErrNotFound) {
		t.Errorf("the flushed cache: %v", err)
	}
	if it, err := named[1].Get(t.Context(), "a"); err != nil || string(it.Value) != "kept" {
		t.Errorf("the other cache: %v, %v", it, err)
	}
}

// FuzzAnswer lets a server answer a get with any bytes: the client must come
// to an end, and whatever it takes for the value must be in the answer.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		"END\r\n", "VALUE a 0 1 1\r\nx\r\nEND\r\n", "VALUE a 4294967295 3 18446744073709551615\r\n\r\n\x00\r\nEND\r\n",
		"VALUE a 0 2 1\r\nx\r\nEND\r\n", "ERROR\r\n", "VALUE a 0 1000000 1\r\nx", "VALUE  a 0 1 1\r\nx\r\nEND\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		c := scripted(t, string(answer))
		it, err := c.Get(t.Context(), "a")
		if err == nil && !strings.HasPrefix(string(answer), "VALUE a ") {
			t.Errorf("%q was taken for %q", answer, it.Value)
		}
		if err == nil && !strings.Contains(string(answer), "\r\n"+string(it.Value)+"\r\nEND\r\n") && !strings.Contains(string(answer), "\n"+string(it.Value)+"\r\nEND\n") && !strings.Contains(string(answer), "\n"+string(it.Value)+"\r\nEND\r\n") {
			t.Errorf("%q holds no value %q", answer, it.Value)
		}
	})
}
