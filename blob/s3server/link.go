package s3server

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/xml"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// link carries requests to the engine, which has a listener of its own and no
// way in without one: a Unix socket, in Linux's abstract namespace, so that
// nothing is left behind by a process that is killed. Whoever else on the
// machine connects to it meets the same signatures as on the endpoint.
type link struct {
	addr      string
	dir       string // to remove, where the socket is a file
	transport *http.Transport
	handler   http.Handler
}

func newLink() (*link, error) {
	l := &link{addr: "@dayfly-objects-" + strings.ToLower(rand.Text())}
	if runtime.GOOS != "linux" {
		dir, err := os.MkdirTemp("", "dayfly-objects-")
		if err != nil {
			return nil, fmt.Errorf("a folder for the engine's socket: %w", err)
		}
		l.dir, l.addr = dir, filepath.Join(dir, "s3.sock")
	}
	var dialer net.Dialer
	l.transport = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", l.addr)
		},
		DisableCompression:  true, // bytes and headers pass as they are
		MaxIdleConnsPerHost: 256,
		ReadBufferSize:      64 << 10,
		WriteBufferSize:     64 << 10,
	}
	return l, nil
}

func (l *link) close() {
	l.transport.CloseIdleConnections()
	if l.dir != "" {
		os.RemoveAll(l.dir)
	}
}

// RoundTrip sends a request of our own client to the engine.
func (l *link) RoundTrip(r *http.Request) (*http.Response, error) { return l.transport.RoundTrip(r) }

// s3Headers writes the headers of S3 as S3 does, in lower case: clients such as
// boto3 take the names of an object's metadata from them as they are.
type s3Headers struct{ http.ResponseWriter }

func (w s3Headers) WriteHeader(status int) {
	h := w.Header()
	for name, values := range h {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") && lower != name {
			delete(h, name)
			h[lower] = values
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap gives http.ResponseController the writer it flushes.
func (w s3Headers) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// once keeps one of the headers that the engine writes twice.
func once(res *http.Response) error {
	for _, name := range []string{"X-Amz-Request-Id", "X-Amz-Id-2"} {
		if values := res.Header[name]; len(values) > 1 {
			res.Header[name] = values[:1]
		}
	}
	return nil
}

// proxy passes requests on without touching what a signature covers: Host, path
// as escaped by the client, query as written.
func (l *link) proxy(log *slog.Logger) http.Handler {
	return &httputil.ReverseProxy{
		Transport:      l.transport,
		BufferPool:     &copyBuffers,
		ModifyResponse: once,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = "http", "s3"
			p.Out.URL.RawQuery = p.In.URL.RawQuery
			p.Out.Host = p.In.Host
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil { // else the client went away
				log.Error("object request failed", "method", r.Method, "path", r.URL.Path, "error", err)
			}
			writeError(w, http.StatusInternalServerError, "InternalError", "The object store did not answer.")
		},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

type bufferPool struct{ sync.Pool }

var copyBuffers = bufferPool{sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}}

func (p *bufferPool) Get() []byte  { return *p.Pool.Get().(*[]byte) }
func (p *bufferPool) Put(b []byte) { p.Pool.Put(&b) }

// writeError answers in the form S3 clients read.
func writeError(w http.ResponseWriter, status int, code, message string) {
	var body bytes.Buffer
	body.WriteString(xml.Header)
	type s3Error struct {
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
	}
	// Encoding two strings into memory cannot fail.
	_ = xml.NewEncoder(&body).Encode(s3Error{Code: code, Message: message})
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = io.Copy(w, &body)
}
