package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/dayfly-dev/dayfly/test/peers/process"
)

// kilobyte is what the backend answers, and the smaller of the files.
var kilobyte = bytes.Repeat([]byte("dayfly.\n"), 128)

// backend is the application behind those that are measured: 1 KiB at /, the
// same to be kept for an hour at /cached, and the number of its process.
func backend(port string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Write(kilobyte) //nolint:errcheck // the client went away
	})
	mux.HandleFunc("/cached", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Cache-Control", "public, max-age=3600")
		w.Write(kilobyte) //nolint:errcheck // the client went away
	})
	mux.HandleFunc("/pid", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, os.Getpid()) })
	return http.ListenAndServe("127.0.0.1:"+port, mux)
}

// startBackend returns the process and host:port of a backend.
func (o *options) startBackend() (*process.Process, string, error) {
	port, err := process.FreePort()
	if err != nil {
		return nil, "", err
	}
	cmd := exec.Command(o.self, "backend")
	cmd.Env = append(os.Environ(), "PORT="+strconv.Itoa(port))
	p, err := process.Start(filepath.Join(o.dir, "backend.log"), cmd)
	if err != nil {
		return nil, "", err
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	return p, address, p.Until(10*time.Second, "ready", func() bool { _, err := get("http://" + address + "/"); return err == nil })
}
