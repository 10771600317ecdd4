package respcache

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// BenchmarkHit is an answer from memory, without a network.
func BenchmarkHit(b *testing.B) {
	c, err := New(Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	h := c.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=6000")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Vary", "Accept-Encoding")
		w.Header().Set("Etag", `"0123456789abcdef"`)
		io.WriteString(w, strings.Repeat("x", 1024))
	}))
	var requests []*http.Request
	for i := range 1000 {
		r := httptest.NewRequest("GET", fmt.Sprintf("http://www.example.com/page/%d?a=b", i), nil)
		r.Header.Set("Accept-Encoding", "gzip, deflate, br, zstd")
		r.Header.Set("User-Agent", "bench")
		requests = append(requests, r)
		h.ServeHTTP(&discard{header: http.Header{}}, r)
	}
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		w := &discard{header: http.Header{}}
		for i := 0; p.Next(); i++ {
			clear(w.header)
			h.ServeHTTP(w, requests[i%len(requests)])
		}
	})
}

// BenchmarkMiss is an answer that is fetched, stored, and drives out another.
func BenchmarkMiss(b *testing.B) {
	c, err := New(Options{Size: 8 << 20})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	body := []byte(strings.Repeat("x", 1024))
	h := c.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=6000")
		w.Write(body)
	}))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r := httptest.NewRequest("GET", fmt.Sprintf("http://www.example.com/%d", i), nil)
		h.ServeHTTP(&discard{header: http.Header{}}, r)
	}
}
