package test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/internal/need"
)

// TestWebSocket has libraries of others talk to an application of another
// through dayfly. Their scripts, and the application, are in clients/.
func TestWebSocket(t *testing.T) {
	t.Parallel()
	python := need.Python(t, "websockets")
	node, modules := need.Node(t, "ws")
	app := filepath.Join(need.Root(t), "test/clients/websocket_app.py")
	dir := application(t, fmt.Sprintf("name = \"sockets\"\n[process.web]\ncommand = \"%s %s\"\nhttp = true\nhealth = \"/healthz\"\n", python, app)+anyPorts)
	h := up(t, dir, filepath.Join(dir, ".dayfly"))

	t.Run("Python websockets", func(t *testing.T) { h.client(t, nil, python, "clients/websocket_websockets.py") })
	t.Run("Node ws", func(t *testing.T) { h.client(t, []string{"NODE_PATH=" + modules}, node, "clients/js/websocket.cjs") })
	t.Run("clients that do not read", h.unreadSockets)
	t.Run("an instance that is replaced", func(t *testing.T) { h.awaySockets(t, python) })
	h.down()
}

const (
	unread    = 8
	floodSize = 64 << 20 // what the application has for each, bytes
)

// unreadSockets has clients that take nothing of what the application sends: it
// has to wait, dayfly does not keep it. Then they read, and all of it comes.
func (h *house) unreadSockets(t *testing.T) {
	before := h.resident(t)
	var clients []*bufio.Reader
	for range unread {
		c, err := net.Dial("tcp", strings.TrimPrefix(h.env["SITE_URL"], "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "GET /flood HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		c.SetDeadline(time.Now().Add(patience))
		r := bufio.NewReader(c)
		answer, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != http.StatusSwitchingProtocols || answer.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
			t.Fatalf("%s %v", answer.Status, answer.Header) // the key and its answer are those of RFC 6455
		}
		clients = append(clients, r)
	}
	most, last, still := before, 0, 0
	eventually(t, "the application waits for its clients", func() bool {
		var state struct{ Sent []int }
		if err := json.Unmarshal([]byte(get(t, h.env["SITE_URL"]+"/state")), &state); err != nil {
			t.Fatal(err)
		}
		sum := 0
		for _, n := range state.Sent {
			sum += n
		}
		if still++; sum != last {
			still = 0
		}
		last, most = sum, max(most, h.resident(t))
		return len(state.Sent) == unread && still >= 10
	})
	t.Logf("the application had sent %d of %d MiB to %d clients that do not read; dayfly's memory was %d MiB before and at most %d MiB",
		last, unread*floodSize>>20, unread, before>>20, most>>20)
	if last<<20 >= unread*floodSize/2 {
		t.Errorf("the application could send %d of %d MiB", last, unread*floodSize>>20)
	}
	if more := most - before; more > unread*floodSize/8 {
		t.Errorf("dayfly grew by %d MiB", more>>20)
	}
	for i, r := range clients {
		if err := readFlood(r); err != nil {
			t.Errorf("client %d: %v", i, err)
		}
	}
}

// readFlood reads what /flood sends: messages of 1 MiB, each of one frame and of
// one byte, counted up, and a close frame.
func readFlood(r io.Reader) error {
	message := make([]byte, 10+1<<20)
	for i := range floodSize >> 20 {
		if _, err := io.ReadFull(r, message); err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
		if head := [10]byte(message); head != [10]byte{0x82, 127, 0, 0, 0, 0, 0, 16, 0, 0} { // final and binary; 1 MiB
			return fmt.Errorf("message %d begins with %x", i, head)
		}
		for at, b := range message[10:] {
			if int(b) != i {
				return fmt.Errorf("message %d has %d at %d", i, b, at)
			}
		}
	}
	end := make([]byte, 4)
	if _, err := io.ReadFull(r, end); err != nil || [4]byte(end) != [4]byte{0x88, 2, 1000 >> 8, 1000 & 255} {
		return fmt.Errorf("it ends with %x, %w", end, err)
	}
	return nil
}

// resident returns how much memory dayfly has, in bytes.
func (h *house) resident(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	fields := strings.Fields(after)
	if len(fields) < 2 || fields[1] != "kB" {
		t.Fatalf("no VmRSS in\n%s", status)
	}
	n, err := strconv.Atoi(fields[0])
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}

// awaySockets replaces the application under an open connection: the client is
// told so by the application's own close frame.
func (h *house) awaySockets(t *testing.T, python string) {
	cmd := exec.CommandContext(t.Context(), python, "clients/websocket_websockets.py", "away")
	cmd.Env = append(os.Environ(), "SITE_URL="+h.env["SITE_URL"])
	errs := &syncBuffer{}
	cmd.Stderr = errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "here\n" {
		t.Errorf("the client said %q, %v", line, err)
	}
	h.cli("restart", "web")
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, errs.String())
	}
}
