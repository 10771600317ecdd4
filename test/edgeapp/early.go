package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
)

// early answers as soon as it has a request's head: 413 at /large, 401 at /denied.
// At /abrupt and /abruptchunks it answers 413 and closes the connection at
// once, as servers in use do. Elsewhere it reads first.
func early(context.Context) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", well)
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "too large for us", http.StatusRequestEntityTooLarge)
	})
	mux.HandleFunc("/denied", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "who are you", http.StatusUnauthorized) })
	mux.HandleFunc("/abrupt", abrupt("Content-Length: 16\r\n\r\ntoo large for us"))
	mux.HandleFunc("/abruptchunks", abrupt("Transfer-Encoding: chunked\r\n\r\n10\r\ntoo large for us\r\n0\r\n\r\n"))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, "%d bytes", n)
	})
	return &http.Server{Handler: mux}
}

func abrupt(rest string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		answer(c, rest)
	}
}

func answer(c net.Conn, rest string) {
	defer c.Close()
	w := bufio.NewWriter(c)
	fmt.Fprintf(w, "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Type: text/plain\r\n%s", rest)
	w.Flush()
}
