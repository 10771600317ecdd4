// Command edgeapp is the applications that clients of others reach through the
// edge: one that sends events, one that answers before it has read, and one that
// speaks HTTP/2.
package main

import (
	"context"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(0)
	applications := map[string]func(context.Context) *http.Server{"events": events, "early": early, "h2c": h2c}
	if len(os.Args) != 2 || applications[os.Args[1]] == nil {
		log.Fatal("usage: edgeapp events | early | h2c")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, applications[os.Args[1]](ctx)); err != nil {
		log.Fatal(err)
	}
}

// serve answers until ctx ends, and then ends as a good application does.
func serve(ctx context.Context, s *http.Server) error {
	s.Addr = "127.0.0.1:" + os.Getenv("PORT")
	ended := make(chan error, 1)
	go func() {
		<-ctx.Done()
		patience, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		ended <- s.Shutdown(patience)
	}()
	if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-ended
}

func well(http.ResponseWriter, *http.Request) {}
