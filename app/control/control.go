// Package control is how the other commands talk to a running `dayfly up`:
// HTTP and JSON over a Unix socket in the data folder. Whoever may open the
// socket (its owner) may do everything. The format is dayfly's own, for the
// same version on both sides; doc/formats/control.md describes it.
package control

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/dayfly-dev/dayfly/dash"
)

// SocketName is the socket's name in the data folder.
const SocketName = "dayfly.sock"

// Status is the answer to GET /status.
type Status struct {
	dash.Info
	PID       int             `json:"pid"`
	Groups    []dash.Group    `json:"processes"`
	Edge      dash.EdgeStats  `json:"edge"`
	Schedules []dash.Schedule `json:"schedules"`
	Paused    []Paused        `json:"paused"` // queues
	// Maintenance is nil where there is no site.
	Maintenance *dash.Maintenance `json:"maintenance,omitempty"`
}

// MaxRun is the largest body of POST /run in bytes: the largest arguments a task
// takes, 32 MiB, and what is around them.
const MaxRun = 32<<20 + 64<<10

// Run is the body of POST /run.
type Run struct {
	Task  string          `json:"task"`
	Queue string          `json:"queue"` // default "default"
	Args  json.RawMessage `json:"args"`
	Delay time.Duration   `json:"delay_ns"`
}

// Ran is the answer to POST /run.
type Ran struct {
	ID    string `json:"id"`
	Task  string `json:"task"`
	Queue string `json:"queue"`
}

// Step is one line of an answer that shows progress; the last has Done or Error.
type Step struct {
	Text  string `json:"text,omitempty"`
	Done  bool   `json:"done,omitempty"`
	Error string `json:"error,omitempty"`
}

// Problem is the body of an answer that is not 2xx.
type Problem struct {
	Error string `json:"error"`
}

// maxSocketPath is what sockaddr_un holds on Linux, less the end mark.
const maxSocketPath = 107

// Socket returns a path by which the socket of a data folder can be bound or
// reached, however long the folder's own path is, and a function that gives
// the detour up.
func Socket(dir string) (path string, release func(), err error) {
	path = filepath.Join(dir, SocketName)
	if len(path) <= maxSocketPath {
		return path, func() {}, nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return "/proc/self/fd/" + strconv.Itoa(int(f.Fd())) + "/" + SocketName, func() { f.Close() }, nil
}

// Listen binds the socket, replacing one that a killed dayfly left. Call it
// only while holding the data folder's lock.
func Listen(dir string) (net.Listener, error) {
	path, release, err := Socket(dir)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("remove the old socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}
