package edge

import (
	"net/http"
	"time"
)

// Server returns an http.Server for handler with bounds against slow and
// oversized requests: 10 s for a request's headers, 64 KiB of headers, 2 min
// between requests on a kept-alive connection. Bodies and answers have no bound
// in time, since uploads and event streams are as long as they are. The caller
// sets Addr or calls Serve with a listener.
func Server(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
}
