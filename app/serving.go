package app

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// server is what listens: ours, and net/http's as closing.
type server interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
}

// lastAnswers is how long a listener may answer what was begun when it is its
// turn to stop. The processes have ended by then, and the site has been drained.
const lastAnswers = 2 * time.Second

// serve serves until Stop; what was begun is answered, within lastAnswers.
func (a *App) serve(name string, l net.Listener, s server) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			a.log.Error("a listener ended", "service", name, "error", err)
		}
	}()
	a.onStop(name, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, lastAnswers)
		defer cancel()
		err := s.Shutdown(ctx)
		<-ended
		return err
	})
}

func (a *App) serveHTTP(name string, l net.Listener, s *http.Server) {
	a.serve(name, l, closing{s})
}

// closing cuts off what a server of HTTP leaves running when the time of
// Shutdown ends.
type closing struct {
	closer
}

type closer interface {
	server
	Close() error
}

func (c closing) Shutdown(ctx context.Context) error {
	err := c.closer.Shutdown(ctx)
	if err != nil {
		err = errors.Join(c.Close(), err)
	}
	return err
}
