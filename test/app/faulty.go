package main

import (
	"io"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// faulty breaks a web process when it is told to, its health check included: from
// SIGUSR1 on it accepts requests and never answers, from SIGUSR2 on it answers
// what is not HTTP.
func faulty(h http.Handler) http.Handler {
	var told atomic.Value
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	go func() {
		for s := range signals {
			told.Store(s)
		}
	}()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch told.Load() {
		case nil:
			h.ServeHTTP(w, r)
		case syscall.SIGUSR1:
			select {} // until the process is killed
		default:
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			io.WriteString(c, "220 this is no HTTP\r\n") //nolint:errcheck // the connection ends either way
			c.Close()
		}
	})
}
