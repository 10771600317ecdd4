package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/site"
	"github.com/dayfly-dev/dayfly/forwarded"
)

//go:embed static
var static embed.FS

// drainTime is how long requests under way may take after a signal.
const drainTime = 20 * time.Second

// web serves the site until ctx ends, then finishes what is under way.
func web(ctx context.Context, s *settings, log *slog.Logger) error {
	if s.Port == "" {
		return errors.New("PORT is not set")
	}
	p, err := openParts(ctx, s, log)
	if err != nil {
		return err
	}
	defer p.close()
	files, err := fs.Sub(static, "static")
	if err != nil {
		return err
	}
	handler, err := site.New(site.Options{
		DB: p.db, Jobs: p.jobs, Queue: p.queue, Bucket: p.bucket, Cache: p.cache, BucketURL: s.BucketURL, SiteURL: s.SiteURL,
		Static: files, StaticManifest: s.StaticManifest, Process: s.Process, Log: log,
	})
	if err != nil {
		return err
	}
	trusted, err := forwarded.ParseNetworks(strings.Fields(s.TrustedProxies), nil)
	if err != nil {
		return fmt.Errorf("TRUSTED_PROXIES: %w", err)
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", s.Port))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{
		Handler: forwarded.Handler(handler, trusted), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute,
		WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	log.Info("web is ready", "address", "http://"+l.Addr().String())
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	log.Info("web is draining")
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	err = server.Shutdown(drain)
	<-served //nolint:errcheck // http.ErrServerClosed
	if err != nil {
		return fmt.Errorf("requests were cut after %s: %w", drainTime, err)
	}
	return nil
}
