//go:build linux

package need

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// Ports of Address: below those that Linux gives to whoever asks for any, and to
// connections (net.ipv4.ip_local_port_range, from 32768).
const firstPort, lastPort = 20_000, 32_767

// Address returns a loopback address that is the test's own until it ends: nobody
// listens there, and no other test gets it, in whichever process. A server may end
// and start there again. A port that the kernel chose and that was let go could be
// another's by then.
func Address(t testing.TB) string {
	t.Helper()
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		// Names of this kind end with the process that has them, however it ends.
		held, err := net.Listen("unix", fmt.Sprintf("@dayfly-test-port-%d", port))
		if err != nil {
			continue
		}
		address := fmt.Sprintf("127.0.0.1:%d", port)
		l, err := net.Listen("tcp", address)
		if err != nil {
			held.Close()
			continue
		}
		l.Close()
		t.Cleanup(func() { held.Close() })
		return address
	}
	t.Fatalf("no port of %d–%d is free", firstPort, lastPort)
	return ""
}
