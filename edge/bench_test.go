package edge

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

const benchConnections = 64

// benchGet sends GETs for path over 64 kept-alive connections.
func benchGet(b *testing.B, s *site, path string, header string) {
	b.Helper()
	request := []byte("GET " + path + " HTTP/1.1\r\nHost: bench\r\n" + header + "\r\n")
	b.SetParallelism((benchConnections + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	var bytes atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			b.Error(err)
			return
		}
		defer c.Close()
		br := bufio.NewReaderSize(c, 64<<10)
		for pb.Next() {
			if _, err := c.Write(request); err != nil {
				b.Error(err)
				return
			}
			res, err := http.ReadResponse(br, nil)
			if err != nil || res.StatusCode != 200 {
				b.Error(res, err)
				return
			}
			n, err := io.Copy(io.Discard, res.Body)
			if err != nil {
				b.Error(err)
				return
			}
			bytes.Add(n)
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
	b.SetBytes(bytes.Load() / int64(b.N))
}

func BenchmarkProxy(b *testing.B) {
	body := bytes.Repeat([]byte("x"), 1<<10)
	s := newSite(b, Options{HealthInterval: time.Hour})
	s.add(b, "web.1", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Write(body)
	})
	b.Run("1KiB", func(b *testing.B) { benchGet(b, s, "/", "") })
}

func BenchmarkStatic(b *testing.B) {
	dir := b.TempDir()
	write(b, dir, "1.png", make([]byte, 1<<10))
	write(b, dir, "100.png", make([]byte, 100<<10))
	write(b, dir, "app.css", css)
	s := newSite(b, Options{Static: Static{Dir: dir}})
	awaitCompressed(b, s)
	for _, bc := range []struct{ name, path, header string }{
		{"1KiB", "/static/1.png", ""}, {"100KiB", "/static/100.png", ""},
		{fmt.Sprintf("%dKiB-brotli", len(css)>>10), "/static/app.css", "Accept-Encoding: gzip, br, zstd\r\n"},
	} {
		b.Run(bc.name, func(b *testing.B) { benchGet(b, s, bc.path, bc.header) })
	}
}

func BenchmarkClick(b *testing.B) {
	s := clickSite(b)
	req := []byte("GET /daily/?/updates/a/ HTTP/1.1\r\nHost: bench\r\nUser-Agent: " + firefox + "\r\n\r\n")
	b.SetParallelism(benchConnections / runtime.GOMAXPROCS(0))
	b.RunParallel(func(pb *testing.PB) {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			b.Error(err)
			return
		}
		defer c.Close()
		br := bufio.NewReader(c)
		for pb.Next() {
			c.Write(req)
			if res, err := http.ReadResponse(br, nil); err != nil || res.StatusCode != 302 {
				b.Error(res, err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "clicks/s")
}
