// Package awstest has what the tests of drivers share that speak to AWS's
// services over HTTP: moto as the service, answers that get lost, come late or
// refuse, and what a driver must make of those.
package awstest

import (
	"bufio"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"github.com/dayfly-dev/dayfly/internal/need"
)

// Soon tries again as the SDK does by default, and rests for up to 20 ms before
// where it rests for up to 20 s: connections that a test breaks are not those of
// a service that has too much to do.
var Soon = retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = 20 * time.Millisecond })

// server runs moto's application, which answers one request at a time: moto looks
// at a condition and writes in two steps, and has no lock around them. Connections
// are many, as a client may open one and leave it idle.
const server = `
import sys, threading
from werkzeug.serving import make_server
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
app, one = DomainDispatcherApplication(create_backend_app), threading.Lock()
def serve(environ, start_response):
    with one:
        return list(app(environ, start_response))
s = make_server("127.0.0.1", 0, serve, threaded=True)
s.daemon_threads = True
threading.Thread(target=s.serve_forever, daemon=True).start()
print("http://127.0.0.1:%d" % s.server_port)
sys.stdin.read()`

// Moto starts moto's server and returns its address. It has all services, and
// forgets everything when the test ends.
func Moto(t testing.TB) string {
	t.Helper()
	cmd := exec.Command(need.Python(t, "moto.server", "flask"), "-u", "-c", server)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait() // moto ends with its input
	})
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("moto did not start: %v", err)
	}
	go io.Copy(io.Discard, out) //nolint:errcheck // until moto ends
	return strings.TrimSpace(url)
}
