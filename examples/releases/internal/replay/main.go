// Command replay serves composed packages as a Go module proxy, an npm
// registry and a Python index, for end-to-end scripts:
//
//	go run ./examples/releases/internal/replay -addr 127.0.0.1:0
//
// It prints the environment that points the usual tools, and the release
// watcher, to it, one NAME=value a line, and serves until it is interrupted.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/manifest"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/registrytest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "replay:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	addr := flag.String("addr", "127.0.0.1:0", "where to listen")
	gomod := flag.String("gomod", "", "a go.mod whose modules are served; default the nearest from here up")
	flag.Parse()
	packages, err := modules(*gomod)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	r := registrytest.New(append(packages, registrytest.Sample()...)...)
	r.URL = "http://" + l.Addr().String()
	fmt.Printf("GOPROXY=%s\nnpm_config_registry=%s\nPIP_INDEX_URL=%s\n",
		r.URL+registrytest.GoPath, r.URL+registrytest.NPMPath, r.URL+registrytest.PyPIPath)
	server := &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err = server.Shutdown(drain)
	<-served //nolint:errcheck // http.ErrServerClosed
	return err
}

func modules(file string) ([]registrytest.Package, error) {
	if file == "" {
		var err error
		if file, err = manifest.FindGoMod("."); err != nil {
			return nil, err
		}
	}
	data, err := manifest.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return registrytest.GoModules(data)
}
