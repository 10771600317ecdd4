package edge

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/dayfly-dev/dayfly/internal/http1"
)

var updateWire = flag.Bool("update-wire", false, "rewrite testdata/wire with what is now")

// TestWire sends the bytes of testdata/wire/*.txtar, and compares what the
// application saw, and what came back, to what stands there. Behind each comes
// an ordinary request on the same connection, so that one that is read as longer
// or shorter than it is shows. Each goes through the loop of our own, at the
// beginning of a connection and later, and through net/http alone: to a client
// they must be the same.
//
// In the files lines end in CR LF, but where the last character is a backslash;
// \n, \r, \x00 are those bytes.
func TestWire(t *testing.T) {
	files, err := filepath.Glob("testdata/wire/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { runWire(t, file) })
	}
}

// A wireCase is one request's bytes and what becomes of them.
type wireCase struct{ request, answer, backend, client []byte }

func runWire(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	names, cases := wireCases(t, archive)
	app := newWitness(t)
	front, plain := wireSites(t, string(archive.Comment), app.url())
	for _, name := range names {
		c := cases[name]
		for _, way := range []struct {
			name, address, before string
		}{
			{"loop", front, ""},
			{"loop, later", front, ordinary},
			{"net/http", plain, ""},
		} {
			app.begin(c.answer)
			client := talk(t, way.address, way.before, c.request)
			backend := app.seen()
			if *updateWire && way.name == "net/http" {
				c.backend, c.client = backend, client
			}
			if *updateWire {
				continue
			}
			if diff := cmp.Diff(string(c.backend), string(backend)); diff != "" {
				t.Errorf("%s (%s): the application saw (-want +got)\n%s", name, way.name, diff)
			}
			if diff := cmp.Diff(string(c.client), string(client)); diff != "" {
				t.Errorf("%s (%s): the client got (-want +got)\n%s", name, way.name, diff)
			}
		}
	}
	if *updateWire {
		writeWire(t, file, archive.Comment, names, cases)
	}
}

func wireCases(t *testing.T, a *txtar.Archive) (names []string, cases map[string]*wireCase) {
	cases = map[string]*wireCase{}
	for _, f := range a.Files {
		name, part, _ := strings.Cut(f.Name, ": ")
		c := cases[name]
		if c == nil {
			c = &wireCase{}
			cases[name], names = c, append(names, name)
		}
		switch part {
		case "request":
			c.request = f.Data
		case "answer":
			c.answer = f.Data
		case "application":
			c.backend = f.Data
		case "client":
			c.client = f.Data
		default:
			t.Fatalf("%q is none of request, answer, application, client", f.Name)
		}
	}
	return names, cases
}

func writeWire(t *testing.T, file string, comment []byte, names []string, cases map[string]*wireCase) {
	a := &txtar.Archive{Comment: comment}
	for _, name := range names {
		c := cases[name]
		add := func(part string, data []byte) {
			if len(data) > 0 {
				a.Files = append(a.Files, txtar.File{Name: name + ": " + part, Data: data})
			}
		}
		add("request", c.request)
		add("answer", c.answer)
		add("application", c.backend)
		add("client", c.client)
	}
	if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}

// wireSites starts two servers of one edge, with what the comment's lines that
// begin with "option" say.
func wireSites(t *testing.T, comment, app string) (front, plain string) {
	o := Options{HealthInterval: time.Hour}
	for line := range strings.Lines(comment) {
		switch words := strings.Fields(line); {
		case len(words) < 2 || words[0] != "option":
		case words[1] == "trusted":
			o.Trusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		case words[1] == "host":
			o.Host = words[2]
		case words[1] == "click":
			o.Clicks, o.ClickFile = daily, filepath.Join(t.TempDir(), "clicks")
		case words[1] == "static":
			o.Static = Static{Dir: t.TempDir()}
			os.WriteFile(filepath.Join(o.Static.Dir, "a.txt"), []byte("file\n"), 0o600)
			os.WriteFile(filepath.Join(filepath.Dir(o.Static.Dir), "secret.txt"), []byte("secret\n"), 0o600)
		default:
			t.Fatalf("unknown option %q", line)
		}
	}
	s := newSite(t, o)
	s.addURL(t, "web.1", app)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := Server(s.Edge)
	go srv.Serve(http1.Strict(l)) // ends with Close
	t.Cleanup(func() { srv.Close() })
	return s.addr, l.Addr().String()
}

const (
	ordinary = "GET /ordinary HTTP/1.1\r\nHost: ordinary\r\n\r\n"
	lastly   = "GET /last HTTP/1.1\r\nHost: last\r\nConnection: close\r\n\r\n"
)

// wireBytes are the bytes that a file's lines stand for.
func wireBytes(t *testing.T, text []byte) []byte {
	var b []byte
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		line, joined := strings.CutSuffix(line, `\`)
		if n, rest, ok := strings.Cut(line, "× "); ok { // "1000× x" is a thousand x
			count, err := strconv.Atoi(n)
			if err != nil {
				t.Fatal(err)
			}
			line = strings.Repeat(rest, count)
		}
		s, err := strconv.Unquote(`"` + strings.ReplaceAll(line, `"`, `\"`) + `"`)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if b = append(b, s...); !joined {
			b = append(b, "\r\n"...)
		}
	}
	return b
}

// talk sends and returns the answers until the connection ends, those of the
// ordinary requests left out where they are as they must be.
func talk(t *testing.T, address, before string, request []byte) []byte {
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	sent := slices.Concat([]byte(before), wireBytes(t, request), []byte(lastly))
	go c.Write(sent) // what is refused early is not read to its end
	in := bufio.NewReader(c)
	var out bytes.Buffer
	for i := 0; ; i++ {
		asked := &http.Request{}
		if own := map[bool]int{true: 1}[before != ""]; i == own && bytes.HasPrefix(request, []byte("HEAD ")) {
			asked.Method = http.MethodHead
		}
		r, err := http.ReadResponse(in, asked)
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				fmt.Fprintln(&out, "no answer")
			}
			return out.Bytes()
		}
		body, err := io.ReadAll(r.Body)
		if i == 0 && before != "" && string(body) == "ordinary" || string(body) == "last" {
			continue
		}
		fmt.Fprintln(&out, r.Proto, r.Status)
		r.Header.Del("Date")
		var fields []string
		for name, values := range r.Header {
			for _, v := range values {
				fields = append(fields, name+": "+v)
			}
		}
		if r.ContentLength >= 0 {
			fields = append(fields, fmt.Sprint("Length: ", r.ContentLength))
		}
		fmt.Fprint(&out, fieldLines(fields), printable(body))
		if errors.Is(err, io.ErrUnexpectedEOF) { // a reset behind an answer without a length is none
			fmt.Fprintln(&out, "broken off")
		}
	}
}

var randomID = regexp.MustCompile(`[0-9a-f]{32}`)

func fieldLines(fields []string) string {
	slices.Sort(fields)
	var b strings.Builder
	for _, f := range fields {
		b.WriteString(printable([]byte(f)))
	}
	return b.String()
}

// printable is a line a line of text, without what differs from run to run.
func printable(b []byte) string {
	b = randomID.ReplaceAll(b, []byte("ID"))
	var out strings.Builder
	for line := range strings.Lines(string(b)) {
		q := strconv.QuoteToASCII(line)
		out.WriteString(strings.ReplaceAll(strings.TrimSuffix(q[1:len(q)-1], `\n`), `\"`, `"`) + "\n")
	}
	return out.String()
}

// A witness is an application that keeps the bytes it was sent.
type witness struct {
	t *testing.T
	l net.Listener

	mu     sync.Mutex
	answer []byte
	bytes.Buffer
}

func newWitness(t *testing.T) *witness {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{t: t, l: l}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { w.serve(c) })
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return w
}

func (w *witness) url() string { return "http://" + w.l.Addr().String() }

func (w *witness) begin(answer []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = answer
	w.Reset()
}

func (w *witness) seen() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.Clone(w.Bytes())
}

func (w *witness) serve(c net.Conn) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	var raw bytes.Buffer
	in := bufio.NewReader(io.TeeReader(c, &raw))
	for {
		r, err := http.ReadRequest(in)
		if err == nil {
			_, err = io.Copy(io.Discard, r.Body)
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return // a part of a request is none
		case err != nil:
			w.note(raw.Bytes(), err)
			return
		}
		if name := strings.TrimPrefix(r.URL.Path, "/"); r.Host == name && (name == "ordinary" || name == "last") {
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(name), name)
			raw.Reset()
			continue
		}
		w.note(raw.Bytes(), nil)
		raw.Reset()
		w.mu.Lock()
		answer := w.answer
		w.mu.Unlock()
		if len(answer) == 0 {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			continue
		}
		text, end := bytes.CutSuffix(answer, []byte("(end)\n"))
		c.Write(wireBytes(w.t, text))
		if end {
			return
		}
	}
}

// note keeps a request: its first line, its fields in order, its body.
func (w *witness) note(raw []byte, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	head, body, _ := strings.Cut(string(raw), "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	fmt.Fprint(w, printable([]byte(lines[0])), fieldLines(lines[1:]))
	if body != "" {
		fmt.Fprint(w, "\n", strings.ReplaceAll(printable([]byte(body)), `\r`+"\n", "\n"))
	}
	if err != nil {
		fmt.Fprintln(w, err)
	}
}
