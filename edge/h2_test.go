package edge

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/summerwind/h2spec/config"
	"github.com/summerwind/h2spec/generic"
	"github.com/summerwind/h2spec/hpack"
	h2specs "github.com/summerwind/h2spec/http2"
	"github.com/summerwind/h2spec/spec"
	"golang.org/x/net/http2"
	h2hpack "golang.org/x/net/http2/hpack"
)

// An h2Conn is a client's connection in HTTP/2, frame by frame.
type h2Conn struct {
	net.Conn
	*http2.Framer
	fields *h2hpack.Encoder
	block  *bytes.Buffer
}

func dialH2(t *testing.T, address string) *h2Conn {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(patience))
	c := &h2Conn{Conn: nc, Framer: http2.NewFramer(nc, nc), block: new(bytes.Buffer)}
	c.fields = h2hpack.NewEncoder(c.block)
	io.WriteString(nc, http2.ClientPreface)
	c.WriteSettings()
	c.WriteSettingsAck()
	return c
}

// encode is the block of a request's fields: name, value, ….
func (c *h2Conn) encode(more ...string) []byte {
	c.block.Reset()
	fields := append([]string{":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/p"}, more...)
	for i := 0; i < len(fields); i += 2 {
		if slices.Contains(more, fields[i]) && i < 8 {
			continue // said otherwise
		}
		c.fields.WriteField(h2hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return c.block.Bytes()
}

func (c *h2Conn) request(stream uint32, more ...string) error {
	return c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.encode(more...), EndStream: true, EndHeaders: true})
}

// end reads until the stream is answered or reset, or the connection ends, and
// says which.
func (c *h2Conn) end(stream uint32) string {
	decoder := h2hpack.NewDecoder(4096, nil)
	for {
		f, err := c.ReadFrame()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return "nothing"
		}
		if err != nil {
			return "closed"
		}
		switch f := f.(type) {
		case *http2.HeadersFrame:
			fields, err := decoder.DecodeFull(f.HeaderBlockFragment())
			if f.StreamID == stream && err == nil {
				return fields[0].Value
			}
		case *http2.RSTStreamFrame:
			if f.StreamID == stream {
				return "reset " + f.ErrCode.String()
			}
		case *http2.GoAwayFrame:
			return "end " + f.ErrCode.String()
		}
	}
}

// What can be said in a field of HTTP/2 and not in one of HTTP/1 must not
// become another field, or another request, on the way.
func TestH2Injection(t *testing.T) {
	app := newWitness(t)
	s := newSite(t, Options{})
	s.addURL(t, "web.1", app.url())
	for name, tc := range map[string]struct {
		fields []string
		ends   []string
	}{
		"nothing odd":             {[]string{"x-a", "b"}, []string{"200"}},
		"line end in a value":     {[]string{"x-a", "b\r\nx-evil: 1"}, []string{"reset PROTOCOL_ERROR", "400"}},
		"line end in a name":      {[]string{"x-a: b\r\nx-evil", "1"}, []string{"reset PROTOCOL_ERROR", "400"}},
		"NUL in a value":          {[]string{"x-a", "b\x00"}, []string{"reset PROTOCOL_ERROR", "400"}},
		"capital in a name":       {[]string{"X-A", "b"}, []string{"reset PROTOCOL_ERROR", "400"}},
		"colon in a name":         {[]string{"x-a:b", "c"}, []string{"reset PROTOCOL_ERROR", "400"}},
		"line end in the path":    {[]string{":path", "/p HTTP/1.1\r\nHost: evil\r\n\r\nGET /q"}, []string{"reset PROTOCOL_ERROR", "400"}},
		"space in the path":       {[]string{":path", "/p HTTP/1.1"}, []string{"200"}}, // goes on as %20
		"path without a slash":    {[]string{":path", "p"}, []string{"reset PROTOCOL_ERROR", "400"}},
		"line end in the host":    {[]string{":authority", "a\r\nx-evil: 1"}, []string{"reset PROTOCOL_ERROR", "400"}},
		"user in the host":        {[]string{":authority", "a@evil"}, []string{"reset PROTOCOL_ERROR", "400"}},
		"line end in the method":  {[]string{":method", "GET / HTTP/1.1\r\nX-Evil: 1\r\n\r\nGET"}, []string{"reset PROTOCOL_ERROR", "400"}},
		"coding":                  {[]string{"transfer-encoding", "chunked"}, []string{"reset PROTOCOL_ERROR", "400"}},
		"connection":              {[]string{"connection", "x-forwarded-for"}, []string{"reset PROTOCOL_ERROR", "400"}},
		"length and no body":      {[]string{"content-length", "5"}, []string{"200"}}, // goes on without
		"pseudo field after":      {[]string{"x-a", "b", ":x", "y"}, []string{"reset PROTOCOL_ERROR", "400"}},
		"tunnel of another sort":  {[]string{":protocol", "websocket"}, []string{"reset PROTOCOL_ERROR", "400"}},
		"thousand different ones": {manyFields(300), []string{"431"}},
		"fields of 100 KB":        {[]string{"x-a", strings.Repeat("b", 100<<10)}, []string{"431", "closed", "end FRAME_SIZE_ERROR", "end COMPRESSION_ERROR"}},
	} {
		app.begin(nil)
		c := dialH2(t, s.addr)
		c.request(1, tc.fields...)
		if end := c.end(1); !slices.Contains(tc.ends, end) {
			t.Errorf("%s: %s, want one of %q; the application saw %q", name, end, tc.ends, app.seen())
		}
		want := ""
		if tc.ends[0] == "200" {
			want = "GET /p"
		}
		seen := string(app.seen())
		if line, _, _ := strings.Cut(seen, " HTTP"); strings.TrimSuffix(line, "%20HTTP/1.1") != want || strings.Count(seen, " HTTP/1.1\n") > 1 || strings.Contains(seen, "Content-Length") {
			t.Errorf("%s: the application saw %q", name, seen)
		}
		c.Close()
	}
}

func manyFields(n int) (fields []string) {
	for i := range n {
		fields = append(fields, fmt.Sprint("x-", i), "y")
	}
	return fields
}

// Streams that are begun and reset at once (CVE-2023-44487) must not have more
// requests under way than a connection may have streams.
func TestH2RapidReset(t *testing.T) {
	s := newSite(t, Options{})
	var now, most atomic.Int32
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/p" {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			<-r.Context().Done()
			now.Add(-1)
		}
	})
	c := dialH2(t, s.addr)
	go io.Copy(io.Discard, c.Conn) // ends with it
	sent := 0
	for ; sent < 20_000; sent++ {
		id := uint32(2*sent + 1)
		if c.request(id) != nil || c.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
			break // refused
		}
	}
	if res, _ := s.get(t, "/other"); res.StatusCode != 200 {
		t.Errorf("another client is answered %s", res.Status)
	}
	const streams = 250 // that net/http allows a connection
	if most.Load() > 2*streams {
		t.Errorf("%d requests at once reached the application", most.Load())
	}
	t.Logf("%d streams, at most %d requests at once", sent, most.Load())
	c.Close()
	eventually(t, "nothing outstanding", func() bool { return s.target(t, "web.1").Outstanding == 0 })
}

// A head that never ends (CVE-2023-45288) is not gathered.
func TestH2ContinuationFlood(t *testing.T) {
	app := newWitness(t)
	s := newSite(t, Options{})
	s.addURL(t, "web.1", app.url())
	c := dialH2(t, s.addr)
	c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.encode(), EndStream: true})
	fragment := c.encode("x-a", strings.Repeat("b", 10_000))
	sent := 0
	for c.WriteContinuation(1, false, fragment) == nil {
		if sent += len(fragment); sent > 64<<20 {
			t.Fatal("64 MiB of a head were taken")
		}
	}
	if seen := app.seen(); len(seen) > 0 {
		t.Errorf("the application saw %q", seen)
	}
}

// Clients that send their request's head a byte at a time, or nothing, are not
// waited for, whoever reads them.
func TestSlowHeads(t *testing.T) {
	e, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, loop := range []bool{true, false} {
		srv := Server(e)
		srv.ReadHeaderTimeout, srv.IdleTimeout = 200*time.Millisecond, 200*time.Millisecond
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if loop {
			go NewFront(srv, nil).Serve(l)
		} else {
			go srv.Serve(l)
		}
		for name, head := range map[string]string{
			"usual": "GET / HTTP/1.1\r\nHost: a\r\nX: ", "unusual": "PROPFIND / HTTP/1.1\r\nHost: a\r\nX: ",
			"nothing": "", "after a request": "GET /_dayfly/utm.js HTTP/1.1\r\nHost: a\r\n\r\nGET",
		} {
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(c, head)
			drip := time.NewTicker(10 * time.Millisecond)
			gone := make(chan struct{})
			go func() { io.Copy(io.Discard, c); close(gone) }()
			for end := time.Now().Add(patience); ; <-drip.C {
				if head != "" {
					io.WriteString(c, "x")
				}
				select {
				case <-gone:
				default:
					if time.Now().Before(end) {
						continue
					}
					t.Errorf("%s: the connection is open after %v", name, patience)
				}
				break
			}
			drip.Stop()
			c.Close()
		}
		l.Close()
		srv.Close()
	}
}

// knownToH2Spec are its cases that net/http's server answers otherwise than it
// wants, and why that is no harm.
var knownToH2Spec = map[string]string{
	"3.5":     "what does not begin with the preface is HTTP/1.1 to a listener of both, and answered 400 in it",
	"4.2":     "larger frames are taken than were announced",
	"6.5.3":   "of two window sizes in one SETTINGS frame its acknowledgement comes first",
	"6.9.2":   "skipped by h2spec: the window is never so small",
	"8.1.2.2": "answered 400, not reset",
}

// TestH2Spec runs all cases of h2spec, without TLS. A case that fails in a second
// is given twenty.
func TestH2Spec(t *testing.T) {
	s := newSite(t, Options{})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); io.WriteString(w, "ok") })
	host, port, _ := net.SplitHostPort(s.addr)
	c := &config.Config{Host: host, Path: "/", Timeout: time.Second, MaxHeaderLen: 4000}
	fmt.Sscan(port, &c.Port)
	passed, total, failed := runH2Spec(c)
	t.Logf("%d of %d cases of h2spec passed", passed, total)
	if total < 140 {
		t.Errorf("only %d cases were run", total)
	}
	var again []string
	for section, what := range failed {
		if why, known := knownToH2Spec[section]; known {
			t.Logf("%s %s: %s", section, what, why)
		} else {
			again = append(again, "http2/"+section, "generic/"+section, "hpack/"+section)
		}
	}
	if len(again) > 0 {
		c.Timeout, c.Sections = 20*time.Second, again
		_, _, failed := runH2Spec(c)
		for section, what := range failed {
			if knownToH2Spec[section] == "" {
				t.Errorf("%s %s: failed", section, what)
			}
		}
	}
}

// runH2Spec returns the sections of which a case failed.
func runH2Spec(c *config.Config) (passed, total int, failed map[string]string) {
	failed = map[string]string{}
	var look func(g *spec.TestGroup)
	look = func(g *spec.TestGroup) {
		for _, tc := range g.Tests {
			if tc.Result != nil && (tc.Result.Failed || tc.Result.Skipped) {
				failed[g.Section] += tc.Desc + "; "
			}
		}
		for _, sub := range g.Groups {
			look(sub)
		}
	}
	for _, g := range []*spec.TestGroup{generic.Spec(), h2specs.Spec(), hpack.Spec()} {
		g.Test(c)
		look(g)
		passed += g.PassedCount
		total += g.PassedCount + g.FailedCount + g.SkippedCount
	}
	return passed, total, failed
}
