package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// h2c speaks HTTP/2 only: it refuses what comes otherwise.
func h2c(context.Context) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", well)
	mux.HandleFunc("GET /proto", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s", r.Proto, r.Header.Get("X-Forwarded-For"), r.URL.RequestURI())
	})
	mux.HandleFunc("POST /sum", func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, "%d %x %s", n, sum.Sum(nil), r.Trailer.Get("X-Sent"))
	})
	// Line by line: the next comes when the answer to the one before has.
	mux.HandleFunc("POST /lines", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Lines")
		n := 0
		for lines := bufio.NewScanner(r.Body); lines.Scan(); n++ {
			fmt.Fprintln(w, strings.ToUpper(lines.Text()))
			if http.NewResponseController(w).Flush() != nil {
				return
			}
		}
		w.Header().Set("X-Lines", fmt.Sprint(n))
		w.Header().Set(http.TrailerPrefix+"X-Unannounced", "too")
	})
	s := &http.Server{Handler: mux, Protocols: new(http.Protocols)}
	s.Protocols.SetUnencryptedHTTP2(true)
	return s
}
