package edge

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/forwarded"
)

// version2 is a PROXY header of version 2, with so many bytes of extensions.
func version2(command byte, from, to netip.AddrPort, extensions int) string {
	var b bytes.Buffer
	b.WriteString("\r\n\r\n\x00\r\nQUIT\n")
	b.WriteByte(0x20 | command)
	family, addresses := byte(0x11), append(from.Addr().AsSlice(), to.Addr().AsSlice()...)
	if from.Addr().Is6() {
		family = 0x21
	}
	b.WriteByte(family)
	addresses = binary.BigEndian.AppendUint16(addresses, from.Port())
	addresses = binary.BigEndian.AppendUint16(addresses, to.Port())
	if extensions > 0 { // one of type NOOP
		addresses = append(addresses, 0x04)
		addresses = binary.BigEndian.AppendUint16(addresses, uint16(extensions-3))
		addresses = append(addresses, make([]byte, extensions-3)...)
	}
	b.Write(binary.BigEndian.AppendUint16(nil, uint16(len(addresses))))
	b.Write(addresses)
	return b.String()
}

func TestProxyProtocol(t *testing.T) {
	e, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	err = e.setup().put(e, func(http.Handler) (http.Handler, error) {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, w.(*exchange).origin.chain) }), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, server := range map[string]interface {
		Serve(net.Listener) error
		Close() error
	}{"net/http": Server(e), "the loop": NewFront(Server(e), nil)} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- server.Serve(e.ProxyProtocol(l)) }()
		t.Run(name, func(t *testing.T) { proxyHeaders(t, e, l.Addr().String()) })
		server.Close()
		<-ended
	}
}

func proxyHeaders(t *testing.T, e *Edge, address string) {
	v4, v6 := netip.MustParseAddrPort("192.0.2.7:1000"), netip.MustParseAddrPort("[2001:db8::7]:1000")
	to4, to6 := netip.MustParseAddrPort("198.51.100.1:443"), netip.MustParseAddrPort("[2001:db8::1]:443")
	for _, tt := range []struct {
		name, header string
		trusted      bool
		want         string // chain; "": refused
	}{
		{"version 1", "PROXY TCP4 192.0.2.7 198.51.100.1 1000 443\r\n", true, "192.0.2.7"},
		{"version 1, IPv6", "PROXY TCP6 2001:db8::7 2001:db8::1 1000 443\r\n", true, "2001:db8::7"},
		{"version 1, unknown", "PROXY UNKNOWN\r\n", true, "127.0.0.1"},
		{"version 2", version2(1, v4, to4, 0), true, "192.0.2.7"},
		{"version 2, IPv6, extensions", version2(1, v6, to6, 1000), true, "2001:db8::7"},
		{"version 2, a health check", version2(0, v4, to4, 0), true, "127.0.0.1"},
		{"none from one trusted", "", true, ""},
		{"none from a stranger", "", false, "127.0.0.1"},
		{"version 1 from a stranger", "PROXY TCP4 192.0.2.7 198.51.100.1 1000 443\r\n", false, ""},
		{"version 2 from a stranger", version2(1, v4, to4, 0), false, ""},
		{"two", "PROXY TCP4 192.0.2.7 198.51.100.1 1000 443\r\nPROXY TCP4 1.1.1.1 198.51.100.1 1000 443\r\n", true, ""},
		{"an address that is none", "PROXY TCP4 192.0.2.777 198.51.100.1 1000 443\r\n", true, ""},
		{"another family", "PROXY TCP4 2001:db8::7 198.51.100.1 1000 443\r\n", true, ""},
		{"a line without end", "PROXY TCP4 " + strings.Repeat("1", 4000), true, ""},
		{"version 3", strings.Replace(version2(1, v4, to4, 0), "\x21\x11", "\x31\x11", 1), true, ""},
		{"of UDP", strings.Replace(version2(1, v4, to4, 0), "\x21\x11", "\x21\x12", 1), true, ""},
		{"shorter than it says", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x04aaaa", true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e.Trust(nil)
			if tt.trusted {
				e.Trust(forwarded.Of(netip.MustParsePrefix("127.0.0.0/8")))
			}
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := fmt.Fprintf(c, "%sGET / HTTP/1.1\r\nHost: site\r\nConnection: close\r\n\r\n", tt.header); err != nil {
				t.Fatal(err)
			}
			answer, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				if tt.want != "" {
					t.Fatal(err)
				}
				return
			}
			defer answer.Body.Close()
			text, _ := io.ReadAll(answer.Body)
			if got := string(text); answer.StatusCode == 200 && (got != tt.want || tt.want == "") || answer.StatusCode != 200 && tt.want != "" {
				t.Errorf("%s %q, want %q", answer.Status, got, tt.want)
			}
		})
	}
}

// TestProxyHeaderInTime: a trusted peer that sends no header, half of one, or one
// byte after the other is left when its time is over; one whose header comes in
// pieces is served.
func TestProxyHeaderInTime(t *testing.T) {
	var log bytes.Buffer
	e, err := New(Options{Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.setup().put(e, fixed); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	behind := e.ProxyProtocol(l).(*proxyListener)
	behind.within = time.Second
	front, ended := NewFront(Server(e), nil), make(chan error, 1)
	go func() { ended <- front.Serve(behind) }()
	defer func() { front.Close(); <-ended }()
	whole := "PROXY TCP4 192.0.2.7 198.51.100.1 1000 443\r\n"
	for _, tt := range []struct {
		name   string
		pieces []string
		pause  time.Duration
		served bool
	}{
		{"nothing", nil, 0, false},
		{"half a line", []string{whole[:20]}, 0, false},
		{"half of version 2", []string{version2(1, netip.MustParseAddrPort("192.0.2.7:1"), netip.MustParseAddrPort("192.0.2.8:2"), 100)[:40]}, 0, false},
		{"byte by byte, slowly", strings.Split(whole, ""), 100 * time.Millisecond, false},
		{"byte by byte, at once", strings.Split(whole, ""), 0, true},
	} {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(time.Minute))
		begun := time.Now()
		for _, p := range tt.pieces {
			if _, err := io.WriteString(c, p); err != nil {
				break
			}
			time.Sleep(tt.pause) // what is tested is being slow
		}
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: site\r\nConnection: close\r\n\r\n"[:map[bool]int{true: 49}[tt.served]])
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		c.Close()
		switch {
		case tt.served != (err == nil && answer.StatusCode == 200):
			t.Errorf("%s: %v, %v", tt.name, answer, err)
		case !tt.served && time.Since(begun) < 900*time.Millisecond, errors.Is(err, os.ErrDeadlineExceeded):
			t.Errorf("%s: ended after %s: %v", tt.name, time.Since(begun), err)
		}
	}
	front.Close()
	if n := strings.Count(log.String(), "did not begin with a PROXY header"); n != 1 {
		t.Errorf("said %d times, want once an hour:\n%s", n, &log)
	}
}
