package edge

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A workshop is an application that counts how many of its workers are held.
type workshop struct {
	busy, done atomic.Int32
	got        chan []byte // bodies
	answer     []byte
}

func (a *workshop) serve(w http.ResponseWriter, r *http.Request) {
	a.busy.Add(1)
	defer a.busy.Add(-1)
	body, err := io.ReadAll(r.Body)
	if err == nil && len(body) > 0 {
		a.got <- body
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.answer)))
	w.Write(a.answer)
	a.done.Add(1)
}

// slowly is a site whose clients have to hurry.
func slowly(t *testing.T, b Bodies) (*site, *workshop) {
	t.Helper()
	s := newSite(t, Options{Bodies: b})
	a := &workshop{got: make(chan []byte, 100)}
	s.add(t, "web.1", a.serve)
	return s, a
}

// free waits until no worker is held.
func (a *workshop) free(t *testing.T, s *site) {
	t.Helper()
	eventually(t, "no worker is held", func() bool { return a.busy.Load() == 0 && s.target(t, "web.1").Outstanding == 0 })
}

// Clients that send a body byte after byte hold no worker while they do: neither
// with a small body nor with one that goes to a file.
func TestSlowUploadsHoldNoWorker(t *testing.T) {
	s, a := slowly(t, Bodies{})
	for _, size := range []int{1000, bufferedBody + 1000} {
		body := make([]byte, size)
		rand.Read(body)
		const n = 20
		var conns []net.Conn
		for range n {
			c, _ := s.raw(t, fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", size))
			c.SetDeadline(time.Now().Add(patience))
			conns = append(conns, c)
			c.Write(body[:size-1])
		}
		if size > bufferedBody {
			eventually(t, "room is reserved", func() bool { return s.Stats().Spooled >= n*int64(size) })
		}
		if res, _ := s.get(t, "/"); res.StatusCode != 200 || a.busy.Load() != 0 || s.target(t, "web.1").Outstanding != 0 {
			t.Errorf("%d of %d clients with %d bytes hold workers; the next was answered %d", a.busy.Load(), n, size, res.StatusCode)
		}
		for _, c := range conns {
			c.Write(body[size-1:])
			if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || res.StatusCode != 200 {
				t.Fatal(res, err)
			}
			if got := <-a.got; !bytes.Equal(got, body) {
				t.Fatalf("%d bytes of %d arrived", len(got), size)
			}
		}
		a.free(t, s)
	}
	eventually(t, "room given back", func() bool { return s.Stats().Spooled == 0 })
}

// A client that does not keep up is told so, and no worker has its body.
func TestTooSlow(t *testing.T) {
	for name, tc := range map[string]struct {
		head   string
		bodies Bodies
	}{
		"small":       {"Content-Length: 1000", Bodies{Grace: 50 * time.Millisecond, Rate: 1 << 20}},
		"in a file":   {"Content-Length: 100000", Bodies{Grace: 50 * time.Millisecond, Rate: 1 << 20}},
		"streamed":    {"Content-Length: 100000", Bodies{Grace: 50 * time.Millisecond, Rate: 1 << 20, Request: -1}},
		"in chunks":   {"Transfer-Encoding: chunked", Bodies{Grace: 50 * time.Millisecond, Rate: 1 << 20}},
		"stalled":     {"Content-Length: 100000", Bodies{Stall: 50 * time.Millisecond, Rate: -1}},
		"no room":     {"Content-Length: 100000", Bodies{Stall: 50 * time.Millisecond, Total: 1}},
		"no such dir": {"Content-Length: 100000", Bodies{Stall: 50 * time.Millisecond, Dir: "/nowhere"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, a := slowly(t, tc.bodies)
			_, br := s.raw(t, "POST / HTTP/1.1\r\nHost: x\r\n"+tc.head+"\r\n\r\n3\r\nabc\r\n")
			res, err := http.ReadResponse(br, nil)
			if err != nil || res.StatusCode != http.StatusRequestTimeout || !res.Close {
				t.Fatal(res, err)
			}
			a.free(t, s)
			if a.done.Load() != 0 && len(a.got) > 0 {
				t.Error("a worker took the part for the whole")
			}
		})
	}
}

// A conversation may take its time once the application has begun its answer.
func TestConversationsHaveTime(t *testing.T) {
	s := newSite(t, Options{Bodies: Bodies{Grace: 2 * time.Second, Stall: 2 * time.Second}})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		http.NewResponseController(w).Flush()
		io.Copy(flushing{w}, r.Body)
	})
	c, br := s.raw(t, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Second) // what is tested is that nothing happens
	io.WriteString(c, "5\r\nhello\r\n0\r\n\r\n")
	if text, err := io.ReadAll(res.Body); string(text) != "hello" || err != nil {
		t.Errorf("%q %v", text, err)
	}
}

type flushing struct{ w http.ResponseWriter }

func (f flushing) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	http.NewResponseController(f.w).Flush()
	return n, err
}

// Clients that do not read their answers hold no worker, and get all of the
// answer in the end.
func TestSlowReadersHoldNoWorker(t *testing.T) {
	for _, known := range []bool{true, false} {
		s := newSite(t, Options{})
		a := &workshop{answer: make([]byte, 12<<20)} // more than the kernel takes
		rand.Read(a.answer)
		s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
			if known {
				a.serve(w, r)
				return
			}
			a.busy.Add(1)
			defer a.busy.Add(-1)
			io.Copy(w, io.MultiReader(bytes.NewReader(a.answer))) // in chunks
			a.done.Add(1)
		})
		const n = 4
		var readers []*bufio.Reader
		for range n {
			c, br := s.raw(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			c.SetDeadline(time.Now().Add(patience))
			readers = append(readers, br)
		}
		eventually(t, "every worker is done", func() bool { return a.done.Load() == n })
		a.free(t, s)
		if s.Stats().Spooled == 0 {
			t.Error("where are the answers?")
		}
		for _, br := range readers {
			res, err := http.ReadResponse(br, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(res.Body); err != nil || !bytes.Equal(got, a.answer) {
				t.Fatalf("%d bytes of %d, %v", len(got), len(a.answer), err)
			}
		}
		eventually(t, "room given back", func() bool { return s.Stats().Spooled == 0 })
	}
}

// Beyond its bound an answer waits for its client, and goes on from where it
// was, again and again.
func TestAnswerBeyondItsBound(t *testing.T) {
	s := newSite(t, Options{Bodies: Bodies{Answer: 1 << 20}})
	a := &workshop{answer: make([]byte, 24<<20)}
	rand.Read(a.answer)
	s.add(t, "web.1", a.serve)
	c, br := s.raw(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	c.SetDeadline(time.Now().Add(patience))
	eventually(t, "a spool", func() bool { return s.Stats().Spooled > 0 })
	if n := a.busy.Load(); n != 1 {
		t.Errorf("%d workers", n)
	}
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	for piece := make([]byte, 1<<20); ; time.Sleep(20 * time.Millisecond) { // a slow client
		n, err := io.ReadFull(res.Body, piece)
		got.Write(piece[:n])
		if err != nil {
			break
		}
	}
	if !bytes.Equal(got.Bytes(), a.answer) {
		t.Errorf("%d bytes of %d", got.Len(), len(a.answer))
	}
	a.free(t, s)
}

// A client that leaves, and a target that breaks off, while the answer is taken
// ahead: everything is given back, and what is not whole does not look so.
func TestTakenAheadAndBroken(t *testing.T) {
	s := newSite(t, Options{})
	var breakOff atomic.Bool
	hold := make(chan struct{})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(64<<20))
		w.Write(make([]byte, 20<<20))
		if breakOff.Load() {
			panic(http.ErrAbortHandler)
		}
		<-hold
	})
	c, _ := s.raw(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	eventually(t, "a spool", func() bool { return s.Stats().Spooled > 0 })
	c.Close()
	close(hold)
	eventually(t, "all is given back", func() bool { return s.Stats().Spooled == 0 && s.target(t, "web.1").Outstanding == 0 })

	breakOff.Store(true)
	c, br := s.raw(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	c.SetDeadline(time.Now().Add(patience))
	eventually(t, "a spool", func() bool { return s.Stats().Spooled > 0 })
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, res.Body); err == nil || n < 16<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
	eventually(t, "all is given back", func() bool { return s.Stats().Spooled == 0 })
}

// What has no end, and what says that it is not to be held, waits for its
// client: there would be no end to what is taken.
func TestNotTakenAhead(t *testing.T) {
	for _, header := range []string{"Content-Type: text/event-stream", "X-Accel-Buffering: no"} {
		app := newRawApp(t)
		s := newSite(t, Options{HealthInterval: time.Hour})
		s.addURL(t, "web.1", app.url())
		s.raw(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		c, _, _ := app.request(t)
		io.WriteString(c, "HTTP/1.1 200 OK\r\n"+header+"\r\nConnection: close\r\n\r\n")
		c.SetDeadline(time.Now().Add(time.Second))
		n, err := io.Copy(c, strings.NewReader(strings.Repeat("x", 64<<20)))
		if err == nil || s.Stats().Spooled != 0 {
			t.Errorf("%s: %d bytes were taken, %d of them held", header, n, s.Stats().Spooled)
		}
		c.Close()
	}
}

// Of files for slow clients nothing is to be seen, and what cannot be written
// streams.
func TestSpoolFails(t *testing.T) {
	s, a := slowly(t, Bodies{Dir: "/nowhere"})
	body := make([]byte, 3<<20)
	rand.Read(body)
	if res, _ := s.do(t, "POST", "/", bytes.NewReader(body)); res.StatusCode != 200 || !bytes.Equal(<-a.got, body) {
		t.Errorf("%d", res.StatusCode)
	}
	if n := s.Stats().SpoolsFull; n != 1 {
		t.Errorf("%d bodies found no room", n)
	}
}
