package test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"testing"
)

// TestH2C has an application that speaks HTTP/2 without TLS and nothing else,
// and clients of HTTP/1.1 and HTTP/2.
func TestH2C(t *testing.T) {
	t.Parallel()
	app := build(t, "./test/edgeapp")
	dir := application(t, fmt.Sprintf("name = \"h2c\"\n[process.web]\ncommand = \"%s h2c\"\nhttp = true\nprotocol = \"h2c\"\nhealth = \"/healthz\"\n", app)+anyPorts)
	h := up(t, dir, filepath.Join(dir, ".dayfly"))
	for name, protocol := range map[string]func(*http.Protocols){
		"HTTP/1.1": func(p *http.Protocols) { p.SetHTTP1(true) },
		"HTTP/2.0": func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) },
	} {
		t.Run(name, func(t *testing.T) {
			transport := &http.Transport{Protocols: new(http.Protocols)}
			protocol(transport.Protocols)
			defer transport.CloseIdleConnections()
			c := h2cClient{t, &http.Client{Transport: transport, Timeout: patience}, h.env["SITE_URL"], name}
			c.get()
			c.post(nil)
			c.post([]byte("a small body"))
			c.post(bytes.Repeat([]byte("a large body "), 1<<20))
			c.lines()
		})
	}
	h.down()
}

type h2cClient struct {
	t    *testing.T
	c    *http.Client
	site string
	want string // the protocol between client and edge
}

func (c h2cClient) do(r *http.Request) *http.Response {
	c.t.Helper()
	res, err := c.c.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || res.Proto != c.want {
		body, _ := io.ReadAll(res.Body)
		c.t.Fatalf("%s %s in %s: %s", r.Method, r.URL.Path, res.Proto, body)
	}
	return res
}

func (c h2cClient) request(method, path string, body io.Reader) *http.Request {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.site+path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

func (c h2cClient) text(r *http.Request) string {
	c.t.Helper()
	res := c.do(r)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(body)
}

func (c h2cClient) get() {
	c.t.Helper()
	if got, want := c.text(c.request(http.MethodGet, "/proto?a=%2F", nil)), "HTTP/2.0 127.0.0.1 /proto?a=%2F"; got != want {
		c.t.Errorf("the application saw %q, want %q", got, want)
	}
}

// post sends a body with its length and, with a trailer, without.
func (c h2cClient) post(body []byte) {
	c.t.Helper()
	want := fmt.Sprintf("%d %x ", len(body), sha256.Sum256(body))
	if got := c.text(c.request(http.MethodPost, "/sum", bytes.NewReader(body))); got != want {
		c.t.Errorf("%d bytes: the application got %q", len(body), got)
	}
	r := c.request(http.MethodPost, "/sum", struct{ io.Reader }{bytes.NewReader(body)})
	r.Trailer = http.Header{"X-Sent": {"whole"}}
	if got := c.text(r); got != want+"whole" {
		c.t.Errorf("%d bytes of unknown length: the application got %q", len(body), got)
	}
}

// lines converses: each line is sent when the answer to the one before is there.
func (c h2cClient) lines() {
	c.t.Helper()
	out, in := io.Pipe()
	defer in.Close()
	go fmt.Fprintln(in, "line 0") // Do returns when the answer has begun
	res := c.do(c.request(http.MethodPost, "/lines", out))
	defer res.Body.Close()
	answers := bufio.NewReader(res.Body)
	for n := range 5 {
		if line, err := answers.ReadString('\n'); err != nil || line != fmt.Sprintf("LINE %d\n", n) {
			c.t.Fatalf("line %d came as %q, %v", n, line, err)
		}
		if n < 4 {
			fmt.Fprintf(in, "line %d\n", n+1)
		}
	}
	in.Close()
	if rest, err := io.ReadAll(answers); err != nil || len(rest) > 0 {
		c.t.Errorf("after the lines %q, %v", rest, err)
	}
	if res.Trailer.Get("X-Lines") != "5" || res.Trailer.Get("X-Unannounced") != "too" {
		c.t.Errorf("trailer %v", res.Trailer)
	}
}
